package undelete

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

var le = binary.LittleEndian

// A lifeKey is an incarnation: a file, by its inode number and generation.
type lifeKey struct {
	ino Ino
	gen uint32
}

// A moment orders what the log tells: the end of a transaction, and behind it that of
// each fast commit. Moments are compared as numbers.
type moment int64

// latest stands for the file system as it is, behind all transactions.
const latest = moment(1) << 46

const maxFast = 1<<16 - 1

// after is the end of transaction tx, or of one of the fast commits behind it.
func after(tx, fast int) moment { return moment(tx)<<16 | moment(min(fast, maxFast)) }

// tx is the transaction that a moment belongs to.
func (m moment) tx() int { return int(m >> 16) }

// A life is what is known of an incarnation.
type life struct {
	lifeKey
	first moment // the first transaction that has it in use
	last  moment // the last one
	gone  moment // the first one behind that has not; latest where only the inode itself tells, 0 unknown
	dtime uint32

	written written // when the blocks that it had last were new
	ended   bool    // end is known
	end     uint64  // i_version once it was deleted, which counts the changes before

	best  *state // the newest that holds contents
	full  *state // the newest that is not empty, where best is
	older []*state
	home  *ext.Inode // the inode today, where it is still this incarnation's; without Raw where it holds nothing
	live  bool       // it is in use today
	mode  uint16     // its type, where neither a state nor home tells
	names []int      // indices into finder.names
}

// A state is one state of an inode.
type state struct {
	in   *ext.Inode
	tx   moment
	fast bool

	stray bool // of a copy that no descriptor covers: the time is not known
}

// maxLives bounds the incarnations that are kept.
const maxLives = 1 << 22

func (f *finder) life(in *ext.Inode) *life {
	k := lifeKey{in.Ino, in.Generation}
	l := f.lives[k]
	if l == nil && len(f.lives) < maxLives {
		l = &life{lifeKey: k, first: latest, last: -1, mode: in.Type()}
		f.lives[k] = l
	}
	return l
}

// youngSeconds is how long a transaction may last, and some: the commit interval is 5.
const youngSeconds = 30

// gatherLog takes the inodes that the log has.
func (f *finder) gatherLog(ctx context.Context) error {
	if f.log == nil {
		return nil
	}
	type event struct {
		ino   Ino
		gen   uint32
		tx    moment
		dtime uint32
		held  uint64 // in units of 512 bytes
		ctime time.Time
		inUse bool
		young bool // deleted within seconds of its birth
		took  bool // a regular file; of one that is gone, with blocks when it went

		version uint32
		first   uint32 // block, as far as it takes to tell two apart
	}
	var events []event
	err := f.log.EachInode(ctx, nil, func(txIndex, nth int, in, before *ext.Inode) {
		tx, fast := after(txIndex, nth), nth > 0
		if len(events) < 1<<23 {
			events = append(events, event{in.Ino, in.Generation, tx, in.Dtime, f.fs.Blocks512(in), in.Ctime, in.Links > 0 && in.Mode != 0,
				in.Crtime.IsZero() || in.Dtime > 0 && int64(in.Dtime)-in.Crtime.Unix() < youngSeconds,
				in.Type() == layout.ModeRegular && (in.Links > 0 || fast || in.Mtime.Equal(in.Ctime)), uint32(in.Version), firstBlock(in)})
		}
		if in.Mode == 0 || f.fs.Reserved(in.Ino) {
			return
		}
		if !f.o.Versions && f.today.has(in.Ino, in.Generation) {
			return // it is told apart from those before it below, if there are any
		}
		l := f.life(in)
		if l == nil {
			return
		}
		switch {
		case in.Links > 0:
			l.first, l.last = min(l.first, tx), max(l.last, tx)
			if !fast {
				f.see(&l.written, in, f.born(in, before, txIndex), tx)
			}
		case !fast && (l.home == nil || f.view.FastCommits > 0):
			l.ended, l.end = true, in.Version
		}
		l.live = f.today.has(in.Ino, in.Generation)
		f.take(l, in, tx, fast)
	})
	if err != nil {
		return err
	}
	dead := map[Ino]bool{}
	for k := range f.lives {
		dead[k.ino] = true
	}
	f.hidden = map[int]bool{}
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Or(cmp.Compare(a.ino, b.ino), cmp.Compare(a.tx, b.tx)) })
	for i := range events {
		b := &events[i]
		if b.inUse && dead[b.ino] && f.today.has(b.ino, b.gen) {
			f.living(b.ino, b.gen, b.tx)
		}
		fresh := i == 0 || events[i-1].ino != b.ino || events[i-1].gen != b.gen
		// Blocks that are taken and freed in one transaction leave no trace in bitmaps.
		// That can be where a file came and went in one. Deletion sets the mtime of one
		// that has blocks to its ctime. Blocks of metadata are not written but by the
		// log, which forgets what was freed.
		if !b.inUse && b.dtime != 0 && fresh && b.young && b.took {
			f.hidden[b.tx.tx()] = true
		}
		if i == 0 || events[i-1].ino != b.ino {
			if !b.inUse {
				f.goneAt(f.lives[lifeKey{b.ino, b.gen}], b.tx, b.dtime, b.ctime)
			}
			continue
		}
		a := &events[i-1]
		if a.inUse && b.inUse && a.gen == b.gen && b.held < a.held {
			f.shrunk[b.tx.tx()] = true
		}
		// Or where one was written and cut short more than once; or had none of its
		// blocks yet.
		if a.gen == b.gen && a.inUse && b.took && rewritten(a.version, b.version, a.held, b.held, a.first != b.first, b.inUse) {
			f.hidden[b.tx.tx()] = true
		}
		if a.ino != b.ino || !a.inUse || b.inUse && a.gen == b.gen {
			continue
		}
		if a.tx != after(a.tx.tx(), 0) {
			f.hidden[b.tx.tx()] = true // what it took in a fast commit, no bitmap need have
		}
		if l := f.lives[lifeKey{a.ino, a.gen}]; l != nil {
			l.gone = b.tx
			if a.gen == b.gen && b.dtime > f.fs.Super.InodesCount {
				l.dtime = b.dtime
			}
		}
	}
	return nil
}

// rewritten reports whether a file that took and freed blocks between two states of it
// may have had others yet in between.
func rewritten(version, next uint32, held, nextHeld uint64, moved, inUse bool) bool {
	if !inUse {
		return held == 0 // taken in the transaction that freed them
	}
	return (held > nextHeld || held > 0 && moved) && next != version+1
}

// born reports whether a state of an inode is of the transaction that made the file.
func (f *finder) born(in, before *ext.Inode, tx int) bool {
	if before != nil {
		return before.Generation != in.Generation || before.Links == 0
	}
	if t := f.transaction(after(tx-1, 0)); t != nil {
		return in.Crtime.After(t.CommitTime)
	}
	return f.log.Transactions()[tx].Sequence <= 2 // the first that a file system has
}

// living notes that an inode which is in use had its number at some moment already.
func (f *finder) living(ino Ino, gen uint32, tx moment) {
	k := lifeKey{ino, gen}
	l := f.lives[k]
	if l == nil {
		in, err := f.fs.Inode(ino)
		if err != nil || len(f.lives) >= maxLives {
			return
		}
		l = &life{lifeKey: k, first: latest, last: -1, live: true, mode: in.Mode}
		f.lives[k] = l
	}
	l.first, l.last = min(l.first, tx), max(l.last, tx)
}

// take keeps a copy of a state, if it is the newest of its kind.
func (f *finder) take(l *life, in *ext.Inode, tx moment, fast bool) {
	s := state{in: in, tx: tx, fast: fast, stray: tx == strayUncovered}
	if !f.holds(in) || !s.newer(l.best) && (s.empty() || !s.newer(l.full)) && !f.o.Versions {
		return
	}
	own := *in
	own.Raw = bytes.Clone(in.Raw)
	s.in = &own
	if fast {
		f.lengthen(l, &s)
	}
	f.keep(l, &s)
}

// keep keeps a state, if it is the newest of its kind.
func (f *finder) keep(l *life, s *state) {
	if s.newer(l.best) {
		if f.o.Versions && l.best != nil {
			l.older = append(l.older, l.best)
		}
		l.best = s
	}
	if !s.empty() && s.newer(l.full) {
		l.full = s
	}
}

// newer reports whether a state is as new as another, or that is none.
func (s *state) newer(old *state) bool {
	return old == nil || s.tx > old.tx || s.tx == old.tx && (s.fast || !old.fast)
}

func (s *state) empty() bool { return s.in.Size() == 0 && s.in.Type() == layout.ModeRegular }

// lengthen gives a record of a fast commit, which ends behind the fields, the tail of
// the state before.
func (f *finder) lengthen(l *life, s *state) {
	used := layout.GoodOldInodeSize + int(s.in.ExtraIsize)
	if l.best != nil && used < len(s.in.Raw) && allZero(s.in.Raw[used:]) {
		copy(s.in.Raw[used:], l.best.in.Raw[used:])
		s.in = f.fs.DecodeInode(s.in.Raw, s.in.Ino, s.in.Offset)
	}
	s.in.ChecksumOK = true
}

func allZero(b []byte) bool { return bytes.Count(b, []byte{0}) == len(b) }

// holds reports whether an inode tells of contents: it is in use, or was not emptied
// when it was deleted.
func (f *finder) holds(in *ext.Inode) bool {
	if in.Links > 0 {
		return true
	}
	switch in.Type() {
	case layout.ModeChar, layout.ModeBlock, layout.ModeFIFO, layout.ModeSocket:
		return true
	}
	if in.Size() == 0 || allZero(in.Block[:]) {
		return false
	}
	if in.HasInline() || in.IsSymlink() && in.FastSymlink() {
		return true
	}
	if in.Flags&layout.FlagExtents != 0 {
		n, err := layout.DecodeExtentNode(in.Block[:], 0)
		return err == nil && n.Entries > 0
	}
	return f.fs.HasMap(in)
}

// gatherHome takes the inodes that are not in use, and orphans.
func (f *finder) gatherHome(ctx context.Context) error {
	var mu sync.Mutex
	var found []*ext.Inode
	first := f.fs.FirstIno()
	err := f.fs.ScanInodes(ctx, func(_ int, in *ext.Inode) {
		if f.former.active && !f.credible(in) {
			return
		}
		if in.Links > 0 {
			f.keepInUse(in)
			var dir *ext.Inode
			if in.IsDir() {
				dir = f.fs.DecodeInode(bytes.Clone(in.Raw), in.Ino, in.Offset)
			}
			mu.Lock()
			defer mu.Unlock()
			f.today.set(in.Ino, in.Generation)
			if dir != nil && len(f.dirsNow) < maxLives {
				f.dirsNow = append(f.dirsNow, dir)
			}
			return
		}
		if in.Mode == 0 || in.Ino < first || f.fs.Reserved(in.Ino) {
			return
		}
		// Of one that was emptied the bytes are read again where they matter: there
		// may be millions.
		one := *in
		if one.Raw = nil; f.holds(in) {
			one.Raw = bytes.Clone(in.Raw)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(found) < maxLives {
			found = append(found, &one)
		}
	}, func(_ Ino, _ uint32, err error) {
		mu.Lock()
		defer mu.Unlock()
		f.fail(err)
	})
	if err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b *ext.Inode) int { return cmp.Compare(a.Ino, b.Ino) })
	for _, in := range found {
		if l := f.life(in); l != nil {
			// Replay of a fast commit knows less of how a file ended than the kernel did.
			l.home, l.ended, l.end = in, f.view.FastCommits == 0, in.Version
			if in.Dtime > f.fs.Super.InodesCount {
				l.dtime = in.Dtime
			}
			if in.Raw != nil {
				f.keep(l, &state{in: in, tx: latest})
			}
		}
	}
	return nil
}

// settle sorts out which incarnations live, and orders those of each number.
func (f *finder) settle(ctx context.Context) error {
	for _, l := range f.lives {
		if err := ctx.Err(); err != nil {
			return err
		}
		if l.live {
			l.last = latest
		}
		f.byIno[l.ino] = append(f.byIno[l.ino], l)
	}
	for _, list := range f.byIno {
		slices.SortFunc(list, func(a, b *life) int {
			return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last), cmp.Compare(a.gen, b.gen))
		})
	}
	return nil
}

// at finds the incarnation that a number was of in a transaction, nil where none of
// those known can have been.
func (f *finder) at(ino Ino, tx moment) *life {
	list := f.byIno[ino]
	var found *life
	for _, l := range list {
		if l.first <= tx {
			found = l
		}
	}
	if found == nil && len(list) > 0 {
		// A name may be known from before the first copy of its inode; or the inode
		// is known from its own place only.
		found = list[0]
	}
	return found
}

// Generations are those of the inodes that are in use, in pages, so that they take no
// more than the inodes that are there.
type generations map[Ino]*generationPage

type generationPage struct {
	gen  [4096]uint32
	used [4096]bool
}

func (g generations) set(ino Ino, gen uint32) {
	p := g[ino/4096]
	if p == nil {
		p = new(generationPage)
		g[ino/4096] = p
	}
	p.gen[ino%4096], p.used[ino%4096] = gen, true
}

func (g generations) used(ino Ino) bool {
	p := g[ino/4096]
	return p != nil && p.used[ino%4096]
}

func (g generations) has(ino Ino, gen uint32) bool {
	p := g[ino/4096]
	return p != nil && p.used[ino%4096] && p.gen[ino%4096] == gen
}
