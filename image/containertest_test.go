package image

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// sameAsRaw holds what was converted against the raw image: its size, every byte from the
// first to the last, 8 goroutines that read at random places, and what Map says.
func sameAsRaw(t *testing.T, raw, converted string, o Options) {
	t.Helper()
	want, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	im, err := Open(converted, o)
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	if im.Size() != int64(len(want)) {
		t.Fatalf("size %d, want %d", im.Size(), len(want))
	}
	got, err := io.ReadAll(io.NewSectionReader(im, 0, im.Size()))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("byte %d is %#x, want %#x", i, got[i], want[i])
			}
		}
	}
	for off := int64(0); off < im.Size(); {
		kind, n := im.Map(off)
		if n < 1 || n > im.Size()-off || kind == Absent || kind == Zero && !allZero(want[off:off+n]) {
			t.Fatalf("Map(%d) is %d, %d", off, kind, n)
		}
		off += n
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(g)))
			for range 200 {
				off := r.Int64N(im.Size())
				p := make([]byte, min(r.Int64N(200<<10), im.Size()-off))
				n, err := im.ReadAt(p, off)
				if err != nil && err != io.EOF || !bytes.Equal(p[:n], want[off:][:len(p)]) {
					t.Errorf("%d bytes at %d: %d, %v", len(p), off, n, err)
				}
			}
		})
	}
	wg.Wait()
}

// corrupt opens n copies of a container, each with some bytes changed or cut off at the
// end, and reads all of it: whatever comes of that, it takes no memory to speak of, and an
// error of reading names its range. Where checksums guard everything, no byte is wrong;
// where their failing is accepted, none that opening has not told of.
func corrupt(t *testing.T, file string, n int, checksummed bool) {
	t.Helper()
	if exttest.Race {
		n /= 10
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := contents(t, file)
	path := filepath.Join(filepath.Dir(file), "hurt-"+filepath.Base(file)) // where its parents lie
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func(b []byte, at int) {
		t.Helper()
		if _, err := f.WriteAt(b, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	write(good, 0)
	r := rand.New(rand.NewPCG(11, uint64(len(good))))
	var from, damaged int // between these the file may differ from the good one
	for i := range n {
		write(good[from:damaged], from) // what was damaged before
		from, damaged = len(good), 0
		if i%4 == 0 {
			from, damaged = r.IntN(len(good)), len(good)
			if err := f.Truncate(int64(from)); err != nil {
				t.Fatal(err)
			}
		} else {
			for range 1 + r.IntN(4) {
				at := r.IntN(len(good))
				if i%2 == 0 {
					at = r.IntN(min(len(good), 4096)) // where headers are
				}
				write([]byte{byte(r.Uint32())}, at)
				from, damaged = min(from, at), max(damaged, at+1)
			}
		}
		readHurt(t, i, path, want, Options{}, checksummed)
		if checksummed && i%5 == 0 {
			readHurt(t, i, path, want, Options{AcceptDamage: true}, true)
		}
	}
}

// readHurt opens and reads a copy that corrupt made, whose contents should be as wanted.
func readHurt(t *testing.T, i int, path string, want []byte, o Options, checksummed bool) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	im, err := Open(path, o)
	if err != nil {
		if err.Error() == "" || strings.Contains(err.Error(), "%!") {
			t.Fatalf("case %d: %q", i, err)
		}
		return
	}
	defer im.Close()
	if im.Format() == "raw" {
		return // nothing is left to know the form by: the file is what it is
	}
	buf := make([]byte, 64<<10)
	for off := int64(0); off < min(im.Size(), 2*int64(len(want))); {
		n, err := im.ReadAt(buf[:min(int64(len(buf)), im.Size()-off)], off)
		_, span := im.Map(off)
		if span < 1 || span > im.Size()-off {
			t.Fatalf("case %d: Map(%d) has %d bytes of %d", i, off, span, im.Size())
		}
		if err != nil && err != io.EOF && !located(err) {
			t.Fatalf("case %d, byte %d: %v", i, off, err)
		}
		here := want[min(off, int64(len(want))):]
		right := int64(len(here)) < int64(n) || bytes.Equal(buf[:n], here[:n])
		if checksummed && !right && !(o.AcceptDamage && told(im, buf[:n], here, off)) {
			t.Fatalf("case %d: wrong bytes from %d on, and no error; %d bytes, faults %q", i, off, im.Size(), im.Faults())
		}
		off += int64(n)
		var damage *DamageError
		if errors.As(err, &damage) {
			if damage.Offset > off || damage.Offset+damage.Length <= off {
				t.Fatalf("case %d: reading stops at byte %d, and says %v", i, off, err)
			}
			off = damage.Offset + damage.Length
		} else if n == 0 {
			off += int64(len(buf))
		}
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20+2*int64(len(want)) {
		t.Errorf("case %d: %d bytes allocated", i, grown)
	}
}

// told tells whether each byte of got that is not as wanted is in the range of a fault that
// opening has told of. Got lies at byte off of the image.
func told(im *Image, got, want []byte, off int64) bool {
	for i, c := range got {
		if c == want[i] {
			continue
		}
		at := off + int64(i)
		if !slices.ContainsFunc(im.Faults(), func(err error) bool {
			var d *DamageError
			return errors.As(err, &d) && d.Offset <= at && at < d.Offset+d.Length
		}) {
			return false
		}
	}
	return true
}

// located tells whether an error has the range that it is about.
func located(err error) bool {
	var damage *DamageError
	var missing *MissingError
	var absent *AbsentError
	var read *ReadError
	return errors.As(err, &damage) || errors.As(err, &missing) || errors.As(err, &absent) || errors.As(err, &read)
}

// contents are all bytes of an image.
func contents(t testing.TB, file string) []byte {
	t.Helper()
	im := mustOpen(t, file)
	b, err := io.ReadAll(io.NewSectionReader(im, 0, im.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
