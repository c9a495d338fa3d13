// Package digest sums two streams up at once by SHA-256: the processor's instructions for it
// wait for each other so long that one stream leaves half of them idle. All else is left to
// crypto/sha256, and so is one stream alone.
package digest

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
	"sync"
)

// A Pair sums up two streams, each as crypto/sha256 does. It is for one goroutine; the zero
// value is ready.
type Pair struct {
	saved [2][]byte
	state [2][8]uint32
}

// A saved state, as crypto/sha256 marshals it: magic, the state, what fills no block yet, and
// how many bytes there were, in big endian.
const (
	savedState  = 4
	savedLength = savedState + sha256.Size + sha256.BlockSize
	savedSize   = savedLength + 8
)

// fewest is of how many blocks on saving and loading two states pays.
const fewest = 16

// Write writes p to a and q to b, which sha256.New made.
func (w *Pair) Write(a, b hash.Hash, p, q []byte) {
	n := min(len(p), len(q)) / sha256.BlockSize
	if n >= fewest && fast() && w.save(0, a) && w.save(1, b) {
		twoBlocks(&w.state[0], &w.state[1], &p[0], &q[0], n)
		n *= sha256.BlockSize
		w.load(0, a, n)
		w.load(1, b, n)
		p, q = p[n:], q[n:]
	}
	a.Write(p)
	b.Write(q)
}

// save takes the state of a stream, unless it stands amid a block.
func (w *Pair) save(i int, h hash.Hash) bool {
	from, ok := h.(encoding.BinaryAppender)
	if !ok {
		return false
	}
	saved, err := from.AppendBinary(w.saved[i][:0])
	if err != nil || len(saved) != savedSize || binary.BigEndian.Uint64(saved[savedLength:])%sha256.BlockSize != 0 {
		return false
	}
	w.saved[i] = saved
	for k := range w.state[i] {
		w.state[i][k] = binary.BigEndian.Uint32(saved[savedState+4*k:])
	}
	return true
}

// load gives a stream its state back, n bytes further on.
func (w *Pair) load(i int, h hash.Hash, n int) {
	saved := w.saved[i]
	for k, word := range w.state[i] {
		binary.BigEndian.PutUint32(saved[savedState+4*k:], word)
	}
	binary.BigEndian.PutUint64(saved[savedLength:], binary.BigEndian.Uint64(saved[savedLength:])+uint64(n))
	// It takes what it has marshaled itself; fast has tried.
	_ = h.(encoding.BinaryUnmarshaler).UnmarshalBinary(saved)
}

// Fast reports whether this processor can sum up two streams at once, and crypto/sha256
// marshals its state as is known here: it has to give what that gives.
func Fast() bool { return fast() }

var fast = sync.OnceValue(func() bool {
	if !two {
		return false
	}
	text := make([]byte, 6*sha256.BlockSize)
	for i := range text {
		text[i] = byte(i * 7)
	}
	w := new(Pair)
	for _, half := range []int{0, 1} {
		h, other := sha256.New(), sha256.New()
		h.Write(text[:sha256.BlockSize])
		if !w.save(half, h) || !w.save(1-half, other) {
			return false
		}
		rest := [2]*byte{&text[0], &text[0]}
		rest[half] = &text[sha256.BlockSize]
		const blocks = 4
		twoBlocks(&w.state[0], &w.state[1], rest[0], rest[1], blocks)
		w.load(half, h, blocks*sha256.BlockSize)
		h.Write(text[5*sha256.BlockSize:])
		if [sha256.Size]byte(h.Sum(nil)) != sha256.Sum256(text) {
			return false
		}
	}
	return true
})
