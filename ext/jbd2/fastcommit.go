package jbd2

import (
	"bytes"
	"errors"

	"github.com/extscope/extscope/ext/layout"
)

// A FastCommit is one entry of the fast-commit area: the changes of a few inodes,
// in records, written by fsync in place of a full commit. One with TID t comes
// after the full commit t-1, and holds until commit t.
type FastCommit struct {
	TID      uint32 // by its head; without one, by its tail
	LogBlock uint32 // where it starts
	Blocks   uint32 // how many log blocks it takes
	Head     bool   // it begins the area: only the first after a full commit has a head
	Tail     bool   // it has its last record
	CRCOK    bool   // the checksum in its tail holds
	Valid    bool   // it would be replayed
	Records  []FCRecord
	Err      error // a *layout.CorruptError where a record cannot be right, or one of reading
}

// ErrManyRecords says that the rest of a fast commit's records was left out.
var ErrManyRecords = errors.New("too many fast commit records")

const (
	maxFCRecords = 1 << 20 // over all fast commits; the usual area has room for 64Ki
	maxFCBytes   = 64 << 20
)

// fcArea gives the blocks of the fast-commit area: the last of the log, but for
// the first one, which is skipped. Whether it is in use is another question.
func (j *Journal) fcArea() (first, last uint32) {
	n := j.sb.fcBlocks()
	if j.maxLen < minBlocks || j.maxLen-minBlocks < n || n < 2 || n > maxBlocks {
		return 0, 0
	}
	return j.maxLen - n + 1, j.maxLen
}

// FastCommits lists what the fast-commit area holds: fast commits that would be
// replayed, and those that a clean unmount or a full commit made void, in the
// order of the log. An area that the journal does not speak of is looked into
// as well, since a clean unmount takes the feature away; then only what has a
// right checksum counts.
func (j *Journal) FastCommits() []FastCommit {
	list := j.parseFastCommits()
	if r := j.Recoverable(); r.Refused == nil {
		j.validate(list, r.End)
	}
	return list
}

func (j *Journal) parseFastCommits() []FastCommit {
	first, last := j.fcArea()
	if first == 0 {
		return nil
	}
	p := j.newFCParser()
	p.read(first, last, func() bool { return false })
	if j.sb.Incompat&IncompatFastCommit == 0 && j.sb.NumFC == 0 {
		p.keepGood()
	}
	return p.out
}

// anyFastCommit reports whether the area holds a fast commit with a right
// checksum.
func (j *Journal) anyFastCommit(first, last uint32) bool {
	p := j.newFCParser()
	p.read(first, last, func() bool { p.keepGood(); return len(p.out) > 0 })
	return len(p.out) > 0
}

// A fcParser reads the area block by block.
type fcParser struct {
	*Journal
	out     []FastCommit
	open    *FastCommit
	crc     uint32
	records int // that may still be kept
	bytes   int
}

func (j *Journal) newFCParser() *fcParser {
	return &fcParser{Journal: j, records: maxFCRecords, bytes: maxFCBytes}
}

// read parses log blocks first to last-1, or until enough, asked after each that
// ended a fast commit, says so.
func (p *fcParser) read(first, last uint32, enough func() bool) {
	w := newWindow(p.log)
	for n := first; n < last; n++ {
		before := len(p.out)
		if b, err := w.block(n); err != nil {
			p.flush(err)
		} else {
			p.block(b, n)
		}
		if len(p.out) > before && enough() {
			return
		}
	}
	p.flush(nil)
	enough()
}

// flush ends the fast commit that is open.
func (p *fcParser) flush(err error) {
	if p.open == nil {
		return
	}
	if p.open.Err == nil {
		p.open.Err = err
	}
	p.out = append(p.out, *p.open)
	p.open = nil
}

func (p *fcParser) keepGood() {
	kept := p.out[:0]
	for _, fc := range p.out {
		if fc.CRCOK {
			kept = append(kept, fc)
		}
	}
	p.out = kept
}

// block parses one block of the area. A fast commit starts with a block, and
// ends one; no record goes over the end of a block.
func (p *fcParser) block(b []byte, n uint32) {
	head := FCTag(le.Uint16(b)) == FCHead
	if head {
		p.flush(nil)
	}
	if p.open == nil {
		if _, _, err := DecodeFCRecord(b, 0); err != nil && !head {
			return // nothing was written there, or nothing that can be read
		}
		p.open, p.crc = &FastCommit{LogBlock: n, Head: head}, 0
	}
	fc := p.open
	fc.Blocks++
	off := p.offset(n)
	for at := 0; at+fcTLSize <= len(b); {
		r, size, err := DecodeFCRecord(b[at:], off+int64(at))
		if err != nil {
			p.flush(err)
			return
		}
		r.Log = n
		if r.Tag == FCTail {
			p.crc = layout.CRC32C(p.crc, b[at:at+fcTLSize+4])
			fc.Tail = true
			fc.CRCOK = p.crc == r.Checksum
			if fc.Head && fc.TID != r.TID && fc.Err == nil {
				fc.Err = &layout.CorruptError{Struct: "fast commit tail", Field: "fc_tid", Offset: r.Offset + fcTLSize, Value: uint64(r.TID)}
			}
			if !fc.Head {
				fc.TID = r.TID
			}
			p.flush(nil)
			return
		}
		p.crc = layout.CRC32C(p.crc, b[at:at+size])
		if r.Tag == FCHead {
			fc.TID = r.TID
			if r.Features != 0 {
				fc.Err = &layout.CorruptError{Struct: "fast commit head", Field: "fc_features", Offset: off + int64(at) + 4, Value: uint64(r.Features)}
			}
		}
		p.keep(fc, r)
		at += size
	}
}

// keep adds a record to a fast commit, with bytes of its own.
func (p *fcParser) keep(fc *FastCommit, r FCRecord) {
	if r.Tag == FCPad || r.Tag == FCHead {
		return
	}
	if p.records == 0 || p.bytes < len(r.Name)+len(r.Inode) {
		if fc.Err == nil {
			fc.Err = ErrManyRecords
		}
		return
	}
	p.records--
	p.bytes -= len(r.Name) + len(r.Inode)
	r.Name, r.Inode = bytes.Clone(r.Name), bytes.Clone(r.Inode)
	fc.Records = append(fc.Records, r)
}

// validate marks the fast commits that would be replayed after the full commit
// before end, by the rules of ext4_fc_replay_scan, fs/ext4/fast_commit.c: those
// from the start of the area on, one behind the other, up to the first that does
// not hold.
func (j *Journal) validate(list []FastCommit, end uint32) {
	if j.sb.Incompat&IncompatFastCommit == 0 || j.sb.Start == 0 {
		return
	}
	next, _ := j.fcArea()
	for i := range list {
		fc := &list[i]
		if fc.LogBlock != next || i == 0 && !fc.Head || fc.TID != end || !fc.CRCOK || fc.Err != nil {
			return
		}
		fc.Valid = true
		next += fc.Blocks
	}
}

// badFastCommit tells whether the kernel would refuse the journal over its fast
// commits: the first belongs after the last full commit, and does not hold. If a
// later one does not, replay ends before it.
func (j *Journal) badFastCommit(end uint32) (Warning, bool) {
	if j.sb.Incompat&IncompatFastCommit == 0 {
		return Warning{}, false
	}
	list := j.parseFastCommits()
	j.validate(list, end)
	first, _ := j.fcArea()
	if len(list) == 0 || list[0].LogBlock != first || !list[0].Head || list[0].TID != end || list[0].Valid {
		return Warning{}, false
	}
	fc := list[0]
	w := Warning{Kind: WarnFastCommit, Sequence: fc.TID, Log: fc.LogBlock, Offset: j.offset(fc.LogBlock), Err: fc.Err}
	if w.Err == nil {
		w.Err = errBadFastCommit
	}
	return w, true
}

var errBadFastCommit = errors.New("fast commit with a wrong checksum, or without an end")
