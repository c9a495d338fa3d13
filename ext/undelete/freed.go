package undelete

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A freedSet is what one transaction freed of which no map tells.
type freedSet struct {
	whole bool // every bitmap that the transaction has a copy of is known from before, too
	files []*life
	runs  []ext.Run // sorted by place; Logical is 0
}

// maxFreedRuns bounds the runs of all freed sets.
const maxFreedRuns = 1 << 20

// goneAt notes which transaction deleted an inode of which the log has no state from
// before: the first that has it deleted, where the log reaches back to the deletion.
func (f *finder) goneAt(l *life, e *event) {
	if l == nil || l.gone != 0 || e.dtime <= f.fs.Super.InodesCount {
		return
	}
	at := time.Unix(int64(e.dtime), int64(max(e.nsec, 0))) // deletion sets ctime too, and this one is finer
	for i, t := range f.log.Transactions() {
		if f.log.TookEffect(i) && !t.CommitTime.IsZero() {
			if t.CommitTime.Before(at) {
				l.gone, l.dtime = e.tx, e.dtime
			}
			return
		}
	}
}

// freedSets works out what transactions freed that deleted files whose maps are lost:
// the blocks that the copies of a bitmap before and in the transaction differ in, but for
// those that it revoked, which were metadata, and those that the other files it deleted
// had.
func (f *finder) freedSets() map[int]*freedSet {
	if f.freed != nil {
		return f.freed
	}
	f.freed = map[int]*freedSet{}
	if f.log == nil || f.fs.ClusterBlocks() > 1 {
		return f.freed // of a freed cluster it is not known how much was in use
	}
	mapped := map[int][]*life{}
	for l := range f.lives.sorted() {
		switch {
		case l.live || l.gone == 0 || l.gone.tx() >= len(f.log.Transactions()) || l.gone != after(l.gone.tx(), 0):
		case !l.best.known() && f.lostMap(l):
			set := f.freed[l.gone.tx()]
			if set == nil {
				set = &freedSet{whole: !f.shrunk[l.gone.tx()]}
				f.freed[l.gone.tx()] = set
			}
			set.files = append(set.files, l)
		default:
			mapped[l.gone.tx()] = append(mapped[l.gone.tx()], l)
		}
	}
	if len(f.freed) == 0 {
		return f.freed
	}
	f.diffBitmaps()
	for tx, set := range f.freed {
		var gone []ext.Run
		for _, b := range f.log.Transactions()[tx].Revokes {
			gone = append(gone, ext.Run{Physical: b, Len: 1})
		}
		for _, l := range mapped[tx] {
			gone = append(gone, f.blocksOf(l)...)
		}
		set.runs = subtract(set.runs, gone)
	}
	return f.freed
}

// lostMap reports whether an incarnation had blocks of which nothing tells.
func (f *finder) lostMap(l *life) bool {
	if l.typ() != layout.ModeRegular || len(f.stray.nodes[l.lifeKey]) > 0 {
		return false
	}
	home := f.homeOf(l)
	if home == nil {
		return true
	}
	if home.HasInline() || !home.Mtime.Equal(home.Ctime) {
		return false // truncation sets both, of a file that has blocks
	}
	return !f.newMapper(home, latest).leftover()
}

// blocksOf are the blocks of an incarnation whose map is known.
func (f *finder) blocksOf(l *life) []ext.Run {
	s := &l.best
	switch full := f.fullOf(l); {
	case !s.known() && l.home:
		s = l.today()
	case !s.known():
		return nil
	case full.known():
		s = full
	}
	in := f.inode(l.ino, s)
	if !f.fs.HasMap(in) {
		return nil
	}
	m := f.newMapper(in, s.tx)
	if m.read(); len(m.runs) == 0 {
		m.leftover()
	}
	out := m.runs
	for _, n := range m.nodes {
		out = append(out, ext.Run{Physical: n, Len: 1})
	}
	if in.FileACL != 0 {
		out = append(out, ext.Run{Physical: in.FileACL, Len: 1})
	}
	return out
}

// diffBitmaps finds what the transactions freed.
func (f *finder) diffBitmaps() {
	left := maxFreedRuns
	for g := range f.fs.Groups() {
		var prev []byte
		start := f.fs.GroupStart(g)
		f.log.EachBitmap(g, func(tx int, bitmap []byte) bool {
			set := f.freed[tx]
			switch {
			case set == nil:
			case prev == nil:
				set.whole = false
			default:
				for i := range min(len(prev), len(bitmap)) {
					for gone := prev[i] &^ bitmap[i]; gone != 0; gone &= gone - 1 {
						b := start + Block(8*i+bits.TrailingZeros8(gone))
						if n := len(set.runs); n > 0 && set.runs[n-1].Physical+Block(set.runs[n-1].Len) == b {
							set.runs[n-1].Len++
						} else if left > 0 && f.fs.InRange(b, 1) {
							left--
							set.runs = append(set.runs, ext.Run{Physical: b, Len: 1, Kind: ext.Data})
						} else {
							set.whole = false
						}
					}
				}
			}
			prev = append(prev[:0], bitmap...)
			return true
		})
	}
}

// subtract takes blocks away from runs, which are sorted by place.
func subtract(runs []ext.Run, gone []ext.Run) []ext.Run {
	slices.SortFunc(gone, func(a, b ext.Run) int { return cmp.Compare(a.Physical, b.Physical) })
	var out []ext.Run
	i := 0
	for _, r := range runs {
		for i > 0 && gone[i-1].Physical+Block(gone[i-1].Len) > r.Physical {
			i--
		}
		for r.Len > 0 {
			for i < len(gone) && gone[i].Physical+Block(gone[i].Len) <= r.Physical {
				i++
			}
			if i == len(gone) || gone[i].Physical >= r.Physical+Block(r.Len) {
				out = append(out, r)
				break
			}
			if at := gone[i].Physical; at > r.Physical {
				out = append(out, ext.Run{Physical: r.Physical, Len: uint64(at - r.Physical), Kind: r.Kind})
			}
			end := gone[i].Physical + Block(gone[i].Len)
			if end >= r.Physical+Block(r.Len) {
				break
			}
			r.Len -= uint64(end - r.Physical)
			r.Physical = end
		}
	}
	return out
}

// freedMap gives an incarnation the blocks that the transaction freed that deleted it,
// where it is the only one whose map is lost. The blocks of a file with extents are in
// order, mostly; where the extents began its inode still tells.
func (f *finder) freedMap(c *Candidate, l *life) bool {
	home := f.homeOf(l)
	if home == nil || home.Flags&layout.FlagExtents == 0 || !home.IsRegular() || l.gone == 0 {
		return false
	}
	set := f.freedSets()[l.gone.tx()]
	if set == nil || !set.whole || len(set.files) != 1 || set.files[0] != l || len(set.runs) == 0 {
		return false
	}
	runs := placeRuns(set.runs, extentStarts(home))
	c.In, c.from = home, *l.today()
	f.strayFile(c, runs, nil)
	c.Technique = FreedSet
	c.Evidence = append(c.Evidence, fmt.Sprintf("the %d blocks that transaction %d freed, beside those of files whose maps are known; their order is inferred", mapped(c), c.Sequence))
	return true
}

// extentStarts gives the file blocks that extents began with: deletion leaves ee_block.
func extentStarts(in *ext.Inode) (starts []uint64) {
	root, err := layout.DecodeExtentNode(in.Block[:], 0)
	if err != nil || root.Entries != 0 || root.Depth != 0 {
		return nil
	}
	for i := range min(int(root.Max), root.Room()) {
		at := uint64(root.Extent(i).FileBlock)
		if i > 0 && at <= starts[i-1] {
			break
		}
		starts = append(starts, at)
	}
	return starts
}

// placeRuns gives runs of disk blocks, in order, their places in the file. A run begins
// where an extent did, as far as there are as many of each, and none reaches into the
// next; else they follow each other.
func placeRuns(runs []ext.Run, starts []uint64) []ext.Run {
	out := slices.Clone(runs)
	fits := len(starts) == len(runs)
	for i := range out {
		if fits && i+1 < len(out) && starts[i]+out[i].Len > starts[i+1] {
			fits = false
		}
	}
	at := uint64(0)
	if len(starts) > 0 {
		at = starts[0]
	}
	for i := range out {
		if fits {
			at = starts[i]
		}
		out[i].Logical = at
		at += out[i].Len
	}
	return out
}

// freedFiles makes files of what transactions freed that deleted several whose maps are
// lost. Which block was whose is not known; but a run of blocks that was freed begins
// and ends with a file, and in between a file ends where a block ends in zeros.
func (f *finder) freedFiles(ctx context.Context, known bitset) error {
	sets := f.freedSets()
	txs := make([]int, 0, len(sets))
	for tx := range sets {
		txs = append(txs, tx)
	}
	slices.Sort(txs)
	for _, tx := range txs {
		set := sets[tx]
		var apart, indirect bool
		for _, l := range set.files {
			home := f.homeOf(l)
			apart = apart || home == nil || len(extentStarts(home)) > 1
			indirect = indirect || home == nil || home.Flags&layout.FlagExtents == 0
		}
		for _, r := range set.runs {
			if err := ctx.Err(); err != nil {
				return err
			}
			for _, r := range unmarked(r, known) {
				f.freedRun(r, tx, set, apart, indirect)
			}
		}
	}
	return nil
}

// unmarked gives what of a run is not marked.
func unmarked(r ext.Run, known bitset) (out []ext.Run) {
	end := r.Physical + Block(r.Len)
	for b := known.next(r.Physical, end, false); b < end; {
		stop := known.next(b, end, true)
		out = append(out, ext.Run{Physical: b, Len: uint64(stop - b), Kind: ext.Data})
		b = known.next(stop, end, false)
	}
	return out
}

// tailZeros is how many zeros at the end of a block are no chance.
const tailZeros = 8

// freedRun cuts a freed run into files, and keeps as hints what cannot be cut: where
// blocks were taken since, what they end in tells nothing.
func (f *finder) freedRun(r ext.Run, tx int, set *freedSet, apart, indirect bool) {
	buf := make([]byte, f.fs.BlockSize())
	end := r.Physical + Block(r.Len)
	from, sure, whole := r.Physical, true, true
	blank := false // the file has come to its end, and only zeros may follow
	emit := func(to Block, ends bool) {
		piece := ext.Run{Physical: from, Len: uint64(to - from), Kind: ext.Data}
		switch {
		case piece.Len == 0:
		case sure && whole && ends && set.whole && !(indirect && piece.Len > directSlots):
			f.freedPiece(piece, tx, set)
		default:
			f.hints = append(f.hints, piece)
		}
		from, sure, whole, blank = to, ends, true, false
	}
	for b := r.Physical; b < end; b++ {
		kept := f.stray.free.has(b) && f.fates.of(b, tx) != fateReused
		if !kept || f.fs.ReadBlock(buf, b) != nil {
			if blank {
				emit(b, true)
			}
			whole = false
			continue
		}
		if !whole && from < b {
			emit(b, false)
		}
		empty := allZero(buf)
		if blank && !empty {
			emit(b, true)
		}
		if empty || allZero(buf[len(buf)-tailZeros:]) {
			blank = true
		}
	}
	emit(end, whole && (blank || !apart))
}

// freedPiece makes a file of a piece of a freed run.
func (f *finder) freedPiece(r ext.Run, tx int, set *freedSet) {
	c := Candidate{Type: layout.ModeRegular}
	t := &f.log.Transactions()[tx]
	c.Sequence, c.DeletedAt = t.Sequence, t.CommitTime
	f.strayFile(&c, []ext.Run{r}, nil)
	if c.Size == 0 {
		return
	}
	c.Technique = FreedSet
	c.Evidence = append(c.Evidence, fmt.Sprintf("transaction %d freed its blocks with those of %d files whose maps are lost; it begins and ends where blocks before and after were not freed, or end in zeros", t.Sequence, len(set.files)))
	f.grade(&c)
	f.result.add(&c)
}
