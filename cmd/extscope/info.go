package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
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
		Use:   "info IMAGE",
		Short: "Show the superblock, features, journal and groups of a file system",
		Long: `Info shows what the superblock says, every feature by name (unknown ones in
hex), where the journal is and whether it has to be recovered, and the block
groups: a summary of them, or with --groups the whole table. JSON has the table
always; csv and ndjson are the table alone.

Columns of the groups: FIRST is the group's first block and BLOCKS how many it
has; BLOCK MAP, INODE MAP and INODE TABLE are blocks; FREE BLOCKS, FREE INODES
and DIRS are what the descriptor counts; UNUSED are the inodes at the end of the
table that were never used; CHECKSUM says whether the descriptor's holds.`,
		Example: `  extscope info testdata/demo.img
  extscope info disk.img -p 2 --groups
  extscope info disk.img -f json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeImage,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, args[0]) },
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
		{Key: "superblock", Title: "Superblock", Fields: superFields(e, v.fs)},
		{Key: "features", Title: "Features", Fields: featureFields(v.fs.Super)},
		{Key: "journal", Title: "Journal", Fields: journalFields(e, v.fs)},
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

func featureFields(s *layout.Superblock) report.Fields {
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

func journalFields(e *env, f *ext.FS) report.Fields {
	s := f.Super
	has := s.Compat&layout.CompatHasJournal != 0
	external := has && (s.JournalDev != 0 || !s.JournalUUID.IsZero()) && s.JournalInum == 0
	kind := "none"
	switch {
	case s.Incompat&layout.IncompatJournalDev != 0:
		kind = "this is an external journal"
	case external:
		kind = "external"
	case has:
		kind = "internal"
	}
	size := report.Null()
	if has && !external {
		if in, err := f.Inode(s.JournalInum); err != nil {
			e.damage(fmt.Errorf("journal inode %d: %w", s.JournalInum, err))
		} else {
			size = report.Size(in.Size())
		}
	}
	backup, backupSize := f.JournalBackup()
	return report.Fields{
		{Key: "kind", Value: report.Str(kind)},
		{Key: "needs_recovery", Value: report.Bool(s.Incompat&layout.IncompatRecover != 0)},
		{Key: "inode", Value: number(uint64(s.JournalInum), s.JournalInum != 0)},
		{Key: "size", Value: size},
		{Key: "device_uuid", Value: uuid(s.JournalUUID)},
		{Key: "device_number", Value: number(uint64(s.JournalDev), s.JournalDev != 0)},
		{Key: "backup", Value: word(backup)},
		{Key: "backup_size", Value: size64(backupSize, backupSize != 0)},
		{Key: "fast_commit", Value: report.Bool(s.Compat&layout.CompatFastCommit != 0)},
	}
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
