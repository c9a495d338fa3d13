package image

import (
	"math/bits"
	"sync"
)

// What the symbols of lengths and of distances begin with, and how many bits more follow.
var (
	lengthBase, distanceBase [32]uint32
)

// codeOrder is in which order the lengths of the codes of lengths are stored.
var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

func init() {
	entry := func(base, extra int) uint32 { return uint32(base)<<16 | uint32(extra)<<8 }
	base := 3
	for i := range 28 {
		extra := max(i/4-1, 0)
		lengthBase[i] = entry(base, extra)
		base += 1 << extra
	}
	lengthBase[28] = entry(258, 0)
	base = 1
	for i := range 30 {
		extra := max(i/2-1, 0)
		distanceBase[i] = entry(base, extra)
		base += 1 << extra
	}
}

// literalEntry is what a table has for a symbol of the literal and length code, 0 for
// none, but for the bits to take.
func literalEntry(symbol int) uint32 {
	switch {
	case symbol < 256:
		return isLiteral | uint32(symbol)<<16
	case symbol == 256:
		return isEnd
	}
	return lengthBase[symbol-257]
}

func distanceEntry(symbol int) uint32 { return distanceBase[symbol] }

func codeEntry(symbol int) uint32 { return isLiteral | uint32(symbol)<<16 }

var fixedTables = sync.OnceValue(func() blockTables {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	var five [32]uint8
	for i := range five {
		five[i] = 5
	}
	t := blockTables{make([]uint32, 1<<literalBits), make([]uint32, 1<<distanceBits)}
	codeTable(t.literal, literalBits, isMore, lengths[:], literalEntry)
	codeTable(t.distance, distanceBits, isLiteral, five[:], distanceEntry)
	return t
})

// dynamic reads the codes that a block begins with.
func (z *inflater) dynamic() error {
	literals, distances, codes := z.bits(5)+257, z.bits(5)+1, z.bits(4)+4
	if literals > 286 || distances > 30 {
		return errDeflate
	}
	var order [19]uint8
	for _, i := range codeOrder[:codes] {
		order[i] = uint8(z.bits(3))
	}
	if !codeTable(z.codes[:], 7, isMore, order[:], codeEntry) {
		return errDeflate
	}
	all := z.lengths[:literals+distances]
	for i := 0; i < len(all); {
		z.fill()
		e := z.codes[z.buf&(1<<7-1)]
		if e == 0 {
			return errDeflate
		}
		z.buf >>= e & 31
		if z.n -= int(e & 31); z.n < 0 {
			return errDeflate
		}
		symbol, times, value := uint8(e>>16), 1, uint8(0)
		switch symbol {
		default:
			value = symbol
		case 16:
			if i == 0 {
				return errDeflate
			}
			times, value = 3+z.bits(2), all[i-1]
		case 17:
			times = 3 + z.bits(3)
		case 18:
			times = 11 + z.bits(7)
		}
		if times > len(all)-i {
			return errDeflate
		}
		for range times {
			all[i] = value
			i++
		}
	}
	if all[256] == 0 ||
		!codeTable(z.literals[:], literalBits, isMore, all[:literals], literalEntry) ||
		!codeTable(z.distances[:], distanceBits, isLiteral, all[literals:], distanceEntry) {
		return errDeflate
	}
	z.literal, z.distance = z.literals[:], z.distances[:]
	return nil
}

// codeTable makes the table of a canonical code, given the length of each symbol's code,
// 0 for none. It is indexed by the next so many bits of the stream; where codes are
// longer, an entry with the flag more leads to a table behind it. A code that leaves
// room, or has more than there is room for, is refused, but for none or one of a single
// bit. 1024 entries behind the first table are enough for codes of up to 15 bits: each
// table there is at least half full.
func codeTable(table []uint32, width int, more uint32, lengths []uint8, entry func(symbol int) uint32) bool {
	var counts, next [16]int
	for _, n := range lengths {
		counts[n]++
	}
	counts[0] = 0
	longest, left := 0, 1
	for n := 1; n < 16; n++ {
		left = left<<1 - counts[n]
		if left < 0 {
			return false
		}
		if counts[n] > 0 {
			longest = n
		}
		next[n] = (next[n-1] + counts[n-1]) << 1
	}
	if left > 0 && longest > 1 {
		return false
	}
	if left > 0 {
		clear(table[:1<<width])
	}
	// Symbols in the order of their codes: those of the same length by number.
	var order [288]uint16
	var at [17]int
	for n := 1; n < 16; n++ {
		at[n+1] = at[n] + counts[n]
	}
	for s, n := range lengths {
		if n > 0 {
			order[at[n]] = uint16(s)
			at[n]++
		}
	}
	k, end := 0, 1<<width // the next table begins at end
	prefix, start, sub := -1, 0, 0
	for n := 1; n <= longest; n++ {
		for ; counts[n] > 0; counts[n]-- {
			s := int(order[k])
			k++
			code := int(bits.Reverse16(uint16(next[n])) >> (16 - n)) // its first bit comes first
			next[n]++
			e := entry(s)
			if e != 0 {
				e |= uint32(n)
			}
			if n <= width {
				for i := code; i < 1<<width; i += 1 << n {
					table[i] = e
				}
				continue
			}
			if low := code & (1<<width - 1); low != prefix {
				prefix, start = low, end
				sub = n - width
				for room := 1<<sub - counts[n]; room > 0 && width+sub < longest; {
					sub++
					room = room<<1 - counts[width+sub]
				}
				if end += 1 << sub; end > len(table) {
					return false
				}
				table[prefix] = more | uint32(start)<<16 | uint32(sub)<<8
			}
			for i := code >> width; i < 1<<sub; i += 1 << (n - width) {
				table[start+i] = e
			}
		}
	}
	return true
}
