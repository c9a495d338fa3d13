package undelete

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/replay"
)

// TestLostAppend adds to a file by a fast commit and deletes it; later fast commits write
// over the record of that. What was added is in the last block all the same.
func TestLostAppend(t *testing.T) {
	exttest.Root(t)
	const size = 32 << 20
	image := filepath.Join(t.TempDir(), "image")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, size)); err != nil {
		t.Fatal(err)
	}
	run(t, exttest.Tool(t, "mke2fs"), "-q", "-F", "-t", "ext4", "-b", "4096", "-O", "fast_commit", image)
	early, late := bytes.Repeat([]byte("the first lines\n"), 400), bytes.Repeat([]byte("and some more\n"), 50)
	mounted(t, image, func(dir string) {
		write(t, filepath.Join(dir, "log"), early)
		write(t, filepath.Join(dir, "other"), early)
	})
	m, err := exttest.MountAs("ext4", image, "noatime")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	add := func(name string, b []byte) {
		f, err := os.OpenFile(filepath.Join(m.Dir, name), os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Write(b)
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	add("other", late) // the first after a mount is a whole commit
	add("log", late)
	if err := errors.Join(os.Remove(filepath.Join(m.Dir, "log")), m.Sync()); err != nil {
		t.Fatal(err)
	}
	for range 12 {
		add("other", []byte("more"))
	}
	run(t, "cp", "--sparse=always", image, image+".cut")
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(image + ".cut")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, err := replay.Open(f, size, replay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Find(context.Background(), v, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for c := range r.All() {
		if string(c.Path) != "/log" {
			continue
		}
		var b strings.Builder
		if err := r.CopyContents(context.Background(), &b, c, r.Contents(c, false)); err != nil {
			t.Error(err)
		}
		if want := string(early) + string(late); b.String() != want || c.Grade != Unproven {
			t.Errorf("%s, %d bytes of %d, %q", c.Grade, b.Len(), len(want), c.Evidence)
		}
		return
	}
	t.Error("the file is not among the deleted")
}
