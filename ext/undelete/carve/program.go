package carve

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

func startsELF(b []byte) bool {
	return string(b[:4]) == "\x7fELF" && (b[4] == 1 || b[4] == 2) && (b[5] == 1 || b[5] == 2) && b[6] == 1
}

// walkELF takes the end from what lies farthest back: the header tables, the
// sections, the segments.
func walkELF(s *stream) verdict {
	h := s.at(0, 64)
	if h == nil {
		return verdict{}
	}
	h = bytes.Clone(h)
	var o binary.ByteOrder = le
	if h[5] == 2 {
		o = be
	}
	var ph, sh int64
	var phLen, phN, shLen, shN int64
	wide := h[4] == 2
	if wide {
		ph, sh = int64(o.Uint64(h[32:])), int64(o.Uint64(h[40:]))
		phLen, phN, shLen, shN = int64(o.Uint16(h[54:])), int64(o.Uint16(h[56:])), int64(o.Uint16(h[58:])), int64(o.Uint16(h[60:]))
	} else {
		ph, sh = int64(o.Uint32(h[28:])), int64(o.Uint32(h[32:]))
		phLen, phN, shLen, shN = int64(o.Uint16(h[42:])), int64(o.Uint16(h[44:])), int64(o.Uint16(h[46:])), int64(o.Uint16(h[48:]))
	}
	const most = 1 << 40
	if ph < 0 || sh < 0 || ph > most || sh > most || phN > 0 && phLen < 32 || shN > 0 && shLen < 40 || phN+shN == 0 {
		return verdict{}
	}
	end := max(ph+phLen*phN, sh+shLen*shN)
	for i := range phN {
		b := s.at(ph+i*phLen, 40)
		if b == nil {
			return verdict{}
		}
		at, n := int64(o.Uint32(b[4:])), int64(o.Uint32(b[16:]))
		if wide {
			at, n = int64(o.Uint64(b[8:])), int64(o.Uint64(b[32:]))
		}
		if at < 0 || n < 0 || at > most || n > most {
			return verdict{}
		}
		end = max(end, at+n)
	}
	for i := range shN {
		b := s.at(sh+i*shLen, 40)
		if b == nil {
			return verdict{}
		}
		kind := o.Uint32(b[4:])
		at, n := int64(o.Uint32(b[16:])), int64(o.Uint32(b[20:]))
		if wide {
			at, n = int64(o.Uint64(b[24:])), int64(o.Uint64(b[32:]))
		}
		if kind > 0x20 && kind < 0x60000000 || i == 0 && kind != 0 {
			return verdict{}
		}
		if kind == 0 || kind == 8 { // SHT_NULL, SHT_NOBITS
			continue
		}
		if at < 0 || n < 0 || at > most || n > most {
			return verdict{}
		}
		end = max(end, at+n)
	}
	v := verdict{size: end, why: fmt.Sprintf("%d segments and %d sections, up to the last", phN, shN)}
	switch o.Uint16(h[16:]) {
	case 1:
		v.typ, v.ext = "application/x-object", ".o"
	case 3:
		v.typ, v.ext = "application/x-sharedlib", ".so"
	}
	return v
}

func startsClass(b []byte) bool {
	return be.Uint32(b) == 0xcafebabe && be.Uint16(b[6:]) >= 45 && be.Uint16(b[6:]) < 100 && be.Uint16(b[8:]) > 4
}

// walkClass goes through a Java class: constants, interfaces, fields, methods,
// attributes.
func walkClass(s *stream) verdict {
	off := int64(8)
	ok := true
	u2 := func() int64 {
		b := s.at(off, 2)
		off += 2
		if b == nil {
			ok = false
			return 0
		}
		return int64(be.Uint16(b))
	}
	attributes := func() {
		for n := u2(); n > 0 && ok; n-- {
			b := s.at(off+2, 4)
			if b == nil {
				ok = false
				return
			}
			off += 6 + int64(be.Uint32(b))
		}
	}
	constants := u2()
	for i := int64(1); i < constants && ok; i++ {
		b := s.at(off, 1)
		if b == nil {
			return verdict{}
		}
		off++
		switch b[0] {
		case 1:
			off += u2()
		case 3, 4, 9, 10, 11, 12, 17, 18:
			off += 4
		case 5, 6:
			off += 8
			i++
		case 7, 8, 16, 19, 20:
			off += 2
		case 15:
			off += 3
		default:
			return verdict{}
		}
	}
	off += 6
	off += 2 * u2()
	for range 2 { // fields, methods
		for n := u2(); n > 0 && ok; n-- {
			off += 6
			attributes()
		}
	}
	attributes()
	if !ok {
		return verdict{}
	}
	return verdict{size: off, why: fmt.Sprintf("%d constants, fields, methods and attributes to the last", constants-1)}
}
