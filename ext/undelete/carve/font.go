package carve

import (
	"bytes"
	"fmt"
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
