package main

import (
	"fmt"
	"iter"
	"strings"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/report"
)

// copyColumns are those of copies of blocks: of one block in several transactions, or
// of several blocks in one.
func copyColumns(versions bool) []report.Column {
	columns := []report.Column{
		{Key: "sequence", Title: "SEQUENCE", Right: true},
		{Key: "commit_time", Title: "COMMITTED", Data: !versions},
		{Key: "state", Title: "STATE", Style: transactionStyle, Data: !versions},
		{Key: "block", Title: "BLOCK", Right: true, Data: versions},
		{Key: "log_block", Title: "LOG BLOCK", Right: true},
		{Key: "offset", Data: true},
		{Key: "kind", Title: "KIND"},
		{Key: "owner", Title: "OWNER", Right: true},
		{Key: "what", Title: "WHAT"},
		{Key: "checksum", Title: "CHECKSUM", Style: sumStyle},
		{Key: "escaped", Data: true},
		{Key: "group", Data: true},
		{Key: "first_inode", Data: true},
		{Key: "inodes", Data: true},
		{Key: "changed_inodes", Data: true},
		{Key: "path", Data: true, Name: true},
		{Key: "logical", Data: true},
	}
	return columns
}

func sumStyle(v report.Value) report.Style {
	if v.Text() == "bad" {
		return report.Bad
	}
	return report.None
}

// versions are the rows of one block's copies, oldest first.
func (j *journalRows) versions(block layout.Block) iter.Seq2[report.Row, error] {
	return func(yield func(report.Row, error) bool) {
		for _, v := range j.l.Archive.Versions(block) {
			u, err := j.l.Use(j.ctx, v.Copy, v.Transaction)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(j.copyRow(v.Copy, v.Transaction, u), nil) {
				return
			}
		}
	}
}

// copies are the rows of the blocks of some transactions.
func (j *journalRows) copies(transactions []int) iter.Seq2[report.Row, error] {
	return func(yield func(report.Row, error) bool) {
		for _, i := range transactions {
			uses, err := j.l.Uses(j.ctx, i)
			if err != nil {
				yield(nil, err)
				return
			}
			for k, c := range j.l.Transactions()[i].Blocks {
				if !yield(j.copyRow(c, i, uses[k]), nil) {
					return
				}
			}
		}
	}
}

func (j *journalRows) copyRow(c jbd2.Copy, i int, u history.Use) report.Row {
	t := &j.l.Transactions()[i]
	changed := j.changed(c, i, u)
	dir := j.path(u, i)
	table := u.Count > 0
	return report.Row{
		report.Uint(uint64(t.Sequence)), report.Time(t.CommitTime), report.Str(t.State.String()),
		report.Uint(uint64(c.FS)), report.Uint(uint64(c.Log)), report.Int(j.l.Journal.Log().Offset(c.Log)),
		report.Str(u.Kind), number(uint64(u.Owner), u.Owner != 0), report.Str(what(u, dir, changed)), report.Str(c.Checksum.String()),
		report.Bool(c.Escaped), number(uint64(u.Group), u.HasGroup), number(uint64(u.First), table), number(uint64(u.Count), table),
		inoList(changed), path(dir), number(u.Logical, u.Owner != 0),
	}
}

// copyFields are a copy as an object in the list of a transaction.
func (j *journalRows) copyFields(c jbd2.Copy, i int, u history.Use) report.Fields {
	f := report.Fields{
		{Key: "block", Value: report.Uint(uint64(c.FS))},
		{Key: "log_block", Value: report.Uint(uint64(c.Log))},
		{Key: "kind", Value: report.Str(u.Kind)},
	}
	if u.HasGroup {
		f = append(f, report.Field{Key: "group", Value: report.Uint(uint64(u.Group))})
	}
	if u.Count > 0 {
		f = append(f, report.Field{Key: "first_inode", Value: report.Uint(uint64(u.First))}, report.Field{Key: "inodes", Value: report.Uint(uint64(u.Count))})
	}
	if u.Owner != 0 {
		f = append(f, report.Field{Key: "owner", Value: report.Uint(uint64(u.Owner))})
	}
	if p := j.path(u, i); p != nil {
		f = append(f, report.Field{Key: "path", Value: report.Name(p)})
	}
	if c.Checksum == jbd2.Bad {
		f = append(f, report.Field{Key: "checksum", Value: report.Str(c.Checksum.String())})
	}
	return f
}

// path is the path of the directory that a block was part of.
func (j *journalRows) path(u history.Use, i int) []byte {
	if u.Owner == 0 || u.Kind != links.BlockDir && u.Kind != history.BlockDirIndex {
		return nil
	}
	return j.l.DirPath(u, i)
}

// changed lists the inodes of an inode table block that differ from its copy before,
// nil where there is none.
func (j *journalRows) changed(c jbd2.Copy, i int, u history.Use) []ext.Ino {
	if u.Count == 0 {
		return nil
	}
	return j.l.ChangedInodes(c, i, u)
}

func inoList(list []ext.Ino) report.Value {
	if list == nil {
		return report.Null()
	}
	values := make([]report.Value, len(list))
	for i, ino := range list {
		values[i] = report.Uint(uint64(ino))
	}
	return report.List(values)
}

// what says in words which part of its kind a block was.
func what(u history.Use, dir []byte, changed []ext.Ino) string {
	switch {
	case u.Count > 0:
		text := fmt.Sprintf("inodes %d-%d", u.First, uint64(u.First)+uint64(u.Count)-1)
		if changed != nil {
			text += ", changed: " + shortList(changed)
		}
		return text
	case dir != nil:
		return fmt.Sprintf("block %d of %s", u.Logical, report.Printable(dir))
	case u.HasGroup:
		return fmt.Sprintf("group %d", u.Group)
	case u.Owner != 0:
		return fmt.Sprintf("block %d of inode %d", u.Logical, u.Owner)
	}
	return ""
}

// shortList spells the first of some inodes.
func shortList(list []ext.Ino) string {
	const most = 16
	var b strings.Builder
	for i, ino := range list {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(list)-most)
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprint(&b, ino)
	}
	if len(list) == 0 {
		return "none"
	}
	return b.String()
}

// revokes is the table of blocks that some transactions revoke.
func (j *journalRows) revokes(transactions []int) *report.Table {
	return &report.Table{Key: "revokes", Columns: []report.Column{
		{Key: "sequence", Title: "SEQUENCE", Right: true},
		{Key: "block", Title: "REVOKED BLOCK", Right: true},
	}, Rows: func(yield func(report.Row, error) bool) {
		for _, i := range transactions {
			t := &j.l.Transactions()[i]
			for _, b := range t.Revokes {
				if !yield(report.Row{report.Uint(uint64(t.Sequence)), report.Uint(uint64(b))}, nil) {
					return
				}
			}
		}
	}}
}
