package audit

import (
	"encoding/binary"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

var le = binary.LittleEndian

// Slots of i_block in a block map: the direct ones, then one each for a single,
// a double and a triple indirect block.
const (
	directSlots = 12
	mapSlots    = 15
)

// blockMap goes through a map of single, double and triple indirect blocks.
func (m *mapWalk) blockMap() {
	logical := uint64(0)
	for i := range mapSlots {
		level := max(i-directSlots+1, 0)
		if b := ext.Block(le.Uint32(m.in.Block[4*i:])); b != 0 {
			m.pointer(b, level, logical, m.in.Offset+0x28+int64(4*i))
		}
		logical += m.span(level)
	}
	m.translator()
}

// translator takes the block that a file of the Hurd has its translator in (i_translator,
// ext2fs_block_iterate3 of libext2fs).
func (m *mapWalk) translator() {
	b, at := ext.Block(le.Uint32(m.in.Raw[0x24:])), m.in.Offset+0x24
	switch {
	case b == 0 || m.a.fs.Super.CreatorOS != osHurd:
	case !m.a.fs.InRange(b, 1):
		m.illegal++
		m.corrupt(BadBlockPointer, "block map", "i_translator", at, uint64(b))
	default:
		m.block(b, 1, -1)
	}
}

// span is how many file blocks a pointer of this level covers.
func (m *mapWalk) span(level int) uint64 {
	return 1 << (uint(level) * uint(m.a.fs.Super.LogBlockSize+8))
}

var pointerNames = [...]string{"block", "indirect block", "double indirect block", "triple indirect block"}

// pointer goes through what a pointer of this level of indirection maps from
// file block logical on.
func (m *mapWalk) pointer(b ext.Block, level int, logical uint64, at int64) {
	f := m.a.fs
	most := uint64(1) << (31 - f.Super.LogBlockSize)
	switch {
	case !f.InRange(b, 1):
		m.illegal++
		m.corrupt(BadBlockPointer, "block map", pointerNames[level], at, uint64(b))
		return
	case level == 0 && m.tooFar(logical), (m.in.IsDir() || m.in.IsRegular()) && m.clusters+1 >= most:
		m.bad(BadSize, at, "file block %d lies beyond what a file can hold", logical)
		return
	case level == 0 && logical > 0 && m.in.IsSymlink():
		m.bad(BadSymlink, at, "a symlink of more than one block")
		return
	case level == 0:
		if logical == 0 {
			m.first = b
		}
		m.gap(int64(logical))
		if m.unaligned(b, int64(logical)) && !m.sameCluster(b, int64(logical)) {
			m.data(b, 1, int64(logical), at)
		} else {
			m.block(b, 1, int64(logical))
		}
		m.last, m.prev = int64(logical), b
		return
	}
	if _, again := m.nodes[b]; again {
		m.corrupt(BadBlockPointer, "block map", pointerNames[level]+" (a block met before)", at, uint64(b))
		return
	}
	m.block(b, 1, -int64(level))
	m.prev = b
	buf, ok := m.node(b, level)
	if !ok {
		m.damaged = true
		return
	}
	step := m.span(level - 1)
	for i := 0; i < len(buf); i += 4 {
		for ; i+8 < len(buf) && le.Uint64(buf[i:]) == 0; i += 8 {
			logical += 2 * step // most of the last block of a map
		}
		p := le.Uint32(buf[i:])
		switch {
		case p == 0:
		case level == 1 && i+8 <= len(buf) && le.Uint32(buf[i+4:]) == p+1 && m.plain():
			n := m.run(buf[i:], p, logical)
			logical += n
			i += int(n-1) * 4
			continue
		default:
			m.pointer(ext.Block(p), level-1, logical, f.BlockOffset(b)+int64(i))
		}
		logical += step
	}
}

// plain reports whether blocks of contents have no rule but to be in range.
func (m *mapWalk) plain() bool {
	return m.in.IsRegular() && m.a.fs.ClusterBlocks() == 1 && m.in.Ino >= m.a.fs.FirstIno() &&
		m.clusters+uint64(m.a.fs.BlockSize()) < 1<<(31-m.a.fs.Super.LogBlockSize)
}

// run hands on the blocks that pointers name which count up from p, as many as
// there are, and gives how many. Those out of range are told one by one.
func (m *mapWalk) run(b []byte, p uint32, logical uint64) (n uint64) {
	for n = 1; int(n)*4+4 <= len(b) && uint64(le.Uint32(b[n*4:])) == uint64(p)+n; n++ {
	}
	if !m.a.fs.InRange(ext.Block(p), n) {
		for i := range n {
			m.pointer(ext.Block(uint64(p)+i), 0, logical+i, m.in.Offset+0x28)
		}
		return n
	}
	m.block(ext.Block(p), n, int64(logical))
	m.last, m.prev = int64(logical+n-1), ext.Block(uint64(p)+n-1)
	return n
}

// sameCluster reports whether a block goes on in the cluster of the one before,
// in the right place of it.
func (m *mapWalk) sameCluster(b ext.Block, logical int64) bool {
	ratio := int64(m.a.fs.ClusterBlocks())
	return m.prev != 0 && int64(b)/ratio == int64(m.prev)/ratio && int64(b)%ratio == logical%ratio
}

// mapped reports whether i_block of an inode is a map, by what e2fsck goes by: a
// symlink of few bytes has its target there, unless i_blocks says otherwise.
func mapped(in *ext.Inode, inline bool) bool {
	if inline && in.HasInline() {
		return false
	}
	switch in.Type() {
	case layout.ModeRegular, layout.ModeDir:
		return !in.HasInline()
	case layout.ModeSymlink:
		if in.HasInline() {
			return false
		}
		if in.FileACL == 0 {
			return in.BlocksLo != 0
		}
		return in.SizeLo >= 60 || in.SizeLo > 4 && le.Uint32(in.Block[4:]) == 0
	}
	return false
}
