package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/report"
)

type treeOptions struct {
	evidence
	output
	moment
	level                    int
	dirsOnly, inode, deleted bool

	directories, rest, removed uint64 // counted while they pass
}

func newTreeCmd(e *env) *cobra.Command {
	o := &treeOptions{}
	cmd := &cobra.Command{
		Use:   "tree IMAGE [PATH...]",
		Short: "Draw directories and what is below them as a tree",
		Long: `tree draws a directory and all that is below it, as tree(1) does: names in the
order of their bytes, symlinks with the target that they hold. PATH is / when
there is none. The last line counts directories, without those named as PATH,
and everything else; with --deleted, removed names apart from both.

The data formats give the same rows as ls -R.

` + momentHelp,
		Example: `  extscope tree testdata/demo.img
  extscope tree -L 1 -i testdata/demo.img /home`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, args) },
	}
	o.evidence.addFlags(cmd)
	o.moment.addFlags(cmd)
	o.output.addFlags(cmd)
	f := cmd.Flags()
	f.IntVarP(&o.level, "level", "L", 0, "go down `N` levels (default: all)")
	f.BoolVarP(&o.dirsOnly, "dirs-only", "d", false, "directories only")
	f.BoolVarP(&o.inode, "inode", "i", false, "show inode numbers")
	f.BoolVar(&o.deleted, "deleted", false, "show removed names too")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if f.Changed("level") && o.level < 1 {
			return usagef("--level %d: must be at least 1", o.level)
		}
		return nil
	}
	return cmd
}

func (o *treeOptions) run(ctx context.Context, e *env, args []string) error {
	format, err := report.ParseFormat(o.format)
	if err != nil {
		return &usageError{err}
	}
	ev, err := o.open(e, args[0])
	if err != nil {
		return err
	}
	defer ev.Close()
	if err := o.turn(ev); err != nil {
		return err
	}
	found, missing := ev.targets(args[1:], true)
	if len(found) == 0 {
		return missing
	}
	var r *report.Report
	if format == report.TableFormat {
		r = &report.Report{Text: func(w io.Writer) error {
			return o.draw(ctx, e, ev, found, &listing{w: w, color: o.colored(e)})
		}}
	} else {
		r = newEntryTable(ev.fs, false).report(o.entries(ctx, ev, found))
	}
	if err := o.write(ctx, e, ev, r); err != nil {
		return err
	}
	return missing
}

func (o *treeOptions) walkOptions(inodes bool) ext.WalkOptions {
	return ext.WalkOptions{Doubt: o.doubt, Removed: o.deleted, DirsOnly: o.dirsOnly, MaxDepth: o.level, Inodes: inodes}
}

// entries are the rows of the data formats.
func (o *treeOptions) entries(ctx context.Context, ev *opened, found []target) iter.Seq2[*ext.WalkEntry, error] {
	return func(yield func(*ext.WalkEntry, error) bool) {
		for _, t := range found {
			path := ev.shownPath(t)
			if !t.in.IsDir() {
				if !yield(ev.fs.WalkStart(t.in, path), nil) {
					return
				}
				continue
			}
			for e, err := range ev.fs.Walk(ctx, t.in, path, o.walkOptions(true)) {
				if !yield(e, err) {
					return
				}
			}
		}
	}
}

const (
	treeBranch, treeEnd = "├── ", "└── "
	treeLine, treeBlank = "│   ", "    "
)

func (o *treeOptions) draw(ctx context.Context, e *env, ev *opened, found []target, l *listing) error {
	for _, t := range found {
		start := ev.fs.WalkStart(t.in, ev.shownPath(t))
		start.Name = start.Path
		if err := o.line(e, ev, l, start, nil); err != nil {
			return err
		}
		if !t.in.IsDir() {
			continue
		}
		var last []bool // of the directories above: whether nothing follows them
		for entry, err := range ev.fs.Walk(ctx, t.in, start.Path, o.walkOptions(l.color)) {
			if err != nil {
				e.damage(err)
				continue
			}
			last = append(last[:entry.Depth-1], entry.Last)
			if err := o.line(e, ev, l, entry, last); err != nil {
				return err
			}
			switch {
			case entry.Removed:
				o.removed++
			case entry.Type == layout.FTDir:
				o.directories++
			default:
				o.rest++
			}
		}
	}
	l.buf = fmt.Appendf(l.buf, "\n%s", plural(o.directories, "directory", "directories"))
	if !o.dirsOnly {
		l.buf = fmt.Appendf(l.buf, ", %s", plural(o.rest, "file", "files"))
	}
	if o.deleted {
		l.buf = fmt.Appendf(l.buf, ", %s", plural(o.removed, "deleted name", "deleted names"))
	}
	l.buf = append(l.buf, '\n')
	return l.flush()
}

// line draws one name under the branches that lead to it.
func (o *treeOptions) line(e *env, ev *opened, l *listing, entry *ext.WalkEntry, last []bool) error {
	for i, end := range last {
		switch {
		case i < len(last)-1 && end:
			l.buf = append(l.buf, treeBlank...)
		case i < len(last)-1:
			l.buf = append(l.buf, treeLine...)
		case end:
			l.buf = append(l.buf, treeEnd...)
		default:
			l.buf = append(l.buf, treeBranch...)
		}
	}
	if o.inode {
		l.buf = append(strconv.AppendUint(append(l.buf, '['), uint64(entry.Ino), 10), "]  "...)
	}
	var in *ext.Inode
	if l.color || entry.Type == layout.FTSymlink {
		var err error
		if in, err = entry.Inode(); err != nil {
			e.damage(err)
		}
	}
	l.name(entry.Name, styleOf(entry, in))
	if in != nil && hasTarget(entry, in) {
		if err := l.target(ev.fs, entry, in); err != nil {
			e.damage(err)
		}
	}
	l.mark(entry)
	l.buf = append(l.buf, '\n')
	return l.spill()
}
