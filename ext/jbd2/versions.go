package jbd2

import (
	"slices"
	"time"

	"github.com/extscope/extscope/ext/layout"
)

// A versionRef points at a copy of a block.
type versionRef struct {
	fs          layout.Block
	transaction uint32
	copy        uint32
}

// A Version is what a block of the file system once held.
type Version struct {
	Copy
	Sequence    uint32
	CommitTime  time.Time
	State       State
	Damage      Damage
	Transaction int // index into Archive.Transactions
}

// Versions lists the copies of a block that the log holds, newest last. Copies
// with a wrong checksum are left out.
func (a *Archive) Versions(block layout.Block) []Version {
	i, _ := slices.BinarySearchFunc(a.index, block, func(r versionRef, b layout.Block) int {
		switch {
		case r.fs < b:
			return -1
		case r.fs > b:
			return 1
		}
		return 0
	})
	var out []Version
	for ; i < len(a.index) && a.index[i].fs == block; i++ {
		r := a.index[i]
		t := &a.Transactions[r.transaction]
		out = append(out, Version{t.Blocks[r.copy], t.Sequence, t.CommitTime, t.State, t.Damage, int(r.transaction)})
	}
	return out
}

// Versions lists the copies of a block that the log holds, newest last.
func (j *Journal) Versions(block layout.Block) []Version { return j.Scan().Versions(block) }
