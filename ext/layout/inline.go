package layout

// InlineBlockSize is how many bytes of an inline file lie in i_block; the rest
// is the value of the xattr system.data in the inode's body
// (EXT4_MIN_INLINE_DATA_SIZE, fs/ext4/ext4.h). An inline file always has that
// xattr, if only with an empty value.
const InlineBlockSize = 60

// InlineDirHead is how many bytes of an inline directory's i_block come before
// its first entry: the parent's number, in place of "." and ".."
// (EXT4_INLINE_DOTDOT_SIZE).
const InlineDirHead = 4

// IsInlineTail reports whether the entry is system.data, which continues an
// inline file or directory beyond i_block and is no attribute of its own.
func (e XattrEntry) IsInlineTail() bool {
	return e.NameIndex == XattrSystem && string(e.Name) == "data"
}

// InlineDirParent gives the parent of an inline directory, whose i_block is b.
// It is 0 where b is too short.
func InlineDirParent(b []byte) Ino {
	if len(b) < InlineDirHead {
		return 0
	}
	return Ino(le.Uint32(b[0x0:])) // i_block[0]
}

// InlineContent joins the content of an inline file: size bytes of i_block and
// then of the value of system.data. It is shorter than size where the bytes
// are not there. The directory entries of an inline directory do not run from
// one part into the other: read i_block from InlineDirHead on and tail apart.
func InlineContent(iblock, tail []byte, size int64) []byte {
	iblock = iblock[:min(len(iblock), InlineBlockSize)]
	if size <= 0 {
		return nil
	}
	if size <= int64(len(iblock)) {
		return append([]byte(nil), iblock[:size]...)
	}
	rest := min(size-int64(len(iblock)), int64(len(tail)))
	return append(append(make([]byte, 0, int64(len(iblock))+rest), iblock...), tail[:rest]...)
}
