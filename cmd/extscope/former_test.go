package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// TestFormerUnasked looks for a file system whose beginning is gone without being asked
// to, and does not where something else is there.
func TestFormerUnasked(t *testing.T) {
	image := exttest.Bytes(t, "journal/history")
	file := func(name string, b []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	clear(image[:64<<10])
	lost := file("lost", image)
	asked := call(t, "deleted", lost, "--former")
	got := call(t, "deleted", lost)
	if got.status != exitPartial || got.out != asked.out {
		t.Errorf("status %d\n%s\nwith --former %d\n%s", got.status, got.out, asked.status, asked.out)
	}
	files, met := 0, 0
	for _, o := range exttest.Truth(t, "journal/history") {
		if o.Type == "file" {
			files++
			if strings.Contains(got.out, "  "+string(o.Path)+"\n") {
				met++
			}
		}
	}
	if files == 0 || met*2 < files {
		t.Errorf("of %d files that the kernel shows %d are listed:\n%s", files, met, got.out)
	}
	const note = "unknown data (begins 00000000000000000000000000000000); all of it is read for what is left of one\n"
	if !strings.Contains(got.err, note) || strings.Contains(asked.err, note) {
		t.Error(got.err, asked.err)
	}
	if r := call(t, "recover", lost, "--all", "--to", filepath.Join(t.TempDir(), "out")); r.status != exitPartial || !strings.Contains(r.err, note) {
		t.Errorf("recover: status %d: %s", r.status, r.err)
	}

	swap := make([]byte, 1<<20)
	copy(swap[4096-10:], "SWAPSPACE2")
	swap[1024] = 1
	for name, b := range map[string][]byte{"swap": swap, "nothing": make([]byte, 1<<20)} {
		r := call(t, "deleted", file(name, b))
		if r.status != exitNotExt || r.out != "" || strings.Contains(r.err, "all of it is read") == (name == "swap") {
			t.Errorf("%s: status %d: %s", name, r.status, r.err)
		}
	}
}
