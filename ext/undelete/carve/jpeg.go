package carve

import (
	"bytes"
	"fmt"
)

func startsJPEG(b []byte) bool {
	return b[0] == 0xff && b[1] == 0xd8 && b[2] == 0xff && (b[3] >= 0xe0 && b[3] <= 0xef || b[3] == 0xdb || b[3] == 0xfe || b[3] == 0xc0 || b[3] == 0xc2 || b[3] == 0xc4)
}

// maxImages bounds the pictures in one file: a camera may put previews behind the
// first (multi-picture format).
const maxImages = 64

func walkJPEG(s *stream) verdict {
	off, images, restarts := int64(0), 0, 0
	for images < maxImages {
		end, n := s.jpegImage(off)
		if end == 0 {
			break
		}
		off, images, restarts = end, images+1, restarts+n
		if b := s.at(off, 4); b == nil || !startsJPEG(b) {
			break
		}
	}
	if images == 0 {
		return verdict{}
	}
	v := verdict{size: off, why: "segments and scans up to the EOI marker"}
	if restarts > 0 {
		v.why += fmt.Sprintf(", %d restart markers in their order", restarts)
	}
	v.sure = s.jumpsInOrder(off, restarts)
	return v
}

// jumpsInOrder reports whether restart markers are so close to each other that a
// wrong turn would have broken their order.
func (s *stream) jumpsInOrder(size int64, restarts int) bool {
	return restarts > 16 && size/int64(restarts) <= s.size
}

// jpegImage walks one picture: segments, then scans whose data has no marker but
// restarts. What a segment holds, such as a thumbnail, is passed over.
func (s *stream) jpegImage(off int64) (end int64, restarts int) {
	off += 2
	frame, scan := false, false
	for {
		h := s.at(off, 2)
		if h == nil || h[0] != 0xff {
			return 0, 0
		}
		switch m := h[1]; {
		case m == 0xff: // fill byte
			off++
			continue
		case m == 0xd9: // EOI
			if !scan {
				return 0, 0
			}
			return off + 2, restarts
		case m >= 0xc0 && m <= 0xfe && (m < 0xd0 || m > 0xd8):
			b := s.at(off+2, 2)
			if b == nil || be.Uint16(b) < 2 {
				return 0, 0
			}
			if m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc {
				frame = true
			}
			off += 2 + int64(be.Uint16(b))
			if m == 0xda { // SOS
				if !frame {
					return 0, 0
				}
				n := 0
				if off, n = s.jpegScan(off); off == 0 {
					return 0, 0
				}
				scan = true
				restarts += n
			}
		default:
			return 0, 0
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
