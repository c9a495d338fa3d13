package undelete

import (
	"cmp"
	"errors"
	"math"
	"math/bits"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/history"
)

// A fate says what became of a block that a file had at some time.
type fate uint8

const (
	fateUnknown fate = iota // no bitmap tells
	fateFree                // free, and was not taken since: every bitmap since then is in the log
	fateLoose               // free, and no bitmap of then tells whether it was taken in between
	fateReused              // in use by something else, or was since
	fateOwn                 // still the file's own
	fateLost                // wiped
	fateGiven               // in use by something else that wrote nothing there yet
)

// fates follow blocks through the bitmaps that the log holds.
type fates struct {
	fs     *ext.FS
	log    *history.Log
	groups map[uint32]*groupFate
	tables []ext.MetaRun // parts of inode tables that nothing was written to, by place
}

// A groupFate tells of each bit of a group's block bitmap when it was last taken.
type groupFate struct {
	err    error
	now    []byte
	taken  []int32 // the transaction whose bitmap first had it set again, -1 for always; nil without bitmaps in the log
	logged []int32 // the transactions that have a bitmap of this group
}

func newFates(fs *ext.FS, log *history.Log) *fates {
	tables := slices.SortedFunc(fs.UnwrittenTables(), func(a, b ext.MetaRun) int { return cmp.Compare(a.Start, b.Start) })
	return &fates{fs: fs, log: log, groups: map[uint32]*groupFate{}, tables: tables}
}

// unwritten reports whether a block was given to an inode table and never written since.
func (f *fates) unwritten(b Block) bool {
	i, _ := slices.BinarySearchFunc(f.tables, b, func(r ext.MetaRun, b Block) int { return cmp.Compare(r.Start, b+1) })
	return i > 0 && uint64(b-f.tables[i-1].Start) < f.tables[i-1].Len
}

var errUntrusted = errors.New("the block bitmap is damaged")

// trusted reports whether the block bitmap of a group can be believed: by its checksum, or,
// where none tells, in that it has the group's own metadata in use.
func (f *fates) trusted(group uint32) bool {
	g := f.fs.Group(group)
	if g == nil {
		return false
	}
	if g.State == ext.GroupGood && f.fs.Super.MetadataCsum() {
		stored, computed, err := f.fs.BlockBitmapSum(group)
		return err == nil && stored == computed
	}
	bitmap, computed, err := f.fs.BlockBitmap(group)
	if err != nil || computed {
		return err == nil
	}
	start, end := f.fs.GroupStart(group), f.fs.GroupStart(group)+Block(f.fs.GroupBlocks(group))
	for _, m := range f.fs.GroupMetadata(group) {
		for _, b := range []Block{m.Start, m.Start + Block(m.Len) - 1} {
			if bit := uint64(b-start) / uint64(f.fs.ClusterBlocks()); b >= start && b < end && (bit/8 >= uint64(len(bitmap)) || bitmap[bit/8]>>(bit%8)&1 == 0) {
				return false
			}
		}
	}
	return g.State == ext.GroupGood || !allZero(bitmap)
}

// maxFateGroups bounds the groups that are held: 256 KiB each.
const maxFateGroups = 512

func (f *fates) group(g uint32) *groupFate {
	if gf := f.groups[g]; gf != nil {
		return gf
	}
	if len(f.groups) >= maxFateGroups {
		clear(f.groups)
	}
	gf := &groupFate{}
	f.groups[g] = gf
	if gf.now, _, gf.err = f.fs.BlockBitmap(g); gf.err == nil && !f.trusted(g) {
		gf.err = errUntrusted
	}
	if gf.err != nil || f.log == nil {
		return gf
	}
	prev := []byte(nil)
	f.log.EachBitmap(g, func(tx int, bitmap []byte) bool {
		if gf.taken == nil {
			gf.taken = make([]int32, 8*len(bitmap))
			for i := range gf.taken {
				gf.taken[i] = -1
			}
		}
		gf.logged = append(gf.logged, int32(tx))
		gf.step(prev, bitmap, tx)
		prev = append(prev[:0], bitmap...)
		return true
	})
	if gf.taken != nil {
		gf.step(prev, gf.now, math.MaxInt32)
	}
	return gf
}

// step notes the bits that a bitmap has set and the one before had clear.
func (g *groupFate) step(prev, next []byte, tx int) {
	for i := range min(len(prev), len(next)) {
		for fresh := next[i] &^ prev[i]; fresh != 0; fresh &= fresh - 1 {
			g.taken[8*i+bits.TrailingZeros8(fresh)] = int32(tx)
		}
	}
}

// of tells what became of a block that a file had at the end of transaction tx.
func (f *fates) of(b Block, tx int) fate {
	if !f.fs.InRange(b, 1) {
		return fateUnknown
	}
	group := f.fs.GroupOfBlock(b)
	g := f.group(group)
	bit := int(uint64(b-f.fs.GroupStart(group)) / uint64(f.fs.ClusterBlocks()))
	switch {
	case g.err != nil || bit/8 >= len(g.now):
		return fateUnknown
	case g.now[bit/8]>>(bit%8)&1 != 0 && f.unwritten(b):
		return fateGiven
	case g.now[bit/8]>>(bit%8)&1 != 0:
		return fateReused
	case g.taken == nil || bit >= len(g.taken) || tx >= latest.tx():
		return fateLoose
	case int(g.taken[bit]) > tx:
		return fateReused
	}
	return fateFree
}

// hidden reports whether a block that was freed in transaction gone may have been taken
// and freed again without a trace: in a later one that changed the bitmap of its group,
// and in which hides says that this can have happened.
func (f *fates) hidden(b Block, gone int, hides func(tx int) bool) bool {
	if !f.fs.InRange(b, 1) {
		return false
	}
	g := f.group(f.fs.GroupOfBlock(b))
	for i := len(g.logged) - 1; i >= 0 && int(g.logged[i]) > gone; i-- {
		if hides(int(g.logged[i])) {
			return true
		}
	}
	return false
}
