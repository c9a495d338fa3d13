package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// TestUnpackDamage cuts and changes files, and says what has to be told and read.
func TestUnpackDamage(t *testing.T) {
	raw := exttest.Container(t, "raw.img")
	want, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	cut := func(b []byte) []byte { return b[:len(b)/2] }
	for _, tt := range []struct {
		name   string
		args   []string
		change func(b []byte) []byte
		size   int64    // of the image, 0 for what came out
		bad    [2]int64 // what cannot be read, from byte to byte: -1 for the size
		gone   bool     // not all of that can be read if damage is accepted
		least  int64    // bytes that are right before what is wrong, if it is
		fault  string
	}{
		{"gzip cut", []string{"gzip", "-c"}, cut, 0, [2]int64{0, -1}, false, 100 << 10, "member at byte 0 of disk: cut short"},
		{"gzip checksum", []string{"gzip", "-c"}, func(b []byte) []byte { b[len(b)-6] ^= 1; return b }, 4 << 20, [2]int64{0, -1}, false, 4 << 20, "checksum"},
		{"gzip length", []string{"gzip", "-c"}, func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, 4 << 20, [2]int64{}, false, 4 << 20, "checksum"},
		{"xz cut", []string{"xz", "-0c", "--block-size=100000"}, cut, 0, [2]int64{400000, -1}, true, 400000, "cut short"},
		{"xz index", []string{"xz", "-c"}, func(b []byte) []byte { b[len(b)-14] ^= 1; return b }, 4 << 20, [2]int64{}, false, 4 << 20, "the index at byte"},
		{"xz check", []string{"xz", "-c"}, func(b []byte) []byte { b[len(b)-12-12-8] ^= 1; return b }, 4 << 20, [2]int64{0, -1}, false, 4 << 20, "its check is"},
		{"xz block", []string{"xz", "-0c", "--block-size=100000"}, func(b []byte) []byte { b[200] ^= 0x55; return b }, 4 << 20, [2]int64{0, 100000}, true, 0, "block at byte 12"},
		{"xz block header", []string{"xz", "-0c", "--block-size=100000"}, func(b []byte) []byte { b[14] ^= 1; return b }, 4 << 20, [2]int64{0, 100000}, true, 0, "block header: its checksum"},
		{"xz block length", []string{"xz", "-0c", "--block-size=100000"}, func(b []byte) []byte { b[26] ^= 1; return b }, 4 << 20, [2]int64{0, 100000}, true, 0, "block at byte 12"},
		{"zstd cut", []string{"zstd", "-c", "--stream-size=4194304"}, cut, 4 << 20, [2]int64{0, -1}, true, 50 << 10, "frame at byte 0 of disk: cut short"},
		{"zstd checksum", []string{"zstd", "-c", "--stream-size=4194304"}, func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, 4 << 20, [2]int64{0, -1}, false, 4 << 20, "frame at byte 0"},
		{"bzip2 cut", []string{"bzip2", "-c", "-1"}, cut, 0, [2]int64{-1, -1}, false, 50 << 10, "stream at byte 0 of disk: cut short"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := os.ReadFile(pack(t, raw, "disk", tt.args...))
			if err != nil {
				t.Fatal(err)
			}
			path := tempFile(t, "disk", tt.change(b))
			im := mustOpen(t, path)
			if f := fmt.Sprint(im.Faults()); len(im.Faults()) != 1 || !strings.Contains(f, tt.fault) {
				t.Errorf("faults %s, want %q", f, tt.fault)
			}
			if tt.size > 0 && im.Size() != tt.size {
				t.Errorf("%d bytes, want %d", im.Size(), tt.size)
			}
			for i, b := range tt.bad {
				if b < 0 {
					tt.bad[i] = im.Size()
				}
			}
			if bad := unreadable(t, im, want); tt.bad[0] < tt.bad[1] && !slices.Equal(bad, [][2]int64{tt.bad}) || tt.bad[0] == tt.bad[1] && len(bad) > 0 {
				t.Errorf("cannot be read: %v, want %v", bad, tt.bad)
			}
			accepting := mustOpenWith(t, path, Options{AcceptDamage: true})
			got, err := io.ReadAll(io.NewSectionReader(accepting, 0, accepting.Size()))
			var damage *DamageError
			if tt.gone != errors.As(err, &damage) || !tt.gone && err != nil {
				t.Errorf("%d of %d bytes: %v", len(got), accepting.Size(), err)
			}
			if same := prefix(got, want); same < tt.least {
				t.Errorf("%d bytes are right, want %d", same, tt.least)
			}
			if f := fmt.Sprint(accepting.Faults()); len(accepting.Faults()) != 1 || !strings.Contains(f, tt.fault) || strings.Contains(f, byAccepting) {
				t.Errorf("faults %s, want %q", f, tt.fault)
			}
		})
	}
}

// unreadable reads all of an image, and tells between which bytes that is an error. The
// others have to be as wanted.
func unreadable(t *testing.T, im *Image, want []byte) (list [][2]int64) {
	t.Helper()
	buf := make([]byte, 100000)
	for off := int64(0); off < im.Size(); {
		n, err := im.ReadAt(buf[:min(int64(len(buf)), im.Size()-off)], off)
		if !bytes.Equal(buf[:n], want[off:][:n]) {
			t.Fatalf("bytes from %d on are wrong", off)
		}
		off += int64(n)
		var damage *DamageError
		switch {
		case errors.As(err, &damage) && damage.Offset == off && damage.Length > 0:
			if last := len(list) - 1; last >= 0 && list[last][1] == off {
				list[last][1] += damage.Length
			} else {
				list = append(list, [2]int64{off, off + damage.Length})
			}
			off += damage.Length
		case err != nil && err != io.EOF:
			t.Fatalf("byte %d: %v", off, err)
		}
	}
	return list
}

// TestUnpackNarrow damages one member, stream or frame of several: the others are read.
func TestUnpackNarrow(t *testing.T) {
	raw := exttest.Container(t, "raw.img")
	want, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	want = want[bytes.Index(want, []byte("1\n2\n3\n")):][:300000]
	gzip, xz, zstd, bzip2 := []string{"gzip", "-c"}, []string{"xz", "-c"}, []string{"zstd", "-c", "--stream-size=100000"}, []string{"bzip2", "-c"}
	for _, tt := range []struct {
		tool  []string
		at    int      // byte of the second part, from its end where it is negative
		bad   [2]int64 // what cannot be read, from byte to byte: -1 for the size
		fault string
	}{
		{gzip, -6, [2]int64{100000, 200000}, "its checksum is"},         // its length says where the next lies
		{gzip, 200, [2]int64{100000, 200000}, "its checksum is"},        // likewise
		{gzip, 11, [2]int64{100000, -1}, "; what follows is lost"},      // its end is not found
		{gzip, -1, [2]int64{}, "though its checksum agrees"},            // only its length is wrong
		{xz, -12 - 8 - 4 - 1, [2]int64{100000, 200000}, "its check is"}, // the index has its length
		{xz, 300, [2]int64{100000, 200000}, "block at byte"},            // likewise
		{zstd, -1, [2]int64{100000, 200000}, "frame at byte"},           // it comes to the length it claims
		{zstd, 20, [2]int64{100000, 300000}, "in its place only if"},    // it does not
		{bzip2, 10, [2]int64{100000, -1}, "block checksum mismatch"},    // no length is stored
		{bzip2, -2, [2]int64{100000, -1}, "file checksum mismatch"},     // which is that of the stream
		{bzip2, 1000, [2]int64{100000, -1}, "bzip2 data invalid"},
	} {
		t.Run(fmt.Sprintf("%s %d", tt.tool[0], tt.at), func(t *testing.T) {
			var all []byte
			for i := range 3 {
				part, err := os.ReadFile(pack(t, tempFile(t, "part", want[i*100000:][:100000]), "part", tt.tool...))
				if err != nil {
					t.Fatal(err)
				}
				if i == 1 {
					part[(tt.at+len(part))%len(part)] ^= 1
				}
				all = append(all, part...)
			}
			im := mustOpen(t, tempFile(t, "disk", all))
			if tt.bad[1] < 0 {
				tt.bad[1] = im.Size()
			}
			bad := unreadable(t, im, want)
			if tt.bad[0] < tt.bad[1] && !slices.Equal(bad, [][2]int64{tt.bad}) || tt.bad[0] == tt.bad[1] && len(bad) > 0 {
				t.Errorf("of %d bytes cannot be read: %v, want %v", im.Size(), bad, tt.bad)
			}
			if f := fmt.Sprint(im.Faults()); len(im.Faults()) != 1 || !strings.Contains(f, tt.fault) {
				t.Errorf("faults %s, want %q", f, tt.fault)
			}
		})
	}
}

func prefix(a, b []byte) int64 {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return int64(n)
}

func TestUnpackCorrupt(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 100
	}
	raw := exttest.Container(t, "raw.img")
	b, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	b = b[bytes.Index(b, []byte("1\n2\n3\n")):]
	small := tempFile(t, "small", b[:150<<10])
	for _, args := range [][]string{
		{"gzip", "-c"}, {"xz", "-0c", "--block-size=50000"}, {"zstd", "-c", "--stream-size=153600"}, {"zstd", "-c"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) { corrupt(t, pack(t, small, "disk", args...), n, true) })
	}
	t.Run("bzip2 of two blocks", func(t *testing.T) {
		corrupt(t, pack(t, tempFile(t, "small", b[:101000]), "disk", "bzip2", "-c", "-1"), n, true)
	})
	// Several members, streams and frames, of which what is whole has to be found in its place.
	for _, tool := range []string{"gzip", "xz", "zstd", "bzip2"} {
		t.Run(tool+" of several", func(t *testing.T) {
			var all []byte
			for i := range 4 {
				part, err := os.ReadFile(pack(t, tempFile(t, "part", b[i*10000:][:10000]), "part", tool, "-c", "-1"))
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, part...)
			}
			corrupt(t, tempFile(t, "disk", all), n, true)
		})
	}
}
