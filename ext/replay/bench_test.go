package replay_test

import (
	"io"
	"os"
	"testing"

	"github.com/extscope/extscope/ext/replay"
)

// BenchmarkOpen opens the image that EXTSCOPE_BENCH_IMAGE names, with its journal, and
// for comparison reads the blocks of that journal once.
func BenchmarkOpen(b *testing.B) {
	name := os.Getenv("EXTSCOPE_BENCH_IMAGE")
	if name == "" {
		b.Skip("EXTSCOPE_BENCH_IMAGE names no image")
	}
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	v, err := replay.Open(f, info.Size(), replay.Options{})
	if err != nil || v.Journal == nil {
		b.Fatal("no journal: ", err)
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if _, err := replay.Open(f, info.Size(), replay.Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		in, err := v.Home.Inode(v.Home.Super.JournalInum)
		if err != nil {
			b.Fatal(err)
		}
		buf := make([]byte, 256<<10)
		for b.Loop() {
			for r, err := range v.Home.Runs(in) {
				if err != nil {
					b.Fatal(err)
				}
				section := io.NewSectionReader(f, v.Home.BlockOffset(r.Physical), int64(r.Len)*int64(v.Home.BlockSize()))
				if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{section}, buf); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
