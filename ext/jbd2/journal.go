// Package jbd2 reads the journal of ext3 and ext4: what the kernel would replay
// after a crash, what it left in the log from before, and the fast commits. A
// view of the file system as after replay is an Overlay, an io.ReaderAt that
// reads replayed blocks from the log; nothing is ever written.
//
// The package imports no ext: whoever opens a file system says where the blocks
// of its journal lie.
package jbd2

import (
	"sync"

	"github.com/extscope/extscope/ext/layout"
)

// A Journal is an opened journal. It is safe for concurrent use.
type Journal struct {
	log     *Log
	sb      *Superblock
	format  Format
	refused error  // why the kernel would not touch it
	maxLen  uint32 // blocks of the log that exist
	last    uint32 // one more than the last block of the log proper
	blocks  uint64 // of the file system's device; 0: not known

	recovery func() *Recovery
	archive  func() *Archive
}

// Open reads the superblock of a journal. A journal that the kernel would refuse
// opens all the same, for Scan to look into; Facts says why it is refused. The
// error, a *layout.CorruptError or one of reading, means that there is no
// journal superblock.
func Open(log *Log) (*Journal, error) {
	sb, err := readSuperblock(log)
	if err != nil {
		return nil, err
	}
	j := &Journal{
		log:     log,
		sb:      sb,
		format:  sb.Format(log.blockSize),
		refused: sb.Check(log.Offset(log.super), log.blocks, log.blockSize),
		maxLen:  min(sb.MaxLen, log.blocks),
	}
	j.last = j.maxLen
	if sb.Incompat&IncompatFastCommit != 0 && j.maxLen >= minBlocks && j.maxLen-minBlocks >= sb.fcBlocks() {
		j.last -= sb.fcBlocks()
	}
	j.once()
	return j, nil
}

func (j *Journal) once() {
	j.recovery = sync.OnceValue(j.recover)
	j.archive = sync.OnceValue(j.scan)
}

// Within gives the same journal, for a file system on a device of that many
// blocks. The kernel gives up replaying at a copy of a block that is not there.
func (j *Journal) Within(blocks uint64) *Journal {
	k := *j
	k.blocks = blocks
	k.once()
	return &k
}

// Log is the log the journal was opened on.
func (j *Journal) Log() *Log { return j.log }

// Format is how the blocks of the log are laid out.
func (j *Journal) Format() Format { return j.format }

// Facts are what a journal says about itself.
type Facts struct {
	Superblock
	Offset  int64  // byte of the reader where the superblock lies
	Blocks  uint32 // of the log that are mapped; MaxLen says how many there should be
	Last    uint32 // one more than the last block of the log proper
	FCFirst uint32 // first block of the fast-commit area; 0: none
	FCLast  uint32 // one more than its last
	Dirty   bool   // there may be transactions to replay: s_start is set
	Refused error  // why the kernel would not mount a file system with this journal
}

// Facts gives what the journal's superblock says.
func (j *Journal) Facts() Facts {
	f := Facts{
		Superblock: *j.sb,
		Offset:     j.log.Offset(j.log.super),
		Blocks:     j.log.blocks,
		Last:       j.last,
		Dirty:      j.sb.Start != 0,
		Refused:    j.refused,
	}
	if j.sb.Incompat&IncompatFastCommit != 0 || j.sb.NumFC != 0 {
		f.FCFirst, f.FCLast = j.fcArea()
	}
	return f
}

// wrap gives the log block that comes after block n-1, where n may have run past
// the end of the log: the wrap macro of fs/jbd2/recovery.c.
func (j *Journal) wrap(n, last uint64) uint64 {
	if n >= last {
		n -= last - uint64(j.sb.First)
	}
	return n
}

// offset is the byte at which log block n lies, for reports.
func (j *Journal) offset(n uint32) int64 { return j.log.Offset(n) }

// ReadCopy reads a copy as the block it is of, into p, which holds one block.
func (j *Journal) ReadCopy(p []byte, c Copy) error {
	if err := j.log.ReadBlock(p, c.Log); err != nil {
		return err
	}
	if c.Escaped {
		be.PutUint32(p, Magic)
	}
	return nil
}

// corrupt makes the error for a field of log block n.
func (j *Journal) corrupt(what, field string, n uint32, at int64, value uint64) error {
	return &layout.CorruptError{Struct: what, Field: field, Offset: j.offset(n) + at, Value: value}
}
