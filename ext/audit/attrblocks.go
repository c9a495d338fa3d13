package audit

import (
	"cmp"
	"context"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// An aclRef is an inode whose count of blocks depends on extended attributes: it
// has a block of them, or values in inodes of their own.
type aclRef struct {
	block    ext.Block // 0 for none
	ino      ext.Ino
	clusters uint64 // that its map has
	stored   uint64 // that i_blocks says it has, ^0 where it says no whole number
}

// maxXattrRefs is EXT4_XATTR_REFCOUNT_MAX: no more inodes share a block.
const maxXattrRefs = 1024

// xattrBlocks checks each block of extended attributes once, in disk order, then
// the inodes that hold values, and what all that adds to counts of blocks.
func (a *auditor) xattrBlocks(ctx context.Context) error {
	var refs []aclRef
	var values []eaRef
	for _, w := range a.workers {
		refs, values = append(refs, w.acls...), append(values, w.values...)
		w.acls, w.values = nil, nil
	}
	slices.SortFunc(refs, func(x, y aclRef) int {
		return cmp.Or(cmp.Compare(x.block, y.block), cmp.Compare(x.ino, y.ino))
	})
	found, err := a.eachXattrBlock(ctx, refs)
	if err != nil {
		return err
	}
	values = append(values, found...)
	charges := a.valueInodes(values)
	for _, r := range refs {
		count := eaCharge{clusters: r.clusters}
		if len(charges) > 0 {
			count = count.plus(charges[eaOwner{ino: r.ino}])
		}
		if r.block != 0 {
			count.clusters++
			if len(charges) > 0 {
				count = count.plus(charges[eaOwner{block: r.block}])
			}
		}
		if count.clusters == r.stored && a.quotas == nil {
			continue
		}
		if in, err := a.fs.Inode(r.ino); err == nil {
			a.compareBlocks(in, count.clusters)
			a.workers[0].chargeClusters(in, count.clusters, count.inodes)
		}
	}
	return ctx.Err()
}

// xattrRead is how many bytes of blocks of attributes are read at once.
const xattrRead = 64 << 10

// eachXattrBlock checks each block of attributes, on all cores, those that lie together
// in one read. refs are sorted by block. It gives the values in inodes of their own.
func (a *auditor) eachXattrBlock(ctx context.Context, refs []aclRef) ([]eaRef, error) {
	from, _ := slices.BinarySearchFunc(refs, 1, func(r aclRef, b ext.Block) int { return cmp.Compare(r.block, b) })
	refs = refs[from:] // 0 is none
	bs := a.fs.BlockSize()
	most := ext.Block(max(xattrRead/bs, 1))
	var starts []int // of tasks, in refs
	for i, r := range refs {
		if i == 0 || r.block > refs[i-1].block+1 || r.block >= refs[starts[len(starts)-1]].block+most {
			starts = append(starts, i)
		}
	}
	values := make([][]eaRef, ext.Workers())
	err := ext.Parallel(ctx, len(starts), func(worker int) func(int) {
		area := attrArea{a: a, refs: &values[worker]}
		buf := make([]byte, int(most)*bs)
		return func(task int) {
			mine := refs[starts[task]:]
			if task+1 < len(starts) {
				mine = mine[:starts[task+1]-starts[task]]
			}
			first := mine[0].block
			b := buf[:(int(mine[len(mine)-1].block-first)+1)*bs]
			_, failed := a.fs.ReadMetadata(b, a.fs.BlockOffset(first))
			for n := 0; len(mine) > 0; mine = mine[n:] {
				r := mine[0]
				for n = 1; n < len(mine) && mine[n].block == r.block; n++ {
				}
				one := b[int(r.block-first)*bs:][:bs]
				a.claims.claim(r.block, 1, 0)
				if failed != nil {
					if err := a.fs.ReadBlock(one, r.block); err != nil {
						a.addError(r.ino, err)
						continue
					}
				}
				a.xattrBlock(&area, one, r, n)
			}
		}
	})
	return slices.Concat(values...), err
}

// xattrBlock checks a block, b, that counted inodes in use refer to, r's first.
func (a *auditor) xattrBlock(area *attrArea, b []byte, r aclRef, counted int) {
	area.ino, area.block, area.b, area.off = r.ino, r.block, b, a.fs.BlockOffset(r.block)
	h, _, err := layout.DecodeXattrBlock(b, area.off)
	if magic := le.Uint32(b); magic != layout.XattrMagic {
		a.addError(r.ino, err)
		return
	}
	if h.Blocks != 1 {
		area.bad(8, "h_blocks is %d", h.Blocks)
	}
	area.check(0x20)
	a.references(r, h, counted)
	if !a.fs.Super.MetadataCsum() {
		return
	}
	if sum := layout.XattrBlockChecksum(b, a.fs.Seed(), r.block); sum != h.Checksum {
		a.addSum(r.ino, r.block, area.off+0x10, "xattr block", h.Checksum, sum)
	}
}

// references holds the count of references of a block against those that were
// found. Inodes about to be deleted hold it too.
func (a *auditor) references(r aclRef, h layout.XattrHeader, counted int) {
	orphans := a.orphanACLs[r.block]
	n := uint64(h.RefCount)
	if n >= uint64(counted) && n <= uint64(counted+orphans) && n <= maxXattrRefs || a.pending {
		return
	}
	a.add(Finding{Kind: BadXattr, Ino: r.ino, HasBlock: true, Block: r.block, Offset: a.fs.BlockOffset(r.block) + 4,
		Counts: true, Stored: n, Counted: uint64(counted),
		Detail: sprintf("xattr block %d: %d references are stored, and %d found", r.block, n, counted)})
}
