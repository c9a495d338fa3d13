package undelete_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/undelete"
)

// What a discard leaves of free blocks is zeros, and of the rest everything: files in them
// are proved no more, whether free space was scanned or not.
func TestDiscarded(t *testing.T) {
	image, _ := exttest.GoneImage(t, "undelete/journal")
	bs := uint64(blockSize(t, image))
	before := find(t, image, nil, undelete.Options{})
	gone := map[string]undelete.Grade{}
	left := map[string]bool{}
	for c := range before.All() {
		if c.Grade != undelete.Intact || len(c.Runs) == 0 || c.Coverage.Free == 0 {
			continue
		}
		if len(gone) > len(left) {
			left[string(c.Path)] = true
			continue
		}
		gone[string(c.Path)] = undelete.Unproven
		if len(c.Runs) == 1 {
			gone[string(c.Path)] = undelete.Overwritten
		}
		for _, r := range c.Runs[len(c.Runs)-1:] {
			if r.Kind == ext.Data {
				clear(image[uint64(r.Physical)*bs:][:r.Len*bs])
			}
		}
	}
	if len(gone) == 0 || len(left) == 0 {
		t.Fatalf("the image has too little to discard: %v, %v", gone, left)
	}
	for name, o := range map[string]undelete.Options{"scanned": {}, "not scanned": {ScanLimit: 1}} {
		r := find(t, bytes.Clone(image), nil, o)
		seen := 0
		for c := range r.All() {
			told := strings.Contains(strings.Join(c.Evidence, "; "), "as after a discard")
			switch {
			case gone[string(c.Path)] != "" && (c.Grade != gone[string(c.Path)] || !told):
				t.Errorf("%s: %s, whose last run of %d is zeros, is %s: %q", name, c.Path, len(c.Runs), c.Grade, c.Evidence)
			case left[string(c.Path)] && (c.Grade != undelete.Intact || told):
				t.Errorf("%s: %s, which is as it was, is %s: %q", name, c.Path, c.Grade, c.Evidence)
			}
			if gone[string(c.Path)] != "" || left[string(c.Path)] {
				seen++
			}
		}
		if seen != len(gone)+len(left) {
			t.Errorf("%s: %d of %d files found", name, seen, len(gone)+len(left))
		}
	}
}

func blockSize(t *testing.T, image []byte) int {
	t.Helper()
	s, err := layout.DecodeSuperblock(image[layout.SuperblockOffset:][:layout.SuperblockSize], layout.SuperblockOffset)
	if err != nil {
		t.Fatal(err)
	}
	return s.BlockSize()
}
