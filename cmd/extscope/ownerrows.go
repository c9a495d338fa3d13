package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/report"
)

// ownerTable lists the blocks. partial says that not all inodes could be read.
func ownerTable(f *ext.FS, owners []links.Owner, names *links.Names, partial bool) *report.Table {
	return &report.Table{
		Key: "blocks",
		Columns: []report.Column{
			{Key: "block", Title: "BLOCK", Right: true},
			{Key: "kind", Title: "KIND", Style: ownerStyle},
			{Key: "allocated", Title: "ALLOC"},
			{Key: "group", Data: true},
			{Key: "inodes", Title: "INODE", Right: true},
			{Key: "logical", Title: "LOGICAL", Right: true},
			{Key: "paths", Title: "PATHS", Name: true},
			{Key: "note", Title: "NOTE", Optional: true},
			{Key: "table_inodes", Data: true, Optional: true},
			{Key: "owners", Data: true},
			{Key: "owners_left_out", Data: true, Optional: true},
		},
		Rows: func(yield func(report.Row, error) bool) {
			for i := range owners {
				if !yield(ownerRow(f, &owners[i], names, partial), nil) {
					return
				}
			}
		},
	}
}

func ownerStyle(v report.Value) report.Style {
	switch v.Text() {
	case links.BlockFree:
		return report.Dim
	case links.BlockUnowned:
		return report.Warn
	}
	return report.None
}

func ownerRow(f *ext.FS, o *links.Owner, names *links.Names, partial bool) report.Row {
	var inodes, all []report.Value
	var claims []report.Fields
	live := len(o.Live())
	for i, c := range o.Claims {
		var own []report.Value
		switch {
		case c.Ino == layout.RootIno:
			own = []report.Value{report.Name([]byte("/"))}
		case names != nil && !f.Reserved(c.Ino):
			for _, p := range names.Paths(c.Ino) {
				own = append(own, report.Name(p))
			}
		}
		claims = append(claims, report.Fields{
			{Key: "inode", Value: report.Uint(uint64(c.Ino))},
			{Key: "type", Value: report.Str(typeWord(c.Type))},
			{Key: "kind", Value: report.Str(c.Kind)},
			{Key: "logical", Value: number(c.Logical, c.Kind != links.BlockXattr)},
			{Key: "deleted", Value: report.Bool(c.Deleted)},
			{Key: "paths", Value: report.List(own)},
		})
		if i < live && (i == 0 || o.Claims[i-1].Ino != c.Ino) {
			inodes = append(inodes, report.Uint(uint64(c.Ino)))
			all = append(all, own...)
		}
	}
	logical := report.Null()
	if live > 0 {
		logical = number(o.Claims[0].Logical, o.Claims[0].Kind != links.BlockXattr)
	}
	note := ownerNote(o, live > 0 && len(all) == 0 && !f.Reserved(o.Claims[0].Ino))
	if partial && o.Kind == links.BlockUnowned {
		note = strings.TrimPrefix(note+"; its owner may be among what could not be read", "; ")
	}
	allocated := report.Bool(o.Allocated)
	if o.BitmapErr != nil {
		allocated = report.Null()
	}
	return report.Row{
		report.Uint(uint64(o.Block)), report.Str(o.Kind), allocated, report.Uint(uint64(o.Group)),
		report.List(inodes), logical, report.List(all), word(note), tableInodes(o), report.Objects(claims), number(o.More, o.More > 0),
	}
}

// tableInodes are the inodes in a block of the inode table.
func tableInodes(o *links.Owner) report.Value {
	if o.Inodes == 0 {
		return report.Null()
	}
	return report.Object(report.Fields{
		{Key: "first", Value: report.Uint(uint64(o.FirstIno))},
		{Key: "last", Value: report.Uint(uint64(o.FirstIno) + uint64(o.Inodes) - 1)},
	})
}

// ownerNote puts into words what the columns have no room for. nameless says
// that no name reaches the owner.
func ownerNote(o *links.Owner, nameless bool) string {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	for i, m := range o.Meta {
		switch {
		case i > 0:
			add("also %s of group %d", m.Kind, m.Group)
		case m.Kind == ext.MetaInodeTable && o.Inodes > 0:
			add("inodes %d-%d", o.FirstIno, uint64(o.FirstIno)+uint64(o.Inodes)-1)
		default:
			add("of group %d", m.Group)
		}
	}
	live := o.Live()
	if len(o.Meta) > 0 {
		for _, c := range live {
			add("%s to inode %d", c.Kind, c.Ino)
		}
	} else if len(live) > 1 && live[0].Ino != live[len(live)-1].Ino {
		add("claimed by several inodes")
	}
	if nameless {
		add("no name reaches the inode")
	}
	for i, c := range o.Claims[len(live):] {
		if i == 4 {
			add("…")
			break
		}
		add("was %s of inode %d", c.Kind, c.Ino)
	}
	if o.BitmapErr != nil {
		add("the bitmap could not be read")
	} else if !o.Allocated && (len(live) > 0 || len(o.Meta) > 0) {
		add("in use, yet free in the bitmap")
	}
	if o.More > 0 {
		add("%d more owners", o.More)
	}
	return strings.Join(notes, "; ")
}

func ownerSummary(owners []links.Owner) report.Fields {
	counts := map[string]uint64{}
	for i := range owners {
		counts[owners[i].Kind]++
	}
	kinds := report.Fields{}
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		kinds = append(kinds, report.Field{Key: strings.ReplaceAll(k, " ", "_"), Value: report.Uint(counts[k])})
	}
	return report.Fields{
		{Key: "blocks", Value: report.Int(int64(len(owners)))},
		{Key: "kinds", Value: report.Object(kinds)},
	}
}
