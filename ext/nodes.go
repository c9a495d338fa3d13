package ext

import (
	"iter"
	"sync/atomic"
)

// A NodeBudget bounds how many nodes of block maps are read while the maps of
// many inodes are gone through. Each node belongs to one inode, so together they
// have no more nodes than there are blocks; where all inodes lead to one tree,
// the work would otherwise grow with the product of both. It may be used by
// several goroutines.
type NodeBudget struct{ left atomic.Int64 }

// NewNodeBudget makes one that no sound file system exhausts, deleted inodes that
// still lead to nodes of others included.
func (f *FS) NewNodeBudget() *NodeBudget {
	b := new(NodeBudget)
	b.left.Store(int64(2*f.blocksThere()) + 4096)
	return b
}

// MapWithin is Map until the budget is exhausted; then comes an error. A nil
// budget bounds nothing.
func (f *FS) MapWithin(in *Inode, nodes *NodeBudget) iter.Seq2[Run, error] {
	if nodes == nil {
		return f.Map(in)
	}
	return func(yield func(Run, error) bool) {
		for r, err := range f.Map(in) {
			if err == nil && r.Kind == Index && nodes.left.Add(-1) < 0 {
				yield(Run{}, corrupt("block map", "nodes: more of them than there are blocks, with node", in.Offset+0x28, uint64(r.Physical)))
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// RunsWithin is Runs until the budget is exhausted.
func (f *FS) RunsWithin(in *Inode, nodes *NodeBudget) iter.Seq2[Run, error] {
	return f.cover(in, f.MapWithin(in, nodes))
}

// firstRun is the first run that an inode maps, index nodes aside. The error is
// of the map.
func (f *FS) firstRun(in *Inode) (Run, error) {
	nodes := 0
	for r, err := range f.Map(in) {
		switch {
		case err != nil:
			return Run{}, err
		case r.Kind != Index:
			return r, nil
		}
		if nodes++; nodes > mapSlots {
			break // none of them leads anywhere
		}
	}
	return Run{}, corrupt("block map", "i_block", in.Offset+0x28, 0)
}

// Take counts one node, and reports whether there was one left.
func (b *NodeBudget) Take() bool { return b == nil || b.left.Add(-1) >= 0 }

// Again makes a budget for one more look at what b was made for, at fewer nodes:
// most lead to more than a few blocks. Where b is exhausted it is not much of a
// look.
func (b *NodeBudget) Again(f *FS) *NodeBudget {
	again := new(NodeBudget)
	again.left.Store(int64(f.blocksThere()/4) + 4096)
	if b.left.Load() <= 0 {
		again.left.Store(1 << 14)
	}
	return again
}
