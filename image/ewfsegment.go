package image

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// An ewfSegment is a segment file and what its sections say.
type ewfSegment struct {
	name    string
	file    *os.File
	size    int64
	number  int
	spans   []ewfSpan    // in the order of the image; count is -1 where it is not known
	volumes []ewfVolume  // the volume, disk and data sections
	about   []ewfSection // the small sections: header, hash and the like
	ended   string       // the kind of the last section, "next" or "done"; "" for none

	sectors int64 // where the sectors section met last ends
	paired  error // what was wrong with the table met last
	table   *ewfTable
}

// ewfKinds are the sections known: those up to "done" tell where the image is and end a
// segment.
var ewfKinds = []string{"volume", "disk", "data", "sectors", "table", "table2", "next", "done",
	"header", "header2", "hash", "digest", "error2", "session", "xheader", "xhash", "incomplete", "ltree", "ltypes"}

const (
	maxEwfSections = 1 << 18  // of a segment: 43 TiB of the usual ones
	maxEwfSmall    = 16 << 20 // bytes of a section that is read as a whole, tables aside
)

// walk goes through the sections of the segment. Where the chain is broken it goes on at
// the next section that can be found.
func (s *ewfSegment) walk(warnings *[]string) {
	var own []string
	at := int64(ewfHeaderLen)
	for n := 0; s.ended == ""; n++ {
		sec, err := s.section(at)
		if n == maxEwfSections {
			err = fmt.Errorf("more than %d sections", maxEwfSections)
		}
		if err != nil {
			s.lost(at, err)
			if at = s.find(at + 1); at < 0 || n == maxEwfSections {
				break
			}
			continue
		}
		s.take(sec, &own)
		if sec.next > s.size {
			s.lost(s.size, fmt.Errorf("the file is cut off in the %s section, which should end at byte %d", sec.kind, sec.next))
			break
		}
		at = sec.next
	}
	if len(own) > maxWarnings {
		own = append(own[:maxWarnings], fmt.Sprintf("and %d more warnings", len(own)-maxWarnings))
	}
	for _, w := range own {
		warnf(warnings, "%s: %s", filepath.Base(s.name), w)
	}
}

// section reads the descriptor at byte at, which is to lead on.
func (s *ewfSegment) section(at int64) (ewfSection, error) {
	if at >= s.size {
		return ewfSection{}, errors.New("the file ends without a last section")
	}
	sec, err := decodeEwfSection(fetch(s.file, at, ewfSectionLen), at)
	switch {
	case err != nil:
		return sec, err
	case sec.last():
		return sec, nil
	case sec.next < at+ewfSectionLen:
		return sec, fmt.Errorf("%s section goes on at byte %d", sec.kind, sec.next)
	}
	return sec, nil
}

func (sec ewfSection) last() bool { return sec.kind == "next" || sec.kind == "done" }

// lost notes that the chain is broken at byte at: there may have been chunks.
func (s *ewfSegment) lost(at int64, err error) {
	s.spans = append(s.spans, ewfSpan{count: -1, gap: &ewfGap{name: s.name, at: at, err: err}})
	s.table = nil
}

// find looks from byte at on for a section's descriptor: one whose checksum holds, of a
// known kind, that is where it says. The last keeps out those of an image in the image.
func (s *ewfSegment) find(at int64) int64 {
	const step = 1 << 20
	for ; at < s.size; at += step {
		b := fetch(s.file, at, step+ewfSectionLen-1)
		best := len(b)
		for _, kind := range ewfKinds {
			magic := append([]byte(kind), make([]byte, 16-len(kind))...)
			for i := 0; i < best; i++ {
				k := bytes.Index(b[i:best], magic)
				if k < 0 {
					break
				}
				i += k
				sec, err := decodeEwfSection(b[i:], at+int64(i))
				if err == nil && (sec.last() || sec.size >= ewfSectionLen && sec.size == sec.next-sec.at) {
					best = i
				}
			}
		}
		if best < min(len(b), step) {
			return at + int64(best)
		}
	}
	return -1
}

// take takes in what a section says.
func (s *ewfSegment) take(sec ewfSection, warnings *[]string) {
	end := min(sec.next, s.size)
	if sec.size != 0 && sec.size != sec.next-sec.at && !sec.last() {
		warnf(warnings, "%s section at byte %d has %d bytes, and the next begins after %d", sec.kind, sec.at, uint64(sec.size), sec.next-sec.at)
	}
	table := s.table
	s.table = nil
	switch sec.kind {
	case "sectors":
		s.sectors = end
	case "table":
		s.readTable(sec, end)
	case "table2":
		if table == nil {
			s.readTable(sec, end) // the first is lost
			return
		}
		s.pair(table, sec, end, warnings)
	case "volume", "disk", "data":
		v, err := decodeEwfVolume(fetch(s.file, sec.at+ewfSectionLen, int(min(end-sec.at-ewfSectionLen, ewfVolumeLen))))
		v.name, v.at, v.err = s.name, sec.at, err
		s.volumes = append(s.volumes, v)
	case "next", "done":
		s.ended = sec.kind
	case "incomplete":
		warnf(warnings, "incomplete section at byte %d: the image was not finished", sec.at)
	default:
		if !slices.Contains(ewfKinds, sec.kind) {
			warnf(warnings, "section of unknown kind %q at byte %d", sec.kind, sec.at)
			return
		}
		s.about = append(s.about, sec)
	}
}

// readTable reads a table and puts its span at the end.
func (s *ewfSegment) readTable(sec ewfSection, end int64) {
	t := &ewfTable{name: s.name, file: s.file, size: s.size, at: sec.at, end: end}
	if s.sectors != 0 {
		t.end = s.sectors
	}
	count, err := t.read(end)
	span := ewfSpan{count: count, table: t}
	if err != nil {
		span.table, span.gap = nil, &ewfGap{name: s.name, at: sec.at, err: fmt.Errorf("%s section: %w", sec.kind, err)}
	}
	s.spans = append(s.spans, span)
	s.table, s.paired = t, err
}

// pair compares the table read last with its copy, and makes the best of both.
func (s *ewfSegment) pair(t *ewfTable, sec ewfSection, end int64, warnings *[]string) {
	had := len(s.spans) - 1
	tErr := s.paired
	s.readTable(sec, end)
	t2, t2Err := s.table, s.paired
	first, second := s.spans[had], s.spans[had+1]
	s.spans, s.table = s.spans[:had+1], nil
	switch {
	case tErr == nil && t2Err == nil:
		if !t.equal(t2) {
			warnf(warnings, "the table section at byte %d and its copy at byte %d differ: the first is used", t.at, t2.at)
		}
	case tErr == nil:
		warnf(warnings, "table2 section at byte %d: %v", t2.at, t2Err)
	case t2Err == nil:
		warnf(warnings, "table section at byte %d: %v; its copy at byte %d is used", t.at, tErr, t2.at)
		s.spans[had] = second
	case t.agree(t2):
		warnf(warnings, "table section at byte %d: %v; so does its copy's at byte %d: what both say is used", t.at, tErr, t2.at)
		s.spans[had] = ewfSpan{count: first.count, table: t}
	default:
		s.spans[had].count = max(first.count, second.count)
	}
}

// sameSet tells whether s and o are of one acquisition, as far as they say.
func (s *ewfSegment) sameSet(o *ewfSegment) bool {
	for _, v := range s.volumes {
		for _, w := range o.volumes {
			if v.err == nil && w.err == nil {
				return v.sameSet(&w)
			}
		}
	}
	return true
}
