package carve

import (
	"bytes"
	"fmt"
)

func startsBMP(b []byte) bool {
	return b[0] == 'B' && b[1] == 'M' && le.Uint32(b[6:]) == 0 && le.Uint16(b[26:]) == 1 &&
		bytes.IndexByte([]byte{40, 52, 56, 64, 108, 124}, b[14]) >= 0 && le.Uint32(b[14:]) < 256 && le.Uint32(b[10:]) < 2048
}

// walkBMP takes the size from the header where it agrees with the picture's.
func walkBMP(s *stream) verdict {
	h := s.at(0, 54)
	if h == nil {
		return verdict{}
	}
	size, at := int64(le.Uint32(h[2:])), int64(le.Uint32(h[10:]))
	width, height, bits := int64(int32(le.Uint32(h[18:]))), int64(int32(le.Uint32(h[22:]))), int64(le.Uint16(h[28:]))
	height = max(height, -height)
	if width <= 0 || width > 1<<20 || height == 0 || height > 1<<20 || bits > 32 || le.Uint32(h[30:]) > 3 {
		return verdict{}
	}
	picture := (width*bits + 31) / 32 * 4 * height
	if packed := le.Uint32(h[30:]); packed == 1 || packed == 2 {
		picture = int64(le.Uint32(h[34:]))
	}
	if size < at+picture || size > at+picture+4096 {
		return verdict{}
	}
	return verdict{size: size, why: "length of the header agrees with the picture's measures"}
}

func startsICO(b []byte) bool {
	n := int(le.Uint16(b[4:]))
	if le.Uint16(b) != 0 || le.Uint16(b[2:]) != 1 && le.Uint16(b[2:]) != 2 || n == 0 || n > 32 {
		return false
	}
	return b[9] == 0 && le.Uint32(b[18:]) == uint32(6+16*n) && le.Uint32(b[14:]) >= 40
}

// walkICO takes the end from the list of pictures, which lie one behind another.
func walkICO(s *stream) verdict {
	h := s.at(0, 6)
	if h == nil {
		return verdict{}
	}
	n := int64(le.Uint16(h[4:]))
	end := 6 + 16*n
	for i := range n {
		e := s.at(6+16*i, 16)
		if e == nil || int64(le.Uint32(e[12:])) != end {
			return verdict{}
		}
		b := s.at(end, 4)
		end += int64(le.Uint32(e[8:]))
		if b == nil || le.Uint32(b) != 40 && string(b) != "\x89PNG" {
			return verdict{}
		}
	}
	return verdict{size: end, why: fmt.Sprintf("%d pictures one behind another", n)}
}
