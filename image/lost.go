package image

import (
	"cmp"
	"slices"
	"sort"
)

// byAccepting tells how bytes that a failed checksum covers are had nevertheless.
const byAccepting = "--accept-damage reads them all the same"

// A lostRange is a range of the image that reading is an error in: its bytes are not
// there, or a checksum that covers them failed.
type lostRange struct {
	off, n int64
	as     *DamageError // what it is part of
}

func (l *lostRange) end() int64 { return l.off + l.n }

// error is what reading n bytes at byte at, which lies in the range, comes to.
func (l *lostRange) error(at, n int64) error {
	e := *l.as
	e.Offset, e.Length = at, min(n, l.end()-at)
	return &e
}

// lostRanges lie in order, and apart from each other.
type lostRanges []lostRange

// next finds the first range that ends behind off; nil for none.
func (l lostRanges) next(off int64) *lostRange {
	i := sort.Search(len(l), func(i int) bool { return off < l[i].end() })
	if i == len(l) {
		return nil
	}
	return &l[i]
}

func (l lostRanges) bytes() (n int64) {
	for _, r := range l {
		n += r.n
	}
	return n
}

// with adds what of the damaged ranges is not lost already. Where these overlap the first
// counts.
func (l lostRanges) with(damaged []*DamageError) lostRanges {
	all := slices.Clone(l)
	damaged = slices.SortedStableFunc(slices.Values(damaged), func(a, b *DamageError) int { return cmp.Compare(a.Offset, b.Offset) })
	at := int64(0)
	for _, d := range damaged {
		end := d.Offset + d.Length
		for at = max(at, d.Offset); at < end; {
			stop, next := end, end
			if r := l.next(at); r != nil && r.off < end {
				stop, next = r.off, r.end()
			}
			if at < stop {
				all = append(all, lostRange{at, stop - at, d})
			}
			at = next
		}
	}
	all.sort()
	return all
}

func (l lostRanges) sort() {
	slices.SortFunc(l, func(a, b lostRange) int { return cmp.Compare(a.off, b.off) })
}
