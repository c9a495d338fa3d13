package undelete

import (
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestFileWriter writes a file of pieces and holes as copying does, summed up in turn,
// beside, and beside from the middle on, with writing beside reading or not, and holds file
// and sum against what went in.
func TestFileWriter(t *testing.T) {
	for _, c := range []struct {
		name string
		from int
		idle bool
	}{
		{"in turn", 1000, true},
		{"summed up beside", 0, false},
		{"summed up beside from the middle on", 20, false},
		{"all beside", 0, true},
		{"all beside from the middle on", 20, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := os.Create(filepath.Join(t.TempDir(), "f"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			source := rand.NewChaCha8([32]byte{1})
			random := rand.New(source)
			var want []byte
			writes := 0
			w := &fileWriter{ctx: t.Context(), f: f, sum: sha256.New(), crew: new(crew), beside: func() bool { return writes >= c.from }, idle: func() bool { return c.idle }}
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
			if beside := w.stream != nil; beside != (c.from < 40) {
				t.Errorf("summed up beside: %v", beside)
			}
			if beside := w.todo != nil; beside != (c.from < 40 && c.idle) {
				t.Errorf("written beside: %v", beside)
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

// TestFileWriterFails writes to a file that cannot be written: with writing beside reading
// the error comes later, but it comes, and ends the writing.
func TestFileWriterFails(t *testing.T) {
	for _, idle := range []bool{false, true} {
		name := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		w := &fileWriter{ctx: t.Context(), f: f, sum: sha256.New(), crew: new(crew),
			beside: func() bool { return true }, idle: func() bool { return idle }}
		writes := 0
		for err == nil && writes < 100 {
			_, err = w.Write(w.next())
			writes++
		}
		if err == nil {
			t.Errorf("beside %t: no error in %d writes", idle, writes)
		}
		if got := w.finish(); !errors.Is(got, err) {
			t.Errorf("beside %t: finished with %v, want %v", idle, got, err)
		}
	}
}
