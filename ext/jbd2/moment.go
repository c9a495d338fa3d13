package jbd2

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/extscope/extscope/ext/layout"
)

// A Moment is what the log tells of the file system at the end of one transaction.
type Moment struct {
	Sequence   uint32
	CommitTime time.Time
	Blocks     []Copy         // by block, each once
	Later      []layout.Block // those of Blocks of which only later copies are left: what they held is not known
}

// TookEffect reports whether the changes of transaction i were made: not so where it
// was never committed, or is of a journal before this one.
func (a *Archive) TookEffect(i int) bool {
	t := &a.Transactions[i]
	return t.Damage&Ahead == 0 && (t.Damage&NoCommit == 0 || before(t.Sequence, a.end))
}

// At gives the moment at the end of transaction i of a.Transactions. Each block has
// the copy it had then; a block of which no copy so old is left has the oldest of
// the later ones, and is in Later. Blocks without a copy are as at home, and so are
// those that were revoked, and not logged since.
func (a *Archive) At(i int) Moment {
	m := Moment{Sequence: a.Transactions[i].Sequence, CommitTime: a.Transactions[i].CommitTime}
	revoked := map[layout.Block]int{}
	for k := range a.Transactions[:i+1] {
		if a.TookEffect(k) {
			for _, b := range a.Transactions[k].Revokes {
				revoked[b] = k
			}
		}
	}
	for k := 0; k < len(a.index); {
		block, at, later := a.index[k].fs, -1, -1
		for ; k < len(a.index) && a.index[k].fs == block; k++ {
			switch t := int(a.index[k].transaction); {
			case !a.TookEffect(t):
			case t <= i:
				at = k
			case later < 0:
				later = k
			}
		}
		if at >= 0 {
			// A transaction does not log what it revokes (jbd2_journal_cancel_revoke).
			if r, ok := revoked[block]; ok && r >= int(a.index[at].transaction) {
				at = -1
			}
		}
		switch {
		case at >= 0:
			m.Blocks = append(m.Blocks, a.copyAt(at))
		case later >= 0:
			m.Blocks = append(m.Blocks, a.copyAt(later))
			m.Later = append(m.Later, block)
		}
	}
	return m
}

func (a *Archive) copyAt(k int) Copy {
	return a.Transactions[a.index[k].transaction].Blocks[a.index[k].copy]
}

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

// CopyAt gives the copy of a block that counts at the end of transaction i: the newest
// from then or before, unless it was revoked since.
func (a *Archive) CopyAt(block layout.Block, i int) (c Copy, ok bool) {
	k := sort.Search(len(a.index), func(k int) bool {
		r := a.index[k]
		return r.fs > block || r.fs == block && int(r.transaction) > i
	})
	for k--; k >= 0 && a.index[k].fs == block; k-- {
		t := int(a.index[k].transaction)
		if !a.TookEffect(t) {
			continue
		}
		for _, r := range a.revoked()[block] {
			if int(r) >= t && int(r) <= i {
				return Copy{}, false
			}
		}
		return a.copyAt(k), true
	}
	return Copy{}, false
}

// revoked gives the transactions that revoke each block.
func (a *Archive) revoked() map[layout.Block][]int32 {
	a.once.Do(func() {
		a.revokes = map[layout.Block][]int32{}
		for i := range a.Transactions {
			if a.TookEffect(i) {
				for _, b := range a.Transactions[i].Revokes {
					a.revokes[b] = append(a.revokes[b], int32(i))
				}
			}
		}
	})
	return a.revokes
}
