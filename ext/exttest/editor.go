package exttest

import (
	"encoding/binary"
	"testing"
)

var le = binary.LittleEndian

const superblockOffset = 1024

// An Editor changes structures of a small, sound image in memory, as a test that
// needs a damaged one. It trusts the image; Seal methods put right the checksum
// that covers what was changed, so that a reader sees the damage itself and not
// only that a checksum doesn't hold. Where the file system has no metadata
// checksums they do nothing.
//
// What the image is like was read when the Editor was made: damage done to the
// superblock doesn't lead it astray.
type Editor struct {
	Image []byte

	t         testing.TB
	inos      map[string]uint32
	blockSize int64
	inodeSize int64
	perGroup  uint32 // s_inodes_per_group
	descSize  int64
	descs     int64 // byte offset of group 0's descriptor
	sums      bool  // metadata_csum
	seed      uint32
	tables    []int64 // byte offset of each group's inode table
}

// Edit unpacks a case for changing. Its truth gives the inode numbers.
func Edit(t testing.TB, name string) *Editor {
	t.Helper()
	e := &Editor{Image: Bytes(t, name), t: t, inos: make(map[string]uint32)}
	for _, o := range Truth(t, name) {
		e.inos[string(o.Path)] = uint32(o.Ino)
	}
	sb := e.Superblock()
	e.blockSize = 1024 << le.Uint32(sb[0x18:])
	e.perGroup = le.Uint32(sb[0x28:])
	e.inodeSize = 128
	if le.Uint32(sb[0x4c:]) > 0 { // s_rev_level
		e.inodeSize = int64(le.Uint16(sb[0x58:]))
	}
	e.descSize = 32
	if le.Uint32(sb[0x60:])&0x80 != 0 { // 64bit
		e.descSize = int64(le.Uint16(sb[0xfe:]))
	}
	e.descs = (int64(le.Uint32(sb[0x14:])) + 1) * e.blockSize
	e.sums = le.Uint32(sb[0x64:])&0x400 != 0
	e.seed = crc32c(^uint32(0), sb[0x68:][:16])
	if le.Uint32(sb[0x60:])&0x2000 != 0 { // metadata_csum_seed
		e.seed = le.Uint32(sb[0x270:])
	}
	for g := range le.Uint32(sb[0x00:]) / e.perGroup {
		e.tables = append(e.tables, int64(le.Uint32(e.Group(g)[0x08:]))*e.blockSize)
	}
	return e
}

// Superblock returns the primary superblock.
func (e *Editor) Superblock() []byte { return e.Image[superblockOffset:][:1024] }

// Group returns a group's descriptor.
func (e *Editor) Group(g uint32) []byte { return e.Image[e.descs+int64(g)*e.descSize:][:e.descSize] }

// Ino gives the inode number of a path, as recorded in the truth.
func (e *Editor) Ino(path string) uint32 {
	e.t.Helper()
	ino := e.inos[path]
	if ino == 0 {
		e.t.Fatalf("the image has no %s", path)
	}
	return ino
}

// InodeOffset gives the byte offset of an inode.
func (e *Editor) InodeOffset(ino uint32) int64 {
	return e.tables[(ino-1)/e.perGroup] + int64((ino-1)%e.perGroup)*e.inodeSize
}

// Inode returns an inode's bytes.
func (e *Editor) Inode(ino uint32) []byte { return e.Image[e.InodeOffset(ino):][:e.inodeSize] }

// Block returns a block's bytes.
func (e *Editor) Block(n uint32) []byte { return e.Image[int64(n)*e.blockSize:][:e.blockSize] }

// First returns the number of an inode's first block: of an extent-mapped one
// what its root's first entry points to, which is an extent block if the tree
// has a level below the root.
func (e *Editor) First(ino uint32) uint32 {
	inode := e.Inode(ino)
	if le.Uint32(inode[0x20:])&0x80000 == 0 {
		return le.Uint32(inode[0x28:])
	}
	root := inode[0x28:][:60]
	if le.Uint16(root[6:]) > 0 { // eh_depth
		return le.Uint32(root[12+4:]) // ei_leaf_lo
	}
	return le.Uint32(root[12+8:]) // ee_start_lo
}

// Entry returns a name's entry in the first block of a directory: inode, rec_len,
// name_len, file_type, name. The slice goes on to the end of the block.
func (e *Editor) Entry(dir, name string) []byte {
	e.t.Helper()
	for b := e.Block(e.First(e.Ino(dir))); len(b) >= 8; {
		size := int(le.Uint16(b[4:]))
		if size < 8 || size > len(b) {
			break
		}
		if n := int(b[6]); 8+n <= len(b) && string(b[8:8+n]) == name && le.Uint32(b) != 0 {
			return b
		}
		b = b[size:]
	}
	e.t.Fatalf("no entry %q in %s", name, dir)
	return nil
}
