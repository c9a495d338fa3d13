package main

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/report"
)

type symlinksOptions struct {
	evidence
	output
	mountedAt string
	states    []string
	exitCode  bool
}

var symlinkStates = []string{links.StateOK, links.StateRotten, links.StateLoop, links.StateExternal, links.StateUnreadable}

func newSymlinksCmd(e *env) *cobra.Command {
	o := &symlinksOptions{}
	cmd := &cobra.Command{
		Use:   "symlinks IMAGE...",
		Short: "List every symlink, where it leads, and why it rots",
		Long: `Symlinks lists every symlink and follows it inside the image, never on the host:
absolute targets start at the file system's root, and ".." at the root stays there.

Columns: STATE is ok; rotten, when a component of the target is not there; loop,
when more than 40 symlinks lie on the way; external, when an absolute target
leads to /proc, /sys, /dev or /run, or out of --mounted-at; or unreadable. KEPT
says where the target is stored: inline in the inode, in a block, as inline_data,
or encrypted. LEADS TO is the canonical path; of a rotten one, the first component
that is missing, the directory it should be in, and what became of it: deleted
(and when), renamed (and where it is now), or unknown, as far as the journal's
copies of the directory and removed entries tell.`,
		Example: `  extscope symlinks testdata/demo.img
  extscope symlinks rootfs.img --state rotten,loop --exit-code
  extscope symlinks home.img --mounted-at /home`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeImages,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, o.imageOf(args)) },
	}
	o.evidence.addFlags(cmd)
	o.output.addFlags(cmd)
	cmd.Flags().StringVar(&o.mountedAt, "mounted-at", "", "the file system was mounted at `DIR`: absolute targets below it resolve inside, others are external")
	cmd.Flags().StringSliceVar(&o.states, "state", nil, "only symlinks in these `STATES`, separated by commas")
	cmd.Flags().BoolVar(&o.exitCode, "exit-code", false, "exit with 1 when a symlink is rotten or loops")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(symlinkStates, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (o *symlinksOptions) run(ctx context.Context, e *env, name string) error {
	for _, s := range o.states {
		if !slices.Contains(symlinkStates, s) {
			return usagef("--state: there is no state %q", s)
		}
	}
	v, err := o.open(e, name)
	if err != nil {
		return err
	}
	defer v.Close()
	t, err := v.survey(ctx, &o.output, links.Hooks{Symlinks: true})
	if err != nil {
		return err
	}
	options := links.SymlinkOptions{MountedAt: o.mountedAt, Past: v.memory(false)}
	if o.states != nil {
		options.Keep = func(s *links.Symlink) bool { return slices.Contains(o.states, s.State) || o.exitCode && bad(s) }
	}
	all, err := t.Symlinks(ctx, options)
	if err != nil {
		return err
	}
	counts := map[string]uint64{}
	shown := func(yield func(*links.Symlink) bool) {
		for s := range all {
			if o.exitCode && bad(&s) {
				e.flagged = true
			}
			if o.states != nil && !slices.Contains(o.states, s.State) {
				continue
			}
			counts[s.State]++
			if s.Err != nil {
				e.damage(fmt.Errorf("symlink inode %d: %w", s.Ino, s.Err))
			}
			if !yield(&s) {
				return
			}
		}
	}
	table := &report.Table{Key: "symlinks", Columns: symlinkColumns(), Rows: symlinkRows(shown)}
	if f := report.Format(o.format); f == report.TableFormat || f == report.Markdown {
		table.Columns, table.Rows = symlinkTextColumns(), symlinkTextRows(shown)
	}
	return o.write(ctx, e, v, &report.Report{
		Tables: []*report.Table{table},
		Summary: func() report.Fields {
			var f report.Fields
			for _, s := range symlinkStates {
				f = append(f, report.Field{Key: s, Value: report.Uint(counts[s])})
			}
			return f
		},
	})
}

func bad(s *links.Symlink) bool { return s.State == links.StateRotten || s.State == links.StateLoop }

func symlinkColumns() []report.Column {
	return []report.Column{
		{Key: "path", Name: true},
		{Key: "inode"},
		{Key: "target", Name: true},
		{Key: "target_length"},
		{Key: "storage"},
		{Key: "state"},
		{Key: "resolved", Name: true},
		{Key: "missing", Name: true},
		{Key: "missing_in", Name: true},
		{Key: "cause"},
		{Key: "moved_to", Name: true},
		{Key: "target_inode"},
		{Key: "missing_inode"},
		{Key: "deleted_at"},
		{Key: "deleted_in"},
	}
}

func symlinkRows(all iter.Seq[*links.Symlink]) iter.Seq2[report.Row, error] {
	return func(yield func(report.Row, error) bool) {
		row := make(report.Row, 0, 15)
		for s := range all {
			row = append(row[:0],
				path(s.Path), report.Uint(uint64(s.Ino)), path(s.Target), report.Uint(s.Length), word(s.Storage), report.Str(s.State),
				path(s.Resolved), path(s.Missing), path(s.In), word(s.Cause), path(s.MovedTo), number(uint64(s.To), s.To != 0),
				number(uint64(s.MissingIno), s.MissingIno != 0), report.Time(s.Deleted), number(uint64(s.Sequence), s.Sequence != 0))
			if !yield(row, nil) {
				return
			}
		}
	}
}

// symlinkTextColumns are those of the tables for people.
func symlinkTextColumns() []report.Column {
	return []report.Column{
		{Key: "state", Title: "STATE", Style: stateStyle},
		{Key: "inode", Title: "INODE", Right: true},
		{Key: "storage", Title: "KEPT"},
		{Key: "path", Title: "PATH", Name: true},
		{Key: "target", Title: "TARGET", Name: true},
		{Key: "leads_to", Title: "LEADS TO"},
	}
}

func stateStyle(v report.Value) report.Style {
	switch v.Text() {
	case links.StateOK:
		return report.Good
	case links.StateRotten, links.StateLoop:
		return report.Bad
	}
	return report.Warn
}

func symlinkTextRows(all iter.Seq[*links.Symlink]) iter.Seq2[report.Row, error] {
	return func(yield func(report.Row, error) bool) {
		for s := range all {
			row := report.Row{
				report.Str(s.State), report.Uint(uint64(s.Ino)), word(s.Storage),
				path(s.Path), path(s.Target), report.Str(leadsTo(s)),
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// leadsTo says in a few words where a symlink leads.
func leadsTo(s *links.Symlink) string {
	show := report.Printable
	switch s.State {
	case links.StateOK:
		return fmt.Sprintf("%s (inode %d)", show(s.Resolved), s.To)
	case links.StateLoop:
		return "more than 40 symlinks"
	case links.StateExternal:
		return "another file system"
	case links.StateUnreadable:
		if s.Err != nil {
			return s.Err.Error()
		}
		return ""
	}
	var text string
	switch {
	case len(s.Target) == 0:
		return "nothing: the target is empty"
	case s.NotDir:
		text = fmt.Sprintf("%s lies behind no directory", show(s.Missing))
	default:
		text = fmt.Sprintf("no %s in %s", show(s.Missing), show(s.In))
	}
	switch s.Cause {
	case links.CauseRenamed:
		return text + ": renamed to " + show(s.MovedTo)
	case links.CauseDeleted:
		if s.Deleted.IsZero() {
			return text + ": deleted"
		}
		return fmt.Sprintf("%s: inode %d, deleted %s", text, s.MissingIno, s.Deleted.UTC().Format("2006-01-02 15:04:05"))
	}
	return text
}
