package links

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// What a block is, beside the kinds of ext.MetaKind.
const (
	BlockBoot      = "boot block"
	BlockFree      = "free"
	BlockUnowned   = "unowned"   // allocated, and nothing claims it
	BlockData      = "data"      // contents of a file
	BlockUnwritten = "unwritten" // belongs to a file, was never written
	BlockDir       = "directory"
	BlockTarget    = "symlink target"
	BlockNode      = "extent node"
	BlockIndirect  = "indirect block"
	BlockXattr     = "xattr block"
	BlockXattrData = "xattr value" // of an ea_inode
	BlockJournal   = "journal"
	BlockQuota     = "quota file"
	BlockOrphans   = "orphan file"
	BlockBad       = "bad block"
	BlockSlack     = "cluster slack" // of a cluster whose other blocks are a file's (bigalloc)
)

const (
	ownerBlocks = 1 << 20 // blocks asked for at once
	ownerClaims = 1 << 22 // claims kept in all, the same number for each block
)

// A Claim is one inode that holds a block.
type Claim struct {
	Ino     Ino
	Type    uint16 // of the mode
	Kind    string // BlockData, BlockNode and so on
	Logical uint64 // the file block that it holds, or the first it maps; 0 for an xattr block
	Deleted bool   // the inode is not in use: the block was its, once
}

// An Owner is what one block belongs to.
type Owner struct {
	Block     layout.Block
	Kind      string
	Allocated bool  // by the block bitmap
	BitmapErr error // why Allocated is not known
	Group     uint32
	Meta      []ext.MetaRun // the metadata that lies there: one, unless damaged
	FirstIno  Ino           // of a block of an inode table: the first inode in it, and how many
	Inodes    uint32
	Claims    []Claim // in use first, then by inode
	More      uint64  // claims not kept
}

// Live are the claims of inodes in use.
func (o *Owner) Live() []Claim {
	n := 0
	for n < len(o.Claims) && !o.Claims[n].Deleted {
		n++
	}
	return o.Claims[:n]
}

// Owners finds what each of the blocks belongs to, in one pass over all inodes,
// whatever their number. They come back sorted, each once. Damage that may hide
// an owner comes beside them; err is ctx's, or a *ext.NoBlockError or a
// *TooManyError about the blocks.
func Owners(ctx context.Context, f *ext.FS, blocks []layout.Block, progress func(done, total int)) (owners []Owner, damage []Damage, err error) {
	sorted := slices.Clone(blocks)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	if len(sorted) > ownerBlocks {
		return nil, nil, &TooManyError{len(sorted), ownerBlocks}
	}
	if n := len(sorted); n > 0 && uint64(sorted[n-1]) >= f.Super.BlocksCount {
		return nil, nil, &ext.NoBlockError{Block: sorted[n-1], Count: f.Super.BlocksCount}
	}
	s := &ownerScan{fs: f, blocks: sorted, owners: make([]Owner, len(sorted)), cluster: layout.Block(f.ClusterBlocks())}
	s.limit = min(ownerClaims/max(len(sorted), 1), 1<<10)
	for i, b := range sorted {
		s.owners[i].Block, s.owners[i].Group = b, f.GroupOfBlock(b)
	}
	s.metadata()
	if err := s.inodes(ctx, progress); err != nil {
		return nil, nil, err
	}
	s.bitmaps()
	for i := range s.owners {
		s.judge(&s.owners[i])
	}
	slices.SortStableFunc(s.damage, func(a, b Damage) int { return cmp.Compare(a.Ino, b.Ino) })
	if s.missed > 0 {
		s.damage = append(s.damage, Damage{Err: fmt.Errorf("and %d more places that could not be read", s.missed)})
	}
	return s.owners, s.damage, nil
}

// A TooManyError reports more blocks than are looked at in one go.
type TooManyError struct{ Blocks, Limit int }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("%d blocks are too many at once: at most %d", e.Blocks, e.Limit)
}

type ownerScan struct {
	fs      *ext.FS
	blocks  []layout.Block // wanted, sorted
	owners  []Owner        // of blocks, in the same order
	cluster layout.Block   // blocks of a cluster

	limit int // claims kept of each block; the rest is counted

	mu     sync.Mutex
	damage []Damage
	missed uint64
}

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
		s.each(m.Start, m.Len, func(i int) {
			o := &s.owners[i]
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
	return s.fs.ScanInodes(ctx, func(w int, in *ext.Inode) {
		if progress != nil && in.Ino&0xfff == 0 {
			progress(int(in.Ino), total)
		}
		live := in.Links > 0 || in.Ino < s.fs.FirstIno() // the journal of some systems has no link
		for r, err := range s.fs.Map(in) {
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				if live {
					s.fail(in.Ino, err)
				}
				continue
			}
			s.claim(in, r)
		}
		if in.FileACL != 0 && s.fs.InRange(in.FileACL, 1) {
			s.add(in, in.FileACL, 1, func(layout.Block) (string, uint64) { return BlockXattr, 0 })
		}
	}, func(first Ino, count uint32, err error) {
		s.fail(first, fmt.Errorf("%d inodes from %d on: %w", count, first, err))
	})
}

// claim enters the wanted blocks of one run. An inode has the whole of every
// cluster that it has a block of.
func (s *ownerScan) claim(in *ext.Inode, r ext.Run) {
	kind := s.kind(in, r)
	start, end := r.Physical, r.Physical+layout.Block(r.Len)
	from, to := start-start%s.cluster, end+(s.cluster-end%s.cluster)%s.cluster
	if r.Kind == ext.Index {
		from, to = start, end
	}
	s.add(in, from, uint64(to-from), func(b layout.Block) (string, uint64) {
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

func (s *ownerScan) add(in *ext.Inode, from layout.Block, n uint64, as func(layout.Block) (kind string, logical uint64)) {
	s.each(from, n, func(i int) {
		kind, logical := as(s.blocks[i])
		c := Claim{Ino: in.Ino, Type: in.Type(), Kind: kind, Logical: logical, Deleted: s.deleted(in)}
		s.mu.Lock()
		defer s.mu.Unlock()
		o := &s.owners[i]
		if len(o.Claims) < s.limit {
			o.Claims = append(o.Claims, c)
			return
		}
		// Which are kept must not depend on who comes first.
		o.More++
		last := slices.MaxFunc(o.Claims, compareClaims)
		if compareClaims(c, last) < 0 {
			o.Claims[slices.Index(o.Claims, last)] = c
		}
	})
}

// deleted reports whether an inode is not in use.
func (s *ownerScan) deleted(in *ext.Inode) bool {
	if in.Links > 0 || in.Ino < s.fs.FirstIno() {
		return false
	}
	used, err := s.fs.InodeAllocated(in.Ino)
	return err != nil || !used
}

// kind says what a block is to the inode whose map holds it.
func (s *ownerScan) kind(in *ext.Inode, r ext.Run) string {
	f := s.fs
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

// judge sorts the claims and says what the block is.
func (s *ownerScan) judge(o *Owner) {
	slices.SortFunc(o.Claims, compareClaims)
	// Two runs of one inode in a cluster claim its slack twice, or as slack what
	// another run has as data.
	o.Claims = slices.CompactFunc(o.Claims, func(a, b Claim) bool {
		return a.Ino == b.Ino && b.Kind == BlockSlack
	})
	live := o.Live()
	switch {
	case s.fs.InBootBlock(o.Block):
		o.Kind = BlockBoot
	case len(o.Meta) > 0:
		o.Kind = string(o.Meta[0].Kind)
	case len(live) > 0:
		o.Kind = live[0].Kind
		for _, c := range live {
			if o.Kind == BlockSlack {
				o.Kind = c.Kind
			}
		}
	case o.Allocated || o.BitmapErr != nil:
		o.Kind = BlockUnowned
	default:
		o.Kind = BlockFree
	}
}

// compareClaims puts inodes in use first, then goes by number, and of one inode
// puts slack last.
func compareClaims(a, b Claim) int {
	number := func(v bool) int {
		if v {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(number(a.Deleted), number(b.Deleted)), cmp.Compare(a.Ino, b.Ino),
		cmp.Compare(number(a.Kind == BlockSlack), number(b.Kind == BlockSlack)),
		cmp.Compare(a.Logical, b.Logical), cmp.Compare(a.Kind, b.Kind))
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
