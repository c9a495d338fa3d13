package main

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/replay"
	"github.com/extscope/extscope/report"
)

type auditOptions struct {
	evidence
	output
	kinds     []string
	severity  string
	mountedAt string
	diff      bool
	hidden    bool
	zeros     bool
}

func newAuditCmd(e *env) *cobra.Command {
	o := &auditOptions{}
	cmd := &cobra.Command{
		Use:   "audit IMAGE...",
		Short: "Find everything in a file system that does not agree",
		Long: `Audit reads all metadata once and lists what does not agree, the gravest kinds
first. Nothing is written and nothing is repaired.

Columns: SEVERITY is error where the file system contradicts itself, warning
where something is unfinished or leads nowhere, info where it is only odd; KIND
is one of those below; INODE and PATH say whose it is (the directory's inode, for
a finding about an entry); DETAIL puts it into words.

A journal that waits to be replayed is replayed in memory first; what of it cannot be
replayed is told below the findings and on stderr, and makes the exit status 4 where
nothing else is found. --replay-diff lists instead what replay changes: objects that
differ between the home blocks and the file system after replay, inodes with the fields
that differ and then names.

` + hiddenHelp() + `

Kinds:
` + kindHelp(),
		Example: `  extscope audit testdata/demo.img
  extscope audit rootfs.img --kinds rotten-link,symlink-loop,link-count
  extscope audit disk.img -p 2 -f json`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeImages,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, o.imageOf(args)) },
	}
	o.evidence.addFlags(cmd)
	o.output.addFlags(cmd)
	cmd.Flags().StringSliceVar(&o.kinds, "kinds", nil, "look for these `KINDS` only, separated by commas; one with a - before it is left out")
	cmd.Flags().StringVar(&o.severity, "min-severity", string(audit.Info), "look for findings of this `SEVERITY` or graver only: info, warning or error")
	cmd.Flags().StringVar(&o.mountedAt, "mounted-at", "", "the file system was mounted at `DIR`: absolute symlinks below it resolve inside")
	cmd.Flags().BoolVar(&o.hidden, "hidden", false, "list places that hold bytes which no file shows")
	cmd.Flags().BoolVar(&o.zeros, "zeros", false, "with --hidden, also those that hold only zeros")
	cmd.Flags().BoolVar(&o.diff, "replay-diff", false, "list what replaying the journal changes")
	_ = cmd.RegisterFlagCompletionFunc("min-severity", cobra.FixedCompletions(severities, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("kinds", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, k := range audit.Kinds() {
			names = append(names, string(k))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

func kindHelp() string {
	var b strings.Builder
	for _, k := range audit.Kinds() {
		fmt.Fprintf(&b, "  %-20s %-8s %s\n", k, k.Severity(), k.Meaning())
	}
	return b.String()
}

// severities are those of --min-severity, the least first.
var severities = []string{string(audit.Info), string(audit.Warning), string(audit.Error)}

// skip turns --kinds and --min-severity into what the audit leaves out.
func (o *auditOptions) skip() (func(audit.Kind) bool, error) {
	least := slices.Index(severities, o.severity)
	if least < 0 {
		return nil, usagef("--min-severity: there is no severity %q: info, warning, error", o.severity)
	}
	var only, not []audit.Kind
	for _, name := range o.kinds {
		bare, out := strings.CutPrefix(name, "-")
		k := audit.Kind(bare)
		if !slices.Contains(audit.Kinds(), k) {
			return nil, usagef("--kinds: there is no kind %q", bare)
		}
		if out {
			not = append(not, k)
		} else {
			only = append(only, k)
		}
	}
	return func(k audit.Kind) bool {
		return slices.Index(severities, string(k.Severity())) < least || slices.Contains(not, k) || only != nil && !slices.Contains(only, k)
	}, nil
}

func (o *auditOptions) run(ctx context.Context, e *env, name string) error {
	skip, err := o.skip()
	if err != nil {
		return err
	}
	v, err := o.open(e, name)
	if err != nil {
		return err
	}
	defer v.Close()
	switch {
	case o.diff:
		return o.replayDiff(ctx, e, v)
	case o.hidden:
		return o.listHidden(ctx, e, v)
	}
	p := o.progress(e, "audit")
	result, err := audit.Run(ctx, v.fs, audit.Options{Skip: skip, MountedAt: o.mountedAt, Past: v.memory(true), Progress: p.set})
	p.end()
	if err != nil {
		return err
	}
	result.Tree = nil // it is large
	for _, err := range result.Unreadable {
		e.damage(err)
	}
	e.flagged = len(result.Findings) > 0
	tables := []*report.Table{{Key: "findings", Columns: findingColumns(), Rows: findingRows(result.Findings)}}
	if faults := v.journalFaults(); len(faults) > 0 && !skip(audit.BadJournal) {
		tables = append(tables, &report.Table{Key: "journal_faults", Columns: faultColumns(), Rows: faultRows(faults)})
	}
	return o.write(ctx, e, v, &report.Report{
		Tables:  tables,
		Summary: func() report.Fields { return auditSummary(result, e.damages > 0) },
	})
}

func findingColumns() []report.Column {
	return []report.Column{
		{Key: "severity", Title: "SEVERITY", Style: severityStyle},
		{Key: "kind", Title: "KIND"},
		{Key: "inode", Title: "INODE", Right: true},
		{Key: "path", Title: "PATH", Name: true},
		{Key: "detail", Title: "DETAIL"},
		{Key: "block", Data: true, Optional: true},
		{Key: "group", Data: true, Optional: true},
		{Key: "what", Data: true, Optional: true},
		{Key: "inodes", Data: true, Optional: true},
		{Key: "offset", Data: true, Optional: true},
		{Key: "stored", Data: true, Optional: true},
		{Key: "counted", Data: true, Optional: true},
		{Key: "dir", Data: true, Optional: true},
		{Key: "target", Data: true, Optional: true},
		{Key: "name", Data: true, Optional: true, Name: true},
		{Key: "id", Data: true, Optional: true},
	}
}

// faultColumns are those of what of the log could not be replayed: bad-journal, but not
// of the file system that replay leaves, and so no findings.
func faultColumns() []report.Column {
	return []report.Column{
		{Key: "kind", Title: "KIND"},
		{Key: "offset", Title: "OFFSET", Right: true},
		{Key: "detail", Title: "NOT REPLAYED"},
	}
}

func faultRows(faults []replay.Warning) iter.Seq2[report.Row, error] {
	return func(yield func(report.Row, error) bool) {
		for _, w := range faults {
			if !yield(report.Row{report.Str(string(audit.BadJournal)), number(uint64(w.Offset), w.Offset >= 0), report.Str(w.Text)}, nil) {
				return
			}
		}
	}
}

func severityStyle(v report.Value) report.Style {
	switch v.Text() {
	case string(audit.Error):
		return report.Bad
	case string(audit.Warning):
		return report.Warn
	}
	return report.Dim
}

func findingRows(findings []*audit.Finding) iter.Seq2[report.Row, error] {
	return func(yield func(report.Row, error) bool) {
		row := make(report.Row, len(findingColumns()))
		for _, f := range findings {
			row[0], row[1] = report.Str(string(f.Kind.Severity())), report.Str(string(f.Kind))
			row[2], row[3], row[4] = number(uint64(f.Ino), f.Ino != 0), path(f.Path), report.Str(f.Detail)
			row[5], row[6] = number(uint64(f.Block), f.HasBlock), number(uint64(f.Group), f.HasGroup)
			row[7], row[8], row[9] = word(f.What), inodeList(f.Inodes), number(uint64(f.Offset), f.Offset > 0)
			row[10], row[11] = number(f.Stored, f.Counts), number(f.Counted, f.Counts)
			row[12], row[13] = number(uint64(f.Ino), f.Entry), number(uint64(f.Target), f.Entry)
			row[14], row[15] = report.Null(), number(uint64(f.ID), f.HasID)
			if f.Entry {
				row[14] = report.Name(f.Name)
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// number is n, or nothing where it does not apply.
func number(n uint64, applies bool) report.Value {
	if !applies {
		return report.Null()
	}
	return report.Uint(n)
}

// inodeList is a list of inodes, or nothing where there is none.
func inodeList(list []ext.Ino) report.Value {
	if len(list) == 0 {
		return report.Null()
	}
	values := make([]report.Value, len(list))
	for i, ino := range list {
		values[i] = report.Uint(uint64(ino))
	}
	return report.List(values)
}

// path is a path, or nothing where there is none.
func path(p []byte) report.Value {
	if p == nil {
		return report.Null()
	}
	return report.Name(p)
}

func auditSummary(r *audit.Result, unread bool) report.Fields {
	counts := report.Fields{}
	total := uint64(0)
	for _, k := range audit.Kinds() {
		if n := r.Counts[k]; n > 0 {
			counts = append(counts, report.Field{Key: string(k), Value: report.Uint(n)})
			total += n
		}
	}
	return report.Fields{
		{Key: "verdict", Value: report.Str(verdict(r, unread))},
		{Key: "findings", Value: report.Uint(total)},
		{Key: "counts", Value: report.Object(counts)},
	}
}

// verdict sums an audit up in a line; unread says that part of the image, or of its
// journal, could not be read or is damaged in itself.
func verdict(r *audit.Result, unread bool) string {
	counts := map[audit.Severity]uint64{}
	for k, n := range r.Counts {
		counts[k.Severity()] += n
	}
	var parts []string
	for _, s := range []struct {
		severity  audit.Severity
		one, many string
	}{{audit.Error, "error", "errors"}, {audit.Warning, "warning", "warnings"}, {audit.Info, "oddity", "oddities"}} {
		if n := counts[s.severity]; n > 0 {
			parts = append(parts, plural(n, s.one, s.many))
		}
	}
	switch {
	case counts[audit.Error] > 0:
		return "damaged: " + strings.Join(parts, ", ")
	case parts != nil && unread:
		return "sound as far as it could be read, with " + strings.Join(parts, ", ")
	case parts != nil:
		return "sound, with " + strings.Join(parts, ", ")
	case unread:
		return "sound, as far as it could be read"
	}
	return "sound"
}
