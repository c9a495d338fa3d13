package image

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
)

// TestChunks reads at random places with several goroutines, across chunks one of which
// cannot be decoded.
func TestChunks(t *testing.T) {
	const size, length, bad = 1<<20 + 777, 4096, 100
	want := make([]byte, size)
	for i := range want {
		want[i] = byte(i) ^ byte(i>>8)
	}
	broken := errors.New("broken")
	c := newChunks(size, length, func(dst []byte, i int64) error {
		if i == bad {
			return broken
		}
		copy(dst, want[i*length:])
		return nil
	})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(g)))
			for range 2000 {
				off := r.Int64N(size)
				p := make([]byte, min(r.Int64N(5*length), size-off))
				n, err := c.ReadAt(p, off)
				whole := off+int64(len(p)) <= bad*length || off >= (bad+1)*length
				switch {
				case !bytes.Equal(p[:n], want[off:][:n]):
					t.Errorf("%d bytes at %d: wrong", len(p), off)
				case whole && (err != nil || n != len(p)):
					t.Errorf("%d bytes at %d: %d, %v", len(p), off, n, err)
				case !whole && len(p) > 0 && (!errors.Is(err, broken) || int64(n) != max(bad*length-off, 0)):
					t.Errorf("%d bytes at %d: %d, %v", len(p), off, n, err)
				}
			}
		})
	}
	wg.Wait()
}
