package exttest

// Damage to inodes, and to what maps a file to its blocks. Field offsets are
// those of struct ext4_inode and, from 0x28 on, struct ext4_extent_header,
// ext4_extent_idx and ext4_extent.

var hostileInodes = []hostileCase{
	{"inode-size-16t", "small", inode32("/file", 0x04, 0, 0x6c, 1<<12)},
	{"inode-size-16t-fragmented", "small", inode32("/frag", 0x04, 0, 0x6c, 1<<12)},
	{"inode-size-16t-block-map", "small-ext2", inode32("/mapped", 0x04, 0, 0x6c, 1<<12)},
	{"inode-size-negative", "small", inode32("/file", 0x04, 0xffffffff, 0x6c, 0xffffffff)},
	{"inode-blocks-huge", "small", inode32("/file", 0x1c, 0xffffffff)},
	{"inode-extra-isize-65535", "small", inode16("/file", 0x80, 0xffff)},
	{"inode-extra-isize-3", "small", inode16("/xattr", 0x80, 3)},
	{"inode-mode-unknown", "small", inode16("/file", 0x00, 0xf1a4)},
	{"inode-mode-zero", "small", inode16("/file", 0x00, 0)},
	{"inode-flags-all", "small", inode32("/file", 0x20, 0xffffffff)},
	{"inode-inline-flag", "small", inode32("/file", 0x20, 0x10000000)},
	{"inode-ones", "small", inodeOf("/file", func(b []byte) {
		for i := range b {
			b[i] = 0xff
		}
	})},
	{"root-is-a-file", "small", inode16("/", 0x00, 0x81a4)},
	{"root-is-a-symlink", "small", inode16("/", 0x00, 0xa1ff)},
	{"root-not-in-use", "small", inode16("/", 0x1a, 0)},
	{"root-zero", "small", inodeOf("/", func(b []byte) { clear(b) })},
	{"symlink-self", "small", func(*Editor) {}}, // /self, as it is
	{"symlink-size-huge", "small", inode32("/soft", 0x04, 0xffffffff, 0x6c, 0xffff)},
	{"symlink-size-zero", "small", inode32("/soft", 0x04, 0)},
	{"symlink-slow-size-huge", "small", inode32("/slow", 0x04, 0xfffffff0)},
	{"symlink-with-nul", "small", inodeOf("/soft", func(b []byte) { b[0x29] = 0 })},
}

var hostileExtents = []hostileCase{
	// The index in the inode leads to a block that leads to itself. Its depth says
	// that it is an index, of the right level once and never again.
	{"extent-self", "small", func(e *Editor) {
		ino := e.Ino("/frag")
		self := e.First(ino)
		root := e.Inode(ino)[0x28:]
		le.PutUint16(root[6:], 2) // eh_depth
		node := e.Block(self)
		le.PutUint16(node[2:], 1) // eh_entries
		le.PutUint16(node[6:], 1) // eh_depth
		copy(node[12:24], append(append(le32(0), le32(self)...), 0, 0, 0, 0))
		e.SealExtents(ino, self)
		e.SealInode(ino)
	}},
	// Every entry of the node leads back to it: a reader that follows them all
	// without looking at depths takes 84^5 steps.
	{"extent-self-wide", "small", func(e *Editor) {
		ino := e.Ino("/frag")
		self := e.First(ino)
		root := e.Inode(ino)[0x28:]
		le.PutUint16(root[6:], 5)
		node := e.Block(self)
		n := le.Uint16(node[4:])
		le.PutUint16(node[2:], n)
		le.PutUint16(node[6:], 4)
		for i := range uint32(n) {
			copy(node[12+12*i:][:12], append(append(le32(i), le32(self)...), 0, 0, 0, 0))
		}
		e.SealExtents(ino, self)
		e.SealInode(ino)
	}},
	{"extent-depth-huge", "small", extentRoot("/frag", func(root []byte) { le.PutUint16(root[6:], 0xffff) })},
	{"extent-depth-one-as-leaf", "small", extentRoot("/frag", func(root []byte) { le.PutUint16(root[6:], 0) })},
	{"extent-entries-over-max", "small", extentRoot("/file", func(root []byte) { le.PutUint16(root[2:], 0xffff) })},
	{"extent-max-over-room", "small", extentRoot("/file", func(root []byte) {
		le.PutUint16(root[2:], 0xfff0)
		le.PutUint16(root[4:], 0xffff)
	})},
	{"extent-no-magic", "small", extentRoot("/file", func(root []byte) { le.PutUint16(root[0:], 0) })},
	{"extent-block-outside", "small", extentRoot("/file", func(root []byte) { le.PutUint32(root[12+8:], 0x7fffffff) })},
	{"extent-block-outside-48", "small", extentRoot("/file", func(root []byte) {
		le.PutUint16(root[12+6:], 0xffff)
		le.PutUint32(root[12+8:], 0xffffffff)
	})},
	{"extent-past-end", "small", extentRoot("/file", func(root []byte) {
		le.PutUint16(root[12+4:], 32768)
		le.PutUint32(root[12+8:], 1000)
	})},
	{"extent-length-0", "small", extentRoot("/file", func(root []byte) { le.PutUint16(root[12+4:], 0) })},
	{"extent-logical-wraps", "small", extentRoot("/file", func(root []byte) {
		le.PutUint32(root[12:], 0xffffffff)
		le.PutUint16(root[12+4:], 32768)
	})},
	{"extent-on-superblock", "small", extentRoot("/file", func(root []byte) { le.PutUint32(root[12+8:], 1) })},
	{"extent-index-outside", "small", extentRoot("/frag", func(root []byte) { le.PutUint32(root[12+4:], 0x7fffffff) })},
	{"extent-index-on-inode-table", "small", func(e *Editor) {
		extentRoot("/frag", func(root []byte) { le.PutUint32(root[12+4:], uint32(e.tables[0]/e.blockSize)) })(e)
	}},
	{"extent-leaf-overlaps", "small", extentLeaf("/frag", func(leaf []byte) { le.PutUint16(leaf[12+4:], 30) })},
	{"extent-leaf-unordered", "small", extentLeaf("/frag", func(leaf []byte) { le.PutUint32(leaf[12:], 1000) })},
	{"extent-leaf-entries-over-max", "small", extentLeaf("/frag", func(leaf []byte) { le.PutUint16(leaf[2:], 0xffff) })},
	{"extent-leaf-same-block", "small", extentLeaf("/frag", func(leaf []byte) {
		for i := range int(le.Uint16(leaf[2:])) {
			copy(leaf[12+12*i+4:][:8], leaf[12+4:][:8])
		}
	})},
	{"extent-directory-16t", "small", func(e *Editor) {
		inode32("/a", 0x04, 0, 0x6c, 1<<12)(e)
		extentRoot("/a", func(root []byte) { le.PutUint16(root[12+4:], 32768) })(e)
	}},
}

// extentRoot changes the extent header and entries in a path's inode.
func extentRoot(path string, change func(root []byte)) func(*Editor) {
	return inodeOf(path, func(b []byte) { change(b[0x28:][:60]) })
}

// extentLeaf changes the extent block that a path's inode leads to.
func extentLeaf(path string, change func(leaf []byte)) func(*Editor) {
	return func(e *Editor) {
		ino := e.Ino(path)
		change(e.Block(e.First(ino)))
		e.SealExtents(ino, e.First(ino))
	}
}

var hostileBlockMaps = []hostileCase{
	{"indirect-self", "small-ext2", indirect(12)},
	{"indirect-double-self", "small-ext2", indirect(13)},
	{"indirect-triple-self", "small-ext2", func(e *Editor) {
		inode32("/mapped", 0x04, 0xffffffff, 0x6c, 3)(e)
		indirect(14)(e)
	}},
	{"indirect-outside", "small-ext2", inode32("/mapped", 0x28+12*4, 0x7fffffff, 0x28+13*4, 0xffffffff)},
	{"indirect-on-inode-table", "small-ext2", func(e *Editor) {
		inode32("/mapped", 0x28+12*4, uint32(e.tables[0]/e.blockSize))(e)
	}},
	{"indirect-direct-outside", "small-ext2", inode32("/mapped", 0x28, 0xffffffff, 0x28+4, 1024)},
	{"indirect-shared", "small-ext2", func(e *Editor) {
		b := e.Inode(e.Ino("/mapped"))
		copy(b[0x28+13*4:][:4], b[0x28+12*4:])
		copy(b[0x28+14*4:][:4], b[0x28+12*4:])
	}},
	{"indirect-directory-16t", "small-ext2", inode32("/a", 0x04, 0, 0x6c, 1<<12)},
}

// indirect fills the block that i_block[slot] of /mapped names with its own
// number.
func indirect(slot uint32) func(*Editor) {
	return func(e *Editor) {
		self := le.Uint32(e.Inode(e.Ino("/mapped"))[0x28+4*slot:])
		if self == 0 {
			e.t.Fatalf("/mapped has no i_block[%d]", slot)
		}
		b := e.Block(self)
		for i := 0; i < len(b); i += 4 {
			le.PutUint32(b[i:], self)
		}
	}
}
