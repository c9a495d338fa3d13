package jbd2

import (
	"time"

	"github.com/extscope/extscope/ext/layout"
)

// A State says what would become of a transaction.
type State uint8

// The states.
const (
	Stale State = iota // whole, and not to be replayed: written home long ago, or cut off by damage
	Live               // would be replayed
	Torn               // part of it was overwritten, or never written
)

func (s State) String() string { return [...]string{"stale", "live", "torn"}[min(s, Torn)] }

// Damage says what is wrong with a transaction.
type Damage uint16

// The kinds of damage.
const (
	NoStart    Damage = 1 << iota // its first blocks were overwritten
	NoCommit                      // its commit block is missing
	LostCopies                    // some of its copies were overwritten
	BadTail                       // the checksum of a descriptor or revoke block is wrong
	BadCommit                     // the checksum of its commit block is wrong
	BadCopy                       // the checksum of a copy is wrong
	BadCount                      // a revoke block whose count runs past it
	NoLastTag                     // a descriptor block without a last tag
	Ahead                         // its sequence is one that this journal has not come to: left by one before it
	CutShort                      // some of it was left out of the listing, which holds enough as it is
)

var damageNames = []string{"no-start", "no-commit", "lost-copies", "bad-tail-checksum",
	"bad-commit-checksum", "bad-copy-checksum", "bad-revoke-count", "no-last-tag", "ahead", "cut-short"}

// Names lists the damage in words.
func (d Damage) Names() []string { return bitNames(uint32(d), damageNames...) }

// A Transaction is what one commit wrote to the log. The sequence numbers are
// compared as signed differences, since they wrap.
type Transaction struct {
	Sequence    uint32
	CommitTime  time.Time // zero without a commit block, or where it has no time
	Start       uint32    // the log block it begins with
	End         uint32    // the log block after it, less than Start where it wraps
	State       State
	Damage      Damage
	Blocks      []Copy // in the order of the log
	Revokes     []layout.Block
	RevokeCount int // all revokes, where Revokes was cut short
}

// A Copy is the contents a block of the file system had at the end of a
// transaction. It names where they lie, and ReadCopy reads them.
type Copy struct {
	FS       layout.Block
	Log      uint32
	Escaped  bool
	Checksum Verdict
}

// before orders sequence numbers, which wrap (tid_gt, include/linux/jbd2.h).
func before(a, b uint32) bool { return int32(a-b) < 0 }
