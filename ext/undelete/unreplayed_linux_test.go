package undelete

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/replay"
)

// spendAll has the kernel give away the blocks too that it keeps for itself.
func spendAll(t *testing.T, dir string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if device, rest, _ := strings.Cut(line, " "); strings.HasPrefix(rest, dir+" ") {
			if err := os.WriteFile(filepath.Join("/sys/fs/ext4", filepath.Base(device), "reserved_clusters"), []byte("0"), 0); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("not mounted")
}

// TestUnreplayed deletes a file, has another take its blocks, and copies the image before
// what that wrote has left the log: the deleted file is still there. Once it has, it is not.
func TestUnreplayed(t *testing.T) {
	exttest.Root(t)
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 32<<20); err != nil {
		t.Fatal(err)
	}
	run(t, exttest.Tool(t, "mke2fs"), "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-J", "size=4", image)
	old, later := bytes.Repeat([]byte("what was there first\n"), 1000), bytes.Repeat([]byte("what came then\n"), 1400)
	mounted(t, image, func(dir string) {
		spendAll(t, dir)
		write(t, filepath.Join(dir, "old"), old)
		f, err := os.Create(filepath.Join(dir, "fill"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for piece := make([]byte, 4096); err == nil; {
			_, err = f.Write(piece)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	})
	m, err := exttest.MountAs("ext4", image, "noatime,data=journal")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	spendAll(t, m.Dir)
	if err := os.Remove(filepath.Join(m.Dir, "old")); err != nil {
		t.Fatal(err)
	}
	if err := m.Sync(); err != nil {
		t.Fatal(err)
	}
	// To the log, and no further: to sync the file would write it home.
	if err := os.WriteFile(filepath.Join(m.Dir, "later"), later, 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(m.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		t.Fatal(err)
	}
	run(t, "cp", "--sparse=always", image, image+".cut")
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Grade{image + ".cut": Unproven, image: Overwritten} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		v, err := replay.Open(f, 32<<20, replay.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := Find(context.Background(), v, Options{})
		if err != nil {
			t.Fatal(err)
		}
		seen := false
		for c := range r.All() {
			if string(c.Path) != "/old" {
				continue
			}
			seen = true
			var b strings.Builder
			if err := r.CopyContents(context.Background(), &b, c, r.Contents(c, false)); err != nil {
				t.Error(err)
			}
			if c.Grade != want || (b.String() == string(old)) != (want == Unproven) {
				t.Errorf("%s: %s, want %s; %d bytes of contents, %q", filepath.Base(name), c.Grade, want, b.Len(), c.Evidence)
			}
		}
		if !seen {
			t.Errorf("%s: the file is not among the deleted", filepath.Base(name))
		}
	}
}
