package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/report"
)

type infoOptions struct {
	evidence
	output
	groups bool
}

func newInfoCmd(e *env) *cobra.Command {
	o := &infoOptions{}
	cmd := &cobra.Command{
		Use:   "info IMAGE...",
		Short: "Show the superblock, features, journal and groups of a file system",
		Long: `Info shows what the superblock says, every feature by name (unknown ones in
hex), where the journal is, what in it waits to be replayed and which view is
shown (replayed, or the home blocks), and the block groups: a summary of them,
or with --groups the whole table. JSON has the table
always; csv and ndjson are the table alone.

Columns of the groups: FIRST is the group's first block and BLOCKS how many it
has; BLOCK MAP, INODE MAP and INODE TABLE are blocks; FREE BLOCKS, FREE INODES
and DIRS are what the descriptor counts; UNUSED are the inodes at the end of the
table that were never used; CHECKSUM says whether the descriptor's holds.`,
		Example: `  extscope info testdata/demo.img
  extscope info disk.img -p 2 --groups
  extscope info disk.img -f json`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeImages,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, o.imageOf(args)) },
	}
	o.evidence.addFlags(cmd)
	o.output.addFlags(cmd)
	cmd.Flags().BoolVar(&o.groups, "groups", false, "show a line for each block group")
	return cmd
}

func (o *infoOptions) run(ctx context.Context, e *env, name string) error {
	v, err := o.open(e, name)
	if err != nil {
		return err
	}
	defer v.Close()
	people := o.format == string(report.TableFormat) || o.format == string(report.Markdown)
	sections := []report.Section{
		{Key: "superblock", Title: "Superblock", Fields: superFields(e, v)},
		{Key: "features", Title: "Features", Fields: featureFields(v)},
		{Key: "journal", Title: "Journal", Fields: journalFields(e, v)},
	}
	r := &report.Report{Head: sections, Summary: func() report.Fields { return groupSummary(v.fs) }}
	if people {
		for i := range sections {
			sections[i].Fields = present(sections[i].Fields)
		}
	}
	if !people || o.groups {
		r.Tables = []*report.Table{groupTable(v.fs)}
	}
	return o.write(ctx, e, v, r)
}

// present leaves out what is not there, which only programs need to be told.
func present(f report.Fields) report.Fields {
	var out report.Fields
	for _, field := range f {
		if t := field.Value.Text(); t != "-" && t != "" {
			out = append(out, field)
		}
	}
	return out
}

// featureFields name the features; needs_recovery as stored, though the view may be
// that of after recovery.
func featureFields(v *opened) report.Fields {
	s := *v.fs.Super
	s.Incompat |= v.view.Home.Super.Incompat & layout.IncompatRecover
	var unknown []string
	names := func(list []string) report.Value {
		for _, n := range list {
			if len(n) > 2 && n[:2] == "0x" {
				unknown = append(unknown, n)
			}
		}
		return strs(list)
	}
	f := report.Fields{
		{Key: "compat", Value: names(s.Compat.Names())},
		{Key: "incompat", Value: names(s.Incompat.Names())},
		{Key: "ro_compat", Value: names(s.ROCompat.Names())},
	}
	return append(f, report.Fields{
		{Key: "compat_hex", Value: report.Str(fmt.Sprintf("%#x", uint32(s.Compat)))},
		{Key: "incompat_hex", Value: report.Str(fmt.Sprintf("%#x", uint32(s.Incompat)))},
		{Key: "ro_compat_hex", Value: report.Str(fmt.Sprintf("%#x", uint32(s.ROCompat)))},
		{Key: "unknown", Value: strs(unknown)},
	}...)
}

func uuid(u layout.UUID) report.Value {
	if u.IsZero() {
		return report.Null()
	}
	return report.Str(u.String())
}

// size64 is a number of bytes, or nothing where it does not apply.
func size64(n uint64, applies bool) report.Value {
	if !applies {
		return report.Null()
	}
	return report.Size(n)
}
