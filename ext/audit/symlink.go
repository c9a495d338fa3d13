package audit

import (
	"bytes"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// symlink judges a symlink by itself, and reports whether it can be one: its
// size is the length of its target, and that lies in one place.
func (w *worker) symlink(in *ext.Inode) bool {
	f := w.a.fs
	bad := func(at int64, format string, args ...any) bool {
		w.badInode(BadSymlink, in, at, format, args...)
		return false
	}
	size := uint64(in.SizeHigh)<<32 | uint64(in.SizeLo)
	switch {
	case size == 0:
		return bad(0x04, "the target is empty")
	case in.SizeHigh != 0:
		return bad(0x6c, "the size is %d bytes", size)
	case in.Flags&layout.FlagIndex != 0:
		return bad(0x20, "the flag of an indexed directory is set")
	}
	if in.HasInline() {
		room, ok := f.InlineSize(in)
		switch {
		case in.Flags&layout.FlagExtents != 0:
			return bad(0x20, "flags of inline data and of an extent tree")
		case !ok || room != size:
			return bad(0x04, "the size is %d bytes, and the target is %d", size, room)
		}
		return true
	}
	var b []byte
	at := in.Offset + 0x28
	if size < layout.InlineBlockSize {
		if in.Flags&layout.FlagExtents != 0 {
			return bad(0x20, "a target of %d bytes does not lie in an extent", size)
		}
		b = in.Block[:]
	} else {
		block, ok := targetBlock(f, in)
		if !ok {
			return bad(0x28, "the target does not lie in one block")
		}
		var err error
		if b, err = w.targets.Start(block, size+1); err == nil && bytes.IndexByte(b, 0) < 0 {
			b, err = w.targets.Start(block, uint64(f.BlockSize())) // where does it end?
		}
		if err != nil {
			w.a.addError(in.Ino, err)
			return false
		}
		at = f.BlockOffset(block)
	}
	length := bytes.IndexByte(b, 0)
	if in.Flags&layout.FlagEncrypt != 0 {
		length = int(le.Uint16(b)) + 2
	}
	if length < 0 || length >= len(b) || uint64(length) != size {
		w.a.add(Finding{Kind: BadSymlink, Ino: in.Ino, Offset: at, Detail: symlinkDetail(length, size)})
		return false
	}
	return true
}

func symlinkDetail(length int, size uint64) string {
	if length < 0 {
		return sprintf("the target does not end, and its size is said to be %d bytes", size)
	}
	return sprintf("the target is %d bytes long, and its size is said to be %d", length, size)
}

// targetBlock is the block that a target which is not in the inode lies in.
func targetBlock(f *ext.FS, in *ext.Inode) (ext.Block, bool) {
	var block ext.Block
	if in.Flags&layout.FlagExtents != 0 {
		n, err := layout.DecodeExtentNode(in.Block[:], 0)
		if err != nil || n.Entries != 1 || n.Depth != 0 {
			return 0, false
		}
		e := n.Extent(0)
		if e.FileBlock != 0 || e.Len != 1 {
			return 0, false
		}
		block = e.Start
	} else {
		for i := 1; i < mapSlots; i++ {
			if le.Uint32(in.Block[4*i:]) != 0 {
				return 0, false
			}
		}
		block = ext.Block(le.Uint32(in.Block[:]))
	}
	return block, f.InRange(block, 1)
}
