package ext_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

// TestIOFS runs the standard library's own test over the view: names, modes,
// sizes and contents, each in every way that io/fs knows.
func TestIOFS(t *testing.T) {
	names := []string{"small", "small-ext2", "small-inline", "matrix/no-journal", "matrix/ext2-rev0-1k",
		"matrix/encrypt", "matrix/casefold", "matrix/inline-data", "matrix/ea-inode", "matrix/verity"}
	if testing.Short() {
		names = names[:3]
	}
	for _, name := range exttest.Some(2, append(names, exttest.Cases(t, "links-tutorial")...)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// In memory: TestFS reads every file byte by byte, among other ways.
			view := testable{openBytes(t, exttest.Bytes(t, name), ext.Options{}).IOFS()}
			var want []string
			for _, o := range exttest.Truth(t, name) {
				at := strings.TrimPrefix(string(o.Path), "/")
				if at != "" && fs.ValidPath(at) && !view.hides(at) && !view.hides(path.Dir(at)) {
					want = append(want, at)
				}
			}
			if err := fstest.TestFS(view, want...); err != nil {
				t.Error(err)
			}
		})
	}
}

// testable hides from a view what TestFS takes for a fault of it: links that
// lead nowhere, and backslashes in names. Large files, which it reads whole and
// again and again, are left out too.
type testable struct{ fs.FS }

func (v testable) hides(name string) bool {
	if strings.Contains(name, `\`) {
		return true
	}
	info, err := fs.Stat(v.FS, name)
	return err != nil || info.Size() > 4<<20
}

func (v testable) Open(name string) (fs.File, error) {
	f, err := v.FS.Open(name)
	if d, ok := f.(fs.ReadDirFile); ok {
		return testableDir{d, v, name}, err
	}
	return f, err
}

func (v testable) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(v.FS, name)
	return v.clean(name, list), err
}

func (v testable) clean(dir string, list []fs.DirEntry) []fs.DirEntry {
	return slices.DeleteFunc(list, func(e fs.DirEntry) bool { return v.hides(path.Join(dir, e.Name())) })
}

func (v testable) Stat(name string) (fs.FileInfo, error)  { return fs.Stat(v.FS, name) }
func (v testable) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(v.FS, name) }
func (v testable) ReadFile(name string) ([]byte, error)   { return fs.ReadFile(v.FS, name) }
func (v testable) ReadLink(name string) (string, error)   { return fs.ReadLink(v.FS, name) }

type testableDir struct {
	fs.ReadDirFile
	view testable
	name string
}

func (d testableDir) ReadDir(n int) ([]fs.DirEntry, error) {
	for {
		list, err := d.ReadDirFile.ReadDir(n)
		if list = d.view.clean(d.name, list); len(list) > 0 || err != nil || n <= 0 {
			return list, err
		}
	}
}

func TestIOFSReads(t *testing.T) {
	view := open(t, "small").IOFS()
	text := func(b []byte, err error) string { return string(b) + " " + errText(err) }
	info := func(i fs.FileInfo, err error) string {
		if err != nil {
			return errText(err)
		}
		return i.Mode().String() + " " + i.Name()
	}
	link := func(s string, err error) string { return s + " " + errText(err) }
	glob := func(pattern string) string {
		list, err := fs.Glob(view, pattern)
		return strings.Join(list, " ") + " " + errText(err)
	}
	sub, err := fs.Sub(view, "a/b")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ what, got, want string }{
		{"file", text(fs.ReadFile(view, "file")), "hello\n <nil>"},
		{"file through a link", text(fs.ReadFile(view, "soft")), "hello\n <nil>"},
		{"directory", text(fs.ReadFile(view, "a")), " read a: is a directory"},
		{"nothing there", text(fs.ReadFile(view, "a/x")), " read a/x: file does not exist"},
		{"absolute", text(fs.ReadFile(view, "/file")), " read /file: invalid argument"},
		{"below a file", text(fs.ReadFile(view, "file/x")), " read file/x: not a directory"},
		{"stat", info(fs.Stat(view, "soft")), "-rw-r--r-- soft"},
		{"lstat", info(fs.Lstat(view, "soft")), "Lrwxrwxrwx soft"},
		{"stat of the root", info(fs.Stat(view, ".")), "drwxr-xr-x ."},
		{"stat of a device", info(fs.Stat(view, "device")), "Dcrw-r--r-- device"},
		{"readlink", link(fs.ReadLink(view, "self")), "self <nil>"},
		{"readlink of a file", link(fs.ReadLink(view, "file")), " readlink file: invalid argument\nnot a symbolic link"},
		{"glob", glob("a/*/c/d*"), "a/b/c/down <nil>"},
		{"sub", text(fs.ReadFile(sub, "sibling")), " <nil>"},
		{"above sub", text(fs.ReadFile(sub, "../../file")), " read ../../file: invalid argument"},
		{"a link to itself", text(fs.ReadFile(view, "self")), " read self: too many levels of symbolic links"},
		{"below a link to itself", text(fs.ReadFile(view, "self/x/y")), " read self/x/y: too many levels of symbolic links"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.what, tt.got, tt.want)
		}
	}
	_, err = fs.Stat(view, "self")
	if !errors.Is(err, ext.ErrLoop) {
		t.Errorf("a link to itself: %v", err)
	}
	if i, err := fs.Stat(view, "file"); err != nil || i.Sys().(*ext.Inode).Ino != 16 {
		t.Errorf("Sys of a file: %v, %v", i, err)
	}
}

func errText(err error) string {
	if err == nil {
		return "<nil>"
	}
	return err.Error()
}

// Bytes that are no UTF-8 are spelled \xNN, and found by that spelling.
func TestIOFSOddNames(t *testing.T) {
	for _, name := range []string{"matrix/no-journal", "matrix/inline-data"} {
		view := open(t, name).IOFS()
		list, err := fs.ReadDir(view, "names")
		if err != nil {
			t.Fatal(err)
		}
		spelled := map[string]bool{}
		for _, e := range list {
			spelled[e.Name()] = true
			if _, err := fs.Stat(view, "names/"+e.Name()); err != nil && e.Type() != fs.ModeSymlink {
				t.Errorf("%s: %q is listed and cannot be opened: %v", name, e.Name(), err)
			}
		}
		for _, want := range []string{`\xff\xfe\xfd`, `caf\xe9`, `dir \xe9`, `back\slash`} {
			if !spelled[want] {
				t.Errorf("%s: %q is not listed", name, want)
			}
		}
		if n := countBelow(exttest.Truth(t, name), "/names/"); len(list) != n {
			t.Errorf("%s: %d names, the kernel shows %d", name, len(list), n)
		}
	}
}

func countBelow(truth []exttest.Object, dir string) int {
	n := 0
	for _, o := range truth {
		if rest, ok := strings.CutPrefix(string(o.Path), dir); ok && !strings.Contains(rest, "/") {
			n++
		}
	}
	return n
}

// A file that does not fit into memory is refused, and not by filling it.
func TestIOFSHugeFile(t *testing.T) {
	view := open(t, "matrix/no-journal").IOFS()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b, err := fs.ReadFile(view, "sparse/beyond-4g")
	runtime.ReadMemStats(&after)
	var unsupported *ext.UnsupportedError
	if took := after.TotalAlloc - before.TotalAlloc; b != nil || !errors.As(err, &unsupported) || took > 16<<20 {
		t.Errorf("%d bytes, %v, after taking %d bytes of memory", len(b), err, took)
	}
	// It can still be read in pieces, and far behind its first hole.
	f, err := view.Open("sparse/beyond-4g")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	extents := object(t, "matrix/no-journal", "/sparse/beyond-4g").Extents
	at := extents[len(extents)-1].Logical
	if at < 1<<32 {
		t.Fatalf("the last extent begins at %d", at)
	}
	last := make([]byte, extents[len(extents)-1].Length)
	if n, err := f.(io.ReaderAt).ReadAt(last, at); n == 0 || err != nil && err != io.EOF || len(bytes.Trim(last, "\x00")) == 0 {
		t.Errorf("at byte %d there are %d bytes of data, %v", at, n, err)
	}
}

// object is what was recorded of one path.
func object(t *testing.T, name, path string) exttest.Object {
	t.Helper()
	for _, o := range exttest.Truth(t, name) {
		if string(o.Path) == path {
			return o
		}
	}
	t.Fatalf("%s has no %s", name, path)
	return exttest.Object{}
}

// Whatever the inode's type bits say, the mode of io/fs is one of its own.
func TestFileMode(t *testing.T) {
	for mode, want := range map[uint16]string{
		0x81a4: "-rw-r--r--", 0x41ed: "drwxr-xr-x", 0x43ff: "dtrwxrwxrwx", 0xa1ff: "Lrwxrwxrwx", 0x89ed: "urwxr-xr-x",
		0x85ed: "grwxr-xr-x", 0x61a4: "Drw-r--r--", 0x21a4: "Dcrw-r--r--", 0x11a4: "prw-r--r--", 0xc1a4: "Srw-r--r--",
		0xf1a4: "?rw-r--r--", 0x01a4: "?rw-r--r--",
	} {
		in := &ext.Inode{Inode: layout.Inode{Mode: mode}}
		if got := in.FileMode().String(); got != want {
			t.Errorf("mode %#x is %s, want %s", mode, got, want)
		}
	}
}
