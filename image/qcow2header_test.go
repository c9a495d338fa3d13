package image

import (
	"bytes"
	"compress/flate"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// Headers as qemu-img 7.2 and e2image 1.47 write them, but for the names.
const (
	hexQcow2v2 = "514649fb 00000002 0000000000000048 00000008 0000000c 0000000000400000 00000000 00000002 0000000000004000" +
		"0000000000001000 00000001 00000000 0000000000000000 626173652e726177"
	hexQcow2v3 = "514649fb 00000003 0000000000000000 00000000 00000010 0000000000400000 00000000 00000001 0000000000030000" +
		"0000000000010000 00000001 00000002 0000000000050000" +
		"0000000000000018 0000000000000001 0000000000000000 00000004 00000070 01000000 00000000" +
		"e2792aca 00000005 71636f7732 000000" +
		"6803f857 00000030 0004 657874656e646564204c3220656e7472696573 00000000000000000000000000000000000000000000000000 0000" +
		"44415441 00000008 657874 2e64617461" + "00000000 00000000"
	hexQcow1 = "514649fb 00000001 0000000000000030 00000005 00000000 0000000000400001 0c 09 0000 00000000 0000000000000030 6f74686572" +
		"00000000000000000000000000000000000000"
)

func TestDecodeQcow2Header(t *testing.T) {
	v2 := qcow2Header{version: 2, size: 4 << 20, clusterBits: 12, l2Bits: 9, l1Size: 2, l1Offset: 0x4000, refOffset: 0x1000, refClusters: 1, backing: "base.raw"}
	v3 := qcow2Header{version: 3, size: 4 << 20, clusterBits: 16, l2Bits: 12, l1Size: 1, l1Offset: 0x30000, refOffset: 0x10000, refClusters: 1,
		snapshots: 2, snapOffset: 0x50000, features: 0x18, zstd: true, backingFormat: "qcow2", dataFile: "ext.data"}
	v1 := qcow2Header{version: 1, size: 4<<20 + 1, clusterBits: 12, l2Bits: 9, l1Size: 3, l1Offset: 0x30, backing: "other"}
	for _, tt := range []struct {
		name, dump string
		change     func(b []byte) []byte
		want       qcow2Header
		err        string
	}{
		{"version 2", hexQcow2v2, nil, v2, ""},
		{"version 3", hexQcow2v3, nil, v3, ""},
		{"version 1", hexQcow1, nil, v1, ""},
		{"cut off", hexQcow2v3, func(b []byte) []byte { return b[:100] }, qcow2Header{}, ": qcow2: the header is cut off (byte 100)"},
		{"too short", hexQcow2v2, func(b []byte) []byte { return b[:71] }, qcow2Header{}, ": qcow2: no header (byte 0)"},
		{"unknown version", hexQcow2v2, func(b []byte) []byte { b[7] = 9; return b }, qcow2Header{}, ": qcow2: version 9 is not known (byte 4)"},
		{"large clusters", hexQcow2v2, func(b []byte) []byte { b[23] = 22; return b }, qcow2Header{}, ": qcow2: cluster_bits is 22, want 9 to 21 (byte 20)"},
		{"small clusters", hexQcow2v3, func(b []byte) []byte { b[23] = 13; return b }, qcow2Header{}, ": qcow2: cluster_bits is 13, and extended L2 entries want 14 at least (byte 20)"},
		{"a name beyond", hexQcow2v2, func(b []byte) []byte { b[19] = 9; return b }, qcow2Header{}, ": qcow2: the backing file's name, 9 bytes at byte 72, is not in the first cluster (byte 8)"},
		{"an extension beyond", hexQcow2v3, func(b []byte) []byte { b[117] = 1; return b }, qcow2Header{}, ": qcow2: header extension 0xe2792aca of 65541 bytes leads out of the first cluster (byte 112)"},
		{"version 1, tables", hexQcow1, func(b []byte) []byte { b[33] = 20; return b }, qcow2Header{}, ": qcow: l2_bits is 20, want 6 to 13 (byte 33)"},
		{"version 1, size", hexQcow1, func(b []byte) []byte { b[24] = 0x80; return b }, qcow2Header{}, ": qcow: size is 9223372036858970113 (byte 24)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.dump)
			if tt.change != nil {
				b = tt.change(b)
			}
			got, err := decodeQcow2Header(b)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("error %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
	// What is not known is named by the table of names in the header.
	b := unhex(t, hexQcow2v3)
	b[73] = 2 // bit 49
	b[bytes.Index(b, []byte("extended L2"))-1] = 49
	if h, err := decodeQcow2Header(b); err != nil || h.unknown != `"extended L2 entries" (bit 49)` {
		t.Errorf("unknown %s, %v", h.unknown, err)
	}
}

func TestDecodeQcow2Snapshots(t *testing.T) {
	const one = "0000000000050000 00000001 0001 0005 65f00000 00000000 0000000000000000 00000000 00000018" +
		"0000000000000000 0000000000400000 ffffffffffffffff 31 6669727374 0000"
	want := qcow2Snapshot{id: "1", name: "first", l1Offset: 0x50000, l1Size: 1, seconds: 0x65f00000, size: 4 << 20}
	list, n, err := decodeQcow2Snapshots(unhex(t, one+one), 2)
	if err != nil || n != 144 || len(list) != 2 || list[1] != want || want.String() != `1 "first" of 2024-03-12T07:10:56Z` {
		t.Errorf("%v, %d, %v", list, n, err)
	}
	if list, n, err = decodeQcow2Snapshots(unhex(t, one+one)[:100], 2); err == nil || n != 72 || len(list) != 1 {
		t.Errorf("cut off: %v, %d, %v", list, n, err)
	}
	b := unhex(t, one)
	be.PutUint32(b[36:], 0xffffff18)
	if list, _, err = decodeQcow2Snapshots(b, 1); err == nil || len(list) != 0 {
		t.Errorf("too much extra data: %v, %v", list, err)
	}
	var many *SnapshotError
	if _, err := pickSnapshot("x", []qcow2Snapshot{{id: "1", name: "same"}, {id: "2", name: "same"}}, "same"); !errors.As(err, &many) || !many.Many {
		t.Errorf("two of a name: %v", err)
	}
}

func FuzzQcow2Header(f *testing.F) {
	for _, dump := range []string{hexQcow2v2, hexQcow2v3, hexQcow1} {
		f.Add(unhex(f, dump))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeQcow2Header(b)
		if err == nil && (h.clusterBits < 9 || h.clusterBits > 21 || h.l2Bits > 18 || len(h.backing) > 1023) {
			t.Errorf("%+v", h)
		}
		decodeQcow2Snapshots(b, 4)
	})
}

// tinyQcow2 is an image of three clusters: one stored, one compressed, one of zeros.
func tinyQcow2(zstandard, extended bool) []byte {
	bits, features, entry := 9, uint64(0), 8
	if extended {
		bits, features, entry = 14, features|qcow2Extended, 16
	}
	size := 1 << bits
	b := make([]byte, 5*size)
	copy(b, qcowMagic+"\x00\x00\x00\x03")
	be.PutUint32(b[20:], uint32(bits))
	be.PutUint64(b[24:], uint64(3*size))
	be.PutUint32(b[36:], 1)
	be.PutUint64(b[40:], uint64(size))
	be.PutUint32(b[100:], 112)
	l2 := b[2*size:]
	be.PutUint64(b[size:], uint64(2*size))
	be.PutUint64(l2, uint64(3*size))
	if extended {
		be.PutUint64(l2[8:], 0xf0<<32|0x0f)
	}
	copy(b[3*size:], bytes.Repeat([]byte("data"), size/4))
	var packed []byte
	data := bytes.Repeat([]byte("text"), size/4)
	if zstandard {
		features |= qcow2Compression
		b[104] = 1
		w, _ := zstd.NewWriter(nil)
		packed = w.EncodeAll(data, nil)
	} else {
		var buf bytes.Buffer
		w, _ := flate.NewWriter(&buf, 9)
		w.Write(data)
		w.Close()
		packed = buf.Bytes()
	}
	copy(b[4*size:], packed)
	be.PutUint64(l2[entry:], qcow2IsPacked|uint64(4*size))
	be.PutUint64(b[72:], features)
	return b
}

// FuzzQcow2 opens a whole small file, which begins as some good one.
func FuzzQcow2(f *testing.F) {
	for i := range 4 {
		b := tinyQcow2(i&1 != 0, i&2 != 0)
		path := tempFile(f, "disk", b)
		if got := contents(f, path); len(got)%3 != 0 || string(got[:4]) != "data" || string(got[len(got)/3:][:4]) != "text" || !allZero(got[2*len(got)/3:]) {
			f.Fatalf("seed %d: %d bytes, not as made", i, len(got))
		}
		f.Add(b)
	}
	f.Add(append(unhex(f, hexQcow2v2), make([]byte, 0x2000)...))
	f.Add(append(unhex(f, hexQcow1), make([]byte, 0x2000)...))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "disk")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		im, err := Open(path, Options{})
		if err != nil {
			return
		}
		defer im.Close()
		buf := make([]byte, 32<<10)
		for off, n := int64(0), 0; off < im.Size() && n < 64; n++ {
			kind, span := im.Map(off)
			if span < 1 || span > im.Size()-off {
				t.Fatalf("Map(%d) is %d of %d", off, span, im.Size())
			}
			p := buf[:min(int64(len(buf)), span)]
			got, err := im.ReadAt(p, off)
			if got < len(p) && !located(err) || kind == Zero && (got < len(p) || !allZero(p)) || kind == Absent && got > 0 {
				t.Fatalf("%v at %d: %d of %d bytes, %v", kind, off, got, len(p), err)
			}
			off += span
		}
	})
}
