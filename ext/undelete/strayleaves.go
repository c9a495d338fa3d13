package undelete

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A strayLeaf is a leaf of a lost extent tree.
type strayLeaf struct {
	stray
	extents []layout.Extent
	led     bool // an inner node of the same tree leads to it
	free    int  // extents whose first block is free
}

// from and end are the file blocks that a leaf maps.
func (l *strayLeaf) from() uint64 { return uint64(l.extents[0].FileBlock) }
func (l *strayLeaf) end() uint64 {
	e := l.extents[len(l.extents)-1]
	return uint64(e.FileBlock) + uint64(e.Len)
}

// maxStrayLeaves bounds the leaves of one file.
const maxStrayLeaves = 4096

// strayLeaves reads nodes of one extent tree, the freshest leaf first: those that an
// inner node leads to, then what is in its own place rather than a copy, then those
// whose data has not been taken by others.
func (f *finder) strayLeaves(nodes []stray) []strayLeaf {
	buf := make([]byte, f.fs.BlockSize())
	var leaves []strayLeaf
	children := map[Block]bool{}
	for i := range nodes[:min(len(nodes), maxStrayLeaves)] {
		s := &nodes[i]
		if f.loadStray(buf, s) != nil {
			continue
		}
		n, err := layout.DecodeExtentNode(buf, 0)
		if err != nil || n.Entries == 0 {
			continue
		}
		if n.Depth > 0 {
			for k := range int(n.Entries) {
				if len(children) < maxNodes {
					children[n.Index(k).Child] = true
				}
			}
			continue
		}
		l := strayLeaf{stray: *s}
		for k := range int(n.Entries) {
			e := n.Extent(k)
			l.extents = append(l.extents, e)
			if f.stray.free.has(e.Start) {
				l.free++
			}
		}
		leaves = append(leaves, l)
	}
	for i := range leaves {
		leaves[i].led = children[leaves[i].block]
	}
	slices.SortStableFunc(leaves, func(a, b strayLeaf) int {
		if a.led != b.led {
			if a.led {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.tx, a.tx), cmp.Compare(b.free*len(a.extents), a.free*len(b.extents)), cmp.Compare(a.block, b.block), cmp.Compare(a.log, b.log))
	})
	return leaves
}

// A span is a stretch of file blocks.
type span struct{ from, end uint64 }

// strayRuns joins leaves, the freshest first: of those that map the same the first
// counts, and of the others what is left.
func (f *finder) strayRuns(leaves []strayLeaf) (runs []ext.Run, nodes []Block, damage []string) {
	var taken []span // sorted and apart
	cross := func(from, end uint64) bool {
		i, _ := slices.BinarySearchFunc(taken, from, func(s span, from uint64) int { return cmp.Compare(s.end, from+1) })
		return i < len(taken) && taken[i].from < end
	}
	for i := range leaves {
		l := &leaves[i]
		whole := !cross(l.from(), l.end())
		if !whole && len(damage) < 16 {
			damage = append(damage, fmt.Sprintf("file blocks %d to %d are mapped by more than one node; the freshest counts", l.from(), l.end()-1))
		}
		used := false
		for _, e := range l.extents {
			if len(runs) >= maxRuns || !whole && cross(uint64(e.FileBlock), uint64(e.FileBlock)+uint64(e.Len)) {
				continue
			}
			kind := ext.Data
			if e.Unwritten {
				kind = ext.Unwritten
			}
			runs = append(runs, ext.Run{Logical: uint64(e.FileBlock), Physical: e.Start, Len: uint64(e.Len), Kind: kind})
			used = true
		}
		if used && l.block != 0 {
			nodes = append(nodes, l.block)
		}
		taken = join(taken, span{l.from(), l.end()})
	}
	return runs, nodes, damage
}

// join adds a span to others, which are sorted and apart, as they are afterwards.
func join(list []span, s span) []span {
	from, _ := slices.BinarySearchFunc(list, s.from, func(x span, from uint64) int { return cmp.Compare(x.end, from) })
	end := from
	for end < len(list) && list[end].from <= s.end {
		s.from, s.end = min(s.from, list[end].from), max(s.end, list[end].end)
		end++
	}
	return slices.Replace(list, from, end, s)
}

// strayMap gives an incarnation whose inode has no map left the one that stray nodes
// of its extent tree make.
func (f *finder) strayMap(c *Candidate, l *life) bool {
	nodes := f.stray.nodes[l.lifeKey]
	if len(nodes) == 0 {
		return false
	}
	leaves := f.strayLeaves(nodes)
	runs, blocks, damage := f.strayRuns(leaves)
	if len(runs) == 0 {
		return false
	}
	if c.Type == 0 {
		c.Type = layout.ModeRegular
	}
	if c.In = f.homeOf(l); c.In != nil {
		c.from = *l.today()
	}
	f.strayFile(c, runs, blocks)
	if !f.affords(c) {
		c.In, c.from, c.Runs, c.nodes, c.damage, c.residue, c.Size = nil, state{}, nil, nil, nil, false, 0
		return false
	}
	c.damage = append(c.damage, damage...)
	c.Evidence = append(c.Evidence, fmt.Sprintf("%d nodes of its extent tree that nothing leads to any more, which its number and generation make the checksums of", len(nodes)))
	return true
}

// affords reports whether a file may map as much as it does. Free blocks may hold any
// number of nodes that map all there is over and over.
func (f *finder) affords(c *Candidate) bool {
	n := mapped(c)
	if n > f.stray.budget {
		return false
	}
	f.stray.budget -= n
	return true
}

// strayFile fills a candidate whose map is pieced together, and whose size is not
// known.
func (f *finder) strayFile(c *Candidate, runs []ext.Run, nodes []Block) {
	m := &mapper{f: f, complete: true, left: maxNodes}
	for _, r := range runs {
		m.add(r)
	}
	m.sort()
	c.tx, c.Technique = latest, StrayTree
	c.Runs, c.nodes, c.residue, c.damage, c.complete = m.runs, nodes, true, append(c.damage, m.damage...), m.complete
	c.Size = f.reach(c)
	f.trim(c)
}

// supplement adds to a map that could not be read whole what stray nodes of it map and
// the rest does not.
func (f *finder) supplement(m *mapper) {
	nodes := f.stray.nodes[lifeKey{m.in.Ino, m.in.Generation}]
	if m.complete || len(nodes) == 0 || m.in.Flags&layout.FlagExtents == 0 {
		return
	}
	var taken []span
	for _, r := range m.runs {
		if n := len(taken); n > 0 && taken[n-1].end == r.Logical {
			taken[n-1].end += r.Len
		} else {
			taken = append(taken, span{r.Logical, r.Logical + r.Len})
		}
	}
	runs, blocks, _ := f.strayRuns(f.strayLeaves(nodes))
	slices.SortFunc(runs, func(a, b ext.Run) int { return cmp.Compare(a.Logical, b.Logical) })
	added := false
	i := 0
	for _, r := range runs {
		for i < len(taken) && taken[i].end <= r.Logical {
			i++
		}
		if i < len(taken) && taken[i].from < r.Logical+r.Len {
			continue
		}
		m.add(r)
		added = true
	}
	if added {
		m.nodes = append(m.nodes, blocks...)
		m.damage = append(m.damage, "nodes of the tree that nothing leads to any more map some of it, by their checksums")
		m.sort()
	}
}
