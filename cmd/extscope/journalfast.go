package main

import (
	"fmt"

	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/report"
)

// fastTable is the table of fast commits, a row a record; nil where there are none.
func (j *journalRows) fastTable() *report.Table {
	list := j.l.Journal.FastCommits()
	if len(list) == 0 {
		return nil
	}
	j.fasts = uint64(len(list))
	return &report.Table{Key: "fast_commits", Columns: fastColumns(), Rows: func(yield func(report.Row, error) bool) {
		for i := range list {
			if !j.fastRows(&list[i], yield) {
				return
			}
		}
	}}
}

// fastTableOr is a table without rows where there is none: JSON has the key always.
func (j *journalRows) fastTableOr(t *report.Table) *report.Table {
	if t != nil {
		return t
	}
	return &report.Table{Key: "fast_commits", Columns: fastColumns(), Rows: func(func(report.Row, error) bool) {}}
}

func fastColumns() []report.Column {
	return []report.Column{
		{Key: "tid", Title: "TID", Right: true},
		{Key: "log_block", Title: "LOG BLOCK", Right: true},
		{Key: "state", Title: "STATE", Style: transactionStyle},
		{Key: "record", Title: "RECORD"},
		{Key: "inode", Title: "INODE", Right: true},
		{Key: "detail", Title: "DETAIL"},
		{Key: "crc_ok", Data: true},
		{Key: "offset", Data: true},
		{Key: "parent", Data: true},
		{Key: "name", Data: true, Name: true},
		{Key: "file_block", Data: true},
		{Key: "length", Data: true},
		{Key: "physical", Data: true},
		{Key: "unwritten", Data: true},
	}
}

// fastState says what would become of a fast commit.
func fastState(fc *jbd2.FastCommit) string {
	switch {
	case fc.Valid:
		return "live"
	case !fc.CRCOK || fc.Err != nil:
		return "torn"
	}
	return "stale"
}

func (j *journalRows) fastRows(fc *jbd2.FastCommit, yield func(report.Row, error) bool) bool {
	head := func(record string) report.Row {
		return report.Row{report.Uint(uint64(fc.TID)), report.Uint(uint64(fc.LogBlock)), report.Str(fastState(fc)), report.Str(record)}
	}
	for i := range fc.Records {
		r := &fc.Records[i]
		named := r.Parent != 0
		row := append(head(r.Tag.String()), report.Uint(uint64(r.Ino)), report.Str(j.recordWords(r)), report.Bool(fc.CRCOK), report.Int(r.Offset),
			number(uint64(r.Parent), named))
		if named {
			row = append(row, report.Name(r.Name))
		} else {
			row = append(row, report.Null())
		}
		switch r.Tag {
		case jbd2.FCAddRange:
			row = append(row, report.Uint(uint64(r.Extent.FileBlock)), report.Uint(uint64(r.Extent.Len)), report.Uint(uint64(r.Extent.Start)), report.Bool(r.Extent.Unwritten))
		case jbd2.FCDelRange:
			row = append(row, report.Uint(uint64(r.FileBlock)), report.Uint(uint64(r.Len)))
		}
		if !yield(row, nil) {
			return false
		}
	}
	if len(fc.Records) > 0 && fc.Err == nil {
		return true
	}
	detail := "holds no records"
	if fc.Err != nil {
		detail = fc.Err.Error()
	}
	return yield(append(head("-"), report.Null(), report.Str(detail), report.Bool(fc.CRCOK), report.Int(j.l.Journal.Log().Offset(fc.LogBlock))), nil)
}

// recordWords says what a record did.
func (j *journalRows) recordWords(r *jbd2.FCRecord) string {
	name := report.Printable(r.Name)
	switch r.Tag {
	case jbd2.FCAddRange:
		x := &r.Extent
		kind := "blocks"
		if x.Unwritten {
			kind = "unwritten blocks"
		}
		return fmt.Sprintf("file blocks %d to %d became %s %d to %d", x.FileBlock, uint64(x.FileBlock)+uint64(x.Len)-1, kind, x.Start, uint64(x.Start)+uint64(x.Len)-1)
	case jbd2.FCDelRange:
		return fmt.Sprintf("file blocks %d to %d were unmapped", r.FileBlock, uint64(r.FileBlock)+uint64(r.Len)-1)
	case jbd2.FCCreat:
		return fmt.Sprintf("created as %s in directory %d", name, r.Parent)
	case jbd2.FCLink:
		return fmt.Sprintf("named %s in directory %d", name, r.Parent)
	case jbd2.FCUnlink:
		return fmt.Sprintf("name %s removed from directory %d", name, r.Parent)
	case jbd2.FCInode:
		in := j.l.FS.DecodeInode(append([]byte(nil), r.Inode...), r.Ino, r.Offset)
		return fmt.Sprintf("inode: %s, %s, %d bytes", modeLetters(in.Mode), plural(uint64(in.Links), "link", "links"), in.Size())
	}
	return r.Tag.String()
}
