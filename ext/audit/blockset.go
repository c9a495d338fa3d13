package audit

import (
	"math/bits"
	"sync/atomic"
)

// setPage is how many bits a page of a bitSet holds.
const setPage = 1 << 16

// A bitSet is a set of numbers, kept in pages that are made where something is
// put in. Several goroutines may put numbers in at a time.
type bitSet struct {
	n     uint64 // numbers from 0 to n-1
	pages []atomic.Pointer[[setPage / 64]uint64]
}

func newBitSet(n uint64) *bitSet {
	return &bitSet{n: n, pages: make([]atomic.Pointer[[setPage / 64]uint64], (n+setPage-1)/setPage)}
}

// page gives the page that holds number i, made if need be.
func (s *bitSet) page(i uint64) *[setPage / 64]uint64 {
	p := &s.pages[i/setPage]
	if b := p.Load(); b != nil {
		return b
	}
	p.CompareAndSwap(nil, new([setPage / 64]uint64))
	return p.Load()
}

// mask covers the numbers from i on, at most n of them, that share a word, and
// tells how many they are.
func mask(i, n uint64) (m, k uint64) {
	k = min(n, 64-i%64)
	m = ^uint64(0) >> (64 - k) << (i % 64)
	return m, k
}

// add puts n numbers from i on in. Those that were there already are double
// claims of c, unless that is nil.
func (s *bitSet) add(i, n uint64, c *claims) {
	if i >= s.n {
		return
	}
	for end := i + min(n, s.n-i); i < end; {
		m, k := mask(i, end-i)
		// What is there already is only looked at, which takes no turn.
		word := &s.page(i)[i%setPage/64]
		old := atomic.LoadUint64(word)
		if old&m != m {
			old = atomic.OrUint64(word, m)
		}
		if old&m != 0 && c != nil {
			c.double(i/64, old&m)
		}
		i += k
	}
}

// addWord puts the numbers of a word that a mask covers in.
func (s *bitSet) addWord(word, mask uint64) {
	if w := &s.page(word * 64)[word%(setPage/64)]; atomic.LoadUint64(w)&mask != mask {
		atomic.OrUint64(w, mask)
	}
}

// has reports whether a number is in.
func (s *bitSet) has(i uint64) bool {
	if s == nil || i >= s.n {
		return false
	}
	p := s.pages[i/setPage].Load()
	return p != nil && p[i%setPage/64]>>(i%64)&1 != 0
}

// any reports whether one of n numbers from i on is in.
func (s *bitSet) any(i, n uint64) bool {
	_, ok := s.next(i, n)
	return ok
}

// next gives the first number in the set among n from i on.
func (s *bitSet) next(i, n uint64) (uint64, bool) {
	if s == nil || i >= s.n {
		return 0, false
	}
	for end := i + min(n, s.n-i); i < end; {
		p := s.pages[i/setPage].Load()
		if p == nil {
			i = (i/setPage + 1) * setPage
			continue
		}
		m, k := mask(i, end-i)
		if w := p[i%setPage/64] & m; w != 0 {
			return i/64*64 + uint64(bits.TrailingZeros64(w)), true
		}
		i += k
	}
	return 0, false
}

// word gives the 64 numbers from i on as bits, the lowest first.
func (s *bitSet) word(i uint64) uint64 {
	at := func(w uint64) uint64 {
		if w*64 >= s.n {
			return 0
		}
		if p := s.pages[w*64/setPage].Load(); p != nil {
			return p[w%(setPage/64)]
		}
		return 0
	}
	w, shift := i/64, i%64
	if shift == 0 {
		return at(w)
	}
	return at(w)>>shift | at(w+1)<<(64-shift)
}
