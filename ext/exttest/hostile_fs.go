package exttest

// Damage to what describes the file system as a whole. Field offsets are those
// of struct ext4_super_block and struct ext4_group_desc, fs/ext4/ext4.h.

var hostileSuperblocks = []hostileCase{
	{"superblock-blocks-count-huge", "small", superblock32(0x04, 0xffffffff, 0x150, 0xffff)},
	{"superblock-blocks-count-zero", "small", superblock32(0x04, 0)},
	{"superblock-blocks-count-twice", "small", superblock32(0x04, 2048)},
	{"superblock-inodes-count-huge", "small", superblock32(0x00, 0xffffffff)},
	{"superblock-inodes-per-group-huge", "small", superblock32(0x28, 0xffffffff)},
	{"superblock-inodes-per-group-zero", "small", superblock32(0x28, 0)},
	{"superblock-both-inode-counts-huge", "small", superblock32(0x00, 0xfffffffc, 0x28, 0x3fffffff)},
	{"superblock-blocks-per-group-zero", "small", superblock32(0x20, 0)},
	{"superblock-blocks-per-group-one", "small", superblock32(0x20, 1, 0x24, 1)},
	{"superblock-blocks-per-group-huge", "small", superblock32(0x20, 0xffffffff)},
	{"superblock-log-block-size-100", "small", superblock32(0x18, 100)},
	{"superblock-log-block-size-6", "small", superblock32(0x18, 6)},
	{"superblock-log-cluster-size-100", "small", superblock32(0x1c, 100)},
	{"superblock-first-data-block-huge", "small", superblock32(0x14, 0xffffffff)},
	{"superblock-first-data-block-0", "small", superblock32(0x14, 0)},
	{"superblock-inode-size-0", "small", superblock16(0x58, 0)},
	{"superblock-inode-size-65535", "small", superblock16(0x58, 0xffff)},
	{"superblock-inode-size-2048", "small", superblock16(0x58, 2048)},
	{"superblock-desc-size-0", "small", superblock16(0xfe, 0)},
	{"superblock-desc-size-7", "small", superblock16(0xfe, 7)},
	{"superblock-desc-size-65535", "small", superblock16(0xfe, 0xffff)},
	{"superblock-rev-level-huge", "small", superblock32(0x4c, 0xffffffff)},
	{"superblock-first-ino-huge", "small", superblock32(0x54, 0xffffffff)},
	{"superblock-meta-bg-outside", "small", func(e *Editor) {
		sb := e.Superblock()
		le.PutUint32(sb[0x60:], le.Uint32(sb[0x60:])|0x10)
		le.PutUint32(sb[0x104:], 0) // s_first_meta_bg: the descriptors move
		le.PutUint32(sb[0x04:], 0x7fffffff)
		e.SealSuperblock()
	}},
	{"superblock-first-meta-bg-huge", "small", func(e *Editor) {
		sb := e.Superblock()
		le.PutUint32(sb[0x60:], le.Uint32(sb[0x60:])|0x10)
		le.PutUint32(sb[0x104:], 0xffffffff)
		e.SealSuperblock()
	}},
	{"superblock-bigalloc", "small", func(e *Editor) {
		sb := e.Superblock()
		le.PutUint32(sb[0x64:], le.Uint32(sb[0x64:])|0x200)
		le.PutUint32(sb[0x1c:], 60) // s_log_cluster_size
		e.SealSuperblock()
	}},
	{"superblock-journal-is-root", "small", func(e *Editor) {
		sb := e.Superblock()
		le.PutUint32(sb[0x5c:], le.Uint32(sb[0x5c:])|0x04) // has_journal
		le.PutUint32(sb[0x60:], le.Uint32(sb[0x60:])|0x04) // recover
		le.PutUint32(sb[0xe0:], 2)                         // s_journal_inum
		e.SealSuperblock()
	}},
	{"superblock-orphan-file-is-root", "small", func(e *Editor) {
		sb := e.Superblock()
		le.PutUint32(sb[0x5c:], le.Uint32(sb[0x5c:])|0x1000) // orphan_file
		le.PutUint32(sb[0x280:], 2)                          // s_orphan_file_inum
		e.SealSuperblock()
	}},
	{"superblock-all-features", "small", superblock32(0x5c, 0xffffffff, 0x60, 0xfffffff7, 0x64, 0xffffffff)},
	{"superblock-journal-device", "small", superblock32(0x60, 0x08)},
	{"superblock-ones", "small", func(e *Editor) {
		sb := e.Superblock()
		for i := range sb {
			if i != 0x38 && i != 0x39 { // s_magic
				sb[i] = 0xff
			}
		}
	}},
	{"image-of-one-superblock", "small", func(e *Editor) { e.Image = e.Image[:2048] }},
	{"image-cut-in-half", "small", func(e *Editor) { e.Image = e.Image[:len(e.Image)/2+100] }},
	{"image-cut-in-inode-table", "small", func(e *Editor) { e.Image = e.Image[:e.InodeOffset(12)+100] }},
}

var hostileGroups = []hostileCase{
	{"group-inode-table-outside", "small", group32(0x08, 0x7fffffff)},
	{"group-inode-table-outside-64", "small", group32(0x08, 0xffffffff, 0x28, 0xffffffff)},
	{"group-inode-table-past-end", "small", group32(0x08, 1020)},
	{"group-inode-table-on-superblock", "small", group32(0x08, 0)},
	{"group-inode-table-shared", "small", func(e *Editor) {
		copy(e.Group(1)[0x08:][:4], e.Group(0)[0x08:])
		e.SealGroup(1)
	}},
	{"group-bitmaps-outside", "small", group32(0x00, 0xfffffff0, 0x04, 0xfffffff1)},
	{"group-counts-huge", "small", group32(0x0c, 0xffffffff, 0x2c, 0xffffffff, 0x1c, 0x0000ffff)},
	{"group-descriptors-zero", "small", func(e *Editor) { clear(e.Image[e.descs:][:e.blockSize]) }},
	{"group-descriptors-ones", "small", func(e *Editor) {
		for g := range uint32(len(e.tables)) {
			for i := range e.Group(g) {
				e.Group(g)[i] = 0xff
			}
			e.SealGroup(g)
		}
	}},
}

var hostileOrphans = []hostileCase{
	{"orphans-loop", "small", orphans("/o1", "/o2", "/o1")},
	{"orphans-self", "small", orphans("/o1", "/o1")},
	{"orphans-late-loop", "small", orphans("/o1", "/o2", "/o3", "/o2")},
	{"orphans-outside", "small", func(e *Editor) {
		orphans("/o1", "/o2")(e)
		inode32("/o2", 0x14, 0xfffffff0)(e)
	}},
	{"orphans-head-outside", "small", superblock32(0xe8, 193)},
	{"orphans-head-reserved", "small", superblock32(0xe8, 1)},
	{"orphans-root", "small", superblock32(0xe8, 2)},
	{"orphans-free-inode", "small", superblock32(0xe8, 190)},
	{"orphans-linked-file", "small", func(e *Editor) {
		le.PutUint32(e.Superblock()[0xe8:], e.Ino("/file"))
		e.SealSuperblock()
	}},
}

// orphans puts files on the superblock's orphan list in this order, the last one
// naming nothing; a path that comes twice closes a loop. They lose their names.
func orphans(paths ...string) func(*Editor) {
	return func(e *Editor) {
		le.PutUint32(e.Superblock()[0xe8:], e.Ino(paths[0])) // s_last_orphan
		e.SealSuperblock()
		done := make(map[string]bool)
		for i, path := range paths {
			if done[path] {
				break
			}
			done[path] = true
			b := e.Inode(e.Ino(path))
			le.PutUint16(b[0x1a:], 0) // i_links_count
			next := uint32(0)
			if i+1 < len(paths) {
				next = e.Ino(paths[i+1])
			}
			le.PutUint32(b[0x14:], next) // i_dtime: the next orphan
			e.SealInode(e.Ino(path))
			le.PutUint32(e.Entry("/", path[1:]), 0)
		}
		e.SealDirectory(2, e.First(2))
	}
}
