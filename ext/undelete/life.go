package undelete

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

var le = binary.LittleEndian

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

// youngSeconds is how long a transaction may last, and some: the commit interval is 5.
const youngSeconds = 30

// An event is one state of an inode in the log, as far as it takes to tell what came of it.
type event struct {
	ino   Ino
	gen   uint32
	tx    moment
	held  uint64 // in units of 512 bytes
	dtime uint32
	nsec  int32 // of its ctime, where that is of the second dtime; else -1

	version uint32
	first   uint32 // block, as far as it takes to tell two apart
	inUse   bool
	young   bool // deleted within seconds of its birth
	took    bool // a regular file; of one that is gone, with blocks when it went
}

// maxEvents bounds those of one block of inodes, and of all inodes that fast commits record.
const maxEvents = 1 << 23

// gatherLog takes the inodes that the log has.
func (f *finder) gatherLog(ctx context.Context) error {
	if f.log == nil {
		return nil
	}
	f.hidden = map[int]bool{}
	recorded := f.recorded()
	var events, late []event // those of a block, and of inodes in fast commits, which come last
	block := int64(-1)
	err := f.log.EachInode(ctx, nil, func(txIndex, nth int, in, before *ext.Inode) {
		off, _ := f.fs.InodeOffset(in.Ino)
		if at := off / int64(f.fs.BlockSize()); at != block || nth > 0 {
			f.follow(events)
			events, block = events[:0], at
		}
		list := &events
		if recorded[in.Ino] {
			list = &late
		}
		if len(*list) < maxEvents {
			*list = append(*list, f.event(txIndex, nth, in))
		} else {
			f.limit("the log has more than %d states of inodes: what those beyond tell is left out", maxEvents)
		}
		f.takeLogged(txIndex, nth, in, before)
	})
	f.follow(events)
	f.follow(late)
	return err
}

// recorded are the inodes that fast commits record.
func (f *finder) recorded() map[Ino]bool {
	out := map[Ino]bool{}
	for _, fc := range f.log.Journal.FastCommits() {
		for i := range fc.Records {
			if r := &fc.Records[i]; r.Tag == jbd2.FCInode {
				out[r.Ino] = true
			}
		}
	}
	return out
}

func (f *finder) event(txIndex, nth int, in *ext.Inode) event {
	e := event{ino: in.Ino, gen: in.Generation, tx: after(txIndex, nth), held: f.fs.Blocks512(in), dtime: in.Dtime, nsec: -1,
		version: uint32(in.Version), first: firstBlock(in), inUse: in.Links > 0 && in.Mode != 0,
		young: in.Crtime.IsZero() || in.Dtime > 0 && int64(in.Dtime)-in.Crtime.Unix() < youngSeconds,
		took:  in.Type() == layout.ModeRegular && (in.Links > 0 || nth > 0 || in.Mtime.Equal(in.Ctime))}
	if in.Ctime.Unix() == int64(in.Dtime) {
		e.nsec = int32(in.Ctime.Nanosecond())
	}
	return e
}

// takeLogged takes a state of an inode that the log has.
func (f *finder) takeLogged(txIndex, nth int, in, before *ext.Inode) {
	tx, fast := after(txIndex, nth), nth > 0
	if in.Mode == 0 || f.fs.Reserved(in.Ino) {
		return
	}
	if !f.o.Versions && f.today.has(in.Ino, in.Generation) {
		return // it is told apart from those before it by follow, if there are any
	}
	l := f.life(in)
	if l == nil {
		return
	}
	switch {
	case in.Links > 0:
		l.first, l.last = min(l.first, tx), max(l.last, tx)
		if !fast {
			if l.written == 0 {
				n, _ := f.writes.add()
				l.written = n + 1
			}
			f.see(f.writtenOf(l), in, f.born(in, before, txIndex), tx)
		}
	case !fast && (!l.home || f.view.FastCommits > 0):
		l.ended, l.end = true, in.Version
	}
	l.live = f.today.has(in.Ino, in.Generation)
	f.take(l, in, tx, fast)
}

// follow tells from the states of inodes what became of each: all states of an inode are
// among them.
func (f *finder) follow(events []event) {
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Or(cmp.Compare(a.ino, b.ino), cmp.Compare(a.tx, b.tx)) })
	for i := range events {
		b := &events[i]
		if b.inUse && f.lives.first(b.ino) != nil && f.today.has(b.ino, b.gen) {
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
				f.goneAt(f.lives.of(lifeKey{b.ino, b.gen}), b)
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
		if !a.inUse || b.inUse && a.gen == b.gen {
			continue
		}
		if a.tx != after(a.tx.tx(), 0) {
			f.hidden[b.tx.tx()] = true // what it took in a fast commit, no bitmap need have
		}
		if l := f.lives.of(lifeKey{a.ino, a.gen}); l != nil {
			l.gone = b.tx
			if a.gen == b.gen && b.dtime > f.fs.Super.InodesCount {
				l.dtime = b.dtime
			}
		}
	}
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
	l := f.lives.of(k)
	if l == nil {
		in, err := f.fs.Inode(ino)
		if err != nil {
			return
		}
		if l = f.newLife(k, in.Mode); l == nil {
			return
		}
		l.live = true
	}
	l.first, l.last = min(l.first, tx), max(l.last, tx)
}

// take keeps a state, if it is the newest of its kind.
func (f *finder) take(l *life, in *ext.Inode, tx moment, fast bool) {
	s := newState(in, tx, fast)
	if !f.holds(in) || !s.newer(&l.best) && (s.has(markEmpty) || !s.newer(f.fullOf(l))) && !f.o.Versions {
		return
	}
	if fast {
		in = f.lengthen(l, in)
	}
	if f.place(&s, in) {
		f.keepState(l, s)
	}
}

// keepState keeps a state, if it is the newest of its kind.
func (f *finder) keepState(l *life, s state) {
	full := *f.fullOf(l)
	if !s.has(markEmpty) && s.newer(&full) {
		full = s
	}
	if s.newer(&l.best) {
		if f.o.Versions && l.best.known() {
			f.older[l.lifeKey] = append(f.older[l.lifeKey], l.best)
		}
		l.best = s
	}
	switch {
	case !l.best.has(markEmpty):
		delete(f.full, l.lifeKey)
	case full.known():
		f.full[l.lifeKey] = full
	}
}

// fullOf gives the newest state of an incarnation that is not empty: best, where that is
// not.
func (f *finder) fullOf(l *life) *state {
	if !l.best.has(markEmpty) {
		return &l.best
	}
	full := f.full[l.lifeKey]
	return &full
}

// lengthen gives a record of a fast commit, which ends behind the fields, the tail of
// the state before.
func (f *finder) lengthen(l *life, in *ext.Inode) *ext.Inode {
	used := layout.GoodOldInodeSize + int(in.ExtraIsize)
	if !l.best.known() || used >= len(in.Raw) || !allZero(in.Raw[used:]) {
		return in
	}
	raw := append(bytes.Clone(in.Raw[:used]), f.inode(l.ino, &l.best).Raw[used:]...)
	return f.fs.DecodeInode(raw, in.Ino, in.Offset)
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

// A homeInode is what is kept of an inode that is not in use.
type homeInode struct {
	ino     Ino
	gen     uint32
	version uint64
	dtime   uint32
	state   state // where the inode tells of contents
}

// gatherHome takes the inodes that are not in use, and orphans.
func (f *finder) gatherHome(ctx context.Context) error {
	var mu sync.Mutex
	var found []homeInode
	first := f.fs.FirstIno()
	err := f.fs.ScanInodes(ctx, func(_ int, in *ext.Inode) {
		if f.former.active && !f.credible(in) {
			return
		}
		if in.Links > 0 {
			f.keepInUse(in)
			mu.Lock()
			defer mu.Unlock()
			f.today.set(in.Ino, in.Generation)
			if in.IsDir() && len(f.dirsNow) < maxLives {
				f.dirsNow = append(f.dirsNow, in.Ino)
			}
			return
		}
		if in.Mode == 0 || in.Ino < first || f.fs.Reserved(in.Ino) {
			return
		}
		one := homeInode{ino: in.Ino, gen: in.Generation, version: in.Version, dtime: in.Dtime, state: newState(in, latest, false)}
		if f.holds(in) {
			one.state.where = atHome
		}
		mu.Lock()
		defer mu.Unlock()
		if len(found) < maxLives {
			found = append(found, one)
		} else {
			f.limitLives()
		}
	}, func(_ Ino, _ uint32, err error) {
		mu.Lock()
		defer mu.Unlock()
		f.fail(err)
	})
	if err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b homeInode) int { return cmp.Compare(a.ino, b.ino) })
	for i := range found {
		one := &found[i]
		l := f.newLife(lifeKey{one.ino, one.gen}, one.state.typ())
		if l == nil {
			break
		}
		// Replay of a fast commit knows less of how a file ended than the kernel did.
		l.home, l.ended, l.end, l.old = true, f.view.FastCommits == 0, one.version, one.state.has(markPointers)
		if one.dtime > f.fs.Super.InodesCount {
			l.dtime = one.dtime
		}
		if one.state.known() {
			f.keepState(l, one.state)
		}
	}
	return nil
}

// settle sorts out which incarnations live, and orders those of each number.
func (f *finder) settle(ctx context.Context) error {
	for l := range f.lives.all() {
		if l.live {
			l.last = latest
		}
	}
	return f.lives.settle(ctx)
}

// at finds the incarnation that a number was of in a transaction, nil where none of
// those known can have been.
func (f *finder) at(ino Ino, tx moment) *life {
	first := f.lives.first(ino)
	var found *life
	for l := first; l != nil; l = f.lives.next(l) {
		if l.first <= tx {
			found = l
		}
	}
	if found == nil {
		// A name may be known from before the first copy of its inode; or the inode
		// is known from its own place only.
		found = first
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
