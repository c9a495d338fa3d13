package audit_test

import (
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

// A maker lays out a file system of any size, sparse in memory and without
// checksums, for tests of how work grows with it. Nothing but the group
// descriptors is right in it unless it is put in.
type maker struct {
	sparse
	bs     int64
	inodes uint32
	table  int64 // byte where inode 1 lies: the tables follow each other
	next   int64 // the next free block
}

const makerInode = 256 // bytes

func newMaker(bs, blocks int64, inodes uint32) *maker {
	m := &maker{bs: bs, inodes: inodes}
	m.size = bs * blocks
	first := int64(0)
	if bs == 1024 {
		first = 1
	}
	perGroup := min(bs*8, blocks/(int64(inodes)/(bs*8)+1)&^7)
	groups := (blocks - first + perGroup - 1) / perGroup
	perTable := uint32(bs / makerInode)
	ipg := (inodes/uint32(groups) + perTable) / perTable * perTable
	sb := m.at(1024)
	put := func(at int, v int64) { le.PutUint32(sb[at:], uint32(v)) }
	put(0x00, groups*int64(ipg))
	put(0x04, blocks)
	put(0x14, first)
	for shift := bs; shift > 1024; shift /= 2 {
		sb[0x18]++
		sb[0x1c]++
	}
	put(0x20, perGroup)
	put(0x24, perGroup)
	put(0x28, int64(ipg))
	put(0x38, 0x1ef53) // s_magic, s_state
	put(0x4c, 1)
	put(0x54, 11)
	put(0x58, makerInode)
	put(0x60, int64(layout.IncompatFiletype|layout.IncompatExtents|layout.IncompatFlexBG|layout.IncompatInlineData))
	descs := first + 1
	m.next = descs + (groups*32+bs-1)/bs
	bitmap := m.alloc(1)
	tableBlocks := int64(ipg) * makerInode / bs
	for g := range groups {
		d := m.at(descs*bs + g*32)
		le.PutUint32(d[0x00:], uint32(bitmap))
		le.PutUint32(d[0x04:], uint32(bitmap))
		le.PutUint32(d[0x08:], uint32(m.next+g*tableBlocks))
	}
	m.table = m.alloc(groups*tableBlocks) * bs
	return m
}

func (m *maker) alloc(n int64) int64 {
	m.next += n
	return m.next - n
}

func (m *maker) block(b int64) []byte { return m.at(b * m.bs)[:m.bs] }

// inode puts an inode in use into the table, and gives its bytes.
func (m *maker) inode(ino uint32, mode, links uint16, flags layout.InodeFlags, size int64) []byte {
	b := m.at(m.table + int64(ino-1)*makerInode)[:makerInode]
	le.PutUint16(b[0x00:], mode)
	le.PutUint32(b[0x04:], uint32(size))
	le.PutUint32(b[0x6c:], uint32(size>>32))
	le.PutUint16(b[0x1a:], links)
	le.PutUint32(b[0x20:], uint32(flags))
	le.PutUint16(b[0x80:], 32)
	return b
}

type extentRec = exttest.ExtentRec

var node = exttest.PutExtentNode

// mapped puts an inode with an extent root in it into the table.
func (m *maker) mapped(ino uint32, mode, links uint16, size int64, depth int, recs ...extentRec) {
	node(m.inode(ino, mode, links, layout.FlagExtents, size)[0x28:0x64], depth, recs...)
}

// A name is a directory entry.
type name struct {
	text string
	ino  uint32
	typ  uint8
}

// dir puts a directory of these names into the table.
func (m *maker) dir(ino, parent uint32, names ...name) {
	names = append([]name{{".", ino, layout.FTDir}, {"..", parent, layout.FTDir}}, names...)
	first := m.next
	var b, last []byte
	for _, n := range names {
		need := (8 + len(n.text) + 3) &^ 3
		if len(b) < need {
			grow(last, len(b))
			b = m.block(m.alloc(1))
		}
		last = b
		le.PutUint32(b, n.ino)
		le.PutUint16(b[4:], uint16(need))
		b[6], b[7] = byte(len(n.text)), n.typ
		copy(b[8:], n.text)
		b = b[need:]
	}
	grow(last, len(b))
	blocks := m.next - first
	m.mapped(ino, 0x41ed, 2, blocks*m.bs, 0, extentRec{0, blocks, first})
}

// grow makes a record reach n bytes further, to the end of its block.
func grow(rec []byte, n int) {
	if rec != nil {
		le.PutUint16(rec[4:], le.Uint16(rec[4:])+uint16(n))
	}
}

// nested puts a directory with one name into the table, kept in its inode.
func (m *maker) nested(ino, parent uint32, n name) {
	b := m.inode(ino, 0x41ed, 3, layout.FlagInlineData, 60)
	le.PutUint32(b[0x28:], parent)
	le.PutUint32(b[0x2c:], n.ino)
	le.PutUint16(b[0x30:], 56)
	b[0x32], b[0x33] = byte(len(n.text)), n.typ
	copy(b[0x34:0x64], n.text)
	// system.data, empty, as every inline file has it.
	le.PutUint32(b[0xa0:], 0xea020000)
	copy(b[0xa4:], []byte{4, layout.XattrSystem, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'd', 'a', 't', 'a'})
}

// symlink puts a symlink with a target of less than 60 bytes into the table.
func (m *maker) symlink(ino uint32, target string) {
	copy(m.inode(ino, 0xa1ff, 1, 0, int64(len(target)))[0x28:], target)
}
