package jbd2

import (
	"cmp"
	"fmt"
	"slices"
)

// An EndReason says why replay ends where it does.
type EndReason uint8

// The reasons. All but the last four are how an undamaged log ends.
const (
	EndClean    EndReason = iota // nothing to replay: s_start is 0
	EndMagic                     // a block that is no header
	EndSequence                  // a header of another transaction
	EndStale                     // a wrong checksum, and a commit time before the last one's: old blocks
	EndType                      // a header of a type that does not belong there
	EndChecksum                  // a wrong checksum of a commit block
	EndLap                       // the log runs into its own start
	EndRefused                   // the kernel would not mount it: nothing is replayed
)

var endNames = [...]string{"clean", "no header", "another sequence", "stale blocks", "unknown block type",
	"bad commit checksum", "log runs into its own start", "refused"}

func (r EndReason) String() string {
	if int(r) < len(endNames) {
		return endNames[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// A Recovery is what replaying the journal would do, by the rules of
// do_one_pass, fs/jbd2/recovery.c. Fast commits come on top of it.
type Recovery struct {
	Transactions []Transaction // to be replayed, oldest first
	Blocks       []Copy        // the copies that would be written home, by block
	Start        uint32        // s_sequence
	End          uint32        // the first sequence that is not replayed
	EndBlock     uint32        // the log block where the search ended
	Head         uint32        // the log block after the last transaction
	Reason       EndReason
	Refused      error // why nothing is replayed
	Failed       bool  // the kernel would not mount the file system, though it may have replayed some
	Revoked      int   // copies that a revoke hides
	Skipped      int   // copies with a wrong checksum, unreadable, or behind one outside the file system
	Warnings     []Warning
}

// Outside gives those copies that are of blocks at or past the end of a file
// system with that many blocks.
func (r *Recovery) Outside(blocks uint64) []Copy {
	i, _ := slices.BinarySearchFunc(r.Blocks, blocks, func(c Copy, n uint64) int { return cmp.Compare(uint64(c.FS), n) })
	return r.Blocks[i:]
}

// Recoverable finds what replaying the journal would do. It is found once; the
// result must not be changed.
func (j *Journal) Recoverable() *Recovery { return j.recovery() }

func (j *Journal) recover() *Recovery {
	r := &Recovery{Start: j.sb.Sequence, End: j.sb.Sequence, Head: j.sb.Head}
	if j.sb.Errno != 0 {
		r.Warnings = append(r.Warnings, Warning{Kind: WarnAborted, Log: j.log.super, Sequence: j.sb.Sequence,
			Offset: j.offset(j.log.super) + 0x20, Err: fmt.Errorf("errno %d", -int64(j.sb.Errno))})
	}
	if j.refused != nil {
		return r.refuse(Warning{Kind: WarnRefused, Log: j.log.super, Offset: j.offset(j.log.super), Err: j.refused})
	}
	if j.sb.Start == 0 {
		return r
	}
	p := &pass{Journal: j, Recovery: r, window: newWindow(j.log)}
	if w := p.run(); w != nil {
		return r.refuse(*w)
	}
	if w, bad := j.badFastCommit(r.End); bad {
		return r.refuse(w)
	}
	p.finish()
	if w := p.choose(); w != nil {
		return r.refuse(*w)
	}
	return r
}

// refuse turns r into a recovery that replays nothing.
func (r *Recovery) refuse(w Warning) *Recovery {
	r.Transactions, r.Blocks, r.Revoked, r.Skipped = nil, nil, 0, 0
	r.End, r.Reason, r.Refused, r.Failed = r.Start, EndRefused, w.Err, true
	r.Warnings = append(r.Warnings, w)
	return r
}

// A candidate is a copy that may be replayed.
type candidate struct {
	Copy
	sequence uint32
	order    uint32 // in the log
}

// choose makes Blocks: of each block the newest copy that is neither revoked nor
// has a wrong checksum. An older copy is used where the newest is damaged, as the
// kernel leaves it in place then.
func (p *pass) choose() *Warning {
	var all []candidate
	for _, t := range p.Transactions {
		for _, c := range t.Blocks {
			all = append(all, candidate{c, t.Sequence, uint32(len(all))})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.FS, b.FS), cmp.Compare(a.order, b.order))
	})
	// Only revokes of blocks that have a copy matter, and only the last of
	// each: memory is bounded by the copies, whatever the revoke blocks hold.
	revoked := make([]revoke, len(all))
	if w := p.revokes(func(block revokedBlock) {
		i, found := slices.BinarySearchFunc(all, block.block, func(c candidate, b uint64) int { return cmp.Compare(uint64(c.FS), b) })
		if found && (!revoked[i].set || before(revoked[i].sequence, block.sequence)) {
			revoked[i] = revoke{block.sequence, true}
		}
	}); w != nil {
		return w
	}
	stop := uint32(len(all))
	if p.blocks != 0 {
		// The kernel goes by the order of the log, and stops at the first.
		first := 0
		for i, c := range all {
			if c.FS != all[first].FS {
				first = i
			}
			if uint64(c.FS) >= p.blocks && c.Checksum != Bad && !revoked[first].hides(c.sequence) {
				stop = min(stop, c.order)
			}
		}
	}
	for i := 0; i < len(all); {
		rule, next := revoked[i], i
		best := -1
		for ; next < len(all) && all[next].FS == all[i].FS; next++ {
			c := all[next]
			switch {
			case rule.hides(c.sequence):
				p.Revoked++
			case c.Checksum == Bad:
				p.Skipped++
				p.Failed = true
			case c.order == stop:
				p.sequence = c.sequence
				w := p.warn(WarnOutside, c.Log, 0, nil)
				w.FS = c.FS
				p.Warnings = append(p.Warnings, w)
				p.Failed = true
				p.Skipped++
			case c.order > stop:
				p.Skipped++
			default:
				best = next
			}
		}
		if best >= 0 {
			p.Blocks = append(p.Blocks, all[best].Copy)
		}
		i = next
	}
	return nil
}

// A revoke is the last one of a block.
type revoke struct {
	sequence uint32
	set      bool
}

// hides reports whether a copy of a transaction is not replayed.
func (r revoke) hides(sequence uint32) bool { return r.set && !before(r.sequence, sequence) }

type revokedBlock struct {
	block    uint64
	sequence uint32
}
