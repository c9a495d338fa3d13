// Package layout decodes the on-disk structures of ext2, ext3 and ext4: bytes
// in, values out. It does no I/O, keeps no state and never allocates by a
// number found on disk; reading the bytes, and judging what they mean together,
// is left to package ext.
package layout

import "encoding/binary"

var le = binary.LittleEndian

// An Ino is an inode number. Numbering starts at 1; 0 means "none".
type Ino uint32

// A Block is an absolute block number, counted in file system blocks from the
// start of the file system. 0 means "none" (a hole, where a file is mapped).
type Block uint64

// Inode numbers with a fixed meaning: EXT2_*_INO, include/linux/ext2_fs.h, and
// EXT4_*_INO, fs/ext4/ext4.h.
const (
	BadBlocksIno Ino = 1
	RootIno      Ino = 2
	UserQuotaIno Ino = 3
	GrpQuotaIno  Ino = 4
	BootIno      Ino = 5
	UndelDirIno  Ino = 6
	ResizeIno    Ino = 7
	JournalIno   Ino = 8
	ExcludeIno   Ino = 9
	ReplicaIno   Ino = 10
)

// GoodOldFirstIno is the first inode open to ordinary files in a revision 0
// file system (EXT4_GOOD_OLD_FIRST_INO).
const GoodOldFirstIno Ino = 11
