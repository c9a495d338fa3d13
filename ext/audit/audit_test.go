package audit_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/exttest"
)

// run audits an image in memory.
func run(t testing.TB, image []byte, o audit.Options) *audit.Result {
	t.Helper()
	f, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := audit.Run(t.Context(), f, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSound audits what the kernel and mke2fs made and e2fsck calls clean:
// nothing is wrong with it but symlinks made to rot and times set to the far
// future.
func TestSound(t *testing.T) {
	for _, name := range exttest.Some(30, exttest.Cases(t, "")) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, f := range run(t, exttest.Bytes(t, name), audit.Options{}).Findings {
				switch {
				case f.Kind == audit.RottenLink || f.Kind == audit.SymlinkLoop:
				case f.Kind == audit.OddTime && strings.HasPrefix(string(f.Path), "/times/"):
				default:
					t.Errorf("%s: inode %d %q: %s", f.Kind, f.Ino, f.Path, f.Detail)
				}
			}
		})
	}
}

// TestDemo finds in the demo image what its script put there, no less and no
// more.
func TestDemo(t *testing.T) {
	want := map[audit.Kind][]ext.Ino{
		audit.LinkCount:       {18, 50}, // the unattached folder's own ".." is gone with its name
		audit.UnattachedInode: {18, 40},
		audit.OrphanListed:    {52},
		audit.RottenLink:      {41, 42, 43},
		audit.SymlinkLoop:     {44, 45},
	}
	r := run(t, exttest.Bytes(t, "demo.img"), audit.Options{})
	for _, f := range r.Findings {
		if list := want[f.Kind]; len(list) > 0 && list[0] == f.Ino {
			want[f.Kind] = list[1:]
			continue
		}
		t.Errorf("%s: inode %d %q: %s", f.Kind, f.Ino, f.Path, f.Detail)
	}
	for kind, list := range want {
		if len(list) > 0 {
			t.Errorf("%s: nothing about inodes %d", kind, list)
		}
	}
}

// TestSkip leaves kinds out.
func TestSkip(t *testing.T) {
	image := exttest.Bytes(t, "demo.img")
	for _, only := range audit.Kinds() {
		r := run(t, image, audit.Options{Skip: func(k audit.Kind) bool { return k != only }})
		for _, f := range r.Findings {
			if f.Kind != only {
				t.Errorf("asked for %s, got %s", only, f.Kind)
			}
		}
		if all := run(t, image, audit.Options{}); uint64(len(r.Findings)) != all.Counts[only] {
			t.Errorf("%s: %d findings by itself, %d among all", only, len(r.Findings), all.Counts[only])
		}
		if only.Meaning() == "" {
			t.Errorf("%s has no meaning", only)
		}
	}
}
