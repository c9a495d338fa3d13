package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

func TestSegmentNames(t *testing.T) {
	for _, tt := range []struct {
		base  string
		stem  string
		index int
		ok    bool
	}{
		{"disk.001", "disk", 1, true},
		{"disk.000", "disk", 0, true},
		{"disk.dd.999", "disk.dd", 999, true},
		{"disk.1000", "disk", 1000, true},
		{"disk.00001", "disk", 1, true},
		{"disk.00", "disk", 0, true},
		{"disk.aa", "disk", 0, true},
		{"disk.ba", "disk", 26, true},
		{"disk.yz", "disk", 649, true},
		{"disk.zaaa", "disk", 650, true},
		{"disk.aab", "disk", 1, true},
		{"disk.E01", "", 0, false},
		{"disk.AA", "", 0, false},
		{"disk.1", "", 0, false},
		{"disk.img2", "", 0, false},
		{"disk.qcow", "", 0, false},
		{"disk", "", 0, false},
		{".001", "", 0, false},
		{"disk.99999", "", 0, false},
	} {
		stem, s, index, ok := parseSegment(tt.base)
		if ok != tt.ok || ok && (stem != tt.stem || index != tt.index) {
			t.Errorf("%s: %q %d %v, want %q %d %v", tt.base, stem, index, ok, tt.stem, tt.index, tt.ok)
		}
		if ok && s.name(stem, index) != tt.base {
			t.Errorf("%s is written back as %s", tt.base, s.name(stem, index))
		}
	}
}

// segments writes files "disk"+suffix, each filled with its suffix's number in
// order, of the sizes given.
func writeSegments(t *testing.T, sizes map[string]int) string {
	t.Helper()
	dir := t.TempDir()
	for suffix, n := range sizes {
		b := bytes.Repeat([]byte(suffix[len(suffix)-1:]), n)
		if err := os.WriteFile(filepath.Join(dir, "disk"+suffix), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "disk")
}

func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		name     string
		sizes    map[string]int
		open     string
		format   string
		want     string // contents, ? for what can't be read
		warnings []string
	}{
		{"three", map[string]int{".001": 4, ".002": 4, ".003": 2}, ".001", "split raw", "1111222233", nil},
		{"from zero", map[string]int{".000": 2, ".001": 2}, ".000", "split raw", "0011", nil},
		{"letters", map[string]int{".aa": 3, ".ab": 3, ".ac": 3}, ".aa", "split raw", "aaabbbccc", nil},
		{"three letters", map[string]int{".aaa": 1, ".aab": 1}, ".aaa", "split raw", "ab", nil},
		{"two digits", map[string]int{".00": 1, ".01": 1}, ".00", "split raw", "01", nil},
		{"lone", map[string]int{".001": 4}, ".001", "raw", "1111", nil},
		{"lone letters", map[string]int{".dd": 4, ".img": 2}, ".dd", "raw", "dddd", nil},
		{"lone later", map[string]int{".002": 4}, ".002", "raw", "2222", []string{"named like segment 2"}},
		{"later given", map[string]int{".001": 2, ".002": 2}, ".002", "split raw", "1122", []string{"disk.002 is not the first segment: opened from disk.001"}},
		{"gap", map[string]int{".001": 3, ".003": 2}, ".001", "split raw", "111???33", []string{"segment disk.002 is missing: 3 bytes from byte 3 on"}},
		{"first missing", map[string]int{".002": 2, ".003": 2}, ".002", "split raw", "??2233", []string{"disk.002 is not the first segment: opened from disk.001", "segment disk.001 is missing: 2 bytes from byte 0 on"}},
		{"letter missing", map[string]int{".aa": 1, ".ac": 1}, ".ac", "split raw", "a?c", []string{"not the first", "segment disk.ab is missing"}},
		{"sizes differ", map[string]int{".001": 3, ".002": 2, ".003": 4}, ".001", "split raw", "111223333", []string{"segment disk.002 has 2 bytes, the first of the set has 3", "segment disk.003 has 4 bytes"}},
		{"unrelated number", map[string]int{".001": 3, ".900": 2}, ".001", "raw", "111", []string{"later segments exist"}},
		{"big gap behind a set", map[string]int{".001": 1, ".002": 1, ".009": 1}, ".001", "split raw", "12", []string{"segments after disk.002 exist"}},
		{"empty segments", map[string]int{".001": 0, ".002": 0, ".003": 1}, ".001", "split raw", "3", []string{"segment disk.003 has 1 bytes"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			im := mustOpen(t, writeSegments(t, tt.sizes)+tt.open)
			if im.Format() != tt.format || im.Size() != int64(len(tt.want)) {
				t.Errorf("%s of %d bytes, want %s of %d", im.Format(), im.Size(), tt.format, len(tt.want))
			}
			warned(t, im.Warnings(), tt.warnings...)
			var got strings.Builder
			for off := range im.Size() {
				b := []byte{'?'}
				_, err := im.ReadAt(b, off)
				var missing *MissingError
				if err != nil && (!errors.As(err, &missing) || missing.Offset != off || missing.Length != 1) {
					t.Errorf("byte %d: %v", off, err)
				}
				got.Write(b)
			}
			if got.String() != tt.want {
				t.Errorf("reads %q, want %q", got.String(), tt.want)
			}
		})
	}
}

// A read into a gap gives what lies before it, and the range that is missing.
func TestSplitGap(t *testing.T) {
	im := mustOpen(t, writeSegments(t, map[string]int{".001": 100, ".003": 100})+".001")
	b := make([]byte, 250)
	n, err := im.ReadAt(b, 20)
	var missing *MissingError
	if n != 80 || !errors.As(err, &missing) || missing.Offset != 100 || missing.Length != 100 || filepath.Base(missing.Name) != "disk.002" {
		t.Errorf("got %d, %v", n, err)
	}
	if s := im.Segments(); len(s) != 3 || !s[1].Missing || s[1].Offset != 100 || s[1].Size != 100 || s[2].Offset != 200 {
		t.Errorf("segments %+v", s)
	}
	if !allZero(b[n:]) {
		t.Error("the missing bytes were made up")
	}
}

func TestSplitManySegments(t *testing.T) {
	dir := t.TempDir()
	var want bytes.Buffer
	for i := 1; i <= 1005; i++ {
		fmt.Fprintf(&want, "%06d\n", i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("d.%03d", i)), fmt.Appendf(nil, "%06d\n", i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	im := mustOpen(t, filepath.Join(dir, "d.001"))
	got, err := io.ReadAll(im.SectionAt(0))
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%d bytes of %d, %v", len(got), want.Len(), err)
	}
	warned(t, im.Warnings())
}

// split(1) is the one that names files .aa; its names widen after .yz.
func TestSplitTool(t *testing.T) {
	data := make([]byte, 7000)
	rand.New(rand.NewSource(1)).Read(data)
	path := tempFile(t, "whole", data)
	for _, args := range [][]string{{"-b", "1000"}, {"-b", "10"}, {"-b", "999", "-a", "3"}, {"-b", "1000", "-d", "-a", "3"}, {"-b", "100", "--numeric-suffixes=1", "-a", "3"}} {
		dir := t.TempDir()
		command(t, "", "split", append(args, path, filepath.Join(dir, "x."))...)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		im := mustOpen(t, filepath.Join(dir, entries[0].Name()))
		if err := iotest.TestReader(im.SectionAt(0), data); err != nil {
			t.Errorf("%q: %v", args, err)
		}
		if len(im.Segments()) != len(entries) {
			t.Errorf("%q: %d segments of %d files", args, len(im.Segments()), len(entries))
		}
		warned(t, im.Warnings())
	}
}

func TestSplitConcurrent(t *testing.T) {
	dir, want := t.TempDir(), make([]byte, 100_000)
	rng := rand.New(rand.NewSource(2))
	rng.Read(want)
	for i := 0; i < len(want); i += 777 {
		name := fmt.Sprintf("d.%03d", i/777)
		if err := os.WriteFile(filepath.Join(dir, name), want[i:min(i+777, len(want))], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	im := mustOpen(t, filepath.Join(dir, "d.000"))
	var wg sync.WaitGroup
	for seed := range int64(8) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			rng := rand.New(rand.NewSource(seed))
			for range 500 {
				off := rng.Intn(len(want))
				b := make([]byte, rng.Intn(5000))
				n, err := im.ReadAt(b, int64(off))
				end := min(off+len(b), len(want))
				if n != end-off || !bytes.Equal(b[:n], want[off:end]) || (err != nil) != (n < len(b)) {
					t.Errorf("ReadAt(%d, %d) = %d, %v", len(b), off, n, err)
				}
			}
		}()
	}
	wg.Wait()
}
