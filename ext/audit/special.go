package audit

import (
	"bytes"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// special judges the type of an inode in use, and what inodes that are neither
// file nor directory must not have.
func (w *worker) special(in *ext.Inode) {
	switch in.Type() {
	case layout.ModeRegular, layout.ModeDir:
		return
	case layout.ModeSymlink:
		if !w.symlink(in) {
			w.a.doubtful.add(uint64(in.Ino), 1, nil)
			return
		}
	case layout.ModeChar, layout.ModeBlock, layout.ModeFIFO, layout.ModeSocket:
		if !deviceBlock(in) {
			w.badInode(BadInode, in, 0x20, "it is a %s, and its flags or i_block are those of something else", typeName(layout.FTOfMode(in.Mode)))
			w.disputed(in)
			return
		}
		if in.HasInline() {
			w.badInode(BadInode, in, 0x20, "a %s has no inline data", typeName(layout.FTOfMode(in.Mode)))
		}
		if size := uint64(in.SizeHigh)<<32 | uint64(in.SizeLo); size != 0 {
			w.badInode(BadSize, in, 0x04, "the size of a %s is %d bytes", typeName(layout.FTOfMode(in.Mode)), size)
		}
		w.disguised(in)
	default:
		w.badInode(BadInode, in, 0x00, "i_mode is %#o, which is no type of file", in.Mode)
		w.disputed(in)
		return
	}
	if in.Flags&(layout.FlagImmutable|layout.FlagAppend) != 0 {
		w.badInode(BadInode, in, 0x20, "a %s cannot be immutable or append-only", typeName(layout.FTOfMode(in.Mode)))
	}
}

// disputed judges an inode that cannot be what its mode says. Its size is held against what
// a file can have at most: nothing tells that it has another meaning here.
func (w *worker) disputed(in *ext.Inode) {
	w.a.doubtful.add(uint64(in.Ino), 1, nil)
	w.disguised(in)
	if size := uint64(in.SizeHigh)<<32 | uint64(in.SizeLo); size > w.a.fs.MaxSize(in) {
		w.badInode(BadSize, in, 0x04, "the size is %d bytes, which no file can have", size)
	}
}

// deviceBlock reports whether i_block can be that of a device, fifo or socket.
// The kernel leaves rests of earlier use behind the device number; where flags
// are set that nobody can set on a device, they count.
func deviceBlock(in *ext.Inode) bool {
	if in.Flags&(layout.FlagIndex|layout.FlagExtents) != 0 {
		return false
	}
	if in.Flags&(layout.FlagImmutable|layout.FlagAppend) == 0 {
		return true
	}
	return !bytes.ContainsFunc(in.Block[16:], func(r rune) bool { return r != 0 })
}

// disguised tells of a directory whose mode says that it is something else.
func (w *worker) disguised(in *ext.Inode) {
	f := w.a.fs
	first := le.Uint32(in.Block[:])
	if first == 0 {
		return
	}
	if in.HasInline() && f.Super.Incompat&layout.IncompatInlineData != 0 {
		if tail, ok := f.InlineSize(in); ok && tail%4 == 0 && inlineRecord(in, f.InodesCount(), f.FirstIno()) {
			w.badInode(BadInode, in, 0x00, "i_mode is %#o, and it holds a directory", in.Mode)
		}
		return
	}
	block, device := ext.Block(first), true
	if w.a.mapsExtents(in) {
		n, err := layout.DecodeExtentNode(in.Block[:], 0)
		if err != nil || n.Depth != 0 || n.Entries == 0 || n.Extent(0).FileBlock != 0 {
			return
		}
		block, device = n.Extent(0).Start, false
	} else {
		for i := range mapSlots {
			b := ext.Block(le.Uint32(in.Block[4*i:]))
			if b != 0 && !f.InRange(b, 1) {
				return
			}
			device = device && (b == 0 || i < 4)
		}
	}
	if t := in.Type(); (t == layout.ModeChar || t == layout.ModeBlock) && in.Links == 1 && device || !f.InRange(block, 1) {
		return
	}
	b := make([]byte, f.BlockSize())
	if f.ReadBlock(b, block) == nil && startsDir(b, in.Ino) {
		w.badInode(BadInode, in, 0x00, "i_mode is %#o, and block %d begins a directory of its number", in.Mode, block)
	}
}

// startsDir reports whether a block begins with the two dot entries of a
// directory.
func startsDir(b []byte, ino ext.Ino) bool {
	d := layout.NewDirBlock(b, 0, layout.DirFormat{})
	var dot, dotdot layout.Dirent
	return d.Next(&dot) && d.Next(&dotdot) && dot.Ino == ino && string(dot.Name) == "." && dot.RecLen >= 12 && string(dotdot.Name) == ".."
}

// inlineRecord reports whether i_block could begin an inline directory.
func inlineRecord(in *ext.Inode, inodes uint32, first ext.Ino) bool {
	ok := func(ino uint32, other ext.Ino) bool {
		return ino < inodes && (ext.Ino(ino) >= first || ext.Ino(ino) == other)
	}
	return ok(le.Uint32(in.Block[0:]), layout.RootIno) && ok(le.Uint32(in.Block[4:]), 0) && int(le.Uint16(in.Block[8:])) <= layout.InlineBlockSize-4
}
