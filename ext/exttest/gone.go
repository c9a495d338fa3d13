package exttest

import (
	"path/filepath"
	"sort"
	"testing"
)

// A Gone is a file that was deleted from the image of a case below testdata/undelete,
// or contents that a file had, as they were just before.
type Gone struct {
	Path   string `json:"path"`
	Ino    uint64 `json:"inode"`
	Kind   string `json:"kind"` // file, directory, symlink or special
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Target string `json:"target"`
	How    string `json:"how"`
}

// GoneCases lists those cases, sorted: "undelete/carve" and so on.
func GoneCases(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(Testdata(t), "undelete", "*", "deleted.gz"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range paths {
		names = append(names, "undelete/"+filepath.Base(filepath.Dir(path)))
	}
	sort.Strings(names)
	return names
}

// GoneImage unpacks such a case into memory, and gives what was deleted from it. It is
// no Image, as there is no truth of what it still shows.
func GoneImage(t testing.TB, name string) ([]byte, []Gone) {
	t.Helper()
	return readPacked(t, filepath.Join(Testdata(t), filepath.FromSlash(name), "deleted.gz")), readLines[Gone](t, name, "gone.json")
}
