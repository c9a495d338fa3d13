package undelete

import (
	"crypto/sha256"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestFileWriter writes a file of pieces and holes as copying does, summed up in turn,
// beside, and beside from the middle on, and holds file and sum against what went in.
func TestFileWriter(t *testing.T) {
	for name, from := range map[string]int{"in turn": 1000, "beside": 0, "beside from the middle on": 20} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Create(filepath.Join(t.TempDir(), "f"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			source := rand.NewChaCha8([32]byte{1})
			random := rand.New(source)
			var want []byte
			writes := 0
			w := &fileWriter{ctx: t.Context(), f: f, sum: sha256.New(), crew: new(crew), beside: func() bool { return writes >= from }}
			defer w.stop()
			for ; writes < 40; writes++ {
				p := w.next()
				if len(p) != copyPiece {
					t.Fatalf("a piece of %d bytes", len(p))
				}
				p = p[:1+random.IntN(copyPiece)]
				_, _ = source.Read(p)
				want = append(want, p...)
				if n, err := w.Write(p); n != len(p) || err != nil {
					t.Fatal(n, err)
				}
				if writes%3 == 0 {
					hole := random.IntN(200_000)
					want = append(want, make([]byte, hole)...)
					if err := w.Hole(int64(hole)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if beside := w.stream != nil; beside != (from < 40) {
				t.Errorf("summed up beside: %v", beside)
			}
			if err := w.finish(); err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(want); string(w.sum.Sum(nil)) != string(sum[:]) {
				t.Error("another sum")
			}
			if got, err := os.ReadFile(f.Name()); err != nil || string(got) != string(want) {
				t.Errorf("another file: %d bytes, want %d, %v", len(got), len(want), err)
			}
		})
	}
}
