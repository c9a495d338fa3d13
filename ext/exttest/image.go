package exttest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
)

// maxImage bounds what a compressed image may unpack to. The largest case is a
// quarter of it.
const maxImage = 256 << 20

// Image unpacks a case into a file of its own and returns its path. The file
// lives until the test ends and is sparse where the image holds zeros.
func Image(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	if err := unpack(casePath(t, name), path); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return path
}

// Open unpacks a case and opens it for reading, and gives its size in bytes too. The
// file is closed when the test ends.
func Open(t testing.TB, name string) (*os.File, int64) {
	t.Helper()
	f, err := os.Open(Image(t, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return f, info.Size()
}

// Bytes unpacks a case into memory. The caller owns the bytes.
func Bytes(t testing.TB, name string) []byte {
	t.Helper()
	if b, ok := smallImages.Load(name); ok {
		return bytes.Clone(b.([]byte))
	}
	r, err := openCase(casePath(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxImage))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(b) <= maxSmall {
		smallImages.Store(name, bytes.Clone(b))
	}
	return b
}

// smallImages keeps the images that hundreds of damaged ones are made from.
var smallImages sync.Map // name to []byte

const maxSmall = 1 << 20

// Patch overwrites bytes of an image in memory.
func Patch(t testing.TB, image []byte, offset int64, b ...byte) {
	t.Helper()
	if offset < 0 || offset > int64(len(image))-int64(len(b)) {
		t.Fatalf("patch of %d bytes at %d: the image has %d", len(b), offset, len(image))
	}
	copy(image[offset:], b)
}

// Cases lists the cases whose names start with group, sorted: Cases(t, "matrix")
// gives "matrix/ext2-1k" and so on, Cases(t, "") all that are stored.
func Cases(t testing.TB, group string) []string {
	t.Helper()
	root := Testdata(t)
	var names []string
	err := filepath.WalkDir(filepath.Join(root, group), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == "image.gz" {
			rel, err := filepath.Rel(root, filepath.Dir(path))
			if err != nil {
				return err
			}
			names = append(names, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(names)
	return names
}

// Testdata returns the path of the testdata folder at the module's root, which
// is found by walking up from the test's working directory.
func Testdata(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "testdata")
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = up
	}
}

func casePath(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(Testdata(t), filepath.FromSlash(name))
	if strings.HasSuffix(name, ".img") {
		return path
	}
	return filepath.Join(path, "image.gz")
}

// openCase opens an image, unpacking it when its name says that it is packed.
func openCase(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil || !strings.HasSuffix(path, ".gz") {
		return f, err
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{z, f}, nil
}

func unpack(from, to string) error {
	r, err := openCase(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.Create(to)
	if err != nil {
		return err
	}
	err = copySparse(w, io.LimitReader(r, maxImage))
	return errors.Join(err, w.Close())
}

// copySparse copies r to an empty file and leaves holes for blocks of zeros.
func copySparse(w *os.File, r io.Reader) error {
	const block = 64 << 10
	var (
		buf  = make([]byte, block)
		zero = make([]byte, block)
		off  int64
	)
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 && !bytes.Equal(buf[:n], zero[:n]) {
			if _, err := w.WriteAt(buf[:n], off); err != nil {
				return err
			}
		}
		off += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return w.Truncate(off)
		}
		if err != nil {
			return err
		}
	}
}
