package audit

import (
	"cmp"
	"slices"

	"github.com/extscope/extscope/ext"
)

// indexes holds the blocks of each indexed directory against the index: every one
// is led to once, at one depth, and its hashes lie in the range it is for.
func (a *auditor) indexes() {
	var blocksOf [][]dxBlock
	var refsOf [][]dxRef
	for _, w := range a.workers {
		blocksOf, refsOf = append(blocksOf, w.tree.blocks), append(refsOf, w.tree.refs)
		w.tree.blocks, w.tree.refs = nil, nil
	}
	blocks := ext.SortParts(blocksOf, func(x, y dxBlock) int {
		return cmp.Or(cmp.Compare(x.dir, y.dir), cmp.Compare(x.logical, y.logical), cmp.Compare(x.physical, y.physical))
	})
	refs := ext.SortParts(refsOf, func(x, y dxRef) int {
		return cmp.Or(cmp.Compare(x.dir, y.dir), cmp.Compare(x.child, y.child), cmp.Compare(x.parent, y.parent), cmp.Compare(x.from, y.from))
	})
	var t dxTree
	for len(blocks) > 0 {
		dir := blocks[0].dir
		n := 1
		for n < len(blocks) && blocks[n].dir == dir {
			n++
		}
		for len(refs) > 0 && refs[0].dir < dir {
			refs = refs[1:]
		}
		k := 0
		for k < len(refs) && refs[k].dir == dir {
			k++
		}
		t.fill(a, dir, blocks[:n], refs[:k])
		t.check()
		blocks, refs = blocks[n:], refs[k:]
	}
}

// A dxTree is the index of one directory.
type dxTree struct {
	a     *auditor
	dir   ext.Ino
	nodes []dxPlace // by logical block
}

// A dxPlace is a block and what leads to it.
type dxPlace struct {
	*dxBlock
	ref    *dxRef
	twice  bool // it is led to more than once
	parent *dxPlace
	to     uint32 // the end of the range that it is for
}

func (t *dxTree) fill(a *auditor, dir ext.Ino, blocks []dxBlock, refs []dxRef) {
	t.a, t.dir, t.nodes = a, dir, t.nodes[:0]
	for i := range blocks {
		if n := len(t.nodes); n > 0 && t.nodes[n-1].logical == blocks[i].logical {
			continue // mapped twice, which is told
		}
		t.nodes = append(t.nodes, dxPlace{dxBlock: &blocks[i]})
	}
	holes := 0
	for i := range refs {
		p := t.at(refs[i].child)
		if p == nil {
			if holes++; holes == 1 {
				a.add(Finding{Kind: BadHtree, Ino: dir, Detail: sprintf("directory index: it leads to block %d of the directory, which is not there", refs[i].child)})
			}
			continue
		}
		p.twice = p.ref != nil
		p.ref, p.to = &refs[i], refs[i].to
		p.parent = t.at(refs[i].parent)
	}
}

// at finds a block by its place in the directory.
func (t *dxTree) at(logical uint32) *dxPlace {
	i, ok := slices.BinarySearchFunc(t.nodes, logical, func(p dxPlace, l uint32) int { return cmp.Compare(p.logical, l) })
	if !ok {
		return nil
	}
	return &t.nodes[i]
}

func (t *dxTree) bad(p *dxPlace, format string, args ...any) {
	t.a.add(Finding{Kind: BadHtree, Ino: t.dir, HasBlock: true, Block: p.physical, Offset: t.a.fs.BlockOffset(p.physical),
		Detail: sprintf("directory index, block %d of the directory: ", p.logical) + sprintf(format, args...)})
}

// raise gives the parents of blocks of a kind the range of those below: it begins
// with that of the first, and ends with that of the last. The block before a
// parent ends where that begins.
func (t *dxTree) raise(kind uint8) {
	for i := range t.nodes {
		p := &t.nodes[i]
		if p.kind != kind || p.ref == nil || p.parent == nil {
			continue
		}
		if up := p.parent; p.ref.first {
			up.min = p.min
			if up.ref != nil && up.ref.previous != 0 {
				if before := t.at(up.ref.previous); before != nil {
					before.to = up.min
				}
			}
		}
		if p.ref.last {
			p.parent.max = p.max
		}
	}
}

func (t *dxTree) check() {
	root := t.at(0)
	if root == nil || root.kind != dxRoot {
		return // told: it could not be read
	}
	t.raise(dxLeaf)
	t.raise(dxNode)
	for i := range t.nodes {
		p := &t.nodes[i]
		switch {
		case p == root:
			if p.ref != nil {
				t.bad(p, "an entry leads back to the root")
			}
			continue
		case p.ref == nil:
			t.bad(p, "nothing leads to it")
			continue
		case p.twice:
			t.bad(p, "more than one entry leads to it")
		}
		if p.kind == dxLeaf {
			if depth := t.depth(p); depth != int(root.levels)+1 {
				t.bad(p, "it lies %d levels below the root, and leaves lie %d below", depth, int(root.levels)+1)
			}
		}
		if !p.ref.first && p.min < p.ref.from {
			t.bad(p, "a hash of %#x, and its range begins with %#x", p.min, p.ref.from)
		}
		if p.max > p.to {
			t.bad(p, "a hash of %#x, and its range ends with %#x", p.max, p.to)
		}
	}
}

// depth is how many levels a block lies below the root.
func (t *dxTree) depth(p *dxPlace) int {
	depth := 0
	for p.kind != dxRoot && depth < 8 && p.parent != nil {
		p = p.parent
		depth++
	}
	return depth
}
