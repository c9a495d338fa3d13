package main

import (
	"bytes"
	"context"
	"io"
	"iter"
	"slices"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/report"
)

type lsOptions struct {
	evidence
	output
	moment
	long, all, recursive, inode, directory, deleted, human, byContent bool
}

func newLsCmd(e *env) *cobra.Command {
	o := &lsOptions{}
	cmd := &cobra.Command{
		Use:   "ls IMAGE [PATH...]",
		Short: "List directories",
		Long: `ls lists what directories hold, one name a line, in the order of the names'
bytes. PATH is / when there is none. Names that begin with a dot always show.

With -l a line has the mode (and behind it a + for an ACL or a . for an SELinux
label), the number of links, owner and group by number, the size in bytes (of a
device its major and minor number), the time of the last change in UTC, the
name, and where a symlink leads. Ahead of each directory stands "total", what
its files take up on disk in units of 1024 bytes.

With --deleted the names show as well that were taken away and have not been
overwritten yet, marked (deleted). Their inode may belong to another file by
now: it is shown as it is.

A symlink to a directory, given as PATH, is followed, but with -l or -d it is
not; LINK/ always is. In names odd bytes are escaped, and a backslash doubled;
PATH takes both spellings.

` + momentHelp,
		Example: `  extscope ls testdata/demo.img
  extscope ls -l testdata/demo.img /bin /usr
  extscope ls -R --deleted -f ndjson testdata/demo.img`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, args) },
	}
	o.evidence.addFlags(cmd)
	o.moment.addFlags(cmd)
	o.output.addFlags(cmd)
	f := cmd.Flags()
	f.BoolVarP(&o.long, "long", "l", false, "show what the inodes say")
	f.BoolVarP(&o.all, "all", "a", false, "show . and .. too")
	f.BoolVarP(&o.recursive, "recursive", "R", false, "list the directories below as well")
	f.BoolVarP(&o.inode, "inode", "i", false, "show inode numbers")
	f.BoolVarP(&o.directory, "directory", "d", false, "list directories themselves, not what they hold")
	f.BoolVar(&o.deleted, "deleted", false, "show removed names too")
	f.BoolVar(&o.byContent, "type-by-content", false, "behind each file the type that its first bytes tell, and whether its extension says another")
	f.BoolVar(&o.human, "human-readable", false, "with -l, sizes as 1.5K, 23M, 2.0G")
	return cmd
}

func (o *lsOptions) run(ctx context.Context, e *env, args []string) error {
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
	found, missing := ev.targets(args[1:], !o.long && !o.directory)
	if len(found) == 0 {
		return missing
	}
	files, dirs := o.sort(ev, found)
	var r *report.Report
	if format == report.TableFormat {
		l := &lister{lsOptions: o, env: e, ctx: ctx, fs: ev.fs, headers: o.recursive || len(found) > 1}
		r = &report.Report{Text: func(w io.Writer) error {
			l.listing = listing{w: w, color: o.colored(e)}
			return l.list(files, dirs)
		}}
	} else {
		r = newEntryTable(ev.fs, o.byContent).report(o.entries(ctx, ev, files, dirs))
	}
	if err := o.write(ctx, e, ev, r); err != nil {
		return err
	}
	return missing
}

// A lsTarget is a PATH and its absolute spelling.
type lsTarget struct {
	in   *ext.Inode
	path []byte
}

// sort puts what is listed itself ahead of directories to list, each by name.
func (o *lsOptions) sort(ev *opened, found []target) (files, dirs []lsTarget) {
	for _, t := range found {
		l := lsTarget{t.in, ev.shownPath(t)}
		if t.in.IsDir() && !o.directory {
			dirs = append(dirs, l)
		} else {
			files = append(files, l)
		}
	}
	byPath := func(a, b lsTarget) int { return bytes.Compare(a.path, b.path) }
	slices.SortStableFunc(files, byPath)
	slices.SortStableFunc(dirs, byPath)
	return files, dirs
}

func (o *lsOptions) walkOptions(inodes bool) ext.WalkOptions {
	w := ext.WalkOptions{Doubt: o.doubt, Removed: o.deleted, Dots: o.all, Inodes: inodes, MaxDepth: 1}
	if o.recursive {
		w.MaxDepth = 0
	}
	return w
}

// entries are the rows of the data formats.
func (o *lsOptions) entries(ctx context.Context, ev *opened, files, dirs []lsTarget) iter.Seq2[*ext.WalkEntry, error] {
	return func(yield func(*ext.WalkEntry, error) bool) {
		for _, t := range files {
			if !yield(ev.fs.WalkStart(t.in, t.path), nil) {
				return
			}
		}
		for _, t := range dirs {
			for e, err := range ev.fs.Walk(ctx, t.in, t.path, o.walkOptions(true)) {
				if !yield(e, err) {
					return
				}
			}
		}
	}
}
