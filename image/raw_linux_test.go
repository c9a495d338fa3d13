package image

import (
	"os"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// TestRawHoles tells holes of a sparse file from what was written.
func TestRawHoles(t *testing.T) {
	path := sparseFile(t, "disk", 64*mib)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{10 * mib, 63 * mib} {
		if _, err := f.WriteAt([]byte("data"), at); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	im := mustOpen(t, path)
	if kind, n := im.Map(10*mib + 2); kind != Data || n >= 53*mib {
		exttest.Skip(t, "the file system of the temporary folder knows no holes")
	}
	for _, off := range []int64{0, 5 * mib, 30 * mib, 64*mib - 1} {
		kind, n := im.Map(off)
		want := int64(1)
		for _, at := range []int64{10 * mib, 63 * mib} {
			if off < at {
				want = at - off
				break
			}
		}
		if kind != Zero || n != want {
			t.Errorf("Map(%d) is %d, %d, want %d zeros", off, kind, n, want)
		}
	}
	s := im.SectionAt(4 * mib)
	if n, absent := s.Hole(0); n != 6*mib || absent {
		t.Errorf("the section's hole is %d, %v", n, absent)
	}
	if n, _ := section(im, 0, mib).Hole(1000); n != mib-1000 {
		t.Errorf("a hole of %d leads out of its section", n)
	}
	if c := Identify(section(im, 0, 8*mib), 8*mib); c.Type != "zeros" {
		t.Errorf("%v", c)
	}
}
