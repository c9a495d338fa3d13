package main

import (
	"context"
	"io"
	"iter"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/report"
)

type findOptions struct {
	evidence
	output
	tests              findTests
	minDepth, maxDepth int
	deleted, print0    bool
}

func newFindCmd(e *env) *cobra.Command {
	o := &findOptions{}
	cmd := &cobra.Command{
		Use:   "find IMAGE [PATH...]",
		Short: "Find files by name, type, size, owner, time or links",
		Long: `find shows the path of each PATH (default /) and of all that is below it, for
which every test given holds. The tests have the meanings of find(1):

  GLOB   * any characters, slashes and leading dots too; ? one character; [a-z],
         [!a-z] and [[:alpha:]] one of a set; \ takes the next for itself
  N      exactly N; +N more than N; -N less than N
  --size counts in units, a part of one as a whole: c bytes, w two bytes, b 512
         bytes (the default), k, M, G; so -1M is empty files only
  --mime GLOB is about the type that the first bytes tell, as image/*; text, whatever
         kind of it, is text/*
  --perm MODE exactly these bits, -MODE all of them, /MODE any of them; octal, or
         as u+rw,go=r

Symlinks are not followed, but a PATH that ends in a slash is. Without the data
formats nothing is shown but paths; --print0 has them unescaped and ended by a
zero byte.

With --deleted names count too that were taken away and have not been
overwritten yet: their type is what the directory says, all else what their
inode says now.`,
		Example: `  extscope find testdata/demo.img --name '*.txt'
  extscope find testdata/demo.img /bin --links +1 --type f
  extscope find -f json testdata/demo.img --size +2k --newermt 2025-03-01`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, e, args) },
	}
	o.evidence.addFlags(cmd)
	o.output.addFlags(cmd)
	o.tests.addFlags(cmd)
	f := cmd.Flags()
	f.IntVar(&o.minDepth, "mindepth", 0, "leave out what is less than `N` levels below PATH")
	f.IntVar(&o.maxDepth, "maxdepth", 0, "go down `N` levels; 0 is PATH only (default: all)")
	f.BoolVar(&o.deleted, "deleted", false, "find removed names too")
	f.BoolVarP(&o.print0, "print0", "0", false, "paths as they are, each ended by a zero byte")
	return cmd
}

func (o *findOptions) run(cmd *cobra.Command, e *env, args []string) error {
	ctx := cmd.Context()
	format, err := report.ParseFormat(o.format)
	switch {
	case err != nil:
		return &usageError{err}
	case o.print0 && format != report.TableFormat:
		return usagef("--print0 goes with no other --format")
	case o.minDepth < 0 || o.maxDepth < 0:
		return usagef("--mindepth and --maxdepth take no negative number")
	case !cmd.Flags().Changed("maxdepth"):
		o.maxDepth = ext.MaxWalkDepth + 1
	}
	ev, err := o.open(e, args[0])
	if err != nil {
		return err
	}
	defer ev.Close()
	if err := o.tests.compile(cmd, e, ev); err != nil {
		return err
	}
	found, missing := ev.targets(args[1:], false)
	if len(found) == 0 {
		return missing
	}
	entries := o.entries(ctx, e, ev, found, o.tests.ahead(format != report.TableFormat))
	r := newEntryTable(ev.fs, o.tests.mime != "").report(entries)
	if format == report.TableFormat {
		r = &report.Report{Text: func(w io.Writer) error {
			return o.print(e, entries, &listing{w: w, color: o.colored(e)})
		}}
	}
	if err := o.write(ctx, e, ev, r); err != nil {
		return err
	}
	return missing
}

// entries yields what all tests hold for.
func (o *findOptions) entries(ctx context.Context, e *env, ev *opened, found []target, ahead bool) iter.Seq2[*ext.WalkEntry, error] {
	walk := ext.WalkOptions{Removed: o.deleted, MaxDepth: o.maxDepth, Inodes: ahead}
	return func(yield func(*ext.WalkEntry, error) bool) {
		for _, t := range found {
			start := ev.fs.WalkStart(t.in, ev.shownPath(t))
			if o.minDepth == 0 && o.tests.hold(e, start) && !yield(start, nil) {
				return
			}
			if !t.in.IsDir() || o.maxDepth == 0 {
				continue
			}
			for entry, err := range ev.fs.Walk(ctx, t.in, start.Path, walk) {
				if err == nil && (entry.Depth < o.minDepth || !o.tests.hold(e, entry)) {
					continue
				}
				if !yield(entry, err) {
					return
				}
			}
		}
	}
}

// print writes paths, a line each.
func (o *findOptions) print(e *env, entries iter.Seq2[*ext.WalkEntry, error], l *listing) error {
	for entry, err := range entries {
		switch {
		case err != nil:
			e.damage(err)
			continue
		case o.print0:
			l.buf = append(append(l.buf, entry.Path...), 0)
		default:
			l.name(entry.Path, styleOf(entry, nil))
			l.mark(entry)
			l.buf = append(l.buf, '\n')
		}
		if err := l.spill(); err != nil {
			return err
		}
	}
	return l.flush()
}
