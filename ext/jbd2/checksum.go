package jbd2

import "github.com/extscope/extscope/ext/layout"

// crc32BETables hold CRC-32 with polynomial 0x04c11db7, most significant bit
// first, for eight bytes at a time (crc32_be, lib/crc32.c).
var crc32BETables = func() (t [8][256]uint32) {
	for i := range t[0] {
		crc := uint32(i) << 24
		for range 8 {
			if crc&(1<<31) != 0 {
				crc = crc<<1 ^ 0x04c11db7
			} else {
				crc <<= 1
			}
		}
		t[0][i] = crc
	}
	for k := 1; k < len(t); k++ {
		for i := range t[k] {
			v := t[k-1][i]
			t[k][i] = v<<8 ^ t[0][v>>24]
		}
	}
	return t
}()

// crc32BE continues crc over b, without inversions at either end: what checksum
// v1 is made of, from ^0 on.
func crc32BE(crc uint32, b []byte) uint32 {
	t := &crc32BETables
	for ; len(b) >= 8; b = b[8:] {
		crc ^= be.Uint32(b)
		crc = t[7][crc>>24] ^ t[6][crc>>16&0xff] ^ t[5][crc>>8&0xff] ^ t[4][crc&0xff] ^
			t[3][b[4]] ^ t[2][b[5]] ^ t[1][b[6]] ^ t[0][b[7]]
	}
	for _, c := range b {
		crc = crc<<8 ^ t[0][byte(crc>>24)^c]
	}
	return crc
}

// A shift moves a checksum over a fixed number of zero bytes. Checksums are
// linear, so the checksum of a block from any start s is shift(s) ^ c, with c the
// block's checksum from 0: each block of a log is read once, and judged when it
// is known which transaction, if any, it belongs to.
type shift [4][256]uint32

// newShift makes the shift over n bytes of the checksum that update continues.
func newShift(n int, update func(uint32, []byte) uint32) *shift {
	zeros := make([]byte, n)
	s := new(shift)
	for bit := range 32 {
		v := update(1<<bit, zeros)
		table := &s[bit/8]
		for i := range table {
			if i&(1<<(bit%8)) != 0 {
				table[i] ^= v
			}
		}
	}
	return s
}

func (s *shift) over(crc uint32) uint32 {
	return s[0][byte(crc)] ^ s[1][byte(crc>>8)] ^ s[2][byte(crc>>16)] ^ s[3][byte(crc>>24)]
}

func crc32c(crc uint32, b []byte) uint32 { return layout.CRC32C(crc, b) }
