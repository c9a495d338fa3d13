package undelete

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/extscope/extscope/ext"
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
