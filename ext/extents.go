package ext

import (
	"errors"

	"github.com/extscope/extscope/ext/layout"
)

// An extentWalk yields the extents of one inode in tree order.
type extentWalk struct {
	fs    *FS
	in    *Inode
	yield func(Run, error) bool
	seen  map[Block]struct{} // nodes visited: a tree holds each once
}

func (w *extentWalk) root() {
	off := w.in.Offset + 0x28
	node, err := layout.DecodeExtentNode(w.in.Block[:], off)
	if err != nil && !w.yield(Run{}, err) {
		return
	}
	w.node(node, min(node.Depth, layout.MaxExtentDepth), 0, maxFileBlocks)
}

// node yields the records of a node that maps file blocks from, inclusive, to
// to. depth is what the parent asks for, and shrinks with each level.
func (w *extentWalk) node(n layout.ExtentNode, depth uint16, from, to uint64) bool {
	if depth == 0 {
		return w.leaf(n, from, to)
	}
	for i := range int(n.Entries) {
		idx := n.Index(i)
		end := to
		if i+1 < int(n.Entries) {
			if next := uint64(n.Index(i + 1).FileBlock); next < end {
				end = next
			}
		}
		if !w.child(idx, depth-1, end, n.RecordOffset(i)) {
			return false
		}
	}
	return true
}

// child reads the node that an index record names. Errors cost that node only.
func (w *extentWalk) child(idx layout.ExtentIndex, depth uint16, to uint64, at int64) bool {
	if !w.fs.InRange(idx.Child, 1) {
		return w.yield(Run{}, corrupt("extent index", "ei_leaf", at+4, uint64(idx.Child)))
	}
	if _, again := w.seen[idx.Child]; again {
		return w.yield(Run{}, corrupt("extent index", "ei_leaf (a node met before)", at+4, uint64(idx.Child)))
	}
	if w.seen == nil {
		w.seen = make(map[Block]struct{})
	}
	w.seen[idx.Child] = struct{}{}
	if !w.yield(Run{uint64(idx.FileBlock), idx.Child, 1, Index}, nil) {
		return false
	}
	pooled := w.fs.getBlock()
	defer w.fs.blocks.Put(pooled)
	b := *pooled
	if err := w.fs.ReadBlock(b, idx.Child); err != nil {
		return w.yield(Run{}, err)
	}
	off := w.fs.bytes(idx.Child)
	n, err := layout.DecodeExtentNode(b, off)
	if err != nil && !w.yield(Run{}, err) {
		return false
	}
	if n.Entries == 0 {
		return true
	}
	if n.Depth != depth && !w.yield(Run{}, corrupt("extent node", "eh_depth", off+6, uint64(n.Depth))) {
		return false
	}
	if n.Depth > depth {
		return true // deeper than the parent allows: nothing in it can be right
	}
	return w.node(n, n.Depth, uint64(idx.FileBlock), to)
}

func (w *extentWalk) leaf(n layout.ExtentNode, from, to uint64) bool {
	for i := range int(n.Entries) {
		e := n.Extent(i)
		at := n.RecordOffset(i)
		switch {
		case e.Len == 0:
			if !w.yield(Run{}, corrupt("extent", "ee_len", at+4, 0)) {
				return false
			}
			continue
		case !w.fs.InRange(e.Start, uint64(e.Len)):
			if !w.yield(Run{}, corrupt("extent", "ee_start", at+6, uint64(e.Start))) {
				return false
			}
			continue
		}
		first, last := uint64(e.FileBlock), uint64(e.FileBlock)+uint64(e.Len)
		if first < from || last > to {
			// The place is told, and the data given all the same.
			if !w.yield(Run{}, corrupt("extent", "ee_block", at, first)) {
				return false
			}
			if last > maxFileBlocks {
				continue
			}
		}
		r := Run{first, e.Start, uint64(e.Len), Data}
		if e.Unwritten {
			r.Kind = Unwritten
		}
		if !w.yield(r, nil) {
			return false
		}
	}
	return true
}

// ExtentDepth is the height of the inode's extent tree, and whether it has one.
func (f *FS) ExtentDepth(in *Inode) (depth int, ok bool) {
	if in.Flags&layout.FlagExtents == 0 || !f.hasMap(in) {
		return 0, false
	}
	n, err := layout.DecodeExtentNode(in.Block[:], in.Offset+0x28)
	var c *layout.CorruptError
	if errors.As(err, &c) {
		return 0, false
	}
	return int(n.Depth), true
}
