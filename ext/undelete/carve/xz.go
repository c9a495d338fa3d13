package carve

import (
	"fmt"
	"hash/crc32"
)

// walkXZ goes over streams: header, blocks, index, footer. The data is not
// decompressed, but each chunk of it says how long it is, and the index knows
// how long the blocks are.
func walkXZ(s *stream) verdict {
	off, streams, blocks := int64(0), 0, 0
	for streams < 1<<16 {
		b := s.at(off, 12)
		if b == nil || string(b[:6]) != "\xfd7zXZ\x00" {
			break
		}
		end, n, ok := s.xzStream(off)
		if !ok {
			return verdict{}
		}
		off, streams, blocks = end, streams+1, blocks+n
	}
	if streams == 0 {
		return verdict{}
	}
	return verdict{size: off, why: fmt.Sprintf("index and footer agree with %d blocks", blocks)}
}

// xzChecks are the lengths of a block's check by its type.
var xzChecks = [16]int64{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

func (s *stream) xzStream(off int64) (end int64, blocks int, ok bool) {
	h := s.at(off, 12)
	if h[6] != 0 || h[7] > 15 || crc32.ChecksumIEEE(h[6:8]) != le.Uint32(h[8:]) {
		return 0, 0, false
	}
	flags, check := h[7], xzChecks[h[7]]
	off += 12
	sum := uint64(0) // of the blocks' lengths, as the index is to list them
	for {
		b := s.at(off, 1)
		if b == nil {
			return 0, 0, false
		}
		if b[0] == 0 {
			break
		}
		head := int64(b[0])*4 + 4
		b = s.at(off, int(head))
		if b == nil || crc32.ChecksumIEEE(b[:head-4]) != le.Uint32(b[head-4:]) {
			return 0, 0, false
		}
		data, ok := s.lzma2(off + head)
		if !ok || s.foreignIn(off+head, data) {
			return 0, 0, false
		}
		length := data - off + check
		sum = sum*31 + uint64(length)
		off += (data-off+3)/4*4 + check
		blocks++
	}
	index := off
	off++
	n, off := s.xzNumber(off)
	if n != uint64(blocks) {
		return 0, 0, false
	}
	listed := uint64(0)
	for range blocks {
		var length uint64
		length, off = s.xzNumber(off)
		_, off = s.xzNumber(off)
		listed = listed*31 + length
		if off == 0 {
			return 0, 0, false
		}
	}
	if off == 0 || listed != sum {
		return 0, 0, false
	}
	off = index + (off-index+3)/4*4
	want, good := s.crc(index, off-index)
	f := s.at(off, 16) // the index's checksum and the footer
	if !good || f == nil || le.Uint32(f) != want || string(f[14:]) != "YZ" || f[13] != flags ||
		crc32.ChecksumIEEE(f[8:14]) != le.Uint32(f[4:]) || int64(le.Uint32(f[8:]))*4+4 != off+4-index {
		return 0, 0, false
	}
	return off + 16, blocks, true
}

// lzma2 goes over the chunks of LZMA2 data.
func (s *stream) lzma2(off int64) (end int64, ok bool) {
	for {
		h := s.at(off, 6)
		if h == nil {
			return 0, false
		}
		switch c := h[0]; {
		case c == 0:
			return off + 1, true
		case c <= 2:
			off += 3 + int64(be.Uint16(h[1:])) + 1
		case c >= 0x80:
			off += 5 + int64(be.Uint16(h[3:])) + 1
			if c >= 0xc0 {
				off++
			}
		default:
			return 0, false
		}
	}
}

// xzNumber reads a number of seven bits a byte; the offset is 0 where there is none.
func (s *stream) xzNumber(off int64) (v uint64, end int64) {
	for i := 0; i < 9 && off > 0; i++ {
		b := s.at(off+int64(i), 1)
		if b == nil {
			break
		}
		v |= uint64(b[0]&0x7f) << (7 * i)
		if b[0]&0x80 == 0 {
			return v, off + int64(i) + 1
		}
	}
	return 0, 0
}

// walkZstd goes over frames: header, blocks that say how long they are, checksum.
func walkZstd(s *stream) verdict {
	off, frames := int64(0), 0
	for {
		h := s.at(off, 18)
		if h == nil || le.Uint32(h) != 0xfd2fb528 || h[4]&8 != 0 {
			break
		}
		flags := h[4]
		end := off + 5 + int64([]int{0, 1, 2, 4}[flags&3]) + int64([]int{0, 2, 4, 8}[flags>>6])
		if flags&0x20 == 0 {
			end++ // window
		} else if flags>>6 == 0 {
			end++ // size of one byte
		}
		for last := false; !last; {
			b := s.at(end, 3)
			if b == nil {
				return verdict{}
			}
			v := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
			last = v&1 != 0
			n := int64(v >> 3)
			switch v >> 1 & 3 {
			case 1:
				n = 1
			case 3:
				return verdict{}
			}
			if v>>1&3 != 1 && n > 128<<10 || v>>1&3 == 2 && s.foreignIn(end, end+3+n) {
				return verdict{}
			}
			end += 3 + n
		}
		if flags&4 != 0 {
			end += 4
		}
		off = end
		frames++
	}
	if frames == 0 {
		return verdict{}
	}
	return verdict{size: off, why: fmt.Sprintf("blocks of %d frames up to the last", frames)}
}

// walk7z takes the end from the first header, whose checksum covers it, and
// checks the header there against its own.
func walk7z(s *stream) verdict {
	h := s.at(0, 32)
	if h == nil || crc32.ChecksumIEEE(h[12:32]) != le.Uint32(h[8:]) {
		return verdict{}
	}
	next, n, want := le.Uint64(h[12:]), le.Uint64(h[20:]), le.Uint32(h[28:])
	if next > 1<<40 || n == 0 || n > 64<<20 {
		return verdict{}
	}
	sum, ok := s.crc(32+int64(next), int64(n))
	if !ok || sum != want {
		return verdict{}
	}
	return verdict{size: 32 + int64(next+n), sure: true, why: "checksums of both headers hold"}
}
