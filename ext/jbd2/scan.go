package jbd2

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/extscope/extscope/ext/layout"
)

// An Archive is everything the log still remembers, replayed or not: the kernel
// does not erase what it has written home, and takes up the log where it left
// off (before Linux 6.4: at its start) with the next mount.
type Archive struct {
	Transactions []Transaction // oldest first, by sequence
	Warnings     []Warning     // blocks that could not be read
	Last         uint32        // one more than the last block taken for the log proper

	index []versionRef // by block
	end   uint32       // the sequence after the last one that was committed

	once    sync.Once     // makes the rest, which only the past needs
	logged  []loggedBlock // by block
	states  []versionRef  // of transactions that took effect: by block, then by transaction
	revokes []uint32      // transactions, by the block they revoke
}

// Scan reads the whole log and finds all transactions that are whole or partly
// whole. It is done once; the result must not be changed.
//
// Checksums decide where the journal has them. Where it has none, a header is
// one by its magic, which no copy in a log begins with, and a copy counts as
// overwritten where a newer transaction could have reached it.
func (j *Journal) Scan() *Archive { return j.archive() }

// Forget lets go of what Scan found: it takes memory, and the next Scan reads the log
// again. Nobody else may use the journal meanwhile.
func (j *Journal) Forget() { j.archive = sync.OnceValue(j.scan) }

// A mark is a block of the log that begins like a header.
type mark struct {
	log      uint32
	sequence uint32
	kind     BlockType
	sum      Verdict
	tags     uint32 // of a descriptor block
	commit   int32  // index into scanner.commits
	succ     int32  // index of the mark that goes on with the transaction, or -1
	pred     int32  // likewise, the one before
	taken    bool
}

// A scanner holds what the one reading of the log found: its headers, and a
// checksum from 0 of each block.
type scanner struct {
	*Journal
	archive *Archive
	checked bool   // copies have checksums of their own
	marks   []mark // by log block
	commits []Commit
	first   uint32
	end     uint32   // one more than the last block looked at
	sums    []uint32 // crc32c of block first+i, under checksum v2 and v3
	beSums  []uint32 // crc32 of it, under checksum v1
	last    uint32

	sumShift, beShift *shift
	newest            uint32 // sequence that the journal has come to
	owners            []int32
	good              []bool // the owner's checksum holds
	room              int    // for revokes
	tags              []Tag
	block             []byte
}

func (j *Journal) scan() *Archive { return j.newScanner().run() }

func (j *Journal) newScanner() *scanner {
	s := &scanner{
		Journal: j,
		archive: &Archive{},
		checked: j.format.Csum != 0,
		first:   j.log.super + 1,
		end:     min(j.maxLen, maxBlocks),
		room:    maxRevokes,
	}
	if j.sb.First > s.first && j.sb.First < s.end {
		s.first = j.sb.First
	}
	return s
}

func (s *scanner) run() *Archive {
	if s.first >= s.end {
		return s.archive
	}
	s.block = make([]byte, s.format.BlockSize)
	s.read()
	s.setLast()
	if s.last <= s.first {
		return s.archive
	}
	s.setNewest()
	s.link()
	s.own()
	s.assemble()
	s.order()
	return s.archive
}

// maxTold bounds how many damaged or unreadable copies are told one by one.
const maxTold = 1000

// partBlocks is how many blocks of the log are read by one core at a time, in windows.
const partBlocks = 1 << 12

// A part is what a stretch of the log holds.
type part struct {
	marks    []mark
	commits  []Commit
	warnings []Warning
}

// read goes through the log once, on all cores.
func (s *scanner) read() {
	n := int(s.end - s.first)
	if s.checked {
		s.sumShift, s.sums = newShift(s.format.BlockSize, crc32c), make([]uint32, n)
	}
	if s.format.CommitSum {
		s.beShift, s.beSums = newShift(s.format.BlockSize, crc32BE), make([]uint32, n)
	}
	parts := make([]part, (n+partBlocks-1)/partBlocks)
	var next atomic.Int64
	var reading sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(parts)) {
		reading.Go(func() {
			w := newWindow(s.log)
			for i := int(next.Add(1)) - 1; i < len(parts); i = int(next.Add(1)) - 1 {
				from := s.first + uint32(i*partBlocks)
				s.readPart(&parts[i], w, from, min(from+partBlocks, s.end))
			}
		})
	}
	reading.Wait()
	for _, p := range parts {
		for _, m := range p.marks {
			if m.commit >= 0 {
				m.commit += int32(len(s.commits))
			}
			s.marks = append(s.marks, m)
		}
		s.commits = append(s.commits, p.commits...)
		s.archive.Warnings = append(s.archive.Warnings, p.warnings[:min(len(p.warnings), maxTold-len(s.archive.Warnings))]...)
	}
}

func (s *scanner) readPart(p *part, w *window, from, to uint32) {
	for n := from; n < to; n++ {
		b, err := w.block(n)
		if err != nil {
			if len(p.warnings) < maxTold {
				p.warnings = append(p.warnings, Warning{Kind: WarnUnreadable, Log: n, Offset: s.offset(n), Err: err})
			}
			b = nil
		}
		if s.sums != nil {
			s.sums[n-s.first] = layout.CRC32C(0, b)
		}
		if s.beSums != nil {
			s.beSums[n-s.first] = crc32BE(0, b)
		}
		if h, ok := DecodeHeader(b); ok {
			s.mark(p, h, b, n)
		}
	}
}

// mark notes a header.
func (s *scanner) mark(p *part, h Header, b []byte, n uint32) {
	m := mark{log: n, sequence: h.Sequence, kind: h.Type, succ: -1, pred: -1, commit: -1}
	switch h.Type {
	case TypeDescriptor:
		m.sum = s.format.TailChecksum(b)
		if m.tags = s.format.countTags(b); m.tags == 0 {
			return
		}
	case TypeRevoke:
		m.sum = s.format.TailChecksum(b)
	case TypeCommit:
		c, err := DecodeCommit(b, s.offset(n))
		if err != nil {
			return
		}
		m.sum = s.format.CommitChecksum(b)
		m.commit = int32(len(p.commits))
		p.commits = append(p.commits, c)
	default:
		return
	}
	p.marks = append(p.marks, m)
}

// setLast finds where the log proper ends. The journal says so while the
// fast_commit feature is set, but a clean unmount clears it.
func (s *scanner) setLast() {
	s.last = min(s.Journal.last, s.end)
	defer func() { s.archive.Last = s.last }()
	if s.last < s.maxLen {
		return
	}
	first, last := s.fcArea()
	if first == 0 || first <= s.first {
		return
	}
	end := first - 1
	if n := len(s.marks); n > 0 && s.marks[n-1].log >= end {
		return
	}
	if s.sb.NumFC == 0 && !s.anyFastCommit(first, last) {
		return
	}
	s.last = end
}

// setNewest finds which sequence the journal has come to. What is further on was
// left by another journal, unless damage ended the search for the newest.
func (s *scanner) setNewest() {
	r := s.Recoverable()
	s.newest = r.End
	s.archive.end = r.End
	switch r.Reason {
	case EndChecksum, EndLap, EndRefused:
		s.newest += uint32(min(len(s.marks), 1<<30))
	}
}

func (s *scanner) ahead(sequence uint32) bool { return before(s.newest, sequence) }

// find gives the mark at log block n, or -1.
func (s *scanner) find(n uint32) int32 {
	i, ok := slices.BinarySearchFunc(s.marks, n, func(m mark, n uint32) int {
		switch {
		case m.log < n:
			return -1
		case m.log > n:
			return 1
		}
		return 0
	})
	if !ok {
		return -1
	}
	return int32(i)
}

// after gives the log block n blocks after block from; ok is false where that is
// more than a lap away.
func (s *scanner) after(from uint32, n uint32) (next uint32, ok bool) {
	at := uint64(from) + uint64(n)
	if at >= uint64(s.last) {
		at -= uint64(s.last - s.first)
	}
	return uint32(at), at < uint64(s.last)
}

// link finds what goes on with each mark's transaction.
func (s *scanner) link() {
	for i := range s.marks {
		m := &s.marks[i]
		if m.kind == TypeCommit || m.log >= s.last {
			continue
		}
		next, ok := s.after(m.log, 1+m.tags)
		if !ok {
			continue
		}
		k := s.find(next)
		if k < 0 || s.marks[k].sequence != m.sequence || s.marks[k].pred >= 0 && s.rank(int32(i), false) <= s.rank(s.marks[k].pred, false) {
			continue
		}
		if old := s.marks[k].pred; old >= 0 {
			s.marks[old].succ = -1
		}
		m.succ, s.marks[k].pred = k, int32(i)
	}
}
