package history

import (
	"bytes"
	"context"
	"math"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
)

// A claim is an inode that had a block at some time.
type claim struct {
	next    int32 // of the same block: index plus one
	tx      int32 // the first transaction whose copy of the inode says so; math.MaxInt32: only the file system today
	ino     Ino
	gen     uint32
	logical uint32 // file block; of a node the first it maps
	kind    string // one of links' Block constants
	flags   layout.InodeFlags
}

// Claims hold, for every logged block that is no static metadata, which inodes had it:
// by the copies of inodes in the log, and for what none of those claims, by the inodes
// of today.
type claims struct {
	blocks []Block // sorted
	heads  []int32 // of the same: index plus one of the first claim
	all    []claim
}

const (
	maxClaims      = 1 << 22
	maxBlockClaims = 64 // of one block
)

// learn finds out who had which block. It is done once.
func (l *Log) learn(ctx context.Context) error {
	if l.claims != nil {
		return nil
	}
	c := &claims{}
	for _, b := range l.Archive.Blocks() {
		if l.staticAt(b) == nil {
			c.blocks = append(c.blocks, b)
		}
	}
	c.heads = make([]int32, len(c.blocks))
	nodes := l.FS.NewNodeBudget()
	if err := l.EachInode(ctx, func(tx, _ int, in *ext.Inode) { c.inode(l.FS, tx, in, nodes) }); err != nil {
		return err
	}
	if err := l.claimsToday(ctx, c); err != nil {
		return err
	}
	l.claims = c
	return nil
}

// EachInode calls visit with every inode in the inode tables that the log has copies
// of, each state once, by block and then oldest first, and then with those of fast
// commits. tx is the transaction, or that before the fast commit; fast is 0, or which
// fast commit behind it. The inode's Raw holds until visit returns.
func (l *Log) EachInode(ctx context.Context, visit func(tx, fast int, in *ext.Inode)) error {
	size := l.FS.InodeSize()
	prev, buf := make([]byte, l.FS.BlockSize()), make([]byte, l.FS.BlockSize())
	for _, run := range l.static {
		if run.Kind != ext.MetaInodeTable {
			continue
		}
		for _, b := range l.Archive.BlocksIn(run.Start, run.Len) {
			if err := ctx.Err(); err != nil {
				return err
			}
			first, count := l.FS.TableInodes(run.Group, uint64(b-run.Start))
			fresh := true
			for _, v := range l.Archive.Versions(b) {
				if !l.effect[v.Transaction] || l.Journal.ReadCopy(buf, v.Copy) != nil {
					continue
				}
				off := l.Journal.Log().Offset(v.Log)
				for i := range int(count) {
					at := i * size
					if at+size > len(buf) {
						break
					}
					if raw := buf[at:][:size]; fresh && !allZero(raw) || !fresh && !bytes.Equal(raw, prev[at:][:size]) {
						visit(v.Transaction, 0, l.FS.DecodeInode(raw, first+Ino(i), off+int64(at)))
					}
				}
				prev, buf, fresh = buf, prev, false
			}
		}
	}
	return l.eachFastInode(ctx, visit)
}

// eachFastInode does the same with the records of inodes in fast commits.
func (l *Log) eachFastInode(ctx context.Context, visit func(tx, fast int, in *ext.Inode)) error {
	nth := map[int]int{}
	for i := range l.fast {
		if err := ctx.Err(); err != nil {
			return err
		}
		tx, _ := l.beforeFast(l.fast[i].TID)
		nth[tx]++
		for _, r := range l.fast[i].Records {
			if r.Tag == jbd2.FCInode {
				raw := make([]byte, l.FS.InodeSize())
				copy(raw, r.Inode)
				visit(max(tx, 0), nth[tx], l.FS.DecodeInode(raw, r.Ino, r.Offset+8))
			}
		}
	}
	return nil
}

// inode enters the blocks that one state of an inode claims. Nodes of its map are
// read as they are today: those of a directory only grow, and those of what was
// removed are left as they were.
func (c *claims) inode(f *ext.FS, tx int, in *ext.Inode, nodes *ext.NodeBudget) {
	if in.Mode == 0 || in.Links == 0 && in.Dtime != 0 {
		return
	}
	one := claim{tx: int32(tx), ino: in.Ino, gen: in.Generation, flags: in.Flags}
	if in.FileACL != 0 {
		one.kind = links.BlockXattr
		c.add(one, in.FileACL, 1)
	}
	for r, err := range f.MapWithin(in, nodes) {
		if err != nil {
			continue // it may be a node that is another's by now
		}
		one.logical = uint32(r.Logical)
		one.kind = links.RunBlock(f, in, r)
		c.add(one, r.Physical, r.Len)
	}
}

// add enters a claim to n blocks from start on, those that matter.
func (c *claims) add(one claim, start Block, n uint64) {
	i, _ := slices.BinarySearch(c.blocks, start)
	for ; i < len(c.blocks) && uint64(c.blocks[i]-start) < n && len(c.all) < maxClaims; i++ {
		x := one
		if one.kind != links.BlockNode && one.kind != links.BlockIndirect {
			x.logical += uint32(c.blocks[i] - start)
		}
		known, count := false, 0
		for k := c.heads[i]; k != 0; k = c.all[k-1].next {
			old := &c.all[k-1]
			known = known || old.ino == x.ino && old.gen == x.gen && old.kind == x.kind && old.logical == x.logical && old.flags == x.flags
			count++
		}
		if known || count >= maxBlockClaims {
			continue
		}
		x.next = c.heads[i]
		c.all = append(c.all, x)
		c.heads[i] = int32(len(c.all))
	}
}

// maxOwned bounds the blocks whose owners of today are looked for.
const maxOwned = 1 << 20

// claimsToday looks for what no inode in the log claims among those of today.
func (l *Log) claimsToday(ctx context.Context, c *claims) error {
	var open []Block
	for i, b := range c.blocks {
		if c.heads[i] == 0 && l.FS.InRange(b, 1) && len(open) < maxOwned && l.structured(b) {
			open = append(open, b)
		}
	}
	if len(open) == 0 {
		return nil
	}
	owners, _, err := links.Owners(ctx, l.FS, open, nil)
	if err != nil {
		return err
	}
	for _, o := range owners {
		for _, cl := range o.Claims[:min(len(o.Claims), maxBlockClaims)] {
			in, err := l.FS.Inode(cl.Ino)
			if err != nil || cl.Kind == links.BlockSlack {
				continue
			}
			c.add(claim{tx: math.MaxInt32, ino: cl.Ino, gen: in.Generation, flags: in.Flags, logical: uint32(cl.Logical), kind: cl.Kind}, o.Block, 1)
		}
	}
	return nil
}

// structured reports whether the newest copy of a block looks like metadata: only then
// is it worth a scan of all inodes to know whose it is.
func (l *Log) structured(b Block) bool {
	c, ok := l.Archive.Before(b, len(l.effect))
	if !ok {
		return false
	}
	raw, err := l.readCopy(c)
	return err == nil && l.looksLike(raw) != BlockUnknown
}

// of lists who had a block, the likeliest for transaction tx first: the newest claim
// from then or before, then the oldest from later on.
func (c *claims) of(b Block, tx int) []claim {
	i, found := slices.BinarySearch(c.blocks, b)
	if !found {
		return nil
	}
	var out []claim
	for k := c.heads[i]; k != 0; k = c.all[k-1].next {
		out = append(out, c.all[k-1])
	}
	slices.SortStableFunc(out, func(x, y claim) int {
		xl, yl := int(x.tx) > tx, int(y.tx) > tx
		switch {
		case xl != yl && xl:
			return 1
		case xl != yl:
			return -1
		case xl:
			return int(x.tx) - int(y.tx)
		}
		return int(y.tx) - int(x.tx)
	})
	return out
}
