package jbd2

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
)

// ErrHole is what a BlockError wraps where nothing is mapped.
var ErrHole = errors.New("no block is mapped there")

// A BlockError says which block of the log could not be read, and why.
type BlockError struct {
	Log uint32 // log block number
	Err error  // ErrHole, or the error of the reader below
}

func (e *BlockError) Error() string { return fmt.Sprintf("log block %d: %v", e.Log, e.Err) }
func (e *BlockError) Unwrap() error { return e.Err }

// A Run maps Len log blocks, from First on, to the bytes from Start on.
type Run struct {
	First uint32 // log block
	Start int64  // byte of the reader
	Len   uint32 // in blocks
}

// A Log is the journal's bytes as numbered blocks: the blocks of the journal's
// inode, or those of a journal device. It holds where they lie, not what they
// hold, and is safe for concurrent use.
type Log struct {
	r         io.ReaderAt
	blockSize int
	runs      []Run
	blocks    uint32 // one more than the last mapped block
	super     uint32 // the block of the journal superblock: 0, but on a device
}

// NewLog makes a log of the blocks that runs map; the order of runs does not
// matter, and where two overlap the one with the lower First counts. Blocks that
// no run maps are holes. The block size is the file system's, in bytes.
func NewLog(r io.ReaderAt, blockSize int, runs []Run) *Log {
	l := &Log{r: r, blockSize: blockSize}
	sorted := slices.Clone(runs)
	slices.SortStableFunc(sorted, func(a, b Run) int {
		switch {
		case a.First < b.First:
			return -1
		case a.First > b.First:
			return 1
		}
		return 0
	})
	end := uint64(0)
	for _, run := range sorted {
		from, to := uint64(run.First), min(uint64(run.First)+uint64(run.Len), 1<<32-1)
		if from < end {
			run.Start += int64(end-from) * int64(blockSize)
			from = end
		}
		if from >= to || run.Start < 0 || blockSize <= 0 {
			continue
		}
		l.runs = append(l.runs, Run{uint32(from), run.Start, uint32(to - from)})
		end = to
	}
	l.blocks = uint32(end)
	return l
}

// BlockSize is the size of a log block in bytes.
func (l *Log) BlockSize() int { return l.blockSize }

// Blocks is one more than the number of the last block that is mapped.
func (l *Log) Blocks() uint32 { return l.blocks }

// Runs are where the log lies, in the order of its blocks.
func (l *Log) Runs() []Run { return l.runs }

// Super is the log block that holds the journal superblock: 0 in a file, the
// block after the ext superblock on a device, whose blocks are counted from its
// start.
func (l *Log) Super() uint32 { return l.super }

// locate gives where log block n lies, and how many more blocks follow it there.
func (l *Log) locate(n uint32) (off int64, more uint32, ok bool) {
	i := sort.Search(len(l.runs), func(i int) bool { return l.runs[i].First > n }) - 1
	if i < 0 || n-l.runs[i].First >= l.runs[i].Len {
		return 0, 0, false
	}
	run := l.runs[i]
	in := n - run.First
	return run.Start + int64(in)*int64(l.blockSize), run.Len - in - 1, true
}

// Offset is the byte of the reader at which log block n starts, or -1 in a hole.
func (l *Log) Offset(n uint32) int64 {
	off, _, ok := l.locate(n)
	if !ok {
		return -1
	}
	return off
}

// ReadBlock reads log block n into p, which holds one block. The error, if any,
// is a *BlockError.
func (l *Log) ReadBlock(p []byte, n uint32) error {
	if len(p) < l.blockSize {
		return &BlockError{n, io.ErrShortBuffer}
	}
	_, err := l.readBlocks(p[:l.blockSize], n)
	return err
}

// readBlocks reads as many blocks from n on as fit into p and lie together. It
// gives an error only where not even the first could be read.
func (l *Log) readBlocks(p []byte, n uint32) (blocks int, err error) {
	off, more, ok := l.locate(n)
	if !ok {
		return 0, &BlockError{n, ErrHole}
	}
	want := min(len(p)/l.blockSize, int(min(uint64(more)+1, 1<<30)))
	got, err := l.r.ReadAt(p[:want*l.blockSize], off)
	if blocks = got / l.blockSize; blocks > 0 {
		return blocks, nil
	}
	if want > 1 {
		got, err = l.r.ReadAt(p[:l.blockSize], off)
		if got == l.blockSize {
			return 1, nil
		}
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return 0, &BlockError{n, err}
}

// windowBytes is how much a window reads at a time: what the processor's cache
// holds until it is checksummed.
const windowBytes = 256 << 10

// A window reads a log forward in large pieces. The blocks it gives are valid
// until the next call.
type window struct {
	log   *Log
	buf   []byte
	first uint32 // the log block that buf starts with
	n     uint32 // how many blocks buf holds
}

func newWindow(l *Log) *window {
	size := min(int64(windowBytes), int64(l.blocks)*int64(l.blockSize))
	size -= size % int64(l.blockSize)
	return &window{log: l, buf: make([]byte, max(int(size), l.blockSize))}
}

func (w *window) block(n uint32) ([]byte, error) {
	if n < w.first || n-w.first >= w.n {
		w.n = 0
		got, err := w.log.readBlocks(w.buf, n)
		if err != nil {
			return nil, err
		}
		w.first, w.n = n, uint32(got)
	}
	at := int(n-w.first) * w.log.blockSize
	return w.buf[at : at+w.log.blockSize], nil
}
