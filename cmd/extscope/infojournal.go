package main

import (
	"fmt"

	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/report"
)

// journalFields say where the journal is, what it says of itself, what in it waits
// to be replayed, and whether the view shows that.
func journalFields(e *env, v *opened) report.Fields {
	s := v.view.Home.Super
	size := report.Null()
	if v.journalKind() == "internal" {
		if in, err := v.view.Home.Inode(s.JournalInum); err != nil {
			e.damage(fmt.Errorf("journal inode %d: %w", s.JournalInum, err))
		} else {
			size = report.Size(in.Size())
		}
	}
	backup, backupSize := v.view.Home.JournalBackup()
	f := report.Fields{
		{Key: "kind", Value: report.Str(v.journalKind())},
		{Key: "needs_recovery", Value: report.Bool(s.Incompat&layout.IncompatRecover != 0)},
		{Key: "view", Value: report.Str(v.viewName())},
		{Key: "pending_transactions", Value: report.Uint(uint64(v.view.Transactions))},
		{Key: "pending_fast_commits", Value: report.Uint(uint64(v.view.FastCommits))},
		{Key: "inode", Value: number(uint64(s.JournalInum), s.JournalInum != 0)},
		{Key: "size", Value: size},
		{Key: "device_uuid", Value: uuid(s.JournalUUID)},
		{Key: "device_number", Value: number(uint64(s.JournalDev), s.JournalDev != 0)},
		{Key: "backup", Value: word(backup)},
		{Key: "backup_size", Value: size64(backupSize, backupSize != 0)},
		{Key: "fast_commit", Value: report.Bool(s.Compat&layout.CompatFastCommit != 0)},
	}
	return append(f, v.logFields()...)
}

// journalKind says where the superblock has the journal.
func (o *opened) journalKind() string {
	s := o.view.Home.Super
	switch {
	case s.Incompat&layout.IncompatJournalDev != 0:
		return "this is an external journal"
	case s.Compat&layout.CompatHasJournal == 0:
		return "none"
	case s.JournalInum == 0 && (s.JournalDev != 0 || !s.JournalUUID.IsZero()):
		return "external"
	}
	return "internal"
}

// logFields are what the journal's own superblock says; nulls where it could not be
// opened.
func (o *opened) logFields() report.Fields {
	keys := []string{"source", "version", "log_features", "log_blocks", "log_first", "log_last", "fast_commit_blocks",
		"sequence", "start", "head", "log_uuid", "errno", "log_checksum", "refused"}
	f := make(report.Fields, len(keys))
	for i, k := range keys {
		f[i].Key = k
	}
	if o.view.Journal == nil {
		return f
	}
	j := o.view.Journal.Facts()
	features := append(append(j.Compat.Names(), j.Incompat.Names()...), j.ROCompat.Names()...)
	refused := report.Null()
	if j.Refused != nil {
		refused = report.Str(j.Refused.Error())
	}
	for i, v := range []report.Value{
		report.Str(o.view.Source), report.Int(int64(j.Version)), strs(features), report.Uint(uint64(j.MaxLen)),
		report.Uint(uint64(j.First)), number(uint64(j.Last-1), j.Last > 0), number(uint64(j.FCLast-j.FCFirst), j.FCFirst != 0),
		report.Uint(uint64(j.Sequence)), number(uint64(j.Start), j.Start != 0), number(uint64(j.Head), j.Head != 0),
		uuid(j.UUID), number(uint64(-int64(j.Errno)), j.Errno != 0), report.Str(j.ChecksumOK.String()), refused,
	} {
		f[i].Value = v
	}
	return f
}
