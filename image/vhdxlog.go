package image

import (
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
)

const (
	vhdxLogSector = 4 << 10
	vhdxMaxLog    = 16 << 20 // bytes of a log that is replayed; others write 1 MiB
)

// A vhdxLog is the ring of sectors that a vhdx logs changes of its tables in, MS-VHDX 2.3.
type vhdxLog struct {
	b  []byte // whole sectors
	id [16]byte
	// entries are what was found to begin at each sector, once it was looked for.
	entries map[int64]*vhdxEntry
}

// A vhdxEntry is one log entry: its header, MS-VHDX 2.3.1.1, and where it lies.
type vhdxEntry struct {
	first, sectors int64 // in sectors of the log; it may go on at the log's start
	tail           int64 // sector of the oldest entry that was not in its place yet
	sequence       uint64
	descriptors    int64
	flushed, last  uint64 // sizes of the file, in bytes
}

// sector gives a sector of the ring.
func (l *vhdxLog) sector(k int64) []byte {
	return l.b[k%l.sectors()*vhdxLogSector:][:vhdxLogSector]
}

func (l *vhdxLog) sectors() int64 { return int64(len(l.b)) / vhdxLogSector }

// entry gives the valid entry that begins at a sector, or nil.
func (l *vhdxLog) entry(k int64) *vhdxEntry {
	e, known := l.entries[k]
	if !known {
		if got, ok := l.decodeEntry(k); ok {
			e = &got
		}
		l.entries[k] = e
	}
	return e
}

// decodeEntry decodes and checks all of an entry: header, checksum, descriptors and data
// sectors. What looks wrong in any sector ends it there, so that the search of the log
// takes time in proportion to its length.
func (l *vhdxLog) decodeEntry(k int64) (vhdxEntry, bool) {
	b := l.sector(k)
	if string(b[:4]) != "loge" || [16]byte(b[32:48]) != l.id {
		return vhdxEntry{}, false
	}
	length, tail := int64(le.Uint32(b[8:])), int64(le.Uint32(b[12:]))
	e := vhdxEntry{
		first: k, sectors: length / vhdxLogSector, tail: tail / vhdxLogSector, sequence: le.Uint64(b[16:]),
		descriptors: int64(le.Uint32(b[24:])), flushed: le.Uint64(b[48:]), last: le.Uint64(b[56:]),
	}
	if length%vhdxLogSector != 0 || tail%vhdxLogSector != 0 || e.sequence == 0 ||
		e.sectors < e.headSectors() || e.sectors > l.sectors() || e.tail >= l.sectors() {
		return e, false
	}
	sum := crc32.Update(0, castagnoli, b[:4])
	sum = crc32.Update(sum, castagnoli, make([]byte, 4))
	sum = crc32.Update(sum, castagnoli, b[8:])
	data := e.headSectors() // the data sector of the next data descriptor
	for j := int64(1); j < e.sectors; j++ {
		b := l.sector(k + j)
		if string(b[:4]) == "loge" {
			return e, false
		}
		sum = crc32.Update(sum, castagnoli, b)
	}
	if sum != le.Uint32(b[4:]) {
		return e, false
	}
	for i := range e.descriptors {
		d := e.descriptor(l, i)
		if le.Uint64(d[24:]) != e.sequence || le.Uint64(d[16:])%vhdxLogSector != 0 || le.Uint64(d[16:]) > 1<<60 {
			return e, false
		}
		switch string(d[:4]) {
		case "zero":
			if n := le.Uint64(d[8:]); n%vhdxLogSector != 0 || n > 1<<60 {
				return e, false
			}
		case "desc":
			if data >= e.sectors {
				return e, false
			}
			s := l.sector(k + data)
			if string(s[:4]) != "data" || le.Uint32(s[4:]) != uint32(e.sequence>>32) || le.Uint32(s[4092:]) != uint32(e.sequence) {
				return e, false
			}
			data++
		default:
			return e, false
		}
	}
	return e, true
}

// headSectors is how many sectors header and descriptors take: 126 of these are in the
// first, 128 in each of the others.
func (e *vhdxEntry) headSectors() int64 {
	return (64 + 32*e.descriptors + vhdxLogSector - 1) / vhdxLogSector
}

func (e *vhdxEntry) descriptor(l *vhdxLog, i int64) []byte {
	at := 64 + 32*i
	return l.sector(e.first + at/vhdxLogSector)[at%vhdxLogSector:][:32]
}

// active finds the entries to replay, oldest first, by the steps of MS-VHDX 2.3.3: of all
// runs of entries whose sequence numbers follow each other, and whose last one's tail is
// among them, that of the greatest number. It is nil if there is none.
func (l *vhdxLog) active() []*vhdxEntry {
	var candidate []*vhdxEntry
	for tail := int64(0); ; {
		var run []*vhdxEntry
		first := -1 // in run: the entry that the last one's tail is
		head := tail
		for {
			e := l.entry(head)
			if e == nil || len(run) > 0 && e.sequence != run[len(run)-1].sequence+1 {
				break
			}
			run = append(run, e)
			head = (head + e.sectors) % l.sectors()
		}
		if len(run) > 0 {
			for i, e := range run {
				if e.first == run[len(run)-1].tail {
					first = i
				}
			}
		}
		if first >= 0 && (candidate == nil || run[len(run)-1].sequence > candidate[len(candidate)-1].sequence) {
			candidate = run[first:]
		}
		old := tail
		if first < 0 {
			head = (tail + 1) % l.sectors()
		}
		if tail = head; tail <= old {
			return candidate
		}
	}
}

// replayVHDXLog gives the file as it is once its log is replayed, and how long it is then.
func replayVHDXLog(r io.ReaderAt, size int64, name string, h vhdxHeader, warnings *[]string) (io.ReaderAt, int64, error) {
	if h.logID == [16]byte{} {
		return r, size, nil
	}
	bad := func(format string, args ...any) (io.ReaderAt, int64, error) {
		return nil, 0, &FormatError{name, "vhdx", int64(min(h.logOffset, 1<<62)), fmt.Sprintf(format, args...), ""}
	}
	switch {
	case h.logVersion != 0:
		return bad("log of version %d, which is not supported", h.logVersion)
	case h.logLength == 0 || h.logLength%vhdxUnit != 0 || h.logOffset%vhdxUnit != 0 || h.logOffset > uint64(size) || int64(h.logLength) > size-int64(h.logOffset):
		return bad("log of %d bytes at byte %d of a file of %d", h.logLength, h.logOffset, size)
	case h.logLength > vhdxMaxLog:
		return bad("log of %d bytes, more than %d, is not replayed", h.logLength, vhdxMaxLog)
	}
	b, err := fetchAll(r, int64(h.logOffset), int(h.logLength))
	if err != nil {
		return nil, 0, fmt.Errorf("%s: log: %w", name, err)
	}
	l := &vhdxLog{b: b, id: h.logID, entries: map[int64]*vhdxEntry{}}
	entries := l.active()
	if len(entries) == 0 {
		return bad("log with nothing in it that can be replayed, though it is not empty")
	}
	last := entries[len(entries)-1]
	next := l.sector(last.first + last.sectors)
	if string(next[:4]) == "loge" && [16]byte(next[32:48]) == l.id && le.Uint64(next[16:]) == last.sequence+1 {
		warnf(warnings, "the log of %s goes on with an entry that was not written whole, or is damaged: not replayed", filepath.Base(name))
	}
	if last.flushed > uint64(size) {
		warnf(warnings, "%s has been cut short: it has %d bytes, and had %d when its log was written", filepath.Base(name), size, last.flushed)
	}
	warnf(warnings, "the log of %s was not empty: %d entries were replayed, in memory only", filepath.Base(name), len(entries))
	p := newPatched(r, size, l.patches(entries))
	if last.last <= 1<<60 {
		p.size = max(p.size, int64(last.last))
	}
	return p, p.size, nil
}

// patches lists what entries write, in order. It takes the sectors of the log for it.
func (l *vhdxLog) patches(entries []*vhdxEntry) []filePatch {
	var list []filePatch
	for _, e := range entries {
		data := e.headSectors()
		for i := range e.descriptors {
			d := e.descriptor(l, i)
			p := filePatch{off: int64(le.Uint64(d[16:]))}
			if string(d[:4]) == "zero" {
				p.n = int64(le.Uint64(d[8:]))
			} else {
				// The signature and sequence number stand in place of these bytes.
				p.data, p.n = l.sector(e.first+data), vhdxLogSector
				copy(p.data, d[8:16])
				copy(p.data[4092:], d[4:8])
				data++
			}
			if p.n > 0 {
				list = append(list, p)
			}
		}
	}
	return list
}
