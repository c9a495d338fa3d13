package carve

import (
	"fmt"
)

func startsGIF(b []byte) bool {
	return string(b[:4]) == "GIF8" && (b[4] == '7' || b[4] == '9') && b[5] == 'a'
}

// walkGIF goes from block to block: extensions and pictures, each a chain of
// sub-blocks, up to the trailer.
func walkGIF(s *stream) verdict {
	h := s.at(0, 13)
	if h == nil {
		return verdict{}
	}
	off := 13 + colours(h[10])
	pictures := 0
	for {
		b := s.at(off, 1)
		if b == nil {
			return verdict{}
		}
		switch b[0] {
		case 0x21:
			off += 2
		case 0x2c:
			d := s.at(off, 10)
			if d == nil {
				return verdict{}
			}
			off += 10 + colours(d[9])
			if b := s.at(off, 1); b == nil || b[0] < 2 || b[0] > 8 {
				return verdict{}
			}
			off++
			pictures++
		case 0x3b:
			if pictures == 0 {
				return verdict{}
			}
			return verdict{size: off + 1, why: fmt.Sprintf("trailer behind the blocks of %d pictures", pictures)}
		default:
			return verdict{}
		}
		for n := -1; n != 0; off += int64(n) + 1 {
			b := s.at(off, 1)
			if b == nil {
				return verdict{}
			}
			n = int(b[0])
		}
	}
}

// colours is the length of a colour table by its flags.
func colours(flags byte) int64 {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}
