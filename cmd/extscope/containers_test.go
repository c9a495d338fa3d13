package main

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// gunzipped unpacks a stored image into a folder.
func gunzipped(t *testing.T, path, dir string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, strings.TrimSuffix(filepath.Base(path), ".gz"))
	w, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := io.Copy(w, z); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestContainers holds what commands print of each stored form of an image against what
// they print of the raw one.
func TestContainers(t *testing.T) {
	base := filepath.Join("..", "..", "testdata", "containers")
	raw := gunzipped(t, filepath.Join(base, "raw.img.gz"), t.TempDir())
	var forms []string
	for _, form := range []string{"vmdk", "simg", "packed"} {
		more, err := filepath.Glob(filepath.Join(base, form, "*.gz"))
		if err != nil || len(more) == 0 {
			t.Fatalf("%s: %v", form, err)
		}
		forms = append(forms, more...)
	}
	for _, stored := range forms {
		t.Run(filepath.Base(stored), func(t *testing.T) {
			file := gunzipped(t, stored, t.TempDir())
			for _, args := range [][]string{
				{"audit"}, {"ls", "-lR", "-i"}, {"deleted", "-f", "csv"}, {"hash", "-f", "csv"}, {"cat", "/seq"},
			} {
				call := func(image string) (string, int) {
					var out, errs strings.Builder
					rest := args[1:]
					status := run(append(append([]string{args[0]}, image), rest...), nil, &out, &errs)
					return strings.ReplaceAll(out.String(), image, "IMAGE"), status
				}
				want, wantStatus := call(raw)
				got, status := call(file)
				if got != want || status != wantStatus || len(want) == 0 {
					t.Errorf("%s: status %d, want %d; %s", args[0], status, wantStatus, firstDifference(got, want))
				}
			}
		})
	}
}
