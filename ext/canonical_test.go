package ext

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

func TestCanonical(t *testing.T) {
	f := openCase(t, "demo.img")
	for _, tt := range []struct{ path, want string }{
		{"/", "/"},
		{"", "/"},
		{"/..", "/"},
		{"/bin/../etc/./app.conf", "/etc/app.conf"},
		{"/bin/python", "/bin/python3.11"},
		{"//bin//python3", "/bin/python3.11"},
		{"/etc/localtime", "/usr/share/zoneinfo/UTC"},
		{"/home/ana/changes", "/usr/share/doc/a-package-with-quite-a-long-name/changelog"},
		{"/home/ana/archive/..", "/home/ana"},
		{"/home/ana/archive/", "/home/ana/archive"},
	} {
		got, in, err := f.Canonical(tt.path)
		if err != nil || string(got) != tt.want {
			t.Errorf("%q: got %q, %v, want %q", tt.path, got, err, tt.want)
			continue
		}
		same, err := f.Resolve(tt.want, false)
		if err != nil || same.Ino != in.Ino {
			t.Errorf("%q: inode %d, and its path leads to %v, %v", tt.path, in.Ino, same, err)
		}
		if in.IsDir() {
			if p, err := f.PathOf(in); err != nil || string(p) != tt.want {
				t.Errorf("PathOf inode %d: got %q, %v, want %q", in.Ino, p, err, tt.want)
			}
		}
	}
	for path, want := range map[string]error{
		"/home/ana/ping":       ErrLoop,
		"/home/ana/tool":       fs.ErrNotExist,
		"/nope":                fs.ErrNotExist,
		"/etc/app.conf/":       errNotDir,
		"/etc/app.conf/x":      errNotDir,
		"/etc/localtime/../..": errNotDir,
	} {
		if got, _, err := f.Canonical(path); !errors.Is(err, want) {
			t.Errorf("%q: got %q, %v, want %v", path, got, err, want)
		}
	}
	ana, err := f.Resolve("/home/ana", false)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"changes": "/usr/share/doc/a-package-with-quite-a-long-name/changelog",
		"archive": "/home/ana/archive", "..": "/home", "../../bin/sh": "/bin/sh"} {
		if got, _, err := f.CanonicalFrom(ana, path); err != nil || string(got) != want {
			t.Errorf("from /home/ana %q: got %q, %v, want %q", path, got, err, want)
		}
	}
}

// Where directories go round in a circle, looking for a path ends.
func TestPathOfHostile(t *testing.T) {
	for _, name := range exttest.Some(20, exttest.HostileNames()) {
		image := exttest.HostileImage(t, name)
		f, err := Open(bytes.NewReader(image), int64(len(image)), Options{})
		if err != nil {
			continue
		}
		for ino := Ino(1); ino < 64; ino++ {
			if in, err := f.Inode(ino); err == nil && in.IsDir() {
				_, _ = f.PathOf(in)
			}
		}
	}
}
