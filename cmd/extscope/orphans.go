package main

import (
	"context"
	"iter"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/report"
)

type orphansOptions struct {
	evidence
	output
	exitCode bool
}

func newOrphansCmd(e *env) *cobra.Command {
	o := &orphansOptions{}
	cmd := &cobra.Command{
		Use:   "orphans IMAGE...",
		Short: "List orphaned inodes of every kind",
		Long: `Orphans lists the inodes that no name reaches, or whose deletion was not finished.

Columns: KIND is unlinked, when no link is left but the inode is still allocated,
as of a file that was open when it was removed; truncating, when a file with names
was being cut off; or unattached, when the inode has a link count and the root
reaches no name of it. FOUND says how: on the superblock's list, in the orphan
file, or by the scan of all inodes. PENDING is what the next mount would do to it.
DELETED is empty on the list, where i_dtime holds the next inode of the list
rather than a time. Of an unattached directory, BELOW counts the inodes of its
subtree; their paths begin with @ and its number, and every command takes such
a path. RECOVERABLE says whether the contents are all still mapped.`,
		Example: `  extscope orphans testdata/demo.img
  extscope cat testdata/demo.img @52`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeImages,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, o.imageOf(args)) },
	}
	o.evidence.addFlags(cmd)
	o.output.addFlags(cmd)
	cmd.Flags().BoolVar(&o.exitCode, "exit-code", false, "exit with 1 when there is an orphan")
	return cmd
}

func (o *orphansOptions) run(ctx context.Context, e *env, name string) error {
	v, err := o.open(e, name)
	if err != nil {
		return err
	}
	defer v.Close()
	t, err := v.survey(ctx, &o.output, links.Hooks{})
	if err != nil {
		return err
	}
	all, damage, err := t.Orphans(ctx)
	if err != nil {
		return err
	}
	for _, d := range damage {
		e.damage(d)
	}
	want := map[ext.Ino]bool{}
	for i := range all {
		want[all[i].Ino] = true
	}
	former, err := v.former(ctx, want)
	if err != nil {
		return err
	}
	e.flagged = o.exitCode && len(all) > 0
	return o.write(ctx, e, v, &report.Report{
		Tables: []*report.Table{{Key: "orphans", Columns: orphanColumns(), Rows: orphanRows(all, former)}},
		Summary: func() report.Fields {
			counts := map[string]uint64{}
			below := uint64(0)
			for _, orphan := range all {
				counts[orphan.Kind]++
				below += orphan.Below
			}
			return report.Fields{
				{Key: "unlinked", Value: report.Uint(counts[links.OrphanUnlinked])},
				{Key: "truncating", Value: report.Uint(counts[links.OrphanTruncated])},
				{Key: "unattached", Value: report.Uint(counts[links.OrphanUnattached])},
				{Key: "below", Value: report.Uint(below)},
			}
		},
	})
}

func orphanColumns() []report.Column {
	return []report.Column{
		{Key: "inode", Title: "INODE", Right: true},
		{Key: "kind", Title: "KIND", Style: func(report.Value) report.Style { return report.Warn }},
		{Key: "source", Title: "FOUND"},
		{Key: "pending", Title: "PENDING"},
		{Key: "type", Title: "TYPE"},
		{Key: "size", Title: "SIZE", Right: true},
		{Key: "links", Title: "LINKS", Right: true},
		{Key: "dtime", Title: "DELETED"},
		{Key: "below", Title: "BELOW", Right: true},
		{Key: "recoverable", Title: "RECOVERABLE"},
		{Key: "last_paths", Title: "LAST NAMES"},
		{Key: "next_inode", Data: true},
		{Key: "paths", Data: true},
		{Key: "subtree", Data: true},
	}
}

func orphanRows(all []links.Orphan, former map[ext.Ino][][]byte) iter.Seq2[report.Row, error] {
	return func(yield func(report.Row, error) bool) {
		for i := range all {
			o := &all[i]
			row := report.Row{
				report.Uint(uint64(o.Ino)), report.Str(o.Kind), report.Str(o.Source), word(o.Pending), report.Str(typeWord(o.Type)),
				report.Size(o.Size), report.Uint(uint64(o.Links)), report.Time(o.Dtime), report.Uint(o.Below), report.Bool(o.Recoverable), pathList(former[o.Ino]),
				number(uint64(o.Next), o.Next != 0), pathList(o.Paths), pathList(o.Subtree),
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}
