package undelete

import (
	"context"

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
