package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/report"
)

type historyOptions struct {
	evidence
	output
	content string
	bytes   bool // --content is given
}

func newHistoryCmd(e *env) *cobra.Command {
	o := &historyOptions{}
	cmd := &cobra.Command{
		Use:   "history IMAGE PATH|@N",
		Short: "List every version of an inode that the journal still holds",
		Long: `History lists what an inode was, oldest version first: each state that a copy of
its inode table block in the journal, or a fast commit, still has, and last what it
is now. Symlinks are not followed.

PATH shows the file that has that name, or had it last, as the journal remembers.
@N shows everything that had inode number N; another generation is another file.

Columns: SEQUENCE is the transaction that made the version, with +1, +2, … for
fast commits ahead of it. CHANGED says what differs from the version before: map
is where its blocks lie, deleted that the inode was freed. Of a directory NAMES are
those that came (+) and went (-).

--content SEQ writes the contents as of the end of that transaction to stdout, or to
-o FILE. Unless data was journaled, they come from the blocks that the version
mapped, and stderr tells which of them may hold something else by now.`,
		Example: `  extscope history disk.img /etc/passwd
  extscope history disk.img @12 -f json
  extscope history disk.img /home/ana/draft --content 27 -o draft`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.bytes = cmd.Flags().Changed("content")
			return o.run(cmd.Context(), e, args)
		},
	}
	o.evidence.addFlags(cmd)
	o.output.addFlags(cmd)
	cmd.Flags().StringVar(&o.content, "content", "", "write the contents as of the end of transaction `SEQ|TIME`")
	return cmd
}

func (o *historyOptions) run(ctx context.Context, e *env, args []string) error {
	v, err := o.open(e, args[0])
	if err != nil {
		return err
	}
	defer v.Close()
	l, err := v.log()
	if err != nil {
		return usagef("%s: %v", args[0], err)
	}
	ino, gen, all, err := v.incarnation(ctx, l, args[1])
	if err != nil {
		return err
	}
	if o.bytes {
		return o.contentsAt(ctx, e, v, l, args[1], ino, gen, all)
	}
	versions, err := l.InodeVersions(ino)
	if err != nil {
		e.damage(err)
	}
	if !all {
		others := len(versions)
		versions = slices.DeleteFunc(versions, func(x history.InodeVersion) bool { return x.In.Generation != gen })
		if others -= len(versions); others > 0 {
			e.say(fmt.Sprintf("%s of other files that had inode %d: @%d shows them", plural(others, "version", "versions"), ino, ino))
		}
	}
	return o.write(ctx, e, v, &report.Report{
		Tables: []*report.Table{{Key: "versions", Columns: versionColumns(versions), Rows: versionRows(ctx, l, versions)}},
		Summary: func() report.Fields {
			gens := map[uint32]bool{}
			for i := range versions {
				gens[versions[i].In.Generation] = true
			}
			return report.Fields{
				{Key: "inode", Value: report.Uint(uint64(ino))},
				{Key: "versions", Value: report.Uint(uint64(len(versions)))},
				{Key: "generations", Value: report.Uint(uint64(len(gens)))},
			}
		},
	})
}

// incarnation finds the file that a PATH argument is about: number and generation, or
// with all every generation of a number.
func (o *opened) incarnation(ctx context.Context, l *history.Log, arg string) (ino ext.Ino, gen uint32, all bool, err error) {
	if ino, rest, isNumber := inodeArg(arg); isNumber && rest == "" {
		if _, err := o.fs.Inode(ino); err != nil {
			return 0, 0, false, &usageError{err}
		}
		return ino, 0, true, nil
	}
	in, err := o.inode(arg, false)
	if err == nil {
		return in.Ino, in.Generation, false, nil
	}
	for _, spelling := range spellings(arg) {
		ino, gen, ok, ferr := l.Find(ctx, spelling)
		if ferr != nil || ok {
			return ino, gen, false, ferr
		}
	}
	return 0, 0, false, err
}

// spellings are what a path may mean: as it is, or with its escapes undone.
func spellings(path string) []string {
	if raw, err := report.Unprintable(path); err == nil && string(raw) != path {
		return []string{path, string(raw)}
	}
	return []string{path}
}

// contentsAt writes the contents of one version.
func (o *historyOptions) contentsAt(ctx context.Context, e *env, v *opened, l *history.Log, arg string, ino ext.Ino, gen uint32, all bool) error {
	i, err := l.When(o.content)
	if err != nil {
		return usagef("--content: %v", err)
	}
	p, err := l.At(i)
	if err != nil {
		return err
	}
	in, err := p.FS.Inode(ino)
	switch {
	case err != nil:
		return err
	case !all && in.Generation != gen || in.Links == 0:
		return usagef("%s: as of transaction %d inode %d is not in use by that file", arg, p.Sequence, ino)
	}
	if err := contents(target{arg: arg, in: in}); err != nil {
		return err
	}
	v.past, v.pastIndex, v.fs = p, i, p.FS
	return o.to(ctx, e, v, func(w io.Writer, _ bool) error { return copyFile(e, v, w, target{arg: arg, in: in}) })
}
