package exttest

import "hash/crc32"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc32c goes on from a checksum as the kernel's ext4_chksum does: without the
// inversions at both ends.
func crc32c(sum uint32, b []byte) uint32 { return ^crc32.Update(^sum, castagnoli, b) }

func le32(n uint32) []byte { return le.AppendUint32(nil, n) }

// SealSuperblock: ext4_superblock_csum.
func (e *Editor) SealSuperblock() {
	if sb := e.Superblock(); e.sums {
		le.PutUint32(sb[0x3fc:], crc32c(^uint32(0), sb[:0x3fc]))
	}
}

// SealGroup: ext4_group_desc_csum.
func (e *Editor) SealGroup(g uint32) {
	if d := e.Group(g); e.sums {
		le.PutUint16(d[0x1e:], 0)
		le.PutUint16(d[0x1e:], uint16(crc32c(crc32c(e.seed, le32(g)), d)))
	}
}

// inodeSeed starts the checksums of what belongs to an inode.
func (e *Editor) inodeSeed(ino uint32) uint32 {
	return crc32c(crc32c(e.seed, le32(ino)), e.Inode(ino)[0x64:][:4]) // i_generation
}

// SealInode: ext4_inode_csum.
func (e *Editor) SealInode(ino uint32) {
	if !e.sums {
		return
	}
	b := e.Inode(ino)
	le.PutUint16(b[0x7c:], 0)
	// i_checksum_hi ends at 0x84, if i_extra_isize reaches there.
	high := e.inodeSize > 128 && le.Uint16(b[0x80:]) >= 4
	if high {
		le.PutUint16(b[0x82:], 0)
	}
	sum := crc32c(e.inodeSeed(ino), b)
	le.PutUint16(b[0x7c:], uint16(sum))
	if high {
		le.PutUint16(b[0x82:], uint16(sum>>16))
	}
}

// SealDirectory: ext4_dirblock_csum, of a leaf block.
func (e *Editor) SealDirectory(ino, block uint32) {
	if b := e.Block(block); e.sums {
		le.PutUint32(b[len(b)-4:], crc32c(e.inodeSeed(ino), b[:len(b)-12]))
	}
}

// SealIndex: ext4_dx_csum, of a directory's index root, by the count and limit
// that are in it. A count that leaves no room for the tail is left unsealed.
func (e *Editor) SealIndex(ino, block uint32) {
	const countOffset = 0x20
	b := e.Block(block)
	limit, count := int(le.Uint16(b[countOffset:])), int(le.Uint16(b[countOffset+2:]))
	tail := countOffset + 8*limit
	if !e.sums || tail+8 > len(b) || countOffset+8*count > len(b) {
		return
	}
	sum := crc32c(e.inodeSeed(ino), b[:countOffset+8*count])
	sum = crc32c(sum, b[tail:][:4])
	le.PutUint32(b[tail+4:], crc32c(sum, le32(0)))
}

// SealExtents: ext4_extent_block_csum.
func (e *Editor) SealExtents(ino, block uint32) {
	b := e.Block(block)
	tail := 12 + 12*int(le.Uint16(b[4:])) // eh_max
	if e.sums && tail+4 <= len(b) {
		le.PutUint32(b[tail:], crc32c(e.inodeSeed(ino), b[:tail]))
	}
}

// SealXattrs: ext4_xattr_block_csum.
func (e *Editor) SealXattrs(block uint32) {
	if b := e.Block(block); e.sums {
		le.PutUint32(b[0x10:], 0)
		sum := crc32c(e.seed, le.AppendUint64(nil, uint64(block)))
		le.PutUint32(b[0x10:], crc32c(sum, b))
	}
}
