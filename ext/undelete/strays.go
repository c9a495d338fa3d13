package undelete

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// strayEvidence is what a scan of free blocks and of the log found that nothing leads
// to.
type strayEvidence struct {
	free     bitset // blocks that are free and may have been in use, and whose contents are not proved yet: those that were scanned
	zero     bitset // those of them that hold nothing but zeros
	nodes    map[lifeKey][]stray
	unowned  []stray // extent nodes of no incarnation that is known
	pointers []stray // blocks that look like indirect blocks
	budget   uint64  // blocks that files of strays may still map, all together

	now struct { // what one directory holds today
		of    lifeKey
		names map[string]Ino
	}
}

// strays scans the free blocks and what the log holds beside its transactions, and
// gives what it recognises to the incarnations that it was of.
//
// With metadata_csum the checksum of a block is made from the number and the generation
// of the inode that it belongs to. It is solved for the seed that these two make, and
// the seed is looked for among those of all incarnations: a chance hit has odds of one
// to 2^32 divided by their number.
func (f *finder) strays(ctx context.Context) error {
	blocks := f.freeBlocks
	if f.o.Former != nil {
		blocks = f.unclaimedBlocks
	}
	free, err := blocks(ctx)
	if err != nil {
		return err
	}
	if limit := f.o.ScanLimit; limit > 0 && f.o.Former == nil {
		if n := uint64(free.count()) * uint64(f.fs.BlockSize()); n > limit {
			f.result.Unscanned = n
			return nil
		}
	}
	zero := f.former.zero
	if f.o.Former == nil {
		zero = make(bitset, len(free))
		if err := f.leaveProved(ctx, free); err != nil {
			return err
		}
	}
	f.stray = strayEvidence{free: free, zero: zero, nodes: map[lifeKey][]stray{}, budget: 4 * f.fs.Super.BlocksCount}
	all, err := f.scanStrays(ctx, free, f.mayHavePointers())
	if err != nil {
		return err
	}
	if f.csum {
		err = f.authentic(ctx, all)
	} else {
		err = f.likely(ctx, all)
	}
	return err
}

// mayHavePointers reports whether there can have been files with indirect blocks.
func (f *finder) mayHavePointers() bool {
	if f.fs.Super.Incompat&layout.IncompatExtents == 0 {
		return true
	}
	for l := range f.lives.all() {
		if l.best.has(markPointers) || !l.best.known() && l.old {
			return true
		}
	}
	return false
}

// authentic takes what the scan found on a file system with checksums.
func (f *finder) authentic(ctx context.Context, all []stray) error {
	if err := f.strayInodes(ctx, all); err != nil {
		return err
	}
	owners, err := f.owners(ctx)
	if err != nil {
		return err
	}
	if owners, err = f.strayDirs(ctx, all, owners); err != nil {
		return err
	}
	for _, s := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch s.kind {
		case strayPointers:
			f.stray.pointers = append(f.stray.pointers, s)
		case strayExtents:
			key, ok := owners.of(s.seed)
			if l := f.lives.of(key); ok && l != nil && !l.live {
				f.stray.nodes[key] = append(f.stray.nodes[key], s)
			} else if !ok {
				f.stray.unowned = append(f.stray.unowned, s)
			}
		case strayDir:
			if key, ok := owners.of(s.seed); ok {
				f.strayNames(s, key, fromStray)
			}
		}
	}
	return nil
}

// loadStray reads the block of a stray.
func (f *finder) loadStray(buf []byte, s *stray) error {
	if s.tx == strayAtHome {
		return f.fs.ReadBlock(buf, s.block)
	}
	return f.log.Journal.Log().ReadBlock(buf, s.log)
}

// strayInodes takes states of inodes from copies of inode tables.
func (f *finder) strayInodes(ctx context.Context, all []stray) error {
	buf := make([]byte, f.fs.BlockSize())
	before := f.lives.count
	changed := false
	for i := range all {
		s := &all[i]
		if s.kind != strayInode {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if f.loadStray(buf, s) != nil {
			continue
		}
		raw := buf[int(s.at)*128:][:f.fs.InodeSize()]
		off, _ := f.fs.InodeOffset(s.ino)
		in := f.fs.DecodeInode(raw, s.ino, off)
		if !in.ChecksumOK || f.fs.Reserved(in.Ino) {
			continue
		}
		if l := f.life(in); l != nil {
			if in.Links > 0 {
				l.first, l.last = min(l.first, moment(strayUncovered)), max(l.last, moment(strayUncovered))
			}
			if l.live = f.today.has(in.Ino, in.Generation); !l.live {
				f.take(l, in, strayUncovered, false)
			}
			changed = true
		}
	}
	if changed || f.lives.count != before {
		return f.settle(ctx)
	}
	return nil
}

// An owned is a seed and the incarnation that it is of.
type owned struct {
	seed uint32
	lifeKey
}

// seedTable finds incarnations by the seeds of their checksums. It is sorted.
type seedTable []owned

// maxSeeds bounds it: 192 MiB.
const maxSeeds = 1 << 24

func (t seedTable) of(seed uint32) (lifeKey, bool) {
	i, ok := slices.BinarySearchFunc(t, seed, func(o owned, seed uint32) int { return cmp.Compare(o.seed, seed) })
	if !ok {
		return lifeKey{}, false
	}
	return t[i].lifeKey, true
}

// sort makes it usable; of two incarnations with the same seed neither counts.
func (t seedTable) sort() seedTable {
	slices.SortFunc(t, func(a, b owned) int {
		return cmp.Or(cmp.Compare(a.seed, b.seed), cmp.Compare(a.ino, b.ino), cmp.Compare(a.gen, b.gen))
	})
	t = slices.Compact(t)
	out := t[:0]
	for i, o := range t {
		if (i == 0 || t[i-1].seed != o.seed) && (i+1 == len(t) || t[i+1].seed != o.seed) {
			out = append(out, o)
		}
	}
	return out
}

// owners makes the table of all incarnations that are known, those that live among
// them.
func (f *finder) owners(ctx context.Context) (seedTable, error) {
	fs := f.fs.Seed()
	parts := make([]seedTable, ext.Workers())
	err := f.fs.ScanInodes(ctx, func(w int, in *ext.Inode) {
		if in.Mode != 0 && len(parts[w]) < maxSeeds/len(parts) {
			parts[w] = append(parts[w], owned{layout.InodeSeed(fs, in.Ino, in.Generation), lifeKey{in.Ino, in.Generation}})
		}
	}, func(Ino, uint32, error) {})
	if err != nil {
		return nil, err
	}
	t := slices.Concat(parts...)
	for l := range f.lives.all() {
		t = append(t, owned{layout.InodeSeed(fs, l.ino, l.gen), l.lifeKey})
	}
	return t.sort(), nil
}

// strayDirs adds the directories that first blocks tell of: "." gives the number, and
// the checksum then the generation.
func (f *finder) strayDirs(ctx context.Context, all []stray, owners seedTable) (seedTable, error) {
	fs := f.fs.Seed()
	added := false
	var fresh seedTable
	for _, s := range all {
		if s.kind != strayDir && s.kind != strayDxRoot || s.ino == 0 || uint32(s.ino) > f.fs.InodesCount() {
			continue
		}
		if _, known := owners.of(s.seed); known {
			continue
		}
		key := lifeKey{s.ino, layout.GenerationOf(fs, s.seed, s.ino)}
		fresh = append(fresh, owned{s.seed, key})
		if f.lives.of(key) == nil && f.newLife(key, layout.ModeDir) != nil {
			added = true
		}
	}
	if len(fresh) > 0 {
		owners = append(owners, fresh...).sort()
	}
	if added {
		return owners, f.settle(ctx)
	}
	return owners, nil
}

// strayNames takes the names in a block of a directory.
func (f *finder) strayNames(s stray, dir lifeKey, source nameSource) {
	l := f.lives.of(dir)
	alive := l == nil || l.live
	covered := s.tx != strayAtHome && s.tx != strayUncovered
	if alive && covered {
		return // what the log has of directories that are there was taken already
	}
	buf := make([]byte, f.fs.BlockSize())
	if f.loadStray(buf, &s) != nil {
		return
	}
	var now map[string]Ino
	if alive {
		now = f.namesNow(dir)
	}
	f.eachName(buf, func(e *layout.Dirent) {
		if ino, there := now[string(e.Name)]; there && ino == e.Ino {
			return
		}
		n := nameRef{dir: dir.ino, dirGen: dir.gen, ino: e.Ino, tx: -1, typ: e.Type, name: e.Name, source: source}
		n.old = s.tx == strayUncovered
		if covered {
			n.tx = after(int(s.tx), 0)
		}
		if f.o.Former != nil && s.tx == strayAtHome && f.lives.first(n.ino) == nil {
			f.hold(&n)
			return
		}
		f.addName(n)
	})
}

// eachName visits the names in a block of a directory, but for the dots.
func (f *finder) eachName(b []byte, visit func(e *layout.Dirent)) {
	w := f.fs.DirRecords(b, 0, 0)
	var e layout.Dirent
	for w.Next(&e) {
		if e.Ino != 0 && len(e.Name) > 0 && !bytes.Equal(e.Name, []byte(".")) && !bytes.Equal(e.Name, []byte("..")) {
			visit(&e)
		}
	}
}

// namesNow gives the names that a directory has today.
func (f *finder) namesNow(dir lifeKey) map[string]Ino {
	const most = 1 << 18
	if f.stray.now.of == dir && f.stray.now.names != nil {
		return f.stray.now.names
	}
	names := map[string]Ino{}
	if in, err := f.fs.Inode(dir.ino); err == nil && in.IsDir() && in.Links > 0 {
		for e, err := range f.fs.Entries(in, false) {
			if err == nil && len(names) < most {
				names[string(e.Name)] = e.Ino
			}
		}
	}
	f.stray.now.of, f.stray.now.names = dir, names
	return names
}

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
