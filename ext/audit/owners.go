package audit

import (
	"cmp"
	"context"
	"math/bits"
	"slices"
	"sync"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A sharer is an inode with clusters that are claimed more than once.
type sharer struct {
	ino   ext.Ino
	block ext.Block // the first of them that is no metadata
	point uint64    // its cluster
	n     uint64    // how many there are
	meta  ext.Block // the first that is metadata, 0 for none
}

// owners finds who claims what is claimed more than once, by a second look at all
// maps, and a third to put them together. Nothing is read where there is nothing
// of that kind.
func (a *auditor) owners(ctx context.Context) error {
	if !a.claims.doubled.Load() || a.fs.Super.ROCompat&layout.ROCompatSharedBlocks != 0 || a.skip(SharedBlock) && a.skip(BadBlockPointer) {
		return nil
	}
	found := make([][]sharer, ext.Workers())
	err := a.eachClaim(ctx, func(w int, ino ext.Ino, b ext.Block, n uint64) {
		list := found[w]
		if len(list) == 0 || list[len(list)-1].ino != ino {
			list = append(list, sharer{ino: ino})
		}
		a.claims.shared(&list[len(list)-1], b, n)
		if s := list[len(list)-1]; s.n == 0 && s.meta == 0 {
			list = list[:len(list)-1]
		}
		found[w] = list
	})
	sharers := slices.Concat(found...)
	if err != nil || len(sharers) == 0 {
		return err
	}
	p := newPoints(sharers)
	err = a.eachClaim(ctx, func(_ int, ino ext.Ino, b ext.Block, n uint64) {
		first, count := a.claims.clusters(b, n)
		p.cover(ino, first, count)
	})
	slices.SortFunc(sharers, func(x, y sharer) int { return cmp.Compare(x.ino, y.ino) })
	for i := range sharers {
		a.tellSharer(&sharers[i], p)
	}
	return err
}

// eachClaim goes through the blocks that every inode in use claims, on all cores.
func (a *auditor) eachClaim(ctx context.Context, visit func(w int, ino ext.Ino, b ext.Block, n uint64)) error {
	walks := make([]mapWalk, ext.Workers())
	inline := a.fs.Super.Incompat&layout.IncompatInlineData != 0
	budget := a.nodes.Again(a.fs)
	return a.fs.ScanInodes(ctx, func(w int, in *ext.Inode) {
		if in.Ino == layout.BadBlocksIno || in.Links == 0 && (in.Ino >= a.fs.FirstIno() || in.Ino == layout.RootIno) {
			return
		}
		m := &walks[w]
		m.a, m.budget = a, budget
		m.block = func(b ext.Block, n uint64, _ int64) { visit(w, in.Ino, b, n) }
		m.reset(in, true)
		if mapped(in, inline) {
			m.walk()
		}
		if in.FileACL != 0 && a.fs.InRange(in.FileACL, 1) && a.fs.Super.Compat&layout.CompatExtAttr != 0 {
			m.block(in.FileACL, 1, -1)
		}
	}, func(ext.Ino, uint32, error) {}) // told by the survey
}

// shared adds to s what of a run of blocks is claimed more than once. The inode
// that keeps room for descriptors leads to metadata, as it must.
func (c *claims) shared(s *sharer, b ext.Block, n uint64) {
	first, count := c.clusters(b, n)
	for at, end := first, first+count; at < end; {
		i, ok := c.twice.next(at, end-at)
		if !ok {
			break
		}
		m, k := mask(i, end-i)
		m >>= i % 64
		twice, meta := c.twice.word(i)&m, c.meta.word(i)
		if s.ino == layout.ResizeIno {
			meta = 0
		}
		place := func(w uint64) (uint64, ext.Block) {
			point := i + uint64(bits.TrailingZeros64(w))
			return point, max(b, ext.Block(c.first+point*c.ratio))
		}
		if w := twice & meta; w != 0 && s.meta == 0 {
			_, s.meta = place(w)
		}
		if w := twice &^ meta; w != 0 {
			if s.n == 0 {
				s.point, s.block = place(w)
			}
			s.n += uint64(bits.OnesCount64(w))
		}
		at = i + k
	}
}

func (a *auditor) tellSharer(s *sharer, p *points) {
	if s.meta != 0 {
		a.add(Finding{Kind: BadBlockPointer, Ino: s.ino, HasBlock: true, Block: s.meta,
			Detail: sprintf("block %d, which it maps, holds metadata of the file system", s.meta)})
	}
	if s.n == 0 {
		return
	}
	owners := p.owners(s.point)
	by := sprintf("the first of them by %d inodes in all", len(owners))
	switch {
	case len(owners) == maxOwners:
		owners, by = []ext.Ino{s.ino}, sprintf("the first of them by %d inodes or more", maxOwners)
	case len(owners) < 2:
		owners, by = []ext.Ino{s.ino}, "by the inode itself, or by metadata"
	}
	a.add(Finding{Kind: SharedBlock, Ino: s.ino, HasBlock: true, Block: s.block, Inodes: owners,
		Detail: sprintf("%d blocks or clusters of it, from block %d on, are claimed once more, %s", s.n, s.block, by)})
}

const (
	maxOwners = 64      // where so many inodes share a block, they are not named
	maxCovers = 1 << 12 // how many points one inode is held against
)

// Points are clusters of which all owners are wanted.
type points struct {
	mu    sync.Mutex
	at    []uint64    // in order
	inos  [][]ext.Ino // that cover each
	room  []int32     // the next point that has room for more, from this one on
	spent map[ext.Ino]int
}

func newPoints(sharers []sharer) *points {
	p := &points{spent: map[ext.Ino]int{}}
	for _, s := range sharers {
		if s.n > 0 {
			p.at = append(p.at, s.point)
		}
	}
	slices.Sort(p.at)
	p.at = slices.Compact(p.at)
	p.inos, p.room = make([][]ext.Ino, len(p.at)), make([]int32, len(p.at)+1)
	for i := range p.room {
		p.room[i] = int32(i)
	}
	return p
}

// next gives the first point from i on that has room.
func (p *points) next(i int32) int32 {
	for p.room[i] != i {
		p.room[i] = p.room[p.room[i]]
		i = p.room[i]
	}
	return i
}

// cover notes that an inode claims a run of clusters.
func (p *points) cover(ino ext.Ino, first, count uint64) {
	i, _ := slices.BinarySearch(p.at, first)
	if i == len(p.at) || p.at[i] >= first+count {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := p.next(int32(i)); int(i) < len(p.at) && p.at[i] < first+count; i = p.next(i + 1) {
		if p.spent[ino]++; p.spent[ino] > maxCovers {
			return
		}
		if slices.Contains(p.inos[i], ino) {
			continue
		}
		if p.inos[i] = append(p.inos[i], ino); len(p.inos[i]) == maxOwners {
			p.room[i] = i + 1
		}
	}
}

// owners gives the inodes that claim a point, in order.
func (p *points) owners(point uint64) []ext.Ino {
	i, ok := slices.BinarySearch(p.at, point)
	if !ok {
		return nil
	}
	slices.Sort(p.inos[i])
	return p.inos[i]
}

// orphanBlocks enters what inodes about to be deleted hold until then.
func (a *auditor) orphanBlocks(ctx context.Context) error {
	m := mapWalk{a: a, budget: a.fs.NewNodeBudget()}
	m.block = func(b ext.Block, n uint64, _ int64) { a.claims.quiet(b, n) }
	inline := a.fs.Super.Incompat&layout.IncompatInlineData != 0
	for ino := range a.listed {
		if err := ctx.Err(); err != nil {
			return err
		}
		in, err := a.fs.Inode(ino)
		if err != nil || in.Links > 0 {
			continue
		}
		m.reset(in, true)
		if mapped(in, inline) {
			m.walk()
		}
		if in.FileACL != 0 && a.fs.InRange(in.FileACL, 1) {
			a.claims.quiet(in.FileACL, 1)
		}
		// It counts until then, by what i_blocks says.
		a.workers[0].charge(in, usage{a.fs.Blocks512(in) * 512, 1})
	}
	return nil
}
