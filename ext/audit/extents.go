package audit

import (
	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// extents goes through an extent tree.
func (m *mapWalk) extents() {
	n, ok := m.extentHeader(m.in.Block[:], m.in.Offset+0x28)
	if !ok {
		return
	}
	if n.Depth > layout.MaxExtentDepth {
		m.corrupt(BadExtent, "extent node", "eh_depth", m.in.Offset+0x2e, uint64(n.Depth))
		return
	}
	m.extentNode(&n, n.Depth, 0, 0, m.eof()+1)
}

// extentHeader checks the header of a node that fills b.
func (m *mapWalk) extentHeader(b []byte, off int64) (layout.ExtentNode, bool) {
	n, err := layout.DecodeExtentNode(b, off)
	if n.Depth > layout.MaxExtentDepth && n.Entries <= n.Max {
		err = nil // the caller's to judge
	}
	if err != nil {
		c, _ := err.(*layout.CorruptError)
		m.bad(BadExtent, c.Offset, "%s", c.Error())
		return n, false
	}
	// A tail may take the place of up to two records.
	if room := len(b)/12 - 1; int(n.Max) < room-2 {
		m.corrupt(BadExtent, "extent node", "eh_max", off+4, uint64(n.Max))
		return n, false
	}
	return n, true
}

// extentNode goes through a node that maps file blocks from start on. They end at
// file block end, unless that is 0; limit is where the records of an inner node
// end.
func (m *mapWalk) extentNode(n *layout.ExtentNode, depth uint16, start, end, limit uint64) {
	if depth == 0 {
		m.leaf(n, start, end)
		return
	}
	for i := range int(n.Entries) {
		idx, at := n.Index(i), n.RecordOffset(i)
		to := limit
		if i+1 < int(n.Entries) {
			to = uint64(n.Index(i + 1).FileBlock)
		}
		from := uint64(idx.FileBlock)
		last := from + uint64(uint32(to-from)) - 1
		switch {
		case !m.a.fs.InRange(idx.Child, 1) || idx.Child == 0:
			m.corrupt(BadExtent, "extent index", "ei_leaf", at+4, uint64(idx.Child))
			continue
		case from < start || end != 0 && last > end && last <= m.eof():
			m.corrupt(BadExtent, "extent index", "ei_block", at, from)
			continue
		}
		m.child(idx, depth-1, last, to, at)
	}
}

// eof is the file block that the size ends in.
func (m *mapWalk) eof() uint64 {
	return (m.in.Size()+1<<m.a.blockBits-1)>>m.a.blockBits - 1
}

func (m *mapWalk) child(idx layout.ExtentIndex, depth uint16, last, limit uint64, at int64) {
	if _, again := m.nodes[idx.Child]; again {
		m.corrupt(BadExtent, "extent index", "ei_leaf (a node met before)", at+4, uint64(idx.Child))
		return
	}
	b, ok := m.node(idx.Child, int(depth))
	if !ok {
		m.damaged = true
		return
	}
	off := m.a.fs.BlockOffset(idx.Child)
	n, ok := m.extentHeader(b, off)
	if !ok {
		if m.a.claims.isMeta(idx.Child) {
			m.bad(BadBlockPointer, at+4, "extent index: block %d holds metadata of the file system", idx.Child)
		}
		return
	}
	m.block(idx.Child, 1, -1)
	m.extentSum(idx.Child, b)
	switch {
	case n.Entries == 0:
		m.corrupt(BadExtent, "extent node", "eh_entries", off+2, 0)
		return
	case n.Depth != depth:
		m.corrupt(BadExtent, "extent node", "eh_depth", off+6, uint64(n.Depth))
	}
	first := uint64(n.Extent(0).FileBlock) // ee_block and ei_block lie in the same place
	if first != uint64(idx.FileBlock) {
		m.bad(BadExtent, at, "extent index: it says file block %d, and its node begins with %d", idx.FileBlock, first)
	}
	m.extentNode(&n, depth, first, last, limit)
}

func (m *mapWalk) extentSum(block ext.Block, b []byte) {
	if m.mute || !m.a.fs.Super.MetadataCsum() {
		return
	}
	if stored, computed, ok := layout.ExtentChecksum(b, m.a.fs.InodeSeed(m.in)); ok && stored != computed {
		m.a.addSum(m.in.Ino, block, m.a.fs.BlockOffset(block), "extent block", stored, computed)
	}
}

// leaf goes through the extents of a leaf.
func (m *mapWalk) leaf(n *layout.ExtentNode, start, end uint64) {
	f := m.a.fs
	for i := range int(n.Entries) {
		e, at := n.Extent(i), n.RecordOffset(i)
		from := uint64(e.FileBlock)
		last := from + uint64(e.Len) - 1
		past := (e.Unwritten || m.in.Flags&layout.FlagVerity != 0) && last > m.eof()
		switch {
		case !f.InRange(e.Start, 1) || e.Start == 0:
			m.corrupt(BadExtent, "extent", "ee_start", at+6, uint64(e.Start))
			continue
		case e.Len == 0:
			m.corrupt(BadExtent, "extent", "ee_len", at+4, 0)
			continue
		case from < start:
			m.bad(BadExtent, at, "extent %d: file block %d comes after %d", i, from, start)
			continue
		case end != 0 && last > end && !past:
			m.bad(BadExtent, at, "extent %d: it ends with file block %d, and its node with %d", i, last, end)
			continue
		case !f.InRange(e.Start, uint64(e.Len)):
			m.corrupt(BadExtent, "extent", "ee_len", at+4, uint64(e.Len))
			continue
		case m.tooFar(last + 1):
			m.corrupt(BadSize, "extent", "ee_block", at, from)
			continue
		case from < m.next:
			m.bad(BadExtent, at, "the extent of file block %d begins before the one in front of it ends, at %d", from, m.next)
			continue
		case m.in.IsDir() && e.Unwritten:
			m.bad(BadExtent, at+4, "an unwritten extent in a directory, at block %d", from)
		}
		if m.next = last + 1; from > 0 {
			m.gap(int64(from))
		}
		m.data(e.Start, uint64(e.Len), int64(from), at)
		m.last, m.prev = int64(last), e.Start+ext.Block(e.Len)-1
		start = last
		if !e.Unwritten && !m.in.IsDir() {
			m.lastInit = m.last
		}
	}
}

// data hands on contents; at is where the pointer to them lies.
func (m *mapWalk) data(b ext.Block, n uint64, logical int64, at int64) {
	if m.in.Ino != layout.ResizeIno && m.unaligned(b, logical) {
		m.bad(BadExtent, at, "file block %d lies in block %d, which is another place in its cluster", logical, b)
		if !m.mute {
			for i := range n {
				m.a.claims.conflict(b + ext.Block(i))
			}
		}
	}
	if logical == 0 {
		m.first = b
	}
	m.block(b, n, logical)
}
