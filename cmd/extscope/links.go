package main

import (
	"context"
	"iter"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/report"
)

type linksOptions struct {
	evidence
	output
	mismatch bool
	exitCode bool
}

func newLinksCmd(e *env) *cobra.Command {
	o := &linksOptions{}
	cmd := &cobra.Command{
		Use:   "links IMAGE...",
		Short: "List every inode that has more than one name, with all of them",
		Long: `Links finds hard links: every inode with more than one name, and all its paths.

Columns: STORED is the link count in the inode, COUNTED how many directory
entries name it; they are red where they differ. "." and ".." count, so a
directory without subdirectories has 2. PATH lists the names, one a line. A path
that begins with @N lies below directory inode N, which no name reaches.`,
		Example: `  extscope links testdata/demo.img
  extscope links disk.img --mismatch --exit-code`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeImages,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, o.imageOf(args)) },
	}
	o.evidence.addFlags(cmd)
	o.output.addFlags(cmd)
	cmd.Flags().BoolVar(&o.mismatch, "mismatch", false, "only inodes whose stored link count is wrong")
	cmd.Flags().BoolVar(&o.exitCode, "exit-code", false, "exit with 1 when a stored link count is wrong")
	return cmd
}

func (o *linksOptions) run(ctx context.Context, e *env, name string) error {
	v, err := o.open(e, name)
	if err != nil {
		return err
	}
	defer v.Close()
	t, err := v.survey(ctx, &o.output, links.Hooks{})
	if err != nil {
		return err
	}
	all, err := t.HardLinks(ctx)
	if err != nil {
		return err
	}
	former, err := v.former(ctx, mismatches(all))
	if err != nil {
		return err
	}
	var inodes, paths, wrong uint64
	counted := func(yield func(links.HardLink) bool) {
		for l := range all {
			if l.Mismatch && o.exitCode {
				e.flagged = true
			}
			if o.mismatch && !l.Mismatch {
				continue
			}
			inodes, paths = inodes+1, paths+uint64(len(l.Paths))
			if l.Mismatch {
				wrong++
			}
			if !yield(l) {
				return
			}
		}
	}
	table := &report.Table{Key: "links", Columns: linkColumns(), Rows: linkRows(counted, former)}
	if report.Format(o.format) == report.TableFormat {
		table.Columns, table.Rows = linkPathColumns(), linkPathRows(counted, former)
	}
	return o.write(ctx, e, v, &report.Report{
		Tables: []*report.Table{table},
		Summary: func() report.Fields {
			return report.Fields{
				{Key: "inodes", Value: report.Uint(inodes)},
				{Key: "paths", Value: report.Uint(paths)},
				{Key: "mismatches", Value: report.Uint(wrong)},
			}
		},
	})
}

func linkColumns() []report.Column {
	return []report.Column{
		{Key: "inode", Title: "INODE", Right: true},
		{Key: "type", Title: "TYPE"},
		{Key: "stored", Title: "STORED", Right: true},
		{Key: "counted", Title: "COUNTED", Right: true},
		{Key: "mismatch", Title: "MISMATCH"},
		{Key: "paths", Title: "PATHS"},
		{Key: "last_paths", Title: "LAST NAMES", Optional: true},
	}
}

func linkRows(all iter.Seq[links.HardLink], former map[ext.Ino][][]byte) iter.Seq2[report.Row, error] {
	return func(yield func(report.Row, error) bool) {
		for l := range all {
			row := report.Row{
				report.Uint(uint64(l.Ino)), report.Str(typeWord(l.Type)), report.Uint(uint64(l.Stored)),
				report.Uint(uint64(l.Counted)), report.Bool(l.Mismatch), pathList(l.Paths),
			}
			if list := former[l.Ino]; list != nil {
				row = append(row, pathList(list))
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// linkPathColumns are those of the table for people, a line a path.
func linkPathColumns() []report.Column {
	return []report.Column{
		{Key: "inode", Title: "INODE", Right: true},
		{Key: "type", Title: "TYPE"},
		{Key: "stored", Title: "STORED", Right: true},
		{Key: "counted", Title: "COUNTED", Right: true},
		{Key: "path", Title: "PATH", Name: true},
	}
}

func linkPathRows(all iter.Seq[links.HardLink], former map[ext.Ino][][]byte) iter.Seq2[report.Row, error] {
	blank := report.Str("")
	return func(yield func(report.Row, error) bool) {
		for l := range all {
			for i, p := range l.Paths {
				row := report.Row{blank, blank, blank, blank, report.Name(p)}
				if i == 0 {
					row = report.Row{
						report.Uint(uint64(l.Ino)), report.Str(typeWord(l.Type)),
						report.Uint(uint64(l.Stored)), report.Uint(uint64(l.Counted)), report.Name(p),
					}
				}
				if !yield(row, nil) {
					return
				}
			}
			for _, p := range former[l.Ino] {
				if !yield(report.Row{blank, blank, blank, blank, report.Str("(was " + report.Printable(p) + ")")}, nil) {
					return
				}
			}
		}
	}
}

// mismatches are the inodes that have another number of names than they should: those
// they had before tell which is missing.
func mismatches(all iter.Seq[links.HardLink]) map[ext.Ino]bool {
	out := map[ext.Ino]bool{}
	for l := range all {
		if l.Mismatch {
			out[l.Ino] = true
		}
	}
	return out
}

// pathList is a list of paths.
func pathList(paths [][]byte) report.Value {
	list := make([]report.Value, len(paths))
	for i, p := range paths {
		list[i] = report.Name(p)
	}
	return report.List(list)
}
