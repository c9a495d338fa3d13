package image

import (
	"io"
	"slices"
	"sort"
)

// A mapped volume is bytes that others hold: segments one after another, each on one
// member, on several in turns, or on several alike. It does not change once it is read.
type mapped struct {
	name     string // for errors
	size     int64
	segments []segment // in order, without gaps, together size bytes
	mirrors  int       // how deep mirrors lie in mirrors here
	stale    bool      // some of it lies on a member that may not have the last writes
	on       []string  // names of the members
}

// A segment is a range of a mapped volume. With stripes, its areas hold stripe bytes in
// turns; mirrored, each area holds all of it; otherwise there is one area. Without any
// area it is zeros.
type segment struct {
	start, length int64 // bytes of the volume
	stripe        int64 // bytes, 0 for one area or a mirror
	mirrored      bool
	areas         []area // of a mirror, the best first
}

// An area is where a segment, or a share of it, lies on a member.
type area struct {
	r    io.ReaderAt // nil: the member is not there
	at   int64       // byte of r
	room int64       // bytes that r has from there on
	name string      // of the member
}

// maxLegs bounds the copies of a mirror that are tried, and maxMirrors mirrors in mirrors,
// since what no copy can give is asked of all of them.
const (
	maxLegs    = 10
	maxMirrors = 2
)

// find gives the segment that holds byte off of the volume.
func (m *mapped) find(off int64) int {
	return sort.Search(len(m.segments), func(i int) bool {
		return off < m.segments[i].start+m.segments[i].length
	})
}

// ReadAt reads as io.ReaderAt says. What lies on a member that is not there is a
// *MissingError.
func (m *mapped) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, &ReadError{Name: m.name, Offset: off, Length: int64(len(p)), Err: errNegative}
	}
	done := 0
	for i := m.find(off); i < len(m.segments) && done < len(p); i++ {
		s := &m.segments[i]
		at := off + int64(done) - s.start
		part := p[done:]
		part = part[:min(int64(len(part)), s.length-at)]
		n, err := m.segmentAt(s, part, at)
		done += n
		if err != nil {
			return done, err
		}
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// segmentAt fills p from byte at of segment s, which holds all of it.
func (m *mapped) segmentAt(s *segment, p []byte, at int64) (int, error) {
	switch {
	case len(s.areas) == 0:
		clear(p)
		return len(p), nil
	case s.mirrored:
		return m.mirrorAt(s, p, at)
	case s.stripe == 0:
		return m.areaAt(&s.areas[0], p, at, s.start+at)
	}
	done := 0
	for done < len(p) {
		pos := at + int64(done)
		stripe, in := pos/s.stripe, pos%s.stripe
		part := p[done:]
		part = part[:min(int64(len(part)), s.stripe-in)]
		a := &s.areas[stripe%int64(len(s.areas))]
		n, err := m.areaAt(a, part, stripe/int64(len(s.areas))*s.stripe+in, s.start+pos)
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// mirrorAt reads from the first copy that gives what is asked for, each piece of it.
func (m *mapped) mirrorAt(s *segment, p []byte, at int64) (int, error) {
	done := 0
	for {
		var first error
		before := done
		for i := range s.areas {
			n, err := m.areaAt(&s.areas[i], p[done:], at+int64(done), s.start+at+int64(done))
			done += n
			if err == nil {
				return done, nil
			}
			if first == nil {
				first = err
			}
		}
		if done == before {
			return done, first
		}
	}
}

// areaAt fills p from byte at of area a, which is byte off of the volume.
func (m *mapped) areaAt(a *area, p []byte, at, off int64) (int, error) {
	var room int64
	if a.r != nil {
		room = max(min(a.room-at, int64(len(p))), 0)
	}
	n := 0
	if room > 0 {
		var err error
		if n, err = a.r.ReadAt(p[:room], a.at+at); int64(n) < room {
			if e, ok := err.(*MissingError); ok && e.Volume != "" {
				err = &MissingError{Name: e.Name, Volume: m.name, Offset: off + int64(n), Length: e.Length}
			}
			return n, inRange(err, a.name, off+int64(n), room-int64(n))
		}
	}
	if n < len(p) {
		return n, &MissingError{Name: a.name, Volume: m.name, Offset: off + int64(n), Length: int64(len(p) - n)}
	}
	return n, nil
}

// missing counts the bytes that no member holds of the n from byte off on. It goes by
// what is there, not by what can be read. A share of a striped segment counts as if stripes
// were even. budget bounds the work: where it is used up, all is counted.
func (m *mapped) missing(off, n int64, budget *int) int64 {
	var sum int64
	for i := m.find(off); i < len(m.segments) && n > 0; i++ {
		s := &m.segments[i]
		at := off - s.start
		part := min(s.length-at, n)
		off, n = off+part, n-part
		if *budget--; *budget < 0 {
			return sum + part + n
		}
		switch {
		case len(s.areas) == 0:
		case s.mirrored:
			least := part
			for k := range s.areas {
				least = min(least, s.areas[k].missing(at, part, budget))
			}
			sum += least
		case s.stripe == 0:
			sum += s.areas[0].missing(at, part, budget)
		default:
			count := int64(len(s.areas))
			from, to := at/count, (at+part)/count
			var all int64
			for k := range s.areas {
				all += s.areas[k].missing(from, to-from, budget)
			}
			sum += min(all, part)
		}
	}
	return sum
}

// lacks is how much of the volume is missing.
func (m *mapped) lacks() int64 {
	budget := missingWork
	return min(m.missing(0, m.size, &budget), m.size)
}

func (a *area) missing(at, n int64, budget *int) int64 {
	if a.r == nil {
		return n
	}
	there := max(min(a.room-at, n), 0)
	lost := n - there
	if sub, ok := a.r.(*mapped); ok && there > 0 {
		lost += sub.missing(a.at+at, there, budget)
	}
	return lost
}

// add appends a segment, and makes it one with the last where it goes on there.
func (m *mapped) add(s segment) {
	s.start = m.size
	m.size += s.length
	if k := len(m.segments) - 1; k >= 0 && len(s.areas) == 1 {
		last := &m.segments[k]
		if len(last.areas) == 1 && !last.mirrored && !s.mirrored {
			a, b := &last.areas[0], &s.areas[0]
			if a.r != nil && a.r == b.r && a.at+last.length == b.at && a.room >= last.length {
				last.length += s.length
				return
			}
		}
	}
	m.segments = append(m.segments, s)
}

// alone gives the one area that holds all of the volume, if there is one.
func (m *mapped) alone() (area, bool) {
	if len(m.segments) != 1 || len(m.segments[0].areas) != 1 {
		return area{}, false
	}
	a := m.segments[0].areas[0]
	if a.r == nil || a.room < m.size {
		return area{}, false
	}
	if sub, ok := a.r.(*mapped); ok {
		b, ok := sub.alone()
		return area{r: b.r, at: b.at + a.at, room: b.room - a.at, name: b.name}, ok
	}
	return a, true
}

// lies notes that m lies on members, too.
func (m *mapped) lies(on ...string) {
	for _, name := range on {
		if !slices.Contains(m.on, name) {
			m.on = append(m.on, name)
		}
	}
}
