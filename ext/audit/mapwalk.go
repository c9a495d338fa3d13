package audit

import (
	"fmt"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A mapWalk goes through what one inode maps, by the rules that e2fsck holds a
// map to, and hands on the blocks of all parts that keep them.
type mapWalk struct {
	a  *auditor
	in *ext.Inode
	// block gets a run of blocks in the map's order: of contents from file
	// block logical on, or one index block, where logical is negative.
	block func(b ext.Block, n uint64, logical int64)
	mute  bool // nothing is told: the walk was made before
	// budget bounds the nodes that walks over many inodes read.
	budget *ext.NodeBudget

	first    ext.Block // that file block 0 lies in, 0 for none
	last     int64     // the last file block mapped, -1 for none
	lastInit int64     // the last of them that is not unwritten
	next     uint64    // the file block behind the farthest extent
	prev     ext.Block // the last block handed on
	clusters uint64    // how many clusters were new to the map
	illegal  int       // pointers that lead nowhere
	damaged  bool      // a part of the map was left out
	nodes    map[ext.Block]struct{}
	bufs     [layout.MaxExtentDepth][]byte
}

// reset makes m ready for another inode; its buffers are used again.
func (m *mapWalk) reset(in *ext.Inode, mute bool) {
	m.in, m.mute, m.first = in, mute, 0
	m.last, m.lastInit, m.next, m.prev, m.clusters, m.illegal, m.damaged = -1, -1, 0, 0, 0, 0, false
	if len(m.nodes) > 0 {
		clear(m.nodes)
	}
}

// walk goes through the map of an inode that has one.
func (m *mapWalk) walk() {
	if m.a.mapsExtents(m.in) {
		m.extents()
		return
	}
	m.blockMap()
	m.lastInit = m.last
}

// mapsExtents reports whether i_block holds an extent tree. The kernel goes by the flag of
// the inode; where the file system has no extents, and i_block does not begin with a node
// of them, the flag is what is wrong.
func (a *auditor) mapsExtents(in *ext.Inode) bool {
	if in.Flags&layout.FlagExtents == 0 {
		return false
	}
	if a.fs.Super.Incompat&layout.IncompatExtents != 0 {
		return true
	}
	_, err := layout.DecodeExtentNode(in.Block[:], 0)
	return err == nil
}

// bad tells of a part of the map, which lies at byte at.
func (m *mapWalk) bad(kind Kind, at int64, format string, args ...any) {
	if kind != BadEntry {
		m.damaged = true
	}
	if !m.mute && !m.a.skip(kind) {
		m.a.add(Finding{Kind: kind, Ino: m.in.Ino, Offset: at, Detail: fmt.Sprintf(format, args...)})
	}
}

// corrupt tells of a field of the map.
func (m *mapWalk) corrupt(kind Kind, what, field string, at int64, value uint64) {
	c := &layout.CorruptError{Struct: what, Field: field, Offset: at, Value: value}
	m.bad(kind, at, "%s", c.Error())
}

// gap tells of file blocks of a directory that are not mapped, in front of one
// that is; for block 0 it tells that there are none.
func (m *mapWalk) gap(logical int64) {
	if m.in.IsDir() && (m.last+1 < logical || m.clusters == 0 && logical == 0 && m.first == 0) {
		c := layout.CorruptError{Struct: "directory", Field: "hole at block", Offset: m.in.Offset + 0x28, Value: uint64(m.last + 1)}
		m.bad(BadEntry, c.Offset, "%s", c.Error())
	}
}

// tooFar reports whether a directory reaches a file block beyond 2 GiB, which
// takes large_dir.
func (m *mapWalk) tooFar(end uint64) bool {
	return m.in.IsDir() && m.in.SizeHigh == 0 && m.a.fs.Super.Incompat&layout.IncompatLargeDir == 0 &&
		end > 1<<(21-m.a.fs.Super.LogBlockSize)
}

// node reads a node of the map into the buffer of its level, and reports whether
// it could be, and was not met before.
func (m *mapWalk) node(b ext.Block, level int) ([]byte, bool) {
	if _, again := m.nodes[b]; again {
		return nil, false
	}
	if m.nodes == nil {
		m.nodes = map[ext.Block]struct{}{}
	}
	m.nodes[b] = struct{}{}
	if !m.budget.Take() {
		return nil, false
	}
	if m.bufs[level] == nil {
		m.bufs[level] = make([]byte, m.a.fs.BlockSize())
	}
	if err := m.a.fs.ReadBlock(m.bufs[level], b); err != nil {
		m.damaged = true
		if !m.mute {
			m.a.addError(m.in.Ino, err)
		}
		return nil, false
	}
	return m.bufs[level], true
}

// unaligned reports whether file block logical at b breaks the rule of clusters:
// each lies in its cluster of the disk where it lies in that of the file.
func (m *mapWalk) unaligned(b ext.Block, logical int64) bool {
	ratio := int64(m.a.fs.ClusterBlocks())
	if ratio == 1 {
		return false
	}
	if logical%ratio != int64(b)%ratio {
		return true
	}
	return m.prev != 0 && logical%ratio != 0 && m.last >= 0 && logical/ratio == m.last/ratio && int64(b)/ratio != int64(m.prev)/ratio
}
