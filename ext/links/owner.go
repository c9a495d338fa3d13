package links

import (
	"cmp"
	"context"
	"fmt"
	"slices"

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
	BlockSlack     = "cluster slack" // of a cluster of which another block is in use (bigalloc)
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

	besideMeta bool // metadata lies in the same cluster
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
	return ownersOf(ctx, f, blocks, 1<<10, progress)
}

// FewOwners is Owners for many blocks, of which it keeps at most so many claims each.
func FewOwners(ctx context.Context, f *ext.FS, blocks []layout.Block, claims int) (owners []Owner, damage []Damage, err error) {
	return ownersOf(ctx, f, blocks, claims, nil)
}

func ownersOf(ctx context.Context, f *ext.FS, blocks []layout.Block, claims int, progress func(done, total int)) (owners []Owner, damage []Damage, err error) {
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
	s.left.Store(maxClaims)
	s.limit = min(ownerClaims/max(len(sorted), 1), claims)
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
	slices.SortStableFunc(s.damage, func(a, b Damage) int {
		return cmp.Or(cmp.Compare(a.Ino, b.Ino), cmp.Compare(a.Err.Error(), b.Err.Error()))
	})
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

// judge sorts the claims and says what the block is.
func (s *ownerScan) judge(o *Owner) {
	o.trim(s.limit)
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
	case o.Allocated && o.besideMeta:
		o.Kind = BlockSlack
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
