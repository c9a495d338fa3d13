package exttest

// Damage to directories, their indexes, extended attributes and inline data.
// Field offsets are those of struct ext4_dir_entry_2, dx_root, ext4_xattr_header
// and ext4_xattr_entry.

var hostileDirectories = []hostileCase{
	// A folder that contains one of those it is in, so paths go on for ever.
	{"directory-cycle", "small", directory("/a/b/c", "down", func(e *Editor, entry []byte) { le.PutUint32(entry, e.Ino("/a")) })},
	{"directory-cycle-root", "small", directory("/a/b/c", "down", func(e *Editor, entry []byte) { le.PutUint32(entry, 2) })},
	{"directory-cycle-self", "small", directory("/a/b/c", "down", func(e *Editor, entry []byte) { le.PutUint32(entry, e.Ino("/a/b/c")) })},
	// The same, and the folders agree: ".." of /a leads down too, and / has lost it.
	{"directory-cycle-detached", "small", func(e *Editor) {
		directory("/a/b/c", "down", func(e *Editor, entry []byte) { le.PutUint32(entry, e.Ino("/a")) })(e)
		directory("/a", "..", func(e *Editor, entry []byte) { le.PutUint32(entry, e.Ino("/a/b/c")) })(e)
		directory("/", "a", func(e *Editor, entry []byte) { le.PutUint32(entry, 0) })(e)
	}},
	{"directory-parent-self", "small", directory("/a/b", "..", func(e *Editor, entry []byte) { le.PutUint32(entry, e.Ino("/a/b")) })},
	{"directory-dot-elsewhere", "small", directory("/a/b", ".", func(e *Editor, entry []byte) { le.PutUint32(entry, e.Ino("/many")) })},
	{"directory-no-dots", "small", directory("/a/b", ".", func(e *Editor, entry []byte) { entry[8], entry[12+8] = 'x', 'y' })},
	{"directory-rec-len-0", "small", directory("/a", "b", func(e *Editor, entry []byte) { le.PutUint16(entry[4:], 0) })},
	{"directory-rec-len-0-first", "small", directory("/a", ".", func(e *Editor, entry []byte) { le.PutUint16(entry[4:], 0) })},
	{"directory-rec-len-4", "small", directory("/a", "b", func(e *Editor, entry []byte) { le.PutUint16(entry[4:], 4) })},
	{"directory-rec-len-odd", "small", directory("/a/b", "c", func(e *Editor, entry []byte) { le.PutUint16(entry[4:], 13) })},
	{"directory-rec-len-past-block", "small", directory("/a/b", "c", func(e *Editor, entry []byte) { le.PutUint16(entry[4:], 1020) })},
	{"directory-rec-len-65535", "small", directory("/a/b", "c", func(e *Editor, entry []byte) { le.PutUint16(entry[4:], 0xffff) })},
	{"directory-name-len-0", "small", directory("/a/b", "c", func(e *Editor, entry []byte) { entry[6] = 0 })},
	{"directory-name-len-255", "small", directory("/a/b", "c", func(e *Editor, entry []byte) { entry[6] = 255 })},
	{"directory-name-slash", "small", directory("/a/b", "sibling", func(e *Editor, entry []byte) { copy(entry[8:], "../etc/") })},
	{"directory-name-nul", "small", directory("/a/b", "sibling", func(e *Editor, entry []byte) { entry[10] = 0 })},
	{"directory-name-dots", "small", directory("/", "o1", func(e *Editor, entry []byte) { copy(entry[8:], "..") })},
	{"directory-name-twice", "small", directory("/", "o1", func(e *Editor, entry []byte) { copy(entry[8:], "o2") })},
	{"directory-inode-outside", "small", directory("/", "o1", func(e *Editor, entry []byte) { le.PutUint32(entry, 0xffffffff) })},
	{"directory-inode-reserved", "small", directory("/", "o1", func(e *Editor, entry []byte) { le.PutUint32(entry, 7) })},
	{"directory-inode-free", "small", directory("/", "o1", func(e *Editor, entry []byte) { le.PutUint32(entry, 191) })},
	{"directory-type-wrong", "small", directory("/", "file", func(e *Editor, entry []byte) { entry[7] = 2 })},
	{"directory-type-unknown", "small", directory("/", "file", func(e *Editor, entry []byte) { entry[7] = 0xde })},
	{"directory-linked-twice", "small", directory("/", "o1", func(e *Editor, entry []byte) {
		le.PutUint32(entry, e.Ino("/a/b"))
		entry[7] = 2
	})},
	{"directory-size-zero", "small", inode32("/a", 0x04, 0)},
	{"directory-size-odd", "small", inode32("/a", 0x04, 1000)},
	{"directory-all-hole", "small", inodeOf("/a", func(b []byte) {
		le.PutUint16(b[0x28+2:], 0)     // eh_entries
		le.PutUint32(b[0x04:], 1<<30+0) // i_size_lo
	})},
	{"directory-is-a-file", "small", directory("/a/b/c", "down", func(e *Editor, entry []byte) { le.PutUint32(entry, e.Ino("/o1")) })},
}

var hostileIndexes = []hostileCase{
	{"index-count-over-limit", "small", index(func(b []byte) { le.PutUint16(b[0x22:], le.Uint16(b[0x20:])+1) })},
	{"index-count-huge", "small", index(func(b []byte) { le.PutUint16(b[0x22:], 0xffff) })},
	{"index-limit-huge", "small", index(func(b []byte) { le.PutUint16(b[0x20:], 0xffff); le.PutUint16(b[0x22:], 0xfffe) })},
	{"index-count-0", "small", index(func(b []byte) { le.PutUint16(b[0x22:], 0) })},
	{"index-to-itself", "small", index(func(b []byte) { clear(b[0x24:0x28]) })},
	{"index-outside", "small", index(func(b []byte) { le.PutUint32(b[0x24:], 0x0fffffff) })},
	{"index-levels-255", "small", index(func(b []byte) { b[0x1e] = 255 })},
	{"index-levels-1", "small", index(func(b []byte) { b[0x1e] = 1 })},
	{"index-hash-unknown", "small", index(func(b []byte) { b[0x1c] = 200 })},
	{"index-info-length-0", "small", index(func(b []byte) { b[0x1d] = 0 })},
	{"index-unordered", "small", index(func(b []byte) { le.PutUint32(b[0x28:], 0xfffffff0) })},
}

// index changes the index root of /many.
func index(change func(root []byte)) func(*Editor) {
	return func(e *Editor) {
		ino := e.Ino("/many")
		change(e.Block(e.First(ino)))
		e.SealIndex(ino, e.First(ino))
	}
}

var hostileXattrs = []hostileCase{
	{"xattr-value-outside", "small", xattrBlock(func(b []byte) { le.PutUint16(b[0x20+2:], 0xfff0) })},
	{"xattr-value-at-end", "small", xattrBlock(func(b []byte) { le.PutUint16(b[0x20+2:], 1020) })},
	{"xattr-value-on-entries", "small", xattrBlock(func(b []byte) { le.PutUint16(b[0x20+2:], 0) })},
	{"xattr-value-size-huge", "small", xattrBlock(func(b []byte) { le.PutUint32(b[0x20+8:], 0xffffffff) })},
	{"xattr-name-len-255", "small", xattrBlock(func(b []byte) { b[0x20] = 255 })},
	// Entries to the block's very end, and no four zero bytes to end the list.
	{"xattr-no-end", "small", xattrBlock(func(b []byte) {
		for at := 0x20; at+16 <= len(b); at += 16 {
			copy(b[at:], []byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0})
		}
	})},
	{"xattr-prefix-unknown", "small", xattrBlock(func(b []byte) { b[0x21] = 0xee })},
	{"xattr-magic-wrong", "small", xattrBlock(func(b []byte) { b[0] ^= 0xff })},
	{"xattr-blocks-many", "small", xattrBlock(func(b []byte) { le.PutUint32(b[0x08:], 0xffffffff) })},
	{"xattr-refcount-huge", "small", xattrBlock(func(b []byte) { le.PutUint32(b[0x04:], 0xffffffff) })},
	{"xattr-block-outside", "small", inode32("/xattr", 0x68, 0x7fffffff)},
	{"xattr-block-outside-48", "small", inode32("/xattr", 0x68, 0xffffffff, 0x74, 0xffffffff)},
	{"xattr-block-is-extent-block", "small", func(e *Editor) { inode32("/xattr", 0x68, e.First(e.Ino("/frag")))(e) }},
	// An attribute whose value is in an inode: its own, then one out of range.
	{"xattr-inode-self", "small-inline", func(e *Editor) {
		xattrBlock(func(b []byte) { le.PutUint32(b[0x20+4:], e.Ino("/xattr")) })(e)
	}},
	{"xattr-inode-outside", "small-inline", xattrBlock(func(b []byte) { le.PutUint32(b[0x20+4:], 0xffffffff) })},
	{"xattr-inode-size-huge", "small-inline", func(e *Editor) {
		xattrBlock(func(b []byte) {
			le.PutUint32(b[0x20+4:], e.Ino("/frag"))
			le.PutUint32(b[0x20+8:], 0xffffffff)
		})(e)
	}},
	{"xattr-in-body-value-outside", "small-inline", inodeOf("/medium", func(b []byte) { le.PutUint16(bodyEntry(b)[2:], 0xfff0) })},
	{"xattr-in-body-size-huge", "small-inline", inodeOf("/medium", func(b []byte) { le.PutUint32(bodyEntry(b)[8:], 0xfffffffc) })},
	{"xattr-in-body-name-len-255", "small-inline", inodeOf("/medium", func(b []byte) { bodyEntry(b)[0] = 255 })},
}

// xattrBlock changes the attribute block of /xattr. Its first entry is at 0x20.
func xattrBlock(change func(b []byte)) func(*Editor) {
	return func(e *Editor) {
		block := le.Uint32(e.Inode(e.Ino("/xattr"))[0x68:]) // i_file_acl_lo
		if block == 0 {
			e.t.Fatal("/xattr has no attribute block")
		}
		change(e.Block(block))
		e.SealXattrs(block)
	}
}

// bodyEntry returns the first attribute entry in an inode's body, after
// i_extra_isize and the 4-byte magic.
func bodyEntry(inode []byte) []byte { return inode[0x80+int(le.Uint16(inode[0x80:]))+4:] }

var hostileInline = []hostileCase{
	{"inline-directory-size-65535", "small-inline", inode32("/dir", 0x04, 0xffff)},
	{"inline-directory-size-3", "small-inline", inode32("/dir", 0x04, 3)},
	{"inline-directory-size-16t", "small-inline", inode32("/dir", 0x04, 0, 0x6c, 1<<12)},
	// i_block holds the parent's number, then entries.
	{"inline-directory-rec-len-0", "small-inline", inodeOf("/dir", func(b []byte) { le.PutUint16(b[0x28+4+4:], 0) })},
	{"inline-directory-rec-len-past-end", "small-inline", inodeOf("/dir", func(b []byte) { le.PutUint16(b[0x28+4+4:], 200) })},
	{"inline-directory-name-len-255", "small-inline", inodeOf("/dir", func(b []byte) { b[0x28+4+6] = 255 })},
	{"inline-directory-parent-self", "small-inline", func(e *Editor) { inode32("/dir", 0x28, e.Ino("/dir"))(e) }},
	{"inline-directory-parent-outside", "small-inline", inode32("/dir", 0x28, 0xffffffff)},
	{"inline-directory-cycle", "small-inline", inodeOf("/a/b", func(b []byte) {
		// The first entry of /a/b, c, leads back to its parent.
		copy(b[0x28+4:][:4], b[0x28:][:4])
	})},
	{"inline-file-size-huge", "small-inline", inode32("/tiny", 0x04, 0xffffffff, 0x6c, 0xffff)},
	{"inline-file-size-over-data", "small-inline", inode32("/medium", 0x04, 4000)},
	{"inline-and-extents", "small-inline", inode32("/tiny", 0x20, 0x10080000)},
	{"inline-symlink-size-huge", "small-inline", inode32("/inline-link", 0x04, 0xffffffff)},
}
