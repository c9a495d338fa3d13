package exttest

import (
	"path"
	"path/filepath"
	"testing"
)

// Container is Stored of testdata/containers.
func Container(t testing.TB, names ...string) string {
	t.Helper()
	return Stored(t, "containers", names...)
}

// Stored unpacks files of a folder of testdata, by their names without ".gz", into one
// folder of this test, as what an image refers to has to lie beside it. It gives the path
// of the first.
func Stored(t testing.TB, folder string, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		from := filepath.Join(Testdata(t), folder, filepath.FromSlash(name)+".gz")
		if err := unpack(from, filepath.Join(dir, path.Base(name))); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return filepath.Join(dir, path.Base(names[0]))
}
