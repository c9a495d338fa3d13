package image

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// tryAll opens what a fuzz target made and reads it: an image of sane size in which each
// byte can be read, or is an error with its range.
func tryAll(t *testing.T, b []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, accept := range []bool{false, true} {
		im, err := Open(path, Options{UnpackLimit: 8 << 20, AcceptDamage: accept})
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		tryReading(t, im)
		faults := len(im.Faults())
		im.Close()
		if faults == 0 {
			return // there is nothing to accept
		}
	}
}

func tryReading(t *testing.T, im *Image) {
	t.Helper()
	buf := make([]byte, 64<<10)
	for off, reads := int64(0), 0; off < im.Size() && reads < 500; reads++ {
		kind, n := im.Map(off)
		if n < 1 || n > im.Size()-off {
			t.Fatalf("the map has %d bytes at %d of %d", n, off, im.Size())
		}
		p := buf[:min(n, int64(len(buf)))]
		got, err := im.ReadAt(p, off)
		if got < len(p) {
			var damage *DamageError
			var missing *MissingError
			var read *ReadError
			var absent *AbsentError
			if !errors.As(err, &damage) && !errors.As(err, &missing) && !errors.As(err, &read) && !errors.As(err, &absent) {
				t.Fatalf("%d of %d bytes at %d of %d: %v", got, len(p), off, im.Size(), err)
			}
		}
		if kind == Zero && (err != nil && !errors.Is(err, io.EOF) || !allZero(p)) {
			t.Fatalf("no zeros at %d: %v", off, err)
		}
		off += max(n/7, int64(len(p)))
	}
}

func FuzzVmdk(f *testing.F) {
	f.Add(vmdkSample(false))
	f.Add(vmdkSample(true))
	_, esx := esxDisk()
	f.Add(esx[:8<<10])
	f.Fuzz(func(t *testing.T, b []byte) { tryAll(t, b) })
}

func FuzzVmdkDescriptor(f *testing.F) {
	f.Add([]byte("# Disk DescriptorFile\nCID=1\nparentCID=2\nparentFileNameHint=\"disk\"\ncreateType=\"x\"\nRW 10 FLAT \"disk\" 1\nRW 10 ZERO\n"))
	f.Add([]byte("# Disk DescriptorFile\nRW 10 SPARSE \"../disk\"\nRW 99999999999999999 VMFS \"disk\" 18446744073709551615\n"))
	f.Fuzz(func(t *testing.T, b []byte) { tryAll(t, b) })
}

func FuzzSimg(f *testing.F) {
	for _, count := range []bool{true, false} {
		b, _ := simgSample(count)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { tryAll(t, b) })
}

func FuzzUnpack(f *testing.F) {
	plain := bytes.Repeat([]byte("what is packed here "), 500)
	pack := func(w io.WriteCloser, err error, b *bytes.Buffer) {
		if err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write(plain); err != nil {
			f.Fatal(err)
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	var g, x, z bytes.Buffer
	pack(gzip.NewWriter(&g), nil, &g)
	xw, err := xz.NewWriter(&x)
	pack(xw, err, &x)
	zw, err := zstd.NewWriter(&z)
	pack(zw, err, &z)
	// "what is packed here" by bzip2, which the standard library only reads.
	b := unhex(f, "425a68393141592653591528a1ee000009d180001040002e685c802000229a19326f4a100001dc2ea6038af034295f1772453850901528a1ee")
	f.Add(b)
	for _, one := range [][]byte{g.Bytes(), x.Bytes(), z.Bytes(), b} {
		twice := slices.Concat(one, one)
		f.Add(twice)
		twice[len(one)-6] ^= 1 // a checksum or an index
		f.Add(twice)
	}
	f.Fuzz(func(t *testing.T, b []byte) { tryAll(t, b) })
}
