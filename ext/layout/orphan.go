package layout

import "iter"

const (
	orphanMagic      = 0x0b10ca04 // EXT4_ORPHAN_BLOCK_MAGIC
	orphanTailLength = 8          // struct ext4_orphan_block_tail
)

// DecodeOrphanBlock decodes a block of the orphan file (inode
// s_orphan_file_inum, Documentation/filesystems/ext4/orphan.rst): inode numbers
// of 32 bits, 0 in free slots, and a tail. It yields each number in use with
// the byte of the file system it lies at. The first byte of b lies at byte off.
//
// The error, if any, is a *CorruptError about the tail; the numbers are yielded
// even so, since with the magic gone they may still be what was listed.
func DecodeOrphanBlock(b []byte, off int64) (iter.Seq2[int64, Ino], error) {
	tail := len(b) - orphanTailLength
	if tail < 0 {
		return func(func(int64, Ino) bool) {}, &CorruptError{"orphan file block", "length", off, uint64(len(b))}
	}
	var err error
	if magic := le.Uint32(b[tail:]); magic != orphanMagic {
		err = &CorruptError{"orphan file block", "ob_magic", off + int64(tail), uint64(magic)}
	}
	return func(yield func(int64, Ino) bool) {
		for at := 0; at+4 <= tail; at += 4 {
			if ino := Ino(le.Uint32(b[at:])); ino != 0 && !yield(off+int64(at), ino) {
				return
			}
		}
	}, err
}

// OrphanChecksum reads and computes the checksum of an orphan file block. It
// covers the block's own number and the inode numbers; seed is the seed of the
// orphan file's inode. ok is false where b is too short to hold one.
func OrphanChecksum(b []byte, seed uint32, block Block) (stored, computed uint32, ok bool) {
	tail := len(b) - orphanTailLength
	if tail < 0 {
		return 0, 0, false
	}
	number := le.AppendUint64(nil, uint64(block))
	return le.Uint32(b[tail+0x4:]), CRC32C(CRC32C(seed, number), b[:tail]), true // ob_checksum
}
