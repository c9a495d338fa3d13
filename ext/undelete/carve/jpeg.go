package carve

import (
	"bytes"
	"fmt"
)

func startsJPEG(b []byte) bool {
	return b[0] == 0xff && b[1] == 0xd8 && b[2] == 0xff && (b[3] >= 0xe0 && b[3] <= 0xef || b[3] == 0xdb || b[3] == 0xfe || b[3] == 0xc0 || b[3] == 0xc2 || b[3] == 0xc4)
}

// continuesJPEG reports whether a block may be of a scan: markers are restarts, or
// the end.
func continuesJPEG(b []byte) bool {
	for i := 0; ; {
		n := bytes.IndexByte(b[i:], 0xff)
		if n < 0 || i+n+1 >= len(b) {
			return true
		}
		i += n + 1
		switch m := b[i]; {
		case m == 0xd9:
			return true
		case m != 0 && m != 0xff && (m < 0xd0 || m > 0xd7):
			return false
		}
	}
}

// maxImages bounds the pictures in one file: a camera may put previews behind the
// first (multi-picture format).
const maxImages = 64

func walkJPEG(s *stream) verdict {
	off, images, restarts, sure := int64(0), 0, 0, true
	for images < maxImages {
		end, f, n := s.jpegImage(off)
		if end == 0 {
			break
		}
		off, images, restarts, sure = end, images+1, restarts+n, sure && f.checked
		if b := s.at(off, 4); b == nil || !startsJPEG(b) {
			break
		}
	}
	if images == 0 {
		return verdict{}
	}
	v := verdict{size: off, sure: sure, why: "segments and scans up to the EOI marker"}
	if sure {
		v.why += ", all codes valid"
	}
	if restarts > 0 {
		v.why += fmt.Sprintf(", %d restart markers in their order", restarts)
	}
	return v
}

// jpegImage walks one picture: segments, then scans whose data has no marker but
// restarts. What a segment holds, such as a thumbnail, is passed over.
func (s *stream) jpegImage(off int64) (end int64, f *jpegFrame, restarts int) {
	off += 2
	f = &jpegFrame{}
	scan := false
	for {
		h := s.at(off, 2)
		if h == nil || h[0] != 0xff {
			return 0, f, 0
		}
		m := h[1]
		if m == 0xff { // fill byte
			off++
			continue
		}
		if m == 0xd9 && scan { // EOI
			return off + 2, f, restarts
		}
		b := s.at(off+2, 2)
		if m < 0xc0 || m >= 0xd0 && m <= 0xd9 || b == nil || be.Uint16(b) < 2 {
			return 0, f, 0
		}
		seg := s.at(off+4, int(be.Uint16(b))-2)
		if seg == nil {
			return 0, f, 0
		}
		off += 4 + int64(len(seg))
		ok, n := true, 0
		switch {
		case m == 0xc4: // DHT
			ok = f.tables(seg)
		case m == 0xdd: // DRI
			if ok = len(seg) == 2; ok {
				f.interval = int(be.Uint16(seg))
			}
		case m == 0xda: // SOS
			if f.comps == nil {
				return 0, f, 0
			}
			if f.checked {
				off, n = f.decode(s, seg, off)
			} else {
				off, n = s.jpegScan(off)
			}
			scan, ok = true, off != 0
			restarts += n
		case m <= 0xcf && m != 0xc8 && m != 0xcc: // SOF
			ok = f.frame(m, seg)
		}
		if !ok || s.spent() {
			return 0, f, 0
		}
	}
}

// jpegScan passes over entropy-coded data to the marker that ends it.
func (s *stream) jpegScan(off int64) (end int64, restarts int) {
	for from := off; ; {
		b := s.some(off)
		if b == nil {
			return 0, 0
		}
		i := bytes.IndexByte(b, 0xff)
		if i < 0 {
			off += int64(len(b))
			if s.foreignIn(from, off) {
				return 0, 0
			}
			from = off
			continue
		}
		off += int64(i)
		m := s.at(off, 2)
		if m == nil {
			return 0, 0
		}
		switch m := m[1]; {
		case m == 0:
			off += 2
		case m == 0xff:
			off++
		case m >= 0xd0 && m <= 0xd7:
			if int(m-0xd0) != restarts%8 {
				return 0, 0
			}
			restarts++
			off += 2
		default:
			if s.foreignIn(from, off) {
				return 0, 0
			}
			return off, restarts
		}
		if off-from >= maxPeek {
			if s.foreignIn(from, off) {
				return 0, 0
			}
			from = off
		}
	}
}

// foreignIn reports whether one of the whole blocks between two offsets cannot be
// compressed data.
func (s *stream) foreignIn(from, to int64) bool {
	for off := (from + s.size - 1) / s.size * s.size; off+s.size <= to; off += s.size {
		if b := s.at(off, int(s.size)); b == nil || foreign(b) {
			return true
		}
	}
	return false
}
