package carve

import (
	"fmt"
	"hash/crc32"
)

// walkPNG goes from chunk to chunk: length, type, data and checksum, up to IEND.
func walkPNG(s *stream) verdict {
	off := int64(8)
	for n := 0; ; n++ {
		h := s.at(off, 8)
		if h == nil {
			return verdict{}
		}
		length, name := int64(be.Uint32(h)), string(h[4:8])
		if length > 1<<31-1 || !letters(h[4:8]) || n == 0 && name != "IHDR" {
			return verdict{}
		}
		sum, ok := s.crc(off+4, length+4)
		if !ok {
			return verdict{}
		}
		if b := s.at(off+8+length, 4); b == nil || be.Uint32(b) != sum {
			return verdict{}
		}
		off += 12 + length
		if name == "IEND" {
			return verdict{size: off, sure: true, why: fmt.Sprintf("IEND chunk, all %d checksums hold", n+1)}
		}
	}
}

// crc is the CRC-32 of n bytes.
func (s *stream) crc(off, n int64) (sum uint32, ok bool) {
	for n > 0 {
		b := s.some(off)
		if b == nil {
			return 0, false
		}
		b = b[:min(int64(len(b)), n)]
		sum = crc32.Update(sum, crc32.IEEETable, b)
		off, n = off+int64(len(b)), n-int64(len(b))
	}
	return sum, true
}

func letters(b []byte) bool {
	for _, c := range b {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return true
}
