package replay

import (
	"errors"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// inlineParts gives the two parts of an inline directory that hold records, as
// slices of the inode: i_block behind the parent's number, and the value of
// system.data. entry is where the attribute's own record lies in the inode.
func (in *inode) inlineParts() (parts [2][]byte, entry int, alone bool) {
	parts[0] = in.block()[layout.InlineDirHead:]
	extra := layout.GoodOldInodeSize
	if len(in.raw) > extra {
		extra += int(le.Uint16(in.raw[0x80:])) // i_extra_isize
	}
	if extra >= len(in.raw) {
		return parts, 0, false
	}
	entries, err := layout.DecodeXattrBody(in.raw[extra:], in.off+int64(extra))
	if err != nil {
		return parts, 0, false
	}
	for _, x := range entries {
		if !x.IsInlineTail() {
			continue
		}
		entry = extra + x.Offset
		if at, end := extra+x.ValueOffset, extra+x.ValueOffset+int(x.ValueSize); x.ValueSize > 0 && end <= len(in.raw) {
			parts[1] = in.raw[at:end]
		}
	}
	return parts, entry, len(entries) == 1 && entry > 0
}

func (in *inode) inlineOffset(i int) int64 {
	if i == 0 {
		return in.off + 0x28 + layout.InlineDirHead
	}
	return in.off + layout.GoodOldInodeSize
}

// addInline adds a name to an inline directory, and lets it grow within the inode:
// ext4_try_add_inline_entry, fs/ext4/inline.c.
func (e *editor) addInline(dir *inode, n name) error {
	parts, entry, alone := dir.inlineParts()
	for i, p := range parts {
		if len(p) == 0 {
			continue
		}
		err := putName(p, dir.inlineOffset(i), e.format(dir), n)
		if err == nil {
			dir.dirty = true
		}
		if !errors.Is(err, errNoRoom) {
			return err
		}
		if i == 0 && alone && e.growInline(dir, entry, parts[1]) {
			if parts, _, _ = dir.inlineParts(); len(parts[1]) > 0 {
				err := putName(parts[1], dir.inlineOffset(1), e.format(dir), n)
				if err == nil {
					dir.dirty = true
				}
				return err
			}
		}
	}
	return errNoRoom
}

// growInline makes system.data, the only attribute, as long as fits:
// ext4_update_inline_dir. It happens once, with the first name for which i_block has
// no room.
func (e *editor) growInline(dir *inode, entry int, old []byte) bool {
	first := layout.GoodOldInodeSize + int(le.Uint16(dir.raw[0x80:])) + 4 // behind h_magic
	room := (len(dir.raw) - first - 20 - 4) &^ 3                          // the record of "data", and 4 zeros
	if len(old) > 0 || room <= 12 {
		return false
	}
	le.PutUint16(dir.raw[entry+0x2:], uint16(len(dir.raw)-room-first)) // e_value_offs
	le.PutUint32(dir.raw[entry+0x8:], uint32(room))                    // e_value_size
	value := dir.raw[len(dir.raw)-room:]
	clear(value)
	putRecLen(value, room)
	e.setSize(dir, uint64(layout.InlineBlockSize+room))
	return true
}

// outgrow moves an inline directory to a block: ext4_convert_inline_data_nolock.
func (e *editor) outgrow(dir *inode) error {
	parts, entry, alone := dir.inlineParts()
	if !alone || e.fs.Super.Incompat&layout.IncompatExtents == 0 {
		return &ext.UnsupportedError{What: "moving an inline directory with attributes to a block"}
	}
	parent := layout.InlineDirParent(dir.block())
	var list []hashed
	var all []byte
	for i, p := range parts {
		w := layout.NewDirBlock(p, dir.inlineOffset(i), e.format(dir))
		for r := (layout.Dirent{}); w.Next(&r); {
			if r.Ino != 0 {
				r.Offset += len(all)
				list = append(list, hashed{Dirent: r})
			}
		}
		if err := w.Err(); err != nil {
			return err
		}
		all = append(all, p...)
	}
	clear(dir.raw[entry-4:]) // the attribute, and h_magic
	clear(dir.block())
	fillNode(dir.block(), nil, rootExtents, 0)
	dir.setFlags(dir.flags()&^layout.FlagInlineData | layout.FlagExtents)
	dir.mapped, dir.modified = true, true
	e.setSize(dir, 0)
	d, err := e.appendBlock(dir)
	if err != nil {
		return err
	}
	e.putDots(d.b, dir.ino, parent)
	if len(list) > 0 {
		putRecLen(d.b[0xc:], 12)
		fillRecords(e.records(d.b)[0x18:], list, all, e.format(dir))
	}
	return e.writeLeaf(dir, d)
}

// removeInline takes a name out of an inline directory.
func (e *editor) removeInline(dir *inode, text []byte, ino ext.Ino) error {
	parts, _, _ := dir.inlineParts()
	for i, p := range parts {
		if len(p) == 0 {
			continue
		}
		r, before, err := findName(p, dir.inlineOffset(i), e.format(dir), text)
		if errors.Is(err, errNoName) {
			continue
		}
		if err == nil && r.Ino == ino {
			dropName(p, r, before)
			dir.dirty = true
		}
		return err
	}
	return errNoName
}

// newInlineDir writes the head of a new inline directory:
// ext4_try_create_inline_dir.
func (e *editor) newInlineDir(parent, dir *inode) error {
	b := dir.block()
	clear(b)
	le.PutUint32(b, uint32(parent.ino))
	putRecLen(b[layout.InlineDirHead:], layout.InlineBlockSize-layout.InlineDirHead)
	dir.setLinks(2)
	e.setSize(dir, layout.InlineBlockSize)
	return nil
}
