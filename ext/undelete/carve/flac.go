package carve

import "fmt"

// flac8 and flac16 are the tables of the two checksums of FLAC: CRC-8 and CRC-16 from the
// highest bit down.
var flac8, flac16 = func() (a [256]uint8, b [256]uint16) {
	for i := range 256 {
		v, w := uint8(i), uint16(i)<<8
		for range 8 {
			if v&0x80 != 0 {
				v = v<<1 ^ 7
			} else {
				v <<= 1
			}
			if w&0x8000 != 0 {
				w = w<<1 ^ 0x8005
			} else {
				w <<= 1
			}
		}
		a[i], b[i] = v, w
	}
	return a, b
}()

func startsFLAC(b []byte) bool {
	return string(b[:4]) == "fLaC" && be.Uint32(b[4:])&0x7fffffff == 34 // STREAMINFO
}

// walkFLAC goes over the metadata and then from frame to frame. A frame does not
// say how long it is: it ends where its checksum holds and another begins, or
// zeros do.
func walkFLAC(s *stream) verdict {
	off := int64(4)
	for last := false; !last; {
		h := s.at(off, 4)
		if h == nil || h[0]&0x7f > 6 {
			return verdict{}
		}
		last = h[0]&0x80 != 0
		off += 4 + int64(be.Uint32(h)&0xffffff)
	}
	frames := 0
	for {
		if h := s.at(off, 16); h == nil || !flacFrame(h) {
			break
		}
		n := s.flacEnd(off)
		if n == 0 {
			return verdict{}
		}
		off += n
		frames++
	}
	if frames == 0 {
		return verdict{}
	}
	return verdict{size: off, sure: true, why: fmt.Sprintf("checksums of all %d frames hold", frames)}
}

// flacFrame reports whether b starts with the header of a frame.
func flacFrame(b []byte) bool {
	if len(b) < 16 || b[0] != 0xff || b[1]&0xfe != 0xf8 || b[2]>>4 == 0 || b[2]&15 == 15 || b[3]&1 != 0 {
		return false
	}
	n := 5 // the number of the frame, coded like a character of UTF-8
	for c := b[4]; c&0xc0 == 0xc0 && n < 11; c <<= 1 {
		n++
	}
	switch b[2] >> 4 {
	case 6:
		n++
	case 7:
		n += 2
	}
	switch b[2] & 15 {
	case 12:
		n++
	case 13, 14:
		n += 2
	}
	if n >= len(b) {
		return false
	}
	sum := uint8(0)
	for _, c := range b[:n] {
		sum = flac8[sum^c]
	}
	return sum == b[n]
}

// maxFLACFrame bounds a frame: it holds at most 64 Ki samples of 8 channels.
const maxFLACFrame = 4 << 20

// flacEnd gives the length of a frame.
func (s *stream) flacEnd(off int64) int64 {
	sum := uint16(0)
	for n := int64(0); n < maxFLACFrame; {
		b := s.some(off + n)
		if b == nil {
			return 0
		}
		b = b[:min(len(b), 4096)]
		for i, c := range b {
			sum = sum<<8 ^ flac16[byte(sum>>8)^c]
			if sum != 0 || n+int64(i) < 10 {
				continue
			}
			end := n + int64(i) + 1 // the frame and its checksum: none is left over
			next := s.at(off+end, 16)
			if next == nil || flacFrame(next) || s.endsAt(off+end) {
				return end
			}
			b = nil // look on from here
			n = end
			break
		}
		n += int64(len(b))
	}
	return 0
}

// endsAt reports whether nothing but zeros follow in an offset's block.
func (s *stream) endsAt(off int64) bool {
	if off%s.size == 0 {
		return false
	}
	b := s.at(off, int(s.size-off%s.size))
	return b != nil && zeroTail(b) == len(b)
}
