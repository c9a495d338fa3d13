package jbd2

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/extscope/extscope/ext/layout"
)

// A Moment is what the log tells of the file system at the end of one transaction. It
// holds no list of blocks: it looks each one up, for there may be as many moments
// asked for as there are transactions.
type Moment struct {
	Sequence   uint32
	CommitTime time.Time

	archive     *Archive
	transaction uint32
}

// A loggedBlock is a block of which a transaction that took effect has a copy. Its
// states, and the transactions that revoke it, end where those of the next begin.
type loggedBlock struct {
	fs      layout.Block
	states  uint32 // index into Archive.states
	revokes uint32 // index into Archive.revokes
}

// TookEffect reports whether the changes of transaction i were made: not so where it
// was never committed, or not as a whole, so that replay ends before it, or where it is
// of a journal before this one. The commit block of an older one may be gone since.
func (a *Archive) TookEffect(i int) bool {
	t := &a.Transactions[i]
	return t.Damage&Ahead == 0 && (t.Damage&(NoCommit|BadCommit) == 0 || before(t.Sequence, a.end))
}

// past makes the index of states, and of what revokes them, from that of versions.
func (a *Archive) past() { a.once.Do(a.setStates) }

func (a *Archive) setStates() {
	last := func(k int) bool { // and not written again in the same transaction
		r := a.index[k]
		return a.TookEffect(int(r.transaction)) &&
			(k+1 == len(a.index) || a.index[k+1].fs != r.fs || a.index[k+1].transaction != r.transaction)
	}
	states, blocks := 0, 0
	for k := range a.index {
		if last(k) {
			states++
		}
		if k == 0 || a.index[k-1].fs != a.index[k].fs {
			blocks++
		}
	}
	a.states, a.logged = make([]versionRef, 0, states), make([]loggedBlock, 0, blocks)
	for k, r := range a.index {
		if !last(k) {
			continue
		}
		if n := len(a.logged); n == 0 || a.logged[n-1].fs != r.fs {
			a.logged = append(a.logged, loggedBlock{fs: r.fs, states: uint32(len(a.states))})
		}
		a.states = append(a.states, r)
	}
	// Only revokes of blocks that have a copy matter.
	type revoked struct{ block, transaction uint32 }
	var all []revoked
	for i := range a.Transactions {
		if !a.TookEffect(i) {
			continue
		}
		for _, b := range a.Transactions[i].Revokes {
			if k, found := a.findLogged(b); found {
				all = append(all, revoked{uint32(k), uint32(i)})
			}
		}
	}
	slices.SortFunc(all, func(x, y revoked) int {
		return cmp.Or(cmp.Compare(x.block, y.block), cmp.Compare(x.transaction, y.transaction))
	})
	all = slices.Compact(all)
	a.revokes = make([]uint32, len(all))
	k := 0
	for i, r := range all {
		a.revokes[i] = r.transaction
		for ; k <= int(r.block); k++ {
			a.logged[k].revokes = uint32(i)
		}
	}
	for ; k < len(a.logged); k++ {
		a.logged[k].revokes = uint32(len(all))
	}
}

// findLogged gives the place of a block in a.logged, or of the next one.
func (a *Archive) findLogged(b layout.Block) (k int, found bool) {
	return slices.BinarySearchFunc(a.logged, b, func(l loggedBlock, b layout.Block) int { return cmp.Compare(l.fs, b) })
}

// statesOf gives the states of a.logged[k], and the transactions that revoke it.
func (a *Archive) statesOf(k int) (states []versionRef, revokes []uint32) {
	from := a.logged[k]
	if k+1 == len(a.logged) {
		return a.states[from.states:], a.revokes[from.revokes:]
	}
	to := a.logged[k+1]
	return a.states[from.states:to.states], a.revokes[from.revokes:to.revokes]
}

// States yields the copies of a block in transactions that took effect, with the index
// of the transaction, oldest first, one a transaction: what the block held in turn.
func (a *Archive) States(block layout.Block) iter.Seq2[int, Copy] {
	return func(yield func(int, Copy) bool) {
		a.past()
		k, found := a.findLogged(block)
		if !found {
			return
		}
		states, _ := a.statesOf(k)
		for _, r := range states {
			if !yield(int(r.transaction), a.copyAt(r)) {
				return
			}
		}
	}
}

// Before gives the newest copy of a block among the transactions before i that took
// effect.
func (a *Archive) Before(block layout.Block, i int) (c Copy, ok bool) {
	a.past()
	k, found := a.findLogged(block)
	if !found {
		return Copy{}, false
	}
	states, _ := a.statesOf(k)
	n := sort.Search(len(states), func(n int) bool { return int(states[n].transaction) >= i })
	if n == 0 {
		return Copy{}, false
	}
	return a.copyAt(states[n-1]), true
}

// At gives the moment at the end of transaction i of a.Transactions.
func (a *Archive) At(i int) *Moment {
	a.past()
	t := &a.Transactions[i]
	return &Moment{Sequence: t.Sequence, CommitTime: t.CommitTime, archive: a, transaction: uint32(i)}
}

// Find gives the copy of a block that it is read from at a moment: the one it had
// then, or, where no copy so old is left, the oldest of the later ones, so that what
// the block held is not known. ok is false where the block is as at home: without a
// copy, or revoked, and not logged since.
func (m *Moment) Find(block layout.Block) (c Copy, later, ok bool) {
	if k, found := m.archive.findLogged(block); found {
		return m.at(k)
	}
	return Copy{}, false, false
}

func (m *Moment) at(k int) (c Copy, later, ok bool) {
	states, revokes := m.archive.statesOf(k)
	n := sort.Search(len(states), func(n int) bool { return states[n].transaction > m.transaction })
	if n > 0 {
		r := sort.Search(len(revokes), func(r int) bool { return revokes[r] > m.transaction })
		// A transaction does not log what it revokes (jbd2_journal_cancel_revoke).
		if r == 0 || revokes[r-1] < states[n-1].transaction {
			return m.archive.copyAt(states[n-1]), false, true
		}
	}
	if n < len(states) {
		return m.archive.copyAt(states[n]), true, true
	}
	return Copy{}, false, false
}

// Logged yields those of n blocks from start on of which a transaction that took effect
// has a copy, and whether only later copies are left: what they held is not known then.
func (m *Moment) Logged(start layout.Block, n uint64) iter.Seq2[layout.Block, bool] {
	return func(yield func(layout.Block, bool) bool) {
		a := m.archive
		k, _ := a.findLogged(start)
		for ; k < len(a.logged) && uint64(a.logged[k].fs-start) < n; k++ {
			if _, later, _ := m.at(k); !yield(a.logged[k].fs, later) {
				return
			}
		}
	}
}

func (a *Archive) copyAt(r versionRef) Copy { return a.Transactions[r.transaction].Blocks[r.copy] }

// Blocks lists the blocks of which the log holds a copy, in order, each once.
func (a *Archive) Blocks() []layout.Block { return a.BlocksIn(0, math.MaxUint64) }

// BlocksIn lists those of n blocks from start on of which the log holds a copy.
func (a *Archive) BlocksIn(start layout.Block, n uint64) []layout.Block {
	var out []layout.Block
	i, _ := slices.BinarySearchFunc(a.index, start, func(r versionRef, b layout.Block) int { return cmp.Compare(r.fs, b) })
	for ; i < len(a.index) && uint64(a.index[i].fs-start) < n; i++ {
		if b := a.index[i].fs; len(out) == 0 || out[len(out)-1] != b {
			out = append(out, b)
		}
	}
	return out
}

// Next gives the first block from start on of which the log holds a copy.
func (a *Archive) Next(start layout.Block) (b layout.Block, ok bool) {
	i, _ := slices.BinarySearchFunc(a.index, start, func(r versionRef, b layout.Block) int { return cmp.Compare(r.fs, b) })
	if i == len(a.index) {
		return 0, false
	}
	return a.index[i].fs, true
}

// CopyAt gives the copy of a block that counts at the end of transaction i: the newest
// from then or before, unless it was revoked since.
func (a *Archive) CopyAt(block layout.Block, i int) (c Copy, ok bool) {
	if i < 0 || i >= len(a.Transactions) {
		return Copy{}, false
	}
	c, later, ok := a.At(i).Find(block)
	return c, ok && !later
}
