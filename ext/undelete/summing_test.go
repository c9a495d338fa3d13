package undelete

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// TestCrew has files of all sizes summed up, several at a time, and holds that nothing is at
// work when they are.
func TestCrew(t *testing.T) {
	var c crew
	for _, writers := range []int{1, 2, 3, 8} {
		var writing sync.WaitGroup
		for w := range writers {
			writing.Go(func() {
				source := rand.NewChaCha8([32]byte{byte(w)})
				random := rand.New(source)
				for file := range 20 {
					sum, want := sha256.New(), sha256.New()
					s := c.join(sum)
					for range random.IntN(12) {
						p := zeros[:random.IntN(len(zeros))]
						if hole := random.IntN(4) == 0; !hole {
							p = <-s.free
							if len(p) != copyPiece {
								t.Errorf("a piece of %d bytes", len(p))
							}
							if random.IntN(2) == 0 {
								p = p[:random.IntN(copyPiece)]
							}
							_, _ = source.Read(p)
							want.Write(p)
							s.add(summand{p, true})
						} else {
							want.Write(p)
							s.add(summand{p, false})
						}
					}
					s.end()
					if got, want := fmt.Sprintf("%x", sum.Sum(nil)), fmt.Sprintf("%x", want.Sum(nil)); got != want {
						t.Errorf("%d writers, file %d of writer %d: %s, want %s", writers, file, w, got, want)
					}
				}
			})
		}
		writing.Wait()
		c.mu.Lock()
		if n := len(c.summers); n > 0 {
			t.Errorf("%d writers: %d are summing up yet", writers, n)
		}
		c.mu.Unlock()
	}
}
