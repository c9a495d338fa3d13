package layout

import "hash/crc32"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CRC32C continues crc over b as ext4 does it (ext4_chksum): reflected, without
// the inversions at both ends that hash/crc32 adds.
func CRC32C(crc uint32, b []byte) uint32 { return ^crc32.Update(^crc, castagnoli, b) }

// crc32cLE32 continues crc over the four bytes of v, without the call that would
// put them on the heap.
func crc32cLE32(crc, v uint32) uint32 {
	crc ^= v
	for range 4 {
		crc = castagnoli[byte(crc)] ^ crc>>8
	}
	return crc
}

// crc16Table is CRC-16/ARC: polynomial 0x8005, reflected (lib/crc16.c).
var crc16Table = func() (t [256]uint16) {
	for i := range t {
		crc := uint16(i)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xa001
			} else {
				crc >>= 1
			}
		}
		t[i] = crc
	}
	return t
}()

// CRC16 continues crc over b as the uninit_bg feature does it.
func CRC16(crc uint16, b []byte) uint16 {
	for _, c := range b {
		crc = crc>>8 ^ crc16Table[byte(crc)^c]
	}
	return crc
}

// MetadataCsum reports whether metadata carry crc32c checksums.
func (s *Superblock) MetadataCsum() bool { return s.ROCompat&ROCompatMetadataCsum != 0 }

// Seed is what every crc32c of the file system starts from: s_checksum_seed, or
// the checksum of the UUID.
func (s *Superblock) Seed() uint32 {
	if s.Incompat&IncompatCsumSeed != 0 {
		return s.ChecksumSeed
	}
	return CRC32C(^uint32(0), s.UUID[:])
}

// SuperblockChecksum computes s_checksum of the superblock in b.
func SuperblockChecksum(b []byte) uint32 {
	if len(b) < SuperblockSize {
		return 0
	}
	return CRC32C(^uint32(0), b[:0x3fc])
}

// GroupChecksum computes bg_checksum of the descriptor b of a group; ok is false
// where the file system's features ask for none. seed is Seed().
func (s *Superblock) GroupChecksum(b []byte, group, seed uint32) (sum uint16, ok bool) {
	if len(b) < 32 {
		return 0, false
	}
	switch {
	case s.ROCompat&ROCompatMetadataCsum != 0:
		crc := crc32cLE32(seed, group)
		crc = CRC32C(crc, b[:0x1e])
		crc = CRC32C(crc, []byte{0, 0})
		return uint16(CRC32C(crc, b[0x20:])), true
	case s.ROCompat&ROCompatGDTCsum != 0:
		var g [4]byte
		le.PutUint32(g[:], group)
		crc := CRC16(0xffff, s.UUID[:])
		crc = CRC16(crc, g[:])
		crc = CRC16(crc, b[:0x1e])
		return CRC16(crc, b[0x20:]), true
	}
	return 0, false
}

// InodeSeed is what the checksums of an inode, of its extent blocks and of its
// directory blocks start from. seed is the file system's.
func InodeSeed(seed uint32, ino Ino, generation uint32) uint32 {
	return crc32cLE32(crc32cLE32(seed, uint32(ino)), generation)
}

// InodeChecksum computes the checksum of the raw inode b, and says whether all
// 32 bits of it are stored, or only 16. seed is from InodeSeed.
func InodeChecksum(b []byte, seed uint32) (sum uint32, wide bool) {
	if len(b) < GoodOldInodeSize {
		return 0, false
	}
	crc := CRC32C(seed, b[:0x7c])
	if len(b) < 0x84 {
		crc = CRC32C(crc, []byte{0, 0})
		return CRC32C(crc, b[0x7e:]) & 0xffff, false
	}
	crc = crc32cLE32(crc, le.Uint32(b[0x7c:])&0xffff0000)
	mid := le.Uint32(b[0x80:])
	if wide = mid&0xffff >= 4; wide {
		mid &= 0xffff
	}
	crc = CRC32C(crc32cLE32(crc, mid), b[0x84:])
	if !wide {
		crc &= 0xffff
	}
	return crc, wide
}

// BitmapChecksum computes the checksum of the first bits of a bitmap: clusters
// or inodes of a group.
func BitmapChecksum(seed uint32, bitmap []byte, bits uint32) uint32 {
	return CRC32C(seed, bitmap[:min(len(bitmap), int(bits/8))])
}

// XattrBlockChecksum computes h_checksum of the xattr block b.
func XattrBlockChecksum(b []byte, seed uint32, block Block) uint32 {
	if len(b) < 0x20 {
		return 0
	}
	var nr [8]byte
	le.PutUint64(nr[:], uint64(block))
	crc := CRC32C(seed, nr[:])
	crc = CRC32C(crc, b[:0x10])
	crc = CRC32C(crc, []byte{0, 0, 0, 0})
	return CRC32C(crc, b[0x14:])
}
