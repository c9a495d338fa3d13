package exttest

import (
	"io"
	"os"
	"path/filepath"
	"sort"
	"testing"
)

// A crash case is a folder below testdata/journal that holds crash.gz: a file system
// whose journal needs recovery. Its Truth is what the kernel shows once it has replayed
// the journal. It is no Image, as what a plain reader sees of it is not the truth.

// CrashCases lists the crash cases, sorted: "journal/ext3" and so on.
func CrashCases(t testing.TB) []string {
	t.Helper()
	root := Testdata(t)
	paths, err := filepath.Glob(filepath.Join(root, "journal", "*", "crash.gz"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range paths {
		names = append(names, "journal/"+filepath.Base(filepath.Dir(path)))
	}
	sort.Strings(names)
	return names
}

// CrashImage unpacks a crash case into a file of its own, and the device of its
// journal into another; device is empty where the journal is in the file system. The
// files live until the test ends.
func CrashImage(t testing.TB, name string) (image, device string) {
	t.Helper()
	dir, from := t.TempDir(), filepath.Join(Testdata(t), filepath.FromSlash(name))
	image = filepath.Join(dir, "image")
	if err := unpack(filepath.Join(from, "crash.gz"), image); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if packed := filepath.Join(from, "journal.gz"); exists(packed) {
		device = filepath.Join(dir, "journal")
		if err := unpack(packed, device); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return image, device
}

// CrashBytes unpacks a crash case into memory; device is nil where the journal is in
// the file system. The caller owns the bytes.
func CrashBytes(t testing.TB, name string) (image, device []byte) {
	t.Helper()
	from := filepath.Join(Testdata(t), filepath.FromSlash(name))
	image = readPacked(t, filepath.Join(from, "crash.gz"))
	if packed := filepath.Join(from, "journal.gz"); exists(packed) {
		device = readPacked(t, packed)
	}
	return image, device
}

// HomeTruth returns what the kernel shows of a crash case without replaying its
// journal, ordered by path; false where it couldn't walk that.
func HomeTruth(t testing.TB, name string) ([]Object, bool) {
	t.Helper()
	path := filepath.Join(Testdata(t), filepath.FromSlash(name), "home.json.gz")
	if !exists(path) {
		return nil, false
	}
	objs, err := ReadTruth(path)
	if err != nil {
		t.Fatal(err)
	}
	return objs, true
}

func readPacked(t testing.TB, path string) []byte {
	t.Helper()
	r, err := openCase(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxImage))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return b
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
