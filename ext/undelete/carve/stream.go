package carve

import (
	"cmp"
	"encoding/binary"
	"io"
	"slices"
	"sync"
)

var (
	le = binary.LittleEndian
	be = binary.BigEndian
)

// maxPeek is the most that a walk may ask for at once.
const maxPeek = 64 << 10

const streamBuffer = 4 * maxPeek

// maxSpans bounds how scattered a piece may be.
const maxSpans = 1 << 16

// A stream is what would be a file's contents if it started at a block: the
// blocks from there on, without those that pieces hold and, where indirect
// blocks tell where it goes on, by these.
type stream struct {
	c      *carver
	size   int64 // of a block
	m      []mapped
	blocks uint64 // mapped so far
	ended  bool   // no more can be mapped
	buf    []byte // of the window
	bufOff int64
	bufLen int
	ahead  int // what the last window was read for
	most   int // to read ahead
	turns  []turn
	high   int64     // the farthest that a walk has asked for
	last   *cursor   // the newest, which may be farther
	mark   *jpegMark // where a search has a scan's state kept, if not nil
}

// mapped is a span and the file's block that it starts with.
type mapped struct {
	logical uint64
	span
	jump   bool // does not lie right behind the span before
	proven bool // an indirect block says that the span follows
}

// A turn says where the contents go on from a block of the file: what a search
// supposes.
type turn struct{ logical, at uint64 }

var buffers = sync.Pool{New: func() any { b := make([]byte, streamBuffer); return &b }}

func newStream(c *carver, at uint64) *stream {
	s := &stream{c: c, size: int64(c.space.blockSize), buf: *buffers.Get().(*[]byte), most: streamBuffer}
	s.extend(at)
	return s
}

func (s *stream) close() { buffers.Put(&s.buf) }

// extend maps what lies at a block and behind it.
func (s *stream) extend(at uint64) {
	at, n := s.c.claimed.free(at)
	if len(s.m) > 0 {
		for s.c.meta(at) {
			at, n = s.c.claimed.free(at + 1)
		}
	}
	if at >= s.c.space.total || len(s.m) >= maxSpans {
		s.ended = true
		return
	}
	_, inRun := s.c.space.locate(at)
	n = min(n, inRun)
	for _, m := range s.m[:min(len(s.m), len(s.m)*len(s.turns))] { // no block twice
		if at < m.at+m.n && m.at < at+n {
			if at >= m.at {
				s.ended = true
				return
			}
			n = m.at - at
		}
	}
	jump := false
	if len(s.m) > 0 {
		last := s.m[len(s.m)-1]
		jump = last.at+last.n != at || !s.c.space.adjacent(at)
	}
	if s.c.ind != nil {
		n = min(n, s.c.ind.until(s.blocks))
	}
	for _, t := range s.turns {
		if t.logical > s.blocks {
			n = min(n, t.logical-s.blocks)
			break
		}
	}
	s.m = append(s.m, mapped{s.blocks, span{at, n}, jump, false})
	s.blocks += n
}

// grow maps one more span.
func (s *stream) grow() {
	last := s.m[len(s.m)-1]
	next := last.at + last.n
	if len(s.m) >= maxSpans {
		s.ended = true
		return
	}
	for _, t := range s.turns {
		if t.logical == s.blocks {
			s.extend(t.at)
			return
		}
	}
	if s.c.ind != nil && s.c.ind.boundary(s.blocks) {
		if spans, ok := s.c.ind.follow(s.c, next); ok {
			for _, sp := range spans {
				prev := s.m[len(s.m)-1]
				jump := prev.at+prev.n != sp.at || !s.c.space.adjacent(sp.at)
				s.m = append(s.m, mapped{s.blocks, sp, jump, true})
				s.blocks += sp.n
			}
			if !s.c.ind.boundary(s.blocks) {
				s.ended = true // the last indirect block has room left: so ends the file
			}
			return
		}
	}
	s.extend(next)
}

// at gives n bytes from an offset on, nil where there are not so many. They stay
// as they are until the next call.
func (s *stream) at(off int64, n int) []byte {
	if off < 0 || n < 0 || n > maxPeek {
		return nil
	}
	s.high = max(s.high, off+int64(n))
	if off >= s.bufOff && off+int64(n) <= s.bufOff+int64(s.bufLen) {
		return s.buf[off-s.bufOff:][:n]
	}
	start := off - off%s.size
	need := int(off-start) + n
	for got := s.fill(start, need); need > got; got = s.fill(start, need) {
		if got < s.ahead || s.ahead == s.most {
			return nil
		}
	}
	return s.buf[off-s.bufOff:][:n]
}

// some gives the bytes from an offset on that are at hand, at least one.
func (s *stream) some(off int64) []byte {
	if b := s.at(off, 1); b == nil {
		return nil
	}
	return s.buf[off-s.bufOff : s.bufLen]
}

// fill reads the window from a block's start on. The first is small, for small
// files and for walks that fail early.
func (s *stream) fill(start int64, need int) int {
	s.ahead = min(max(2*s.ahead, maxPeek/4), s.most)
	want := int(max(int64(s.ahead), 2*s.size))
	if s.most < len(s.buf) && need > want {
		want = min(need, len(s.buf))
	}
	s.bufOff, s.bufLen = start, 0
	for s.bufLen < want {
		at, n, ok := s.block(uint64((start + int64(s.bufLen)) / s.size))
		if !ok {
			break
		}
		part := s.buf[s.bufLen:want]
		if room := int64(n) * s.size; room < int64(len(part)) {
			part = part[:room]
		}
		part = part[:int64(len(part))/s.size*s.size]
		if len(part) == 0 || s.spent() {
			break
		}
		if s.c.read(part, at) != nil {
			part = part[:s.size] // a block farther on may be the bad one
			if s.c.read(part, at) != nil {
				break
			}
		}
		s.bufLen += len(part)
		s.charge(len(part))
	}
	return s.bufLen
}

// block gives the place of a block of the file, and how many lie there together.
func (s *stream) block(logical uint64) (at, n uint64, ok bool) {
	for logical >= s.blocks {
		if s.ended {
			return 0, 0, false
		}
		s.grow()
	}
	lo, hi := 0, len(s.m)
	for lo+1 < hi {
		if mid := (lo + hi) / 2; s.m[mid].logical <= logical {
			lo = mid
		} else {
			hi = mid
		}
	}
	in := logical - s.m[lo].logical
	return s.m[lo].at + in, s.m[lo].n - in, true
}

// charge takes work from what all walks may do together.
func (s *stream) charge(n int) { s.c.work -= int64(n) }

func (s *stream) spent() bool { return s.c.work < 0 }

// jumps reports whether the file so far goes on behind blocks in use, or blocks of
// others, with nothing but itself to say so.
func (s *stream) jumps(size int64) bool {
	for _, m := range s.m[1:] {
		if m.jump && !m.proven && int64(m.logical)*s.size < size {
			return true
		}
	}
	return false
}

// unproven reports whether there should be an indirect block that says how the
// file goes on, and none was found.
func (s *stream) unproven() bool {
	if s.c.ind == nil || s.blocks <= direct {
		return false
	}
	for _, m := range s.m {
		if m.proven {
			return false
		}
	}
	return true
}

// spans gives the blocks of a file of the size, nil where there are not so many,
// or one comes twice, as indirect blocks may have it.
func (s *stream) spans(size int64) []span {
	want := uint64((size + s.size - 1) / s.size)
	if _, _, ok := s.block(want - 1); !ok {
		return nil
	}
	var out []span
	for _, m := range s.m {
		if m.logical >= want {
			break
		}
		out = append(out, span{m.at, min(m.n, want-m.logical)})
	}
	sorted := slices.SortedFunc(slices.Values(out), func(a, b span) int { return cmp.Compare(a.at, b.at) })
	for i := range sorted[1:] {
		if sorted[i].at+sorted[i].n > sorted[i+1].at {
			return nil
		}
	}
	return out
}

// settle holds a size that a structure gave against the block it ends in: zeros
// have to follow. A little more than the structure is fine where zeros end that.
func (s *stream) settle(size int64) (int64, bool) {
	rest := int((s.size - size%s.size) % s.size)
	if rest == 0 {
		return size, s.at(size-1, 1) != nil
	}
	b := s.at(size, rest)
	if b == nil {
		return 0, false
	}
	tail := zeroTail(b)
	if tail == 0 {
		return 0, false
	}
	return size + int64(rest-tail), true
}

// A cursor reads a stream from an offset on.
type cursor struct {
	s   *stream
	off int64
	buf []byte // at hand
}

func (s *stream) cursor(off int64) *cursor {
	s.last = &cursor{s: s, off: off}
	return s.last
}

// reach gives how far a walk came.
func (s *stream) reach() int64 {
	if s.last != nil {
		return max(s.high, s.last.off)
	}
	return s.high
}

func (c *cursor) ReadByte() (byte, error) {
	if len(c.buf) == 0 {
		if c.buf = c.s.some(c.off); c.buf == nil {
			return 0, io.EOF
		}
	}
	b := c.buf[0]
	c.buf = c.buf[1:]
	c.off++
	return b, nil
}

func (c *cursor) Read(p []byte) (int, error) {
	if len(c.buf) == 0 {
		if c.buf = c.s.some(c.off); c.buf == nil {
			return 0, io.EOF
		}
	}
	n := copy(p, c.buf)
	c.buf = c.buf[n:]
	c.off += int64(n)
	return n, nil
}
