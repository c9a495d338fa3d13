package history_test

import (
	"encoding/binary"
	"io"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

var le, be = binary.LittleEndian, binary.BigEndian

const (
	makerInode = 128 // bytes
	logMagic   = 0xc03b3998
)

// A maker lays out a file system with a log of any size, without checksums, for tests
// of how work grows with it. Its blocks lie in memory once they were written to.
type maker struct {
	bs     int64
	blocks map[int64][]byte
	count  int64 // blocks of the file system
	table  int64 // first block of the inode table
	inodes uint32
	next   int64 // the next free block

	log, logLen int64 // the journal's blocks
	fc          int64 // of those, the last that are for fast commits
	at          int64 // log block to write next
	sequence    uint32
}

// newMaker makes one group of inodes, and a clean journal.
func newMaker(bs, blocks int64, inodes uint32, logLen, fc int64) *maker {
	m := &maker{bs: bs, blocks: map[int64][]byte{}, count: blocks, inodes: inodes, logLen: logLen, fc: fc, at: 1, sequence: 1}
	first := int64(0)
	if bs == 1024 {
		first = 1
	}
	perGroup := bs * 8
	groups := (blocks - first + perGroup - 1) / perGroup
	sb := m.super()
	put := func(at int, v int64) { le.PutUint32(sb[at:], uint32(v)) }
	perGroupInodes := (int64(inodes) + groups - 1) / groups
	perBlock := bs / makerInode
	perGroupInodes = (perGroupInodes + perBlock - 1) / perBlock * perBlock
	put(0x00, groups*perGroupInodes)
	put(0x04, blocks)
	put(0x14, first)
	for shift := bs; shift > 1024; shift /= 2 {
		sb[0x18]++
		sb[0x1c]++
	}
	put(0x20, perGroup)
	put(0x24, perGroup)
	put(0x28, perGroupInodes)
	put(0x38, 0x1ef53) // s_magic, s_state
	put(0x4c, 1)
	put(0x54, 11)
	put(0x58, makerInode)
	put(0x5c, int64(layout.CompatHasJournal))
	put(0x60, int64(layout.IncompatFiletype|layout.IncompatExtents|layout.IncompatFlexBG))
	put(0xe0, int64(layout.JournalIno))
	descs := first + 1
	m.next = descs + (groups*32+bs-1)/bs
	bitmap := m.alloc(1)
	tableBlocks := perGroupInodes / perBlock
	m.table = m.alloc(groups * tableBlocks)
	for g := range groups {
		d := m.block(descs + g*32/bs)[g*32%bs:]
		le.PutUint32(d[0x00:], uint32(bitmap))
		le.PutUint32(d[0x04:], uint32(bitmap))
		le.PutUint32(d[0x08:], uint32(m.table+g*tableBlocks))
	}
	m.log = m.alloc(logLen)
	var recs []extentRec
	for at := int64(0); at < logLen; at += 32768 {
		recs = append(recs, extentRec{at, min(logLen-at, 32768), m.log + at})
	}
	m.mapped(uint32(layout.JournalIno), 0x8180, 1, logLen*bs, 0, recs...)
	j := m.block(m.log)
	be.PutUint32(j[0x00:], logMagic)
	be.PutUint32(j[0x04:], 4)
	be.PutUint32(j[0x0c:], uint32(bs))
	be.PutUint32(j[0x10:], uint32(logLen))
	be.PutUint32(j[0x14:], 1)
	if fc > 0 {
		be.PutUint32(j[0x54:], uint32(fc))
	}
	m.dir(2, 2)
	return m
}

// live makes the log one that waits to be replayed, from its start on.
func (m *maker) live() *maker {
	be.PutUint32(m.block(m.log)[0x18:], 1)
	be.PutUint32(m.block(m.log)[0x1c:], 1)
	sb := m.super()
	le.PutUint32(sb[0x60:], le.Uint32(sb[0x60:])|uint32(layout.IncompatRecover))
	return m
}

// clean makes it one that was written home.
func (m *maker) clean() *maker {
	be.PutUint32(m.block(m.log)[0x18:], m.sequence)
	return m
}

func (m *maker) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && off < m.count*m.bs {
		block, in := off/m.bs, int(off%m.bs)
		step := min(len(p)-n, int(m.bs)-in)
		if b := m.blocks[block]; b != nil {
			copy(p[n:n+step], b[in:])
		} else {
			clear(p[n : n+step])
		}
		n, off = n+step, off+int64(step)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m *maker) size() int64 { return m.count * m.bs }

func (m *maker) alloc(n int64) int64 {
	m.next += n
	return m.next - n
}

func (m *maker) block(b int64) []byte {
	if m.blocks[b] == nil {
		m.blocks[b] = make([]byte, m.bs)
	}
	return m.blocks[b]
}

func (m *maker) super() []byte { return m.block(1024 / m.bs)[1024%m.bs:][:1024] }

// place gives the block of an inode, and the byte in it.
func (m *maker) place(ino uint32) (block, at int64) {
	off := int64(ino-1) * makerInode
	return m.table + off/m.bs, off % m.bs
}

func (m *maker) raw(ino uint32) []byte {
	b, at := m.place(ino)
	return m.block(b)[at:][:makerInode]
}

// inode puts an inode in use into the table, and gives its bytes.
func (m *maker) inode(ino uint32, mode, links uint16, flags layout.InodeFlags, size int64) []byte {
	b := m.raw(ino)
	fillInode(b, mode, links, flags, size)
	return b
}

func fillInode(b []byte, mode, links uint16, flags layout.InodeFlags, size int64) {
	le.PutUint16(b[0x00:], mode)
	le.PutUint32(b[0x04:], uint32(size))
	le.PutUint32(b[0x6c:], uint32(size>>32))
	le.PutUint16(b[0x1a:], links)
	le.PutUint32(b[0x20:], uint32(flags))
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

// dir puts a directory of these names into the table, and gives its first block.
func (m *maker) dir(ino, parent uint32, names ...name) (first int64) {
	first = m.next
	blocks := dirBlocks(m.bs, append([]name{{".", ino, layout.FTDir}, {"..", parent, layout.FTDir}}, names...)...)
	for _, b := range blocks {
		copy(m.block(m.alloc(1)), b)
	}
	n := int64(len(blocks))
	m.mapped(ino, 0x41ed, 2, n*m.bs, 0, extentRec{0, n, first})
	return first
}

// dirBlocks makes the blocks of a directory.
func dirBlocks(bs int64, names ...name) (all [][]byte) {
	var b, last []byte
	for _, n := range names {
		need := (8 + len(n.text) + 3) &^ 3
		if len(b) < need {
			grow(last, len(b))
			b = make([]byte, bs)
			all = append(all, b)
		}
		last = b
		le.PutUint32(b, n.ino)
		le.PutUint16(b[4:], uint16(need))
		b[6], b[7] = byte(len(n.text)), n.typ
		copy(b[8:], n.text)
		b = b[need:]
	}
	grow(last, len(b))
	return all
}

// grow makes a record reach n bytes further, to the end of its block.
func grow(rec []byte, n int) {
	if rec != nil {
		le.PutUint16(rec[4:], le.Uint16(rec[4:])+uint16(n))
	}
}

// A logged is a copy of a block.
type logged struct {
	block int64
	bytes []byte
}

// room reports whether n more blocks fit into the log.
func (m *maker) room(n int64) bool { return m.at+n+m.fc+1 < m.logLen }

func (m *maker) header(kind, sequence uint32) []byte {
	b := m.block(m.log + m.at)
	m.at++
	be.PutUint32(b, logMagic)
	be.PutUint32(b[4:], kind)
	be.PutUint32(b[8:], sequence)
	return b
}

// copies writes a descriptor block and the copies behind it.
func (m *maker) copies(copies ...logged) {
	d := m.header(1, m.sequence)
	for i, c := range copies {
		be.PutUint32(d[12+8*i:], uint32(c.block))
		flags := uint16(2)
		if i == len(copies)-1 {
			flags |= 8
		}
		be.PutUint16(d[12+8*i+6:], flags)
		m.blocks[m.log+m.at] = c.bytes
		m.at++
	}
}

// revoke writes a revoke block.
func (m *maker) revoke(blocks ...int64) {
	b := m.header(5, m.sequence)
	for i, r := range blocks {
		be.PutUint32(b[16+4*i:], uint32(r))
	}
	be.PutUint32(b[12:], uint32(16+4*len(blocks)))
}

// commit ends the transaction.
func (m *maker) commit() {
	b := m.header(2, m.sequence)
	be.PutUint64(b[0x30:], uint64(1700000000+m.at))
	m.sequence++
}

// tx writes a transaction.
func (m *maker) tx(copies ...logged) {
	m.copies(copies...)
	m.commit()
}

// tableCopy is the block of an inode in the table, with that inode changed.
func (m *maker) tableCopy(ino uint32, change func(raw []byte)) logged {
	block, at := m.place(ino)
	b := append([]byte(nil), m.block(block)...)
	change(b[at:][:makerInode])
	return logged{block, b}
}

// A fastWriter fills the fast-commit area.
type fastWriter struct {
	m   *maker
	n   int64 // the log block
	at  int
	crc uint32
}

func (m *maker) fast() *fastWriter { return &fastWriter{m: m, n: m.logLen - m.fc + 1} }

// record writes a record; false where the area is full.
func (w *fastWriter) record(tag uint16, value []byte) bool {
	bs := int(w.m.bs)
	if w.at+4+len(value)+12 > bs {
		if w.n+1 >= w.m.logLen {
			return false
		}
		if w.at > 0 { // a pad to the end of the block
			w.put(7, make([]byte, bs-w.at-4))
		}
		w.n, w.at = w.n+1, 0
	}
	if w.n >= w.m.logLen {
		return false
	}
	w.put(tag, value)
	return true
}

func (w *fastWriter) put(tag uint16, value []byte) {
	b := w.m.block(w.m.log + w.n)[w.at:]
	le.PutUint16(b, tag)
	le.PutUint16(b[2:], uint16(len(value)))
	copy(b[4:], value)
	w.crc = layout.CRC32C(w.crc, b[:4+len(value)])
	w.at += 4 + len(value)
}

// tail ends a fast commit, and its block.
func (w *fastWriter) tail(tid uint32) {
	b := w.m.block(w.m.log + w.n)[w.at:]
	le.PutUint16(b, 8)
	le.PutUint16(b[2:], uint16(len(b)-4))
	le.PutUint32(b[4:], tid)
	le.PutUint32(b[8:], layout.CRC32C(w.crc, b[:8]))
	w.n, w.at, w.crc = w.n+1, 0, 0
}

// named is a record of a name.
func named(parent, ino uint32, text string) []byte {
	return append(le.AppendUint32(le.AppendUint32(nil, parent), ino), text...)
}

// inodeRecord is a record of an inode.
func inodeRecord(ino uint32, raw []byte) []byte { return append(le.AppendUint32(nil, ino), raw...) }
