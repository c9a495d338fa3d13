package undelete

import (
	"cmp"
	"context"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

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
