package links

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// An ownerScan looks for the owners of blocks.
type ownerScan struct {
	fs      *ext.FS
	blocks  []layout.Block // wanted, sorted
	owners  []Owner        // of blocks, in the same order
	cluster layout.Block   // blocks of a cluster

	limit int          // claims kept of each block; the rest is counted
	left  atomic.Int64 // claims that may still be looked at
	full  atomic.Bool  // there are more

	mu     sync.Mutex
	damage []Damage
	missed uint64
}

// maxClaims bounds the claims that are looked at. Inodes that each map all the blocks
// that are wanted, over and over, would otherwise ask for the product of both.
const maxClaims = 1 << 24

var errManyClaims = errors.New("more claims on the blocks than are looked at: the rest is left out")

// each calls found with the place of every wanted block of n from first on.
func (s *ownerScan) each(first layout.Block, n uint64, found func(i int)) {
	i, _ := slices.BinarySearch(s.blocks, first)
	for ; i < len(s.blocks) && uint64(s.blocks[i]-first) < n; i++ {
		found(i)
	}
}

// metadata marks the blocks of the file system itself.
func (s *ownerScan) metadata() {
	mark := func(m ext.MetaRun) {
		from, n := s.clusters(m.Start, m.Len)
		s.each(from, n, func(i int) {
			o := &s.owners[i]
			if o.Block < m.Start || uint64(o.Block-m.Start) >= m.Len {
				o.besideMeta = true
				return
			}
			if slices.Contains(o.Meta, m) || len(o.Meta) == 16 {
				return
			}
			o.Meta = append(o.Meta, m)
			if m.Kind == ext.MetaInodeTable && o.Inodes == 0 {
				o.FirstIno, o.Inodes = s.fs.TableInodes(m.Group, uint64(o.Block-m.Start))
			}
		})
	}
	for m := range s.fs.Metadata() {
		mark(m)
	}
	// Groups whose descriptors are missing still have their copies of the
	// superblock.
	for i := range s.owners {
		g := s.owners[i].Group
		if s.fs.Group(g) == nil && (i == 0 || s.owners[i-1].Group != g) {
			for _, m := range s.fs.GroupMetadata(g) {
				mark(m)
			}
		}
	}
}

// inodes looks for the wanted blocks in the map of every inode, those of deleted
// inodes too: they tell whose a free block was.
func (s *ownerScan) inodes(ctx context.Context, progress func(done, total int)) error {
	total := int(lastUsed(s.fs))
	nodes := s.fs.NewNodeBudget()
	return s.fs.ScanInodes(ctx, func(w int, in *ext.Inode) {
		if progress != nil && in.Ino&0xfff == 0 {
			progress(int(in.Ino), total)
		}
		live := in.Links > 0 || in.Ino < s.fs.FirstIno() // the journal of some systems has no link
		for r, err := range s.fs.MapWithin(in, nodes) {
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				if live {
					s.fail(in.Ino, err)
				}
				continue
			}
			s.claim(in, r, RunBlock(s.fs, in, r))
		}
		if in.FileACL != 0 && s.fs.InRange(in.FileACL, 1) {
			s.claim(in, ext.Run{Physical: in.FileACL, Len: 1}, BlockXattr)
		}
	}, func(first Ino, count uint32, err error) {
		s.fail(0, fmt.Errorf("%d inodes from %d on: %w", count, first, err))
	})
}

// claim enters the wanted blocks of one run, which is of some kind to the inode:
// it has the whole of every cluster that it has a block of.
func (s *ownerScan) claim(in *ext.Inode, r ext.Run, kind string) {
	start, end := r.Physical, r.Physical+layout.Block(r.Len)
	from, n := s.clusters(start, r.Len)
	s.add(in, from, n, func(b layout.Block) (string, uint64) {
		switch {
		case b < start:
			return BlockSlack, r.Logical
		case b >= end:
			return BlockSlack, r.Logical + r.Len - 1
		case r.Kind == ext.Index:
			return kind, r.Logical
		}
		return kind, r.Logical + uint64(b-start)
	})
}

// clusters widens n blocks from first on to whole clusters, which are counted
// from the start of the file system.
func (s *ownerScan) clusters(first layout.Block, n uint64) (layout.Block, uint64) {
	end := first + layout.Block(n)
	from, to := first-first%s.cluster, end+(s.cluster-end%s.cluster)%s.cluster
	return from, uint64(to - from)
}

// add enters a claim of in on every wanted block of n from first on.
func (s *ownerScan) add(in *ext.Inode, first layout.Block, n uint64, as func(layout.Block) (kind string, logical uint64)) {
	if s.full.Load() {
		return
	}
	var found []int32
	s.each(first, n, func(i int) {
		if s.left.Add(-1) > 0 {
			found = append(found, int32(i)) // ownerBlocks fit
		} else if s.full.CompareAndSwap(false, true) {
			s.fail(in.Ino, errManyClaims)
		}
	})
	if found == nil {
		return
	}
	deleted := s.deleted(in)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range found {
		o := &s.owners[i]
		kind, logical := as(o.Block)
		o.Claims = append(o.Claims, Claim{Ino: in.Ino, Type: in.Type(), Kind: kind, Logical: logical, Deleted: deleted})
		if len(o.Claims) >= 2*s.limit {
			o.trim(s.limit)
		}
	}
}

// trim keeps the first n claims, so that which are kept does not depend on who
// came first.
func (o *Owner) trim(n int) {
	slices.SortFunc(o.Claims, compareClaims)
	if len(o.Claims) > n {
		o.More += uint64(len(o.Claims) - n)
		o.Claims = o.Claims[:n]
	}
}

// deleted reports whether an inode is not in use.
func (s *ownerScan) deleted(in *ext.Inode) bool {
	if in.Links > 0 || in.Ino < s.fs.FirstIno() {
		return false
	}
	used, err := s.fs.InodeAllocated(in.Ino)
	return err != nil || !used
}

// RunBlock says what the blocks of a run are to the inode whose map holds it: one of
// the Block constants.
func RunBlock(f *ext.FS, in *ext.Inode, r ext.Run) string {
	super := f.Super
	switch {
	case r.Kind == ext.Index && in.Flags&layout.FlagExtents != 0:
		return BlockNode
	case r.Kind == ext.Index:
		return BlockIndirect
	case in.Ino == super.JournalInum && super.Compat&layout.CompatHasJournal != 0:
		return BlockJournal
	case in.Ino == layout.BadBlocksIno:
		return BlockBad
	case super.Compat&layout.CompatOrphanFile != 0 && in.Ino == super.OrphanFileInum:
		return BlockOrphans
	case f.Reserved(in.Ino) && (in.Ino == super.UserQuotaInum || in.Ino == super.GroupQuotaInum || in.Ino == super.ProjectQuotaInum):
		return BlockQuota
	case r.Kind == ext.Unwritten:
		return BlockUnwritten
	case in.Flags&layout.FlagEAInode != 0:
		return BlockXattrData
	case in.IsDir():
		return BlockDir
	case in.IsSymlink():
		return BlockTarget
	}
	return BlockData
}

// bitmaps asks the block bitmaps, each once.
func (s *ownerScan) bitmaps() {
	var bitmap []byte
	var err error
	for i := range s.owners {
		o := &s.owners[i]
		if s.fs.InBootBlock(o.Block) {
			o.Allocated = true
			continue
		}
		if i == 0 || bitmap == nil && err == nil || s.owners[i-1].Group != o.Group {
			bitmap, _, err = s.fs.BlockBitmap(o.Group)
		}
		if o.BitmapErr = err; err != nil {
			continue
		}
		bit := uint64(o.Block-s.fs.GroupStart(o.Group)) / uint64(s.cluster)
		o.Allocated = bit/8 < uint64(len(bitmap)) && bitmap[bit/8]>>(bit%8)&1 != 0
	}
	var last error
	for i := range s.owners {
		if err := s.owners[i].BitmapErr; err != nil && !errors.Is(err, last) {
			s.fail(0, fmt.Errorf("block bitmap of group %d: %w", s.owners[i].Group, err))
			last = err
		}
	}
}

func (s *ownerScan) fail(ino Ino, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.damage) < damageLimit {
		s.damage = append(s.damage, Damage{ino, err})
	} else {
		s.missed++
	}
}
