package history

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
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
	dirs   bool    // only of directories
	blocks []Block // sorted
	heads  []int32 // of the same: index plus one of the first claim
	all    []claim
	steps  int
}

const (
	maxClaims      = 1 << 22
	maxBlockClaims = 64 // of one block

	// maxClaimSteps bounds the claims that are compared. Many states of inodes that
	// each claim the whole log would otherwise ask for the product of both.
	maxClaimSteps = 1 << 26
)

// learn finds out who had which block. It is done once, or once for directories only
// and then once more for all.
func (l *Log) learn(ctx context.Context, dirs bool) error {
	if l.claims != nil && (dirs || !l.claims.dirs) {
		return nil
	}
	c := &claims{dirs: dirs}
	var want *InodeFilter
	if dirs {
		// What a directory that is gone held is asked of nobody.
		there := func(ino Ino) bool { return l.tree.InUse(ino) && l.tree.Type(ino) == layout.ModeDir }
		want = &InodeFilter{Ino: there, Mode: isDir}
	}
	for _, b := range l.Archive.Blocks() {
		if l.staticAt(b) == nil {
			c.blocks = append(c.blocks, b)
		}
	}
	c.heads = make([]int32, len(c.blocks))
	if err := l.claimsLogged(ctx, c, want); err != nil {
		return err
	}
	if dirs {
		l.dirsToday(c)
	} else if err := l.claimsToday(ctx, c); err != nil {
		return err
	}
	l.claims = c
	return nil
}

// isDir is for an InodeFilter.
func isDir(mode uint16) bool { return mode&layout.ModeMask == layout.ModeDir }

// An InodeFilter leaves out states of inodes before they are decoded. A nil function
// leaves out none, and so does a nil filter.
type InodeFilter struct {
	Ino  func(ino Ino) bool // copies of blocks that hold no such inode are not read
	Mode func(mode uint16) bool
}

// any reports whether one of count inodes from first on may be wanted.
func (w *InodeFilter) any(first Ino, count uint32) bool {
	if w == nil || w.Ino == nil {
		return true
	}
	for i := range count {
		if w.Ino(first + Ino(i)) {
			return true
		}
	}
	return false
}

func (w *InodeFilter) has(ino Ino, raw []byte) bool {
	return w == nil || (w.Ino == nil || w.Ino(ino)) && (w.Mode == nil || w.Mode(binary.LittleEndian.Uint16(raw)))
}

// EachInode calls visit with every inode in the inode tables that the log has copies
// of, each state once, by block and then oldest first, and with its state in the copy
// before, if there is one; and then with those of fast commits. tx is the transaction,
// or that before the fast commit; fast is 0, or which fast commit behind it. Both inodes
// hold until visit returns.
func (l *Log) EachInode(ctx context.Context, want *InodeFilter, visit func(tx, fast int, in, before *ext.Inode)) error {
	if err := l.eachIn(ctx, l.tableBlocks(want), want, func(tx int, in, before *ext.Inode) { visit(tx, 0, in, before) }); err != nil {
		return err
	}
	return l.eachFastInode(ctx, want, visit)
}

// A tableBlock is a block of an inode table that the log has copies of.
type tableBlock struct {
	block Block
	first Ino
	count uint32
}

func (l *Log) tableBlocks(want *InodeFilter) (list []tableBlock) {
	for _, run := range l.static {
		if run.Kind != ext.MetaInodeTable {
			continue
		}
		for _, b := range l.Archive.BlocksIn(run.Start, run.Len) {
			first, count := l.FS.TableInodes(run.Group, uint64(b-run.Start))
			if want.any(first, count) {
				list = append(list, tableBlock{b, first, count})
			}
		}
	}
	return list
}

// eachIn is EachInode for the copies of some blocks.
func (l *Log) eachIn(ctx context.Context, blocks []tableBlock, want *InodeFilter, visit func(tx int, in, before *ext.Inode)) error {
	size := l.FS.InodeSize()
	now, was := new(ext.Inode), new(ext.Inode)
	prev, buf := make([]byte, l.FS.BlockSize()), make([]byte, l.FS.BlockSize())
	for _, b := range blocks {
		fresh := true
		for tx, c := range l.Archive.States(b.block) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if l.Journal.ReadCopy(buf, c) != nil {
				continue
			}
			off := l.Journal.Log().Offset(c.Log)
			for i := range int(b.count) {
				at := i * size
				if at+size > len(buf) {
					break
				}
				raw, ino := buf[at:][:size], b.first+Ino(i)
				switch {
				case !want.has(ino, raw):
				case !fresh && !bytes.Equal(raw, prev[at:][:size]):
					l.FS.DecodeInodeTo(now, raw, ino, off+int64(at))
					l.FS.DecodeInodeTo(was, prev[at:][:size], ino, -1)
					visit(tx, now, was)
				case fresh && !allZero(raw):
					l.FS.DecodeInodeTo(now, raw, ino, off+int64(at))
					visit(tx, now, nil)
				}
			}
			prev, buf, fresh = buf, prev, false
		}
	}
	return nil
}

// eachFastInode does the same with the records of inodes in fast commits.
func (l *Log) eachFastInode(ctx context.Context, want *InodeFilter, visit func(tx, fast int, in, before *ext.Inode)) error {
	nth := map[int]int{}
	raw, in := make([]byte, l.FS.InodeSize()), new(ext.Inode)
	for i := range l.fast {
		tx, _ := l.beforeFast(l.fast[i].TID)
		nth[tx]++
		for _, r := range l.fast[i].Records {
			if r.Tag != jbd2.FCInode {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			n := copy(raw, r.Inode)
			if want.has(r.Ino, raw) {
				l.FS.DecodeInodeTo(in, raw, r.Ino, r.Offset+8)
				visit(max(tx, 0), nth[tx], in, nil)
			}
			clear(raw[:n])
		}
	}
	return nil
}

const (
	partBlocks = 64      // blocks of inode tables that are gone through at once
	partClaims = 1 << 17 // claims that are kept of those
)

// claimsLogged enters what the inodes in the log claim. The blocks of their tables are
// gone through on all cores, and what they tell is entered in the order of EachInode.
func (l *Log) claimsLogged(ctx context.Context, c *claims, want *InodeFilter) error {
	type row struct {
		one   claim
		start Block
		n     uint64
	}
	nodes := l.FS.NewNodeBudget()
	parts := slices.Collect(slices.Chunk(l.tableBlocks(want), partBlocks))
	for round := range slices.Chunk(parts, 2*ext.Workers()) { // more would hold too much at once
		rows := make([][]row, len(round))
		failed := make([]error, len(round))
		err := ext.Parallel(ctx, len(round), func(int) func(i int) {
			return func(i int) {
				failed[i] = l.eachIn(ctx, round[i], want, func(tx int, in, before *ext.Inode) {
					eachClaim(l.FS, tx, in, before, nodes, func(one claim, start Block, n uint64) {
						if len(rows[i]) < partClaims && c.within(start, n) {
							rows[i] = append(rows[i], row{one, start, n})
						}
					})
				})
			}
		})
		if err := cmp.Or(err, errors.Join(failed...)); err != nil {
			return err
		}
		for _, part := range rows {
			for _, r := range part {
				c.add(r.one, r.start, r.n)
			}
		}
	}
	return l.eachFastInode(ctx, want, func(tx, _ int, in, before *ext.Inode) { eachClaim(l.FS, tx, in, before, nodes, c.add) })
}

// within reports whether one of n blocks from start on matters.
func (c *claims) within(start Block, n uint64) bool {
	i, _ := slices.BinarySearch(c.blocks, start)
	return i < len(c.blocks) && uint64(c.blocks[i]-start) < n
}

// eachClaim gives the blocks that one state of an inode claims, and the state before did
// not. Nodes of its map are read as they are today: those of a directory only grow, and
// those of what was removed are left as they were.
func eachClaim(f *ext.FS, tx int, in, before *ext.Inode, nodes *ext.NodeBudget, add func(one claim, start Block, n uint64)) {
	if in.Mode == 0 || in.Links == 0 && in.Dtime != 0 {
		return
	}
	var known [4]ext.Run
	runs := known[:0]
	if before != nil && before.Generation == in.Generation && before.Flags == in.Flags && before.Type() == in.Type() &&
		before.FileACL == in.FileACL && (before.Links > 0 || before.Dtime == 0) {
		if before.Block == in.Block && f.HasMap(before) == f.HasMap(in) {
			return
		}
		runs, _ = f.AppendSimple(runs, before)
	}
	one := claim{tx: int32(tx), ino: in.Ino, gen: in.Generation, flags: in.Flags}
	if in.FileACL != 0 {
		one.kind = links.BlockXattr
		add(one, in.FileACL, 1)
	}
	for r, err := range f.MapWithin(in, nodes) {
		if err != nil {
			continue // it may be a node that is another's by now
		}
		for _, k := range runs { // a file that grew has what it had
			if k.Kind == r.Kind && k.Physical == r.Physical && k.Logical == r.Logical {
				n := min(k.Len, r.Len)
				r.Physical, r.Logical, r.Len = r.Physical+Block(n), r.Logical+n, r.Len-n
			}
		}
		one.logical = uint32(r.Logical)
		one.kind = links.RunBlock(f, in, r)
		add(one, r.Physical, r.Len)
	}
}

// add enters a claim to n blocks from start on, those that matter.
func (c *claims) add(one claim, start Block, n uint64) {
	i, _ := slices.BinarySearch(c.blocks, start)
	for ; i < len(c.blocks) && uint64(c.blocks[i]-start) < n && len(c.all) < maxClaims && c.steps < maxClaimSteps; i++ {
		x := one
		if one.kind != links.BlockNode && one.kind != links.BlockIndirect {
			x.logical += uint32(c.blocks[i] - start)
		}
		known, count := false, 0
		for k := c.heads[i]; k != 0 && !known; k = c.all[k-1].next {
			old := &c.all[k-1]
			known = known || old.ino == x.ino && old.gen == x.gen && old.kind == x.kind && old.logical == x.logical && old.flags == x.flags
			count++
		}
		c.steps += count + 1
		if known || count >= maxBlockClaims {
			continue
		}
		x.next = c.heads[i]
		c.all = append(c.all, x)
		c.heads[i] = int32(len(c.all))
	}
}

const (
	maxOwned       = 1 << 20 // blocks whose owners of today are looked for
	maxTodayClaims = 8       // of one block
)

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
	owners, _, err := links.FewOwners(ctx, l.FS, open, maxTodayClaims)
	if err != nil {
		return err
	}
	for _, o := range owners {
		for _, cl := range o.Claims {
			in, err := l.FS.Inode(cl.Ino)
			if err != nil || cl.Kind == links.BlockSlack {
				continue
			}
			c.add(claim{tx: math.MaxInt32, ino: cl.Ino, gen: in.Generation, flags: in.Flags, logical: uint32(cl.Logical), kind: cl.Kind}, o.Block, 1)
		}
	}
	return nil
}

// dirsToday does the same with the directories of today, from a survey.
func (l *Log) dirsToday(c *claims) {
	gens := map[Ino]*ext.Inode{}
	for i, b := range c.blocks {
		if c.heads[i] != 0 {
			continue
		}
		for _, d := range l.tree.DirBlocksAt(b) {
			in := gens[d.Dir]
			if in == nil {
				var err error
				if in, err = l.FS.Inode(d.Dir); err != nil {
					continue
				}
				gens[d.Dir] = in
			}
			c.add(claim{tx: math.MaxInt32, ino: d.Dir, gen: in.Generation, flags: in.Flags, logical: d.Logical, kind: links.BlockDir}, b, 1)
		}
	}
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
