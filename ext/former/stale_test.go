package former_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/former"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/replay"
	"github.com/extscope/extscope/ext/undelete"
)

// TestNothingStale takes the beginning of volumes away, and with it parts of the log and
// of the inode table: what is called intact of the inodes that were deleted is one of the
// recorded contents, not an older state that the log holds.
func TestNothingStale(t *testing.T) {
	called := 0
	for _, name := range exttest.GoneCases(t) {
		whole, gone := exttest.GoneImage(t, name)
		fs, err := ext.Open(bytes.NewReader(whole), int64(len(whole)), ext.Options{})
		if err != nil {
			t.Fatal(err)
		}
		known := map[uint64]map[string]bool{}
		for _, g := range gone {
			if in, err := fs.Inode(ext.Ino(g.Ino)); err != nil || in.Links > 0 {
				continue // it goes on, with other contents
			}
			if known[g.Ino] == nil {
				known[g.Ino] = map[string]bool{}
			}
			known[g.Ino][g.SHA256] = true
		}
		for _, n := range []int{2 << 10, 64 << 10, 256 << 10, 1 << 20} {
			if n > len(whole)/2 {
				continue
			}
			image := bytes.Clone(whole)
			clear(image[:n])
			ctx := context.Background()
			found, err := former.Look(ctx, bytes.NewReader(image), int64(len(image)), nil)
			if err != nil {
				t.Fatal(err)
			}
			if found.Volume == nil {
				continue
			}
			w := found.Volume
			v, err := replay.Open(w.Reader, w.Size, replay.Options{})
			if err != nil {
				t.Errorf("%s without its first %d bytes: %v", name, n, err)
				continue
			}
			r, err := undelete.Find(ctx, v, undelete.Options{Former: &undelete.Former{Other: w.Other, Mounted: w.Mounted, Used: w.Used.Meets, Lost: w.Lost, Blank: w.Blank, Guessed: w.Guessed}})
			if err != nil {
				t.Fatal(err)
			}
			for c := range r.All() {
				if c.Grade != undelete.Intact || c.Type != layout.ModeRegular || known[uint64(c.Ino)] == nil {
					continue
				}
				sum := sha256.New()
				if err := r.CopyContents(ctx, sum, c, r.Contents(c, false)); err != nil {
					t.Fatal(err)
				}
				called++
				if !known[uint64(c.Ino)][hex.EncodeToString(sum.Sum(nil))] {
					t.Errorf("%s without its first %d bytes: inode %d, %s, is called intact and was not that: %q", name, n, c.Ino, c.Place(), c.Evidence)
				}
			}
		}
	}
	if called == 0 {
		t.Error("nothing was called intact")
	}
	t.Logf("%d called intact", called)
}
