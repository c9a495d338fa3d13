package digest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// TestFast fails where a processor that could sum up two streams at once does not: Linux says
// of its own whether it could.
func TestFast(t *testing.T) {
	said, _ := os.ReadFile("/proc/cpuinfo")
	if able := runtime.GOARCH == "amd64" && bytes.Contains(said, []byte(" sha_ni ")); !two && !able {
		t.Skip("this processor has no instructions for SHA-256, or they are not used here")
	}
	if !fast() {
		t.Error("two streams are not summed up at once")
	}
}

// TestPair holds pairs of streams, written in pieces of any lengths, against crypto/sha256.
func TestPair(t *testing.T) {
	random := rand.New(rand.NewChaCha8([32]byte{3}))
	var w Pair // one for all: nothing of a stream may be left in it
	for range 2000 {
		a, b := sha256.New(), sha256.New()
		var all [2][]byte
		for range 1 + random.IntN(5) {
			var p [2][]byte
			for i := range p {
				n := random.IntN(6000)
				if random.IntN(2) == 0 {
					n &^= 63
				}
				for range n {
					p[i] = append(p[i], byte(random.Uint32()))
				}
				all[i] = append(all[i], p[i]...)
			}
			before := [2][]byte{bytes.Clone(p[0]), bytes.Clone(p[1])}
			w.Write(a, b, p[0], p[1])
			if !bytes.Equal(before[0], p[0]) || !bytes.Equal(before[1], p[1]) {
				t.Fatal("what was to be summed up has changed")
			}
		}
		if got, want := fmt.Sprintf("%x %x", a.Sum(nil), b.Sum(nil)), fmt.Sprintf("%x %x", sha256.Sum256(all[0]), sha256.Sum256(all[1])); got != want {
			t.Fatalf("%d and %d bytes: %s, want %s", len(all[0]), len(all[1]), got, want)
		}
	}
}

// TestPairAllocates holds that a piece takes no allocation, but for those of the race detector.
func TestPairAllocates(t *testing.T) {
	var w Pair
	a, b, piece := sha256.New(), sha256.New(), make([]byte, 4096)
	w.Write(a, b, piece, piece)
	if n := testing.AllocsPerRun(100, func() { w.Write(a, b, piece, piece) }); n > 0 && !exttest.Race {
		t.Errorf("%v allocations", n)
	}
}

func FuzzPair(f *testing.F) {
	f.Add([]byte("abc"), make([]byte, 2048), 64)
	f.Add(make([]byte, 4096), make([]byte, 1024), 1000)
	f.Fuzz(func(t *testing.T, p, q []byte, cut int) {
		var w Pair
		a, b := sha256.New(), sha256.New()
		i, j := min(max(cut, 0), len(p)), min(max(cut, 0), len(q))
		w.Write(a, b, p[:i], q[:j])
		w.Write(a, b, p[i:], q[j:])
		if [sha256.Size]byte(a.Sum(nil)) != sha256.Sum256(p) || [sha256.Size]byte(b.Sum(nil)) != sha256.Sum256(q) {
			t.Fatalf("%d and %d bytes, cut at %d", len(p), len(q), cut)
		}
	})
}

func BenchmarkPair(b *testing.B) {
	p, q := make([]byte, 256<<10), make([]byte, 256<<10)
	x, y := sha256.New(), sha256.New()
	b.Run("two at once", func(b *testing.B) {
		var w Pair
		b.SetBytes(int64(len(p) + len(q)))
		for b.Loop() {
			w.Write(x, y, p, q)
		}
	})
	b.Run("one by one", func(b *testing.B) {
		b.SetBytes(int64(len(p) + len(q)))
		for b.Loop() {
			x.Write(p)
			y.Write(q)
		}
	})
}
