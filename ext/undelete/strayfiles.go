package undelete

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/extscope/extscope/ext/layout"
)

// strayFiles makes candidates of what is left of maps that belong to no inode that is
// known: of blocks that no better candidate has.
func (f *finder) strayFiles(ctx context.Context) error {
	known := make(bitset, len(f.stray.free))
	for c := range f.result.Outlines() {
		if c.Recoverable() {
			f.mark(known, c)
		}
	}
	if err := f.unownedTrees(ctx, known); err != nil {
		return err
	}
	if err := f.indirectFiles(ctx, known); err != nil {
		return err
	}
	if f.o.Former != nil && f.o.Former.Other {
		return nil // bitmaps do not tell what was freed: they may be the other's
	}
	return f.freedFiles(ctx, known)
}

// unownedTrees makes files of stray leaves of extent trees. Those whose checksums have
// the same seed are of the same inode, whichever it was.
func (f *finder) unownedTrees(ctx context.Context, known bitset) error {
	list := f.stray.unowned
	slices.SortStableFunc(list, func(a, b stray) int { return cmp.Compare(a.seed, b.seed) })
	buf := make([]byte, f.fs.BlockSize())
	for from, to := 0, 0; from < len(list); from = to {
		if err := ctx.Err(); err != nil {
			return err
		}
		for to = from + 1; f.csum && to < len(list) && list[to].seed == list[from].seed; to++ {
		}
		leaves := f.strayLeaves(list[from:to])
		free, all := 0, 0
		for i := range leaves {
			free, all = free+leaves[i].free, all+len(leaves[i].extents)
		}
		if all == 0 || free*2 < all {
			continue
		}
		c := Candidate{Type: layout.ModeRegular}
		runs, nodes, damage := f.strayRuns(leaves)
		f.strayFile(&c, runs, nodes)
		c.damage = append(c.damage, damage...)
		if len(c.Runs) == 0 || f.fs.ReadBlock(buf, c.Runs[0].Physical) == nil && c.Runs[0].Logical == 0 && dotOf(buf) != 0 || !f.claim(known, &c) {
			continue
		}
		for _, r := range c.Runs[:1] {
			if r.Logical > 0 {
				c.Coverage.Lost = r.Logical
				c.damage = append(c.damage, fmt.Sprintf("whether and where the first %d blocks of the file lay is not known", r.Logical))
			}
		}
		c.Evidence = append(c.Evidence, fmt.Sprintf("%d nodes of an extent tree, the first in block %d, of an inode that is not known", to-from, list[from].block))
		f.grade(&c)
		f.result.add(&c)
	}
	return nil
}
