package image

import (
	"math/rand/v2"
	"os"
	"testing"
)

// benchImage opens the image that EXTSCOPE_BENCH_IMAGE names.
func benchImage(b *testing.B) *Image {
	name := os.Getenv("EXTSCOPE_BENCH_IMAGE")
	if name == "" {
		b.Skip("EXTSCOPE_BENCH_IMAGE names no image")
	}
	return mustOpen(b, name)
}

// BenchmarkSequential reads an image from end to end in pieces, as hash does.
func BenchmarkSequential(b *testing.B) {
	im := benchImage(b)
	p := make([]byte, 4<<20)
	b.SetBytes(im.Size())
	for b.Loop() {
		for off := int64(0); off < im.Size(); off += int64(len(p)) {
			if n, err := im.ReadAt(p[:min(int64(len(p)), im.Size()-off)], off); n == 0 {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkRandom reads 4 KiB at random places, from one goroutine a core.
func BenchmarkRandom(b *testing.B) {
	im := benchImage(b)
	b.RunParallel(func(pb *testing.PB) {
		r := rand.New(rand.NewPCG(1, rand.Uint64()))
		p := make([]byte, 4096)
		for pb.Next() {
			if _, err := im.ReadAt(p, r.Int64N(im.Size()/4096)*4096); err != nil {
				b.Fatal(err)
			}
		}
	})
}
