package audit

import (
	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
)

// records goes through all records of a directory block, unused ones too: each is
// as long as its name needs, and they fill the block up to the checksum.
func (w *worker) records(b *links.Block) {
	w.torn = false
	area, at := b.Bytes, 0
	if b.Inline {
		if b.Logical == 0 {
			at = min(layout.InlineDirHead, len(area))
		}
	} else if _, ok := layout.DirTail(area); ok && w.a.fs.Super.MetadataCsum() && ext.DxCountOffset(area, b.Flags, b.Logical) == 0 {
		area = area[:len(area)-12]
	}
	const both = layout.FlagEncrypt | layout.FlagCasefold
	format := layout.DirFormat{Hashed: b.Flags&both == both}
	for i := 0; at < len(area); i++ {
		left := len(area) - at
		if left < 8 {
			w.tear(b, at+4, "rec_len", uint64(left))
			return
		}
		length := layout.RecLen(area[at:], len(b.Bytes))
		f := format
		f.Hashed = f.Hashed && !(b.Logical == 0 && i < 2)
		if length > left || length < f.DirentLen(1) || length%4 != 0 {
			w.tear(b, at+4, "rec_len", uint64(le.Uint16(area[at+4:])))
			return
		}
		if n := int(area[at+6]); f.DirentLen(n) > length {
			w.tear(b, at+6, "name_len", uint64(n))
			return
		}
		if b.Logical == 0 && !b.Inline && i < 2 {
			w.dotRecord(b, area[at:], at, i, length)
		}
		at += length
	}
}

// tear tells of a record that cannot be right.
func (w *worker) tear(b *links.Block, at int, field string, value uint64) {
	w.torn = true
	c := layout.CorruptError{Struct: "directory entry", Field: field, Offset: b.Offset + int64(at), Value: value}
	w.a.add(Finding{Kind: BadEntry, Ino: b.Dir, HasBlock: !b.Inline, Block: b.Physical, Offset: c.Offset, Detail: c.Error()})
}

// dotRecord judges what only the first two records of a directory must be.
func (w *worker) dotRecord(b *links.Block, rec []byte, at, i, length int) {
	name := [...]string{".", ".."}[i]
	if le.Uint32(rec) == 0 {
		w.a.add(Finding{Kind: BadEntry, Ino: b.Dir, HasBlock: true, Block: b.Physical, Offset: b.Offset + int64(at),
			Detail: sprintf("a directory without %q", name)})
		return
	}
	if int(rec[6]) != len(name) || string(rec[8:][:len(name)]) != name {
		return // told where its name is looked at
	}
	if rec[8+len(name)] != 0 {
		w.a.add(Finding{Kind: BadEntry, Ino: b.Dir, HasBlock: true, Block: b.Physical, Offset: b.Offset + int64(at+8+len(name)),
			Detail: sprintf("no zero byte follows the name %q", name)})
	}
	if i == 0 && length-12 > 12 {
		w.a.add(Finding{Kind: BadEntry, Ino: b.Dir, HasBlock: true, Block: b.Physical, Offset: b.Offset + int64(at+4),
			Detail: sprintf("the record of %q has %d bytes, and \"..\" is to follow after 12", name, length)})
	}
}
