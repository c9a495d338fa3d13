package carve

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"hash"
)

func startsSFNT(b []byte) bool {
	v, n := be.Uint32(b), int(be.Uint16(b[4:]))
	return (v == 0x00010000 || v == 0x4f54544f || v == 0x74727565) && n >= 4 && n < 64 && 12+n*16 <= len(b) && printable(b[12:16])
}

// walkSFNT takes the end from the table of tables and checks each one's sum.
func walkSFNT(s *stream) verdict {
	h := s.at(0, 12)
	if h == nil {
		return verdict{}
	}
	open := be.Uint32(h) == 0x4f54544f
	n := int(be.Uint16(h[4:]))
	dir := bytes.Clone(s.at(12, n*16))
	end := int64(0)
	for t := dir; len(t) >= 16; t = t[16:] {
		want, at, length := be.Uint32(t[4:]), int64(be.Uint32(t[8:])), int64(be.Uint32(t[12:]))
		if !printable(t[:4]) {
			return verdict{}
		}
		end = max(end, at+length)
		if string(t[:4]) == "head" { // sums differ by its own field
			continue
		}
		if sum, ok := s.sum32(at, length); !ok || sum != want {
			return verdict{}
		}
	}
	if end == 0 {
		return verdict{}
	}
	v := verdict{size: (end + 3) &^ 3, sure: true, why: fmt.Sprintf("sums of all %d tables hold", n)}
	if open {
		v.typ, v.ext = "font/otf", ".otf"
	}
	return v
}

// sum32 adds up words of four bytes.
func (s *stream) sum32(off, n int64) (sum uint32, ok bool) {
	for ; n > 0; off, n = off+4, n-4 {
		b := s.at(off, int(min(n, 4)))
		if b == nil {
			return 0, false
		}
		var w [4]byte
		copy(w[:], b)
		sum += be.Uint32(w[:])
	}
	return sum, true
}

func startsWOFF(b []byte) bool {
	return string(b[:3]) == "wOF" && (b[3] == 'F' || b[3] == '2') && be.Uint16(b[14:]) == 0 && be.Uint16(b[12:]) < 256
}

// walkWOFF takes the length from the header and, for the first version, holds
// the tables against it.
func walkWOFF(s *stream) verdict {
	h := s.at(0, 44)
	if h == nil {
		return verdict{}
	}
	size, n, second := int64(be.Uint32(h[8:])), int(be.Uint16(h[12:])), h[3] == '2'
	v := verdict{size: size, why: "length of the header"}
	if second {
		v.typ, v.ext = "font/woff2", ".woff2"
		return v
	}
	for i := range n {
		t := s.at(44+int64(i)*20, 20)
		if t == nil || !printable(t[:4]) || int64(be.Uint32(t[4:]))+int64(be.Uint32(t[8:])) > size {
			return verdict{}
		}
	}
	return v
}

// walkOLE takes the end from the allocation table: the last sector in use.
func walkOLE(s *stream) verdict {
	h := s.at(0, 512)
	if h == nil || h[28] != 0xfe || h[29] != 0xff {
		return verdict{}
	}
	h = bytes.Clone(h)
	shift := le.Uint16(h[30:])
	if shift != 9 && shift != 12 {
		return verdict{}
	}
	sector := int64(1) << shift
	place := func(n uint32) int64 { return (int64(n) + 1) * sector }
	count := int64(le.Uint32(h[44:]))
	if count == 0 || count > 1<<20 || le.Uint32(h[40:]) > 1<<20 {
		return verdict{}
	}
	fat := h[76:512] // the first 109 sectors of the table
	next, more := le.Uint32(h[68:]), int64(le.Uint32(h[72:]))
	last, seen := int64(-1), int64(0)
	for {
		for ; len(fat) >= 4 && seen < count; fat = fat[4:] {
			n := le.Uint32(fat)
			for at := int64(0); at < sector; at += 512 {
				b := s.at(place(n)+at, 512)
				if b == nil {
					return verdict{}
				}
				for i := 0; i < 512; i += 4 {
					v := le.Uint32(b[i:])
					if v != 0xffffffff {
						last = max(last, seen*(sector/4)+(at+int64(i))/4)
					}
					if v < 0xfffffffc && int64(v) > count*(sector/4) {
						return verdict{}
					}
				}
			}
			seen++
		}
		if seen == count || more <= 0 || next > 1<<24 {
			break
		}
		b := bytes.Clone(s.at(place(next), int(sector)))
		if b == nil {
			return verdict{}
		}
		fat, next = b[:sector-4], le.Uint32(b[sector-4:])
		more--
	}
	if seen != count || last < 0 {
		return verdict{}
	}
	return verdict{size: place(uint32(last + 1)), why: fmt.Sprintf("last of the sectors in use, by a table of %d sectors", count)}
}

func startsGit(b []byte) bool {
	v := be.Uint32(b[4:])
	return string(b[:4]) == "PACK" && (v == 2 || v == 3) && be.Uint32(b[8:]) > 0 || string(b[:4]) == "DIRC" && v >= 2 && v <= 4
}

// walkGit goes over the objects of a pack, or the entries of an index, to the
// SHA-1 behind them.
func walkGit(s *stream) verdict {
	h := s.at(0, 12)
	if h == nil {
		return verdict{}
	}
	n := be.Uint32(h[8:])
	if string(h[:4]) == "DIRC" {
		return s.gitIndex()
	}
	off := int64(12)
	for range n {
		b := s.at(off, 1)
		if b == nil || s.spent() {
			return verdict{}
		}
		kind := b[0] >> 4 & 7
		for b[0]&0x80 != 0 {
			off++
			if b = s.at(off, 1); b == nil {
				return verdict{}
			}
		}
		off++
		switch kind {
		case 6:
			for {
				b := s.at(off, 1)
				if b == nil {
					return verdict{}
				}
				off++
				if b[0]&0x80 == 0 {
					break
				}
			}
		case 7:
			off += sha1.Size
		case 0, 5:
			return verdict{}
		}
		end, _, ok := s.zlib(off)
		if !ok {
			return verdict{}
		}
		off = end
	}
	if !s.hashed(off, sha1.New()) {
		return verdict{}
	}
	return verdict{size: off + sha1.Size, sure: true, why: fmt.Sprintf("SHA-1 over %d objects holds", n)}
}

// gitIndex looks for the end of an index: the hash of all before it, with zeros
// behind it.
func (s *stream) gitIndex() verdict {
	sum := sha1.New()
	for off := int64(0); off < 64<<20; off += s.size {
		b := s.at(off, int(s.size))
		if b == nil {
			return verdict{}
		}
		tail := zeroTail(b)
		if tail > 0 && tail < len(b)-sha1.Size {
			b = bytes.Clone(b)
			for end := len(b) - tail; end <= min(len(b)-tail+2, len(b)); end++ { // the hash may end in zeros
				s2, err := sum.(interface{ Clone() (hash.Cloner, error) }).Clone()
				if err != nil {
					return verdict{}
				}
				s2.Write(b[:end-sha1.Size])
				if bytes.Equal(s2.Sum(nil), b[end-sha1.Size:end]) {
					return verdict{size: off + int64(end), sure: true, typ: "application/x-git-index", ext: ".idx", why: "SHA-1 over all before it holds"}
				}
			}
			if tail >= minTail {
				return verdict{}
			}
		}
		sum.Write(b)
	}
	return verdict{}
}

// hashed reports whether what lies at an offset is the hash of all before it.
func (s *stream) hashed(off int64, sum hash.Hash) bool {
	for at := int64(0); at < off; {
		b := s.some(at)
		if b == nil {
			return false
		}
		b = b[:min(int64(len(b)), off-at)]
		sum.Write(b)
		at += int64(len(b))
	}
	b := s.at(off, sum.Size())
	return b != nil && bytes.Equal(b, sum.Sum(nil))
}

func startsUTF16(b []byte) bool {
	return b[0] == 0xff && b[1] == 0xfe && isUTF16(b[2:64]) || b[0] == 0xfe && b[1] == 0xff && isUTF16(swapped(b[2:64]))
}

func swapped(b []byte) []byte {
	out := make([]byte, len(b)&^1)
	for i := range out {
		out[i] = b[i^1]
	}
	return out
}

// isUTF16 reports whether b is text of UTF-16, lowest byte first, up to its zeros.
func isUTF16(b []byte) bool {
	n := 0
	for ; len(b) >= 2; b = b[2:] {
		switch v := le.Uint16(b); {
		case v == 0:
			return n > 0 && zeroTail(b) == len(b)
		case v < 0x80 && textBytes[v] == 0, v >= 0xfff0:
			return false
		}
		n++
	}
	return n > 0
}

// walkUTF16 is as walkText, for text of two bytes a unit behind a byte order mark.
func walkUTF16(s *stream) verdict {
	v := verdict{why: "text up to the zeros that end its last block"}
	b := s.at(0, 2)
	if b == nil {
		return verdict{}
	}
	big := b[0] == 0xfe
	if big {
		v.typ, v.ext = "text/plain; charset=utf-16be", ".txt"
	}
	for off := int64(0); ; off += s.size {
		b := s.at(off, int(s.size))
		if b == nil {
			return verdict{}
		}
		if big {
			b = swapped(b)
		}
		if !isUTF16(b) {
			return verdict{}
		}
		if tail := zeroTail(b) &^ 1; tail > 0 {
			v.size = off + int64(len(b)-tail)
			return v
		}
	}
}
