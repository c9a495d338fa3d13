package carve

import "fmt"

// oggTable is that of the checksum of Ogg: CRC-32 from the highest bit down,
// nothing inverted.
var oggTable = func() (t [256]uint32) {
	for i := range t {
		v := uint32(i) << 24
		for range 8 {
			if v&(1<<31) != 0 {
				v = v<<1 ^ 0x04c11db7
			} else {
				v <<= 1
			}
		}
		t[i] = v
	}
	return t
}()

// walkOgg goes from page to page, each with its checksum, while there are any.
func walkOgg(s *stream) verdict {
	off, pages, last := int64(0), 0, false
	for {
		h := s.at(off, 27)
		if h == nil || string(h[:5]) != "OggS\x00" {
			break
		}
		want, segments := le.Uint32(h[22:]), int(h[26])
		ends := h[5]&4 != 0
		h = s.at(off, 27+segments)
		if h == nil {
			return verdict{}
		}
		n := 27 + segments
		for _, l := range h[27:] {
			n += int(l)
		}
		sum, at := uint32(0), 0
		for at < n {
			b := s.at(off+int64(at), min(n-at, 4096))
			if b == nil {
				return verdict{}
			}
			for i, c := range b {
				if at+i >= 22 && at+i < 26 {
					c = 0
				}
				sum = sum<<8 ^ oggTable[byte(sum>>24)^c]
			}
			at += len(b)
		}
		if sum != want {
			return verdict{}
		}
		off += int64(n)
		pages++
		last = ends
	}
	if pages < 2 || !last {
		return verdict{}
	}
	return verdict{size: off, sure: true, why: fmt.Sprintf("checksums of all %d pages hold, up to the last of the stream", pages)}
}
