package carve

import (
	"bytes"
	"fmt"
)

// walkOLE takes the end from the allocation table: the last sector in use.
func walkOLE(s *stream) verdict {
	h := s.at(0, 512)
	if h == nil || h[28] != 0xfe || h[29] != 0xff {
		return verdict{}
	}
	h = bytes.Clone(h)
	shift := le.Uint16(h[30:])
	if shift != 9 && shift != 12 {
		return verdict{}
	}
	sector := int64(1) << shift
	place := func(n uint32) int64 { return (int64(n) + 1) * sector }
	count := int64(le.Uint32(h[44:]))
	if count == 0 || count > 1<<20 || le.Uint32(h[40:]) > 1<<20 {
		return verdict{}
	}
	fat := h[76:512] // the first 109 sectors of the table
	next, more := le.Uint32(h[68:]), int64(le.Uint32(h[72:]))
	last, seen := int64(-1), int64(0)
	for {
		for ; len(fat) >= 4 && seen < count; fat = fat[4:] {
			n := le.Uint32(fat)
			for at := int64(0); at < sector; at += 512 {
				b := s.at(place(n)+at, 512)
				if b == nil {
					return verdict{}
				}
				for i := 0; i < 512; i += 4 {
					v := le.Uint32(b[i:])
					if v != 0xffffffff {
						last = max(last, seen*(sector/4)+(at+int64(i))/4)
					}
					if v < 0xfffffffc && int64(v) > count*(sector/4) {
						return verdict{}
					}
				}
			}
			seen++
		}
		if seen == count || more <= 0 || next > 1<<24 {
			break
		}
		b := bytes.Clone(s.at(place(next), int(sector)))
		if b == nil {
			return verdict{}
		}
		fat, next = b[:sector-4], le.Uint32(b[sector-4:])
		more--
	}
	if seen != count || last < 0 {
		return verdict{}
	}
	return verdict{size: place(uint32(last + 1)), why: fmt.Sprintf("last of the sectors in use, by a table of %d sectors", count)}
}
