package jbd2_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// replay applies a recovery to a copy of an image, block by block.
func replay(t *testing.T, c *crashed) []byte {
	t.Helper()
	want := bytes.Clone(c.image)
	bs := c.fs.BlockSize()
	for _, copied := range c.j.Recoverable().Blocks {
		if err := c.j.ReadCopy(want[int(copied.FS)*bs:][:bs], copied); err != nil {
			t.Fatal(err)
		}
	}
	return want
}

// TestOverlayReads reads the overlay at any offset and length, from several
// goroutines, with and without patches.
func TestOverlayReads(t *testing.T) {
	for _, name := range []string{"data-journal-1k", "external"} {
		c := openCrash(t, name)
		want := replay(t, c)
		o := c.j.Overlay(c.base(), c.j.Recoverable().Blocks)
		readEverywhere(t, o, want, 1)
		r := rand.New(rand.NewPCG(1, 2))
		for range 50 {
			b := make([]byte, 1+r.IntN(9000))
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			at := r.IntN(len(want) - len(b))
			copy(want[at:], b)
			if err := o.Patch(int64(at), b); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(o.Patched()); n < 50 || n > 600 {
			t.Errorf("%d blocks patched", n)
		}
		readEverywhere(t, o, want, 2)
	}
}

func readEverywhere(t *testing.T, o *jbd2.Overlay, want []byte, seed uint64) {
	t.Helper()
	var wg sync.WaitGroup
	for g := range uint64(4) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, g))
			for range 300 {
				p := make([]byte, r.IntN(20000))
				at := r.IntN(len(want) - len(p))
				if n, err := o.ReadAt(p, int64(at)); n != len(p) || err != nil {
					t.Errorf("%d of %d bytes at %d: %v", n, len(p), at, err)
					return
				}
				if !bytes.Equal(p, want[at:at+len(p)]) {
					t.Errorf("%d bytes at %d differ: %s", len(p), at, firstDiff(p, want[at:at+len(p)]))
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestOverlayEnd(t *testing.T) {
	c := openCrash(t, "ext4")
	o := c.j.Overlay(c.base(), c.j.Recoverable().Blocks)
	size := int64(len(c.image))
	p := make([]byte, 100)
	if n, err := o.ReadAt(p, size-40); n != 40 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if n, err := o.ReadAt(p, size+5); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("behind the end: %d, %v", n, err)
	}
	if _, err := o.ReadAt(p, -1); err == nil {
		t.Error("before the start: no error")
	}
	if err := o.Patch(size-10, make([]byte, 20)); err == nil {
		t.Error("a patch over the end: no error")
	}
}

// TestPatchLimit patches blocks until there are too many.
func TestPatchLimit(t *testing.T) {
	c := openCrash(t, "ext4")
	o := c.j.Overlay(zeros{}, c.j.Recoverable().Blocks)
	var err error
	for i := int64(0); err == nil && i < 1<<20; i++ {
		err = o.Patch(i*4096+100, []byte("x"))
	}
	if !errors.Is(err, jbd2.ErrPatchLimit) {
		t.Errorf("%v, want %v", err, jbd2.ErrPatchLimit)
	}
}

type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

// TestMarkRecovered looks at the superblock of the view.
func TestMarkRecovered(t *testing.T) {
	for _, name := range crashes(t) {
		c := openCrash(t, name)
		if c.fs.Super.Incompat&layout.IncompatRecover == 0 {
			continue
		}
		o := c.j.Overlay(c.base(), c.j.Recoverable().Blocks)
		for _, aborted := range []bool{false, true} {
			if err := o.MarkRecovered(aborted); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, layout.SuperblockSize)
			if _, err := o.ReadAt(b, layout.SuperblockOffset); err != nil {
				t.Fatal(err)
			}
			sb, err := layout.DecodeSuperblock(b, layout.SuperblockOffset)
			if err != nil {
				t.Fatal(err)
			}
			if sb.Incompat&layout.IncompatRecover != 0 || (sb.State&layout.StateErrors != 0) != aborted {
				t.Errorf("%s: %v, state %#x", name, sb.Incompat, sb.State)
			}
			if sb.MetadataCsum() && sb.Checksum != layout.SuperblockChecksum(b) {
				t.Errorf("%s: wrong checksum", name)
			}
		}
	}
}
