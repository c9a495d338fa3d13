package layout

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

// update continues a register as hash/crc32 does, without its inversions.
func update(crc uint32, b []byte) uint32 {
	return ^crc32.Update(^crc, crc32.MakeTable(crc32.Castagnoli), b)
}

func TestCRCSteps(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 8, 256, 1020, 4084, 4092, 65535, 1<<17 - 1} {
		for _, v := range []uint32{0, 1, 1 << 31, 0xdeadbeef, ^uint32(0)} {
			t.Run(fmt.Sprintf("%d/%#x", n, v), func(t *testing.T) {
				want := update(v, make([]byte, n))
				if got := crcOver(v, n); got != want {
					t.Errorf("over: %#x, want %#x", got, want)
				}
				if got := crcBefore(want, n); got != v {
					t.Errorf("before: %#x, want %#x", got, v)
				}
			})
		}
	}
}

func TestCRCSeed(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		b := make([]byte, r.IntN(5000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		seed := r.Uint32()
		if got := SeedOf(update(seed, b), update(0, b), len(b)); got != seed {
			t.Fatalf("%d bytes: seed %#x, want %#x", len(b), got, seed)
		}
	}
}

// TestCRCSolve solves for the two words that make an inode's seed.
func TestCRCSolve(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		fs, ino, gen := r.Uint32(), Ino(r.Uint32()), r.Uint32()
		seed := InodeSeed(fs, ino, gen)
		if got := GenerationOf(fs, seed, ino); got != gen {
			t.Fatalf("generation %#x, want %#x", got, gen)
		}
		if got := InoOf(fs, seed, gen); got != ino {
			t.Fatalf("inode %d, want %d", got, ino)
		}
		if got := FSSeedOf(seed, ino, gen); got != fs {
			t.Fatalf("file system's seed %#x, want %#x", got, fs)
		}
		if id := UUIDOf(fs); update(^uint32(0), id[:]) != fs {
			t.Fatalf("UUID %s does not make the seed %#x", id, fs)
		}
	}
}
