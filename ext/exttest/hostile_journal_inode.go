package exttest

// Damage to what leads to the journal: its inode, and the superblock. Inode offsets
// are those of struct ext4_inode, with struct ext4_extent from 0x28+12 on.

// journalInode changes inode 8.
func journalInode(change func(e *logEditor, b []byte)) func(*logEditor) {
	return func(e *logEditor) {
		change(e, e.Inode(logInode))
		e.SealInode(logInode)
	}
}

var hostileLogInode = []hostileLog{
	// s_jnl_blocks in the superblock holds a copy of its map.
	{"log-inode-zero", "ext4", func(e *logEditor) { clear(e.Inode(logInode)) }},
	{"log-inode-zero-plain", "ext3-like", func(e *logEditor) { clear(e.Inode(logInode)) }},
	{"log-inode-zero-no-backup", "ext4", func(e *logEditor) {
		clear(e.Inode(logInode))
		clear(e.Superblock()[0x10c:][:17*4]) // s_jnl_blocks
		e.Superblock()[0xfd] = 0             // s_jnl_backup_type
		e.SealSuperblock()
	}},
	{"log-inode-checksum", "ext4", func(e *logEditor) { e.Inode(logInode)[0x7c] ^= 1 }},
	{"log-inode-not-in-use", "ext4", journalInode(func(_ *logEditor, b []byte) { le.PutUint16(b[0x1a:], 0) })},
	{"log-inode-is-a-directory", "ext4", journalInode(func(_ *logEditor, b []byte) { le.PutUint16(b, 0x41ed) })},
	{"log-inode-size-short", "ext4", journalInode(func(_ *logEditor, b []byte) { le.PutUint32(b[0x04:], 100*4096) })},
	{"log-inode-size-0", "ext4", journalInode(func(_ *logEditor, b []byte) { le.PutUint32(b[0x04:], 0) })},
	{"log-inode-size-huge", "ext4", journalInode(func(_ *logEditor, b []byte) { le.PutUint32(b[0x6c:], 1<<10) })},
	{"log-map-outside", "ext4", journalInode(func(_ *logEditor, b []byte) {
		for i := range 3 {
			le.PutUint32(b[0x28+12+12*i+8:], 0x7ffffff0) // ee_start_lo
		}
	})},
	{"log-map-half-outside", "ext4", journalInode(func(_ *logEditor, b []byte) { le.PutUint32(b[0x28+12+24+8:], 4000) })},
	{"log-map-outside-64", "ext4", journalInode(func(_ *logEditor, b []byte) { le.PutUint16(b[0x28+12+24+6:], 0xffff) })},
	{"log-map-on-superblock", "ext4", journalInode(func(_ *logEditor, b []byte) { le.PutUint32(b[0x28+12+8:], 0) })},
	{"log-map-hole", "ext4", journalInode(func(_ *logEditor, b []byte) {
		// The third extent starts 20 blocks later, in the log as on the disk.
		x := b[0x28+12+24:]
		le.PutUint32(x, le.Uint32(x)+20)
		le.PutUint16(x[4:], le.Uint16(x[4:])-20)
		le.PutUint32(x[8:], le.Uint32(x[8:])+20)
	})},
	{"log-map-unwritten", "ext4", journalInode(func(_ *logEditor, b []byte) {
		x := b[0x28+12+24:]
		le.PutUint16(x[4:], le.Uint16(x[4:])|0x8000)
	})},
	{"log-map-empty", "ext4", journalInode(func(_ *logEditor, b []byte) { le.PutUint16(b[0x28+2:], 0) })},
	{"log-map-magic", "ext4", journalInode(func(_ *logEditor, b []byte) { le.PutUint16(b[0x28:], 0) })},
	{"log-number-0", "ext4", logNumber(0)},
	{"log-number-root", "ext4", logNumber(2)},
	{"log-number-file", "ext4", logNumber(19)},
	{"log-number-outside", "ext4", logNumber(0xffffffff)},
	{"log-on-missing-device", "ext4", func(e *logEditor) {
		sb := e.Superblock()
		le.PutUint32(sb[0xe0:], 0)    // s_journal_inum
		le.PutUint32(sb[0xe4:], 0xfe) // s_journal_dev
		copy(sb[0xd0:], "no such journal.")
		e.SealSuperblock()
	}},
	{"log-cut-off", "ext4", func(e *logEditor) { e.Image = e.Image[:int64(e.blocks[110])*e.blockSize] }},
}

// logNumber sets s_journal_inum.
func logNumber(n uint32) func(*logEditor) {
	return func(e *logEditor) {
		le.PutUint32(e.Superblock()[0xe0:], n)
		e.SealSuperblock()
	}
}
