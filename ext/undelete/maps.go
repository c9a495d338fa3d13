package undelete

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// A mapper reads the block map of one state of an inode, where the nodes of the map
// may have changed since: each is looked for in the log, as of then or before, then at
// home, then in later copies, and taken where it proves to be one.
type mapper struct {
	f    *finder
	in   *ext.Inode
	tx   moment
	seed uint32

	runs     []ext.Run
	nodes    []Block
	unsure   []Block // those of nodes that may have been written since: not from the log as of then, and without a checksum
	damage   []string
	complete bool
	left     int // nodes that may still be read
}

// maxRuns bounds the runs of one file, and maxNodes the nodes of its map.
const (
	maxRuns  = 1 << 20
	maxNodes = 1 << 16
)

func (f *finder) newMapper(in *ext.Inode, tx moment) *mapper {
	return &mapper{f: f, in: in, tx: tx, seed: f.fs.InodeSeed(in), complete: true, left: maxNodes}
}

// read reads the map that i_block holds.
func (m *mapper) read() {
	if m.in.Flags&layout.FlagExtents != 0 {
		m.extents()
	} else {
		m.indirect()
	}
	m.sort()
}

func (m *mapper) bad(format string, args ...any) {
	m.complete = false
	if len(m.damage) < 16 {
		m.damage = append(m.damage, fmt.Sprintf(format, args...))
	}
}

// add adds a run of data, if it can be one.
func (m *mapper) add(r ext.Run) {
	switch {
	case r.Len == 0:
	case !m.f.fs.InRange(r.Physical, r.Len):
		m.bad("file block %d is mapped to block %d, which there is not", r.Logical, r.Physical)
	case len(m.runs) >= maxRuns:
		m.bad("more than %d runs", maxRuns)
	default:
		m.runs = append(m.runs, r)
	}
}

// sort orders the runs by file block; of two that map the same the first stays.
func (m *mapper) sort() {
	slices.SortStableFunc(m.runs, func(a, b ext.Run) int { return cmp.Compare(a.Logical, b.Logical) })
	out := m.runs[:0]
	next := uint64(0)
	for _, r := range m.runs {
		if r.Logical < next {
			m.bad("file block %d is mapped twice", r.Logical)
			if r.Logical+r.Len <= next {
				continue
			}
			cut := next - r.Logical
			r.Logical, r.Physical, r.Len = next, r.Physical+Block(cut), r.Len-cut
		}
		if n := len(out); n > 0 && out[n-1].Logical+out[n-1].Len == r.Logical && out[n-1].Physical+Block(out[n-1].Len) == r.Physical && out[n-1].Kind == r.Kind {
			out[n-1].Len += r.Len
		} else {
			out = append(out, r)
		}
		next = r.Logical + r.Len
	}
	m.runs = out
}

// sources calls try with what a block held, the likeliest first, until it gives true:
// the copies in the log from m.tx or before, newest first; the block itself; the copies
// from later on.
func (m *mapper) sources(b Block, try func(b []byte) bool) bool {
	f := m.f
	if !f.fs.InRange(b, 1) || m.left <= 0 {
		return false
	}
	m.left--
	buf := make([]byte, f.fs.BlockSize())
	var later []jbd2.Copy
	if f.log != nil {
		versions := f.log.Archive.Versions(b)
		for i := len(versions) - 1; i >= 0; i-- {
			v := &versions[i]
			if !f.log.TookEffect(v.Transaction) {
				continue
			}
			if v.Transaction > m.tx.tx() {
				later = append(later, v.Copy)
				continue
			}
			if f.log.Journal.ReadCopy(buf, v.Copy) == nil && try(buf) {
				return true
			}
		}
	}
	found := f.fs.ReadBlock(buf, b) == nil && try(buf)
	for k := 0; !found && k < len(later); k++ {
		found = f.log.Journal.ReadCopy(buf, later[k]) == nil && try(buf)
	}
	if found && !f.csum {
		m.unsure = append(m.unsure, b)
	}
	return found
}

// extents reads an extent tree.
func (m *mapper) extents() {
	root, err := layout.DecodeExtentNode(m.in.Block[:], m.in.Offset+0x28)
	if err != nil {
		m.bad("%v", err)
		return
	}
	if root.Depth > 5 {
		m.bad("an extent tree of depth %d", root.Depth)
		return
	}
	m.records(&root, int(root.Entries))
}

// records takes the first n records of a node.
func (m *mapper) records(n *layout.ExtentNode, count int) {
	for i := range count {
		if n.Depth == 0 {
			e := n.Extent(i)
			kind := ext.Data
			if e.Unwritten {
				kind = ext.Unwritten
			}
			m.add(ext.Run{Logical: uint64(e.FileBlock), Physical: e.Start, Len: uint64(e.Len), Kind: kind})
			continue
		}
		x := n.Index(i)
		if !m.child(x.Child, int(n.Depth)-1, x.FileBlock) {
			m.bad("the node in block %d, for file blocks from %d on, is lost", x.Child, x.FileBlock)
		}
	}
}

// child reads a node of the tree; depth -1 takes any.
func (m *mapper) child(b Block, depth int, from uint32) bool {
	if slices.Contains(m.nodes, b) && len(m.nodes) < 1024 {
		return true // met before: slots that deletion left may name it twice
	}
	return m.sources(b, func(buf []byte) bool {
		n, ok := m.node(buf, depth)
		if !ok {
			return false
		}
		if n.Depth == 0 && n.Entries > 0 && n.Extent(0).FileBlock < from || n.Depth > 0 && n.Entries > 0 && n.Index(0).FileBlock < from {
			return false
		}
		m.nodes = append(m.nodes, b)
		// The buffer is used again for what lies below.
		own, _ := layout.DecodeExtentNode(slices.Clone(buf), 0)
		m.records(&own, int(own.Entries))
		if own.Depth > 0 {
			m.slots(&own, int(own.Entries))
		}
		return true
	})
}

// node decodes a node of the inode's tree, if it proves to be one.
func (m *mapper) node(b []byte, depth int) (layout.ExtentNode, bool) {
	n, err := layout.DecodeExtentNode(b, 0)
	if err != nil || n.Depth > 4 || depth >= 0 && int(n.Depth) != depth || n.Entries > n.Max {
		return n, false
	}
	if m.f.csum {
		stored, computed, there := layout.ExtentChecksum(b, m.seed)
		return n, there && stored == computed
	}
	// Without checksums the records must make sense.
	next := uint64(0)
	for i := range int(n.Entries) {
		var at, size uint64
		var start Block
		if n.Depth == 0 {
			e := n.Extent(i)
			at, size, start = uint64(e.FileBlock), uint64(e.Len), e.Start
		} else {
			x := n.Index(i)
			at, size, start = uint64(x.FileBlock), 1, x.Child
		}
		if at < next || size == 0 || !m.f.fs.InRange(start, size) {
			return n, false
		}
		next = at + size
	}
	return n, n.Entries > 0
}

// slots tries the records of an inner node behind those in use, which deletion leaves
// where they were: each that leads to a node of this inode counts.
func (m *mapper) slots(n *layout.ExtentNode, from int) {
	for i := from; i < min(int(n.Max), n.Room()); i++ {
		x := n.Index(i)
		if x.Child == 0 || !m.f.fs.InRange(x.Child, 1) {
			continue
		}
		m.child(x.Child, -1, x.FileBlock)
	}
}

// leftover reads what deletion left of an extent tree in i_block: entries and depth
// are zero, and the slots still lead to the nodes below.
func (m *mapper) leftover() bool {
	if m.in.Flags&layout.FlagExtents == 0 || !m.f.csum {
		return false
	}
	root, err := layout.DecodeExtentNode(m.in.Block[:], m.in.Offset+0x28)
	if err != nil || root.Entries != 0 {
		return false
	}
	m.slots(&root, 0)
	m.sort()
	return len(m.runs) > 0
}

const (
	directSlots = 12
	indirects   = 3
)

// indirect reads a map of ext2 and ext3.
func (m *mapper) indirect() {
	word := func(i int) Block { return Block(le.Uint32(m.in.Block[4*i:])) }
	for i := range directSlots {
		if b := word(i); b != 0 {
			m.add(ext.Run{Logical: uint64(i), Physical: b, Len: 1})
		}
	}
	per := uint64(m.f.fs.BlockSize() / 4)
	at, span := uint64(directSlots), per
	for level := range indirects {
		if b := word(directSlots + level); b != 0 {
			m.pointers(b, at, span, level)
		}
		at += span
		span *= per
	}
}

// pointers reads an indirect block that maps span file blocks from at on; below lie
// level more.
func (m *mapper) pointers(b Block, at, span uint64, level int) {
	per := uint64(m.f.fs.BlockSize() / 4)
	ok := m.sources(b, func(buf []byte) bool {
		if allZero(buf) || m.f.overwritten(int64(b)*int64(len(buf)), int64(len(buf))) {
			return false // one that maps nothing is never made
		}
		list := make([]Block, per)
		for i := range list {
			if list[i] = Block(le.Uint32(buf[4*i:])); list[i] != 0 && !m.f.fs.InRange(list[i], 1) {
				return false
			}
		}
		m.nodes = append(m.nodes, b)
		for i, p := range list {
			from := at + uint64(i)*(span/per)
			switch {
			case p == 0:
			case level == 0:
				m.add(ext.Run{Logical: from, Physical: p, Len: 1})
			default:
				m.pointers(p, from, span/per, level-1)
			}
		}
		return true
	})
	if !ok {
		m.bad("the indirect block %d, for file blocks from %d on, is lost", b, at)
	}
}
