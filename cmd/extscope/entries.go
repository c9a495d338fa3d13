package main

import (
	"errors"
	"iter"
	"os"
	"strings"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/report"
)

// entryColumns are the columns of a listing of names.
var entryColumns = []report.Column{
	{Key: "path", Title: "Path", Name: true},
	{Key: "name", Title: "Name", Name: true},
	{Key: "inode", Title: "Inode", Right: true},
	{Key: "type", Title: "Type"},
	{Key: "mode", Title: "Mode"},
	{Key: "links", Title: "Links", Right: true},
	{Key: "uid", Title: "UID", Right: true},
	{Key: "gid", Title: "GID", Right: true},
	{Key: "size", Title: "Size", Right: true},
	{Key: "mtime", Title: "Modified"},
	{Key: "target", Title: "Target", Name: true, Optional: true},
	{Key: "deleted", Title: "Deleted", Optional: true},
	{Key: "mime", Title: "Content", Optional: true},
	{Key: "extension_disagrees", Title: "Disagrees", Optional: true},
}

// An entryTable makes the rows of a listing of names, and counts them.
type entryTable struct {
	fs                         *ext.FS
	row                        report.Row
	rows, directories, removed uint64
	byContent                  bool // types are told by contents too
}

func newEntryTable(fs *ext.FS, byContent bool) *entryTable {
	return &entryTable{fs: fs, row: make(report.Row, len(entryColumns)), byContent: byContent}
}

// columns leaves out those of contents where nobody asked.
func (t *entryTable) columns() []report.Column {
	if !t.byContent {
		return entryColumns[:len(entryColumns)-2]
	}
	return entryColumns
}

// report is the report of the entries that a sequence gives.
func (t *entryTable) report(entries iter.Seq2[*ext.WalkEntry, error]) *report.Report {
	rows := func(yield func(report.Row, error) bool) {
		for e, err := range entries {
			if err != nil {
				if !yield(nil, err) {
					return
				}
				continue
			}
			row, err := t.entry(e)
			if err != nil && !yield(nil, err) || !yield(row, nil) {
				return
			}
		}
	}
	return &report.Report{
		Tables: []*report.Table{{Key: "entries", Columns: t.columns(), Rows: rows}},
		Summary: func() report.Fields {
			return report.Fields{
				{Key: "entries", Value: report.Uint(t.rows)},
				{Key: "directories", Value: report.Uint(t.directories)},
				{Key: "deleted", Value: report.Uint(t.removed)},
			}
		},
	}
}

// entry makes the row of one name; what comes of its inode is null where err
// tells why that could not be read.
func (t *entryTable) entry(e *ext.WalkEntry) (report.Row, error) {
	row := t.row
	clear(row)
	row[0], row[1], row[2] = report.Name(e.Path), report.Name(e.Name), report.Uint(uint64(e.Ino))
	row[3] = report.Str(entryType(e.Type))
	t.rows++
	if e.Removed {
		row[11] = report.Bool(true)
		t.removed++
	}
	in, err := e.Inode()
	if err == nil {
		if !e.Removed {
			row[3] = report.Str(entryType(layout.FTOfMode(in.Mode)))
		}
		row[4], row[5] = report.Mode(in.Mode), report.Uint(uint64(in.Links))
		row[6], row[7] = report.Uint(uint64(in.UID)), report.Uint(uint64(in.GID))
		row[8], row[9] = report.Size(in.Size()), report.Time(in.Mtime)
		if in.IsDir() && !e.Removed {
			t.directories++
		}
		if hasTarget(e, in) {
			var target []byte
			if target, err = t.fs.Readlink(in); err == nil {
				row[10] = report.Bytes(target)
			}
			err = about(e, err)
		}
		if t.byContent && !e.Removed {
			typ, typeErr := contentType(t.fs, in)
			row[12], row[13] = mimeValues(typ, e.Name)
			err = errors.Join(err, about(e, typeErr))
		}
	}
	return row, err
}

// hasTarget reports whether an entry is to be shown with a symlink's target. A
// removed name's inode may be in use by another file now, or by none.
func hasTarget(e *ext.WalkEntry, in *ext.Inode) bool {
	return in.IsSymlink() && (!e.Removed || e.Type == layout.FTSymlink && in.Links > 0)
}

// entryTypes are the words of the JSON key type for the types of a directory
// entry.
var entryTypes = [...]string{
	layout.FTUnknown: "unknown", layout.FTRegular: "file", layout.FTDir: "directory", layout.FTChar: "chardev",
	layout.FTBlock: "blockdev", layout.FTFIFO: "fifo", layout.FTSocket: "socket", layout.FTSymlink: "symlink",
}

func entryType(t uint8) string {
	if int(t) < len(entryTypes) {
		return entryTypes[t]
	}
	return entryTypes[layout.FTUnknown]
}

// shownPath is what the paths below a PATH argument start with: the argument as
// an absolute path without needless slashes, or @12 for inode 12.
func (o *opened) shownPath(t target) []byte {
	p := t.arg
	if raw, err := report.Unprintable(p); err == nil && string(raw) != p {
		// Escapes are undone where the path as written leads nowhere.
		if _, err := o.fs.Resolve(p, false); err != nil {
			p = string(raw)
		}
	}
	if rest, ok := strings.CutPrefix(p, "<"); ok {
		if number, after, ok := strings.Cut(rest, ">"); ok {
			p = "@" + number + "/" + after
		}
	}
	_, _, isNumber := inodeArg(p)
	var b []byte
	for part := range strings.SplitSeq(p, "/") {
		if part == "" {
			continue
		}
		if len(b) > 0 || !isNumber {
			b = append(b, '/')
		}
		b = append(b, part...)
	}
	if len(b) == 0 {
		return []byte("/")
	}
	return b
}

// removedMark stands behind a name that was taken away. A name itself cannot
// hold the tab, which would be escaped.
const removedMark = "\t(deleted)"

// styleOf is the colour of ls for a name.
func styleOf(e *ext.WalkEntry, in *ext.Inode) report.Style {
	switch e.Type {
	case layout.FTDir:
		return report.Dir
	case layout.FTSymlink:
		return report.Link
	case layout.FTChar, layout.FTBlock, layout.FTFIFO, layout.FTSocket:
		return report.Special
	case layout.FTRegular:
		if in != nil && in.Mode&0o111 != 0 {
			return report.Exec
		}
	}
	return report.None
}

// colored reports whether a table is for a person's eyes, in colour.
func (o *output) colored(e *env) bool {
	return o.file == "" && isTerminal(e.out) && os.Getenv("NO_COLOR") == ""
}
