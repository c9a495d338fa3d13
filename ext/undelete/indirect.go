package undelete

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// indirect recognises an indirect block by its pointers: different blocks that there
// are, free like itself, nearly all in order.
//
// Few pointers are found in anything: they must go on with a file, or lead to indirect
// blocks, which is for later to tell; inner is true then.
func (s *strayScan) indirect(block Block, b []byte) (ok, inner bool) {
	count, falls, steps, taken := 0, 0, 0, 0
	prev, first := uint32(0), uint32(0)
	for at := 0; at+4 <= len(b); at += 4 {
		p := le.Uint32(b[at:])
		if p == 0 {
			continue
		}
		if Block(p) == block || !s.f.fs.InRange(Block(p), 1) {
			return false, false
		}
		if !s.free.has(Block(p)) {
			taken++
		}
		if count == 0 {
			first = p
		} else if p <= prev {
			falls++
		} else if p == prev+1 {
			steps++
		}
		prev = p
		count++
	}
	const few, some = 4, 64
	switch {
	case count == 0 || falls*10 > count || taken*2 > count:
		return false, false
	case count < some && steps*2 < count-1 && count >= few:
		return false, false // numbers that are no run are found in anything, too
	case count < few && (taken > 0 || le.Uint32(b) == 0):
		return false, false
	}
	list := make([]uint32, 0, count)
	for at := 0; at+4 <= len(b); at += 4 {
		if p := le.Uint32(b[at:]); p != 0 {
			list = append(list, p)
		}
	}
	slices.Sort(list)
	if len(slices.Compact(list)) < count {
		return false, false
	}
	return true, count < few && (steps < count-1 || !s.follows(block, Block(first)))
}

// follows reports whether twelve blocks of data lie before one: all free, and none
// of them the end of a file. So few pointers as one block may hold say little.
func (s *strayScan) follows(root, first Block) bool {
	buf := make([]byte, s.f.fs.BlockSize())
	for n := 0; n < directSlots; {
		if first--; first == root {
			continue
		}
		if !s.free.has(first) || s.f.fs.ReadBlock(buf, first) != nil || allZero(buf[len(buf)-tailZeros:]) {
			return false
		}
		n++
	}
	return true
}

// An indirectTree is a stray indirect block that no other leads to, with what lies
// below it.
type indirectTree struct {
	root        Block
	level       int
	first, last Block     // pointed to, of the data
	full        bool      // the last pointer is in use
	runs        []ext.Run // from file block 0 on, as if the tree were the whole map
	nodes       []Block
}

// treeMaker builds trees of stray indirect blocks.
type treeMaker struct {
	f       *finder
	per     uint64
	level   map[Block]int
	claimed bitset          // pointers, and the blocks that hold them
	starts  map[Block][]int // trees that begin with a block, or whose data does
	budget  int             // runs that may still be made
	buf     []byte
}

// maxPointerBlocks bounds the indirect blocks that are looked at.
const maxPointerBlocks = 1 << 18

func (f *finder) newTreeMaker() *treeMaker {
	t := &treeMaker{f: f, per: uint64(f.fs.BlockSize() / 4), level: map[Block]int{}, claimed: make(bitset, len(f.stray.free)), budget: 1 << 22, buf: make([]byte, f.fs.BlockSize())}
	found := f.stray.pointers[:min(len(f.stray.pointers), maxPointerBlocks)]
	for i := range found {
		t.level[found[i].block] = 1
	}
	// A block of blocks that are such themselves is one level up, twice at most.
	for level := 2; level <= indirects; level++ {
		var up []Block
		for i := range found {
			b := found[i].block
			if t.level[b] == level-1 && t.all(b, level-1) {
				up = append(up, b)
			}
		}
		for _, b := range up {
			t.level[b] = level
		}
	}
	for i := range found {
		if b := found[i].block; found[i].depth > 0 && t.level[b] == 1 {
			delete(t.level, b)
		}
	}
	return t
}

// pointers reads an indirect block.
func (t *treeMaker) pointers(b Block) []Block {
	list := make([]Block, t.per)
	if t.f.fs.ReadBlock(t.buf, b) == nil {
		for i := range list {
			list[i] = Block(le.Uint32(t.buf[4*i:]))
		}
	}
	return list
}

// all reports whether all that a block points to are indirect blocks of that level.
func (t *treeMaker) all(b Block, level int) bool {
	any := false
	for _, p := range t.pointers(b) {
		if p == 0 {
			continue
		}
		if t.level[p] != level {
			return false
		}
		any = true
	}
	return any
}

// trees builds all trees, by their roots.
func (t *treeMaker) trees() []indirectTree {
	below := map[Block]bool{}
	for b, level := range t.level {
		t.claimed.set(b)
		for _, p := range t.pointers(b) {
			if p != 0 {
				t.claimed.set(p)
				if level > 1 {
					below[p] = true
				}
			}
		}
	}
	var out []indirectTree
	for b, level := range t.level {
		if !below[b] {
			out = append(out, indirectTree{root: b, level: level})
		}
	}
	slices.SortFunc(out, func(a, b indirectTree) int { return cmp.Compare(a.root, b.root) })
	seen := map[Block]bool{}
	for i := range out {
		t.fill(&out[i], out[i].root, 0, out[i].level, seen)
	}
	out = slices.DeleteFunc(out, func(x indirectTree) bool { return len(x.runs) == 0 })
	t.starts = map[Block][]int{}
	for i := range out {
		for _, b := range []Block{out[i].root, out[i].first} {
			if len(t.starts[b]) < 8 {
				t.starts[b] = append(t.starts[b], i)
			}
		}
	}
	return out
}

// fill reads a tree; a block that was met in another is not read again.
func (t *treeMaker) fill(x *indirectTree, b Block, at uint64, level int, seen map[Block]bool) {
	if seen[b] {
		return
	}
	seen[b] = true
	x.nodes = append(x.nodes, b)
	span := uint64(1)
	for range level - 1 {
		span *= t.per
	}
	list := t.pointers(b)
	for i, p := range list {
		from := at + uint64(i)*span
		if p == 0 {
			continue
		}
		if level > 1 {
			t.fill(x, p, from, level-1, seen)
			continue
		}
		if x.first == 0 {
			x.first = p
		}
		x.last = p
		n := len(x.runs)
		if n > 0 && x.runs[n-1].Logical+x.runs[n-1].Len == from && x.runs[n-1].Physical+Block(x.runs[n-1].Len) == p {
			x.runs[n-1].Len++
		} else if t.budget > 0 {
			t.budget--
			x.runs = append(x.runs, ext.Run{Logical: from, Physical: p, Len: 1, Kind: ext.Data})
		}
	}
	x.full = list[len(list)-1] != 0
}

// indirectFiles makes candidates of stray indirect trees. What a file has beside the
// tree, its first twelve blocks, is inferred: they are the free blocks before.
func (f *finder) indirectFiles(ctx context.Context, known bitset) error {
	if len(f.stray.pointers) == 0 {
		return ctx.Err()
	}
	t := f.newTreeMaker()
	trees := t.trees()
	revoked := f.revoked()
	used := map[Block]bool{}
	var files []Candidate
	for level := 1; level <= indirects; level++ {
		for i := range trees {
			x := &trees[i]
			if err := ctx.Err(); err != nil {
				return err
			}
			if x.level == level && !used[x.root] {
				files = append(files, t.file(x, trees, used, known, revoked))
			}
		}
	}
	// An old tree may point to blocks that were another file's since: of those that
	// share most of their blocks the longest counts.
	slices.SortStableFunc(files, func(a, b Candidate) int { return cmp.Compare(mapped(&b), mapped(&a)) })
	for i := range files {
		c := &files[i]
		if f.claim(known, c) {
			f.grade(c)
			f.result.add(c)
		}
	}
	return nil
}

func mapped(c *Candidate) (n uint64) {
	for _, r := range c.Runs {
		if r.Kind == ext.Data {
			n += r.Len
		}
	}
	return n
}

// claim marks the blocks of a candidate. It gives false, and marks nothing, where most
// of them are marked.
func (f *finder) claim(known bitset, c *Candidate) bool {
	if !f.affords(c) {
		return false
	}
	met := uint64(0)
	for _, r := range c.Runs {
		for i := range r.Len {
			if r.Kind == ext.Data && known.has(r.Physical+Block(i)) {
				met++
			}
		}
	}
	if met*2 >= mapped(c) {
		return false
	}
	f.mark(known, c)
	return true
}

func (f *finder) mark(known bitset, c *Candidate) {
	for _, r := range c.Runs {
		for i := range r.Len {
			known.set(r.Physical + Block(i))
		}
	}
	for _, n := range c.nodes {
		known.set(n)
	}
}

// revoked gives the blocks that transactions revoked: metadata that was freed.
func (f *finder) revoked() map[Block]bool {
	const most = 1 << 21
	out := map[Block]bool{}
	if f.log != nil {
		for i, t := range f.log.Transactions() {
			for _, b := range t.Revokes {
				if f.log.TookEffect(i) && len(out) < most {
					out[b] = true
				}
			}
		}
	}
	return out
}

// file joins a tree with those that go on where it ends, and infers what comes before.
func (t *treeMaker) file(x *indirectTree, trees []indirectTree, used map[Block]bool, known bitset, revoked map[Block]bool) Candidate {
	f := t.f
	c := Candidate{Type: layout.ModeRegular}
	var runs []ext.Run
	var nodes []Block
	sure := true
	start := uint64(directSlots)
	for span, level := t.per, 1; level < x.level; level++ {
		start += span
		span *= t.per
	}
	lost := start
	if x.level == 1 && x.runs[0].Logical == 0 {
		direct := t.direct(x, known)
		for _, r := range direct {
			lost -= r.Len
		}
		runs = append(runs, direct...)
	}
	span := uint64(1)
	for range x.level {
		span *= t.per
	}
	for y := x; y != nil; {
		used[y.root] = true
		for _, r := range y.runs {
			r.Logical += start
			runs = append(runs, r)
		}
		nodes = append(nodes, y.nodes...)
		sure = sure && revoked[y.root]
		start += span
		span *= t.per
		if !y.full || y.level == indirects {
			break
		}
		y = t.next(y, trees, used)
	}
	f.strayFile(&c, runs, nodes)
	c.Evidence = append(c.Evidence, fmt.Sprintf("the indirect block %d, free like all that it points to, of a file whose inode has forgotten it", x.root))
	if sure {
		c.Evidence = append(c.Evidence, "the journal revoked it, as it does with metadata that is freed")
	}
	if lost < directSlots {
		c.Evidence = append(c.Evidence, fmt.Sprintf("its first blocks are inferred: %d free ones before those that are mapped", directSlots-lost))
	}
	if lost > 0 {
		c.Coverage.Lost = lost
		c.damage = append(c.damage, fmt.Sprintf("which blocks held the first %d of the file is not known", lost))
		c.complete = false
	}
	return c
}

// direct infers the first twelve blocks of a file: those before the first that its
// indirect block points to. That block itself lies among them, mostly.
func (t *treeMaker) direct(x *indirectTree, known bitset) []ext.Run {
	var runs []ext.Run
	at := uint64(directSlots)
	for b := x.first; at > 0 && b > 0; {
		b--
		if b == x.root {
			continue
		}
		if !t.f.stray.free.has(b) || t.claimed.has(b) || known.has(b) {
			break
		}
		at--
		runs = append(runs, ext.Run{Logical: at, Physical: b, Len: 1, Kind: ext.Data})
	}
	return runs
}

// next finds the tree that goes on where another ends: one level up, with data or
// blocks of its own right behind.
func (t *treeMaker) next(x *indirectTree, trees []indirectTree, used map[Block]bool) *indirectTree {
	const near = 16
	for b := x.last + 1; b <= x.last+near; b++ {
		for _, i := range t.starts[b] {
			if y := &trees[i]; y.level == x.level+1 && !used[y.root] && y.first > x.last {
				return y
			}
		}
	}
	return nil
}
