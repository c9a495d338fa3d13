package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/report"
)

type statOptions struct {
	evidence
	output
	moment
	dereference bool
}

func newStatCmd(e *env) *cobra.Command {
	o := &statOptions{}
	cmd := &cobra.Command{
		Use:   "stat IMAGE [PATH...]",
		Short: "Show everything an inode holds",
		Long: `Stat shows all of an inode: type, mode, owner, size, link count and every name,
times to the nanosecond, flags in words and as lsattr's letters, extended
attributes with ACLs and capabilities decoded, target, where the contents lie and
where the inode itself lies. PATH is / when none is given; the last symlink of a
path is not followed. @12 is inode 12, in use or not.

All names are looked for, in one pass over all directories, where there may be
others than PATH: for a file with several links, and for @12.

Times are in UTC. On the orphan list the deletion time is no time but the number
of the next inode, and is shown as such.

` + momentHelp,
		Example: `  extscope stat testdata/demo.img /bin/sh
  extscope stat testdata/demo.img @52
  extscope stat rootfs.img -L /etc/localtime -f json`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: o.completePath,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, args[0], args[1:]) },
	}
	o.evidence.addFlags(cmd)
	o.moment.addFlags(cmd)
	o.output.addFlags(cmd)
	cmd.Flags().BoolVarP(&o.dereference, "dereference", "L", false, "follow a symlink in the last place of PATH")
	return cmd
}

func (o *statOptions) run(ctx context.Context, e *env, name string, args []string) error {
	v, err := o.open(e, name)
	if err != nil {
		return err
	}
	defer v.Close()
	found, missing := v.targets(args, o.dereference)
	names, err := o.names(ctx, e, v, found)
	if err != nil {
		return err
	}
	listed := map[ext.Ino]links.Listed{}
	list, errs := links.ListedOrphans(v.fs)
	for _, l := range list {
		listed[l.Ino] = l
	}
	for _, err := range errs {
		e.damage(fmt.Errorf("orphans: %w", err))
	}
	color := o.colored(e)
	facts := func(yield func(*inodeFacts) bool) {
		for _, t := range found {
			f := factsOf(v.fs, t.in)
			f.paths = allPaths(v.fs, t, names)
			f.asked, f.surveyed, f.color = t.path, names != nil, color
			if l, ok := listed[t.in.Ino]; ok {
				f.orphan = &l
			}
			for _, err := range f.damage {
				e.damage(fmt.Errorf("inode %d: %w", t.in.Ino, err))
			}
			if !yield(f) {
				return
			}
		}
	}
	err = o.write(ctx, e, v, &report.Report{
		Tables: []*report.Table{{Key: "inodes", Columns: inodeColumns(), Rows: func(yield func(report.Row, error) bool) {
			for f := range facts {
				if !yield(f.row(), nil) {
					return
				}
			}
		}}},
		Text: func(w io.Writer) error {
			first := true
			for f := range facts {
				if !first {
					fmt.Fprintln(w)
				}
				first = false
				if err := f.text(w); err != nil {
					return err
				}
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	return missing
}

// names surveys the names of the inodes that may have others than PATH; nil
// where none may.
func (o *statOptions) names(ctx context.Context, e *env, v *opened, found []target) (*links.Names, error) {
	var want []ext.Ino
	for _, t := range found {
		if needsNames(v.fs, t) {
			want = append(want, t.in.Ino)
		}
	}
	if len(want) == 0 {
		return nil, nil
	}
	p := o.progress(e, "names")
	defer p.end()
	return v.names(ctx, want, p)
}

func needsNames(f *ext.FS, t target) bool {
	switch {
	case t.in.Ino == layout.RootIno || f.Reserved(t.in.Ino):
		return false
	case t.path == nil:
		return true
	}
	// A directory's links are those of the directories below it.
	return !t.in.IsDir() && t.in.Links != 1
}

func allPaths(f *ext.FS, t target, names *links.Names) [][]byte {
	switch {
	case t.in.Ino == layout.RootIno:
		return [][]byte{[]byte("/")}
	case names != nil && needsNames(f, t):
		return names.Paths(t.in.Ino)
	case t.path != nil:
		return [][]byte{t.path}
	}
	return nil
}
