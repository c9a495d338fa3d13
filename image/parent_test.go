package image

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestParents takes a child's parent away, or puts in its place what is not to be read.
func TestParents(t *testing.T) {
	replace := func(t *testing.T, path string, b []byte) {
		t.Helper()
		if err := errors.Join(os.Remove(path), os.WriteFile(path, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, form := range []string{"vhd", "vhdx", "vdi"} {
		for _, tt := range []struct {
			name   string
			change func(t *testing.T, child, parent string)
			want   string // of the error; by format where it has a "|": vhd|vhdx|vdi
		}{
			{"missing", func(t *testing.T, child, parent string) { os.Remove(parent) }, "no such file|no such file|no vdi of this UUID"},
			{"a symlink", func(t *testing.T, child, parent string) {
				elsewhere := filepath.Join(t.TempDir(), "disk")
				if err := errors.Join(os.Rename(parent, elsewhere), os.Symlink(elsewhere, parent)); err != nil {
					t.Fatal(err)
				}
			}, "symlink|symlink|no vdi of this UUID"},
			{"of another format", func(t *testing.T, child, parent string) { replace(t, parent, make([]byte, 4096)) }, "is no vhd|is no vhdx|no vdi of this UUID"},
			{"another disk", func(t *testing.T, child, parent string) {
				b, err := os.ReadFile(storedIn(t, t.TempDir(), form+"/dynamic."+form))
				if err != nil {
					t.Fatal(err)
				}
				replace(t, parent, b)
			}, "another disk, or changed since|another disk, or changed since|no vdi of this UUID"},
			{"the child itself", func(t *testing.T, child, parent string) {
				if err := errors.Join(os.Remove(parent), os.Link(child, parent)); err != nil {
					t.Fatal(err)
				}
			}, "its own parent|its own parent|no vdi of this UUID"},
		} {
			t.Run(form+", "+tt.name, func(t *testing.T) {
				dir := t.TempDir()
				child, parent := storedIn(t, dir, form+"/child."+form), storedIn(t, dir, form+"/parent."+form)
				if form == "vhd" {
					// The middle of the chain is the one whose parent is changed.
					child = storedIn(t, dir, "vhd/middle.vhd")
				}
				tt.change(t, child, parent)
				_, err := Open(child, Options{})
				want := strings.Split(tt.want, "|")[map[string]int{"vhd": 0, "vhdx": 1, "vdi": 2}[form]]
				var ref *ReferenceError
				if !errors.As(err, &ref) || ref.Role != "parent" || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
			})
		}
	}
}

// A vhd of a parent that is the vhd's own child is refused, and so is a chain without end.
func TestParentCycle(t *testing.T) {
	dir := t.TempDir()
	child, middle := storedIn(t, dir, "vhd/child.vhd"), storedIn(t, dir, "vhd/middle.vhd")
	b, err := os.ReadFile(middle)
	if err != nil {
		t.Fatal(err)
	}
	old, now := []byte(".\x00\\\x00p\x00a\x00r\x00e\x00n\x00t\x00"), []byte(".\x00\\\x00c\x00h\x00i\x00l\x00d\x00.\x00v\x00h\x00d\x00\x00\x00")
	at := bytes.Index(b, old)
	copy(b[at:], now)
	if err := os.WriteFile(middle, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(child, Options{}); err == nil || !strings.Contains(err.Error(), "is its own parent, directly or through others") {
		t.Errorf("got %v", err)
	}

	var files lineage
	for range maxParents {
		info, err := os.Stat(tempFile(t, "disk", nil))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, info)
	}
	next, err := os.Stat(child)
	if err != nil {
		t.Fatal(err)
	}
	if err := files.check(next); err == nil || files[1:].check(next) != nil {
		t.Errorf("a chain of %d files and one more: %v", maxParents, err)
	}
}

// What Windows recorded of a parent leads to its name in the folder, and nowhere else.
func TestVHDParentPaths(t *testing.T) {
	file := make([]byte, 4096)
	copy(file[1024:], "file://localhost/Users/me/disk%201.vhd\x00")
	copy(file[2048:], "C\x00:\x00\\\x00a\x00.\x00v\x00h\x00d\x00")
	copy(file[3072:], ".\x00.\x00\\\x00b\x00.\x00v\x00h\x00d\x00")
	h := vhdHeader{parentName: "last.vhd"}
	h.locators[0] = vhdLocator{"W2ku", 16, 2048}
	h.locators[1] = vhdLocator{"MacX", 39, 1024}
	h.locators[2] = vhdLocator{"W2ru", 16, 3072}
	h.locators[3] = vhdLocator{"W2ru", 16, 1 << 40}
	want := `..\b.vhd C:\a.vhd localhost/Users/me/disk 1.vhd last.vhd`
	if got := strings.Join(vhdParents(bytes.NewReader(file), 4096, h), " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, _, _, err := beside(filepath.Join(t.TempDir(), "x"), "parent", `..\b.vhd`); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
