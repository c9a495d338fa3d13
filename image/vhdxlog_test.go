package image

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// logEntry is a log entry as MS-VHDX 2.3.1 lays it out: of patches, whose data is 4 KiB.
func logEntry(tail int64, sequence uint64, patches ...filePatch) []byte {
	var desc, data []byte
	for _, p := range patches {
		d := make([]byte, 32)
		le.PutUint64(d[16:], uint64(p.off))
		le.PutUint64(d[24:], sequence)
		if p.data == nil {
			copy(d, "zero")
			le.PutUint64(d[8:], uint64(p.n))
		} else {
			copy(d, "desc")
			copy(d[4:], p.data[4092:])
			copy(d[8:], p.data[:8])
			s := bytes.Clone(p.data)
			copy(s, "data")
			le.PutUint32(s[4:], uint32(sequence>>32))
			le.PutUint32(s[4092:], uint32(sequence))
			data = append(data, s...)
		}
		desc = append(desc, d...)
	}
	head := (64 + len(desc) + vhdxLogSector - 1) / vhdxLogSector * vhdxLogSector
	b := make([]byte, head)
	copy(b, "loge")
	copy(b[64:], desc)
	b = append(b, data...)
	le.PutUint32(b[8:], uint32(len(b)))
	le.PutUint32(b[12:], uint32(tail*vhdxLogSector))
	le.PutUint64(b[16:], sequence)
	le.PutUint32(b[24:], uint32(len(patches)))
	copy(b[32:], uuidBytes)
	le.PutUint32(b[4:], crc32cWithout(b, 4))
	return b
}

// logOf lays entries into a log of 16 sectors, each at the sector given.
func logOf(entries map[int64][]byte) *vhdxLog {
	l := &vhdxLog{b: make([]byte, 16*vhdxLogSector), id: [16]byte(uuidBytes), entries: map[int64]*vhdxEntry{}}
	for k, e := range entries {
		for i := range int64(len(e) / vhdxLogSector) {
			copy(l.sector(k+i), e[i*vhdxLogSector:])
		}
	}
	return l
}

func TestVHDXActive(t *testing.T) {
	page := bytes.Repeat([]byte{7}, vhdxLogSector)
	data := filePatch{8192, 4096, page}
	many := slices.Repeat([]filePatch{{0, 4096, nil}}, 200) // two sectors of descriptors
	broken := func(at int) []byte {
		e := logEntry(0, 2, data)
		e[at]++
		return e
	}
	for _, tt := range []struct {
		name    string
		entries map[int64][]byte
		want    string // sequence numbers of what is replayed
	}{
		{"none", nil, "[]"},
		{"one", map[int64][]byte{3: logEntry(3, 5, data)}, "[5]"},
		{"a run", map[int64][]byte{0: logEntry(0, 1, data), 2: logEntry(0, 2), 3: logEntry(0, 3, data)}, "[1 2 3]"},
		{"the first is in its place", map[int64][]byte{0: logEntry(0, 1, data), 2: logEntry(0, 2), 3: logEntry(2, 3, data)}, "[2 3]"},
		{"round the end", map[int64][]byte{14: logEntry(14, 1<<32-1, data), 0: logEntry(14, 1<<32, data)}, "[4294967295 4294967296]"},
		{"an entry round the end", map[int64][]byte{15: logEntry(15, 8, data, data)}, "[8]"},
		{"an older run", map[int64][]byte{0: logEntry(0, 9), 1: logEntry(0, 10), 2: logEntry(2, 3), 3: logEntry(2, 4)}, "[9 10]"},
		{"a newer run", map[int64][]byte{0: logEntry(0, 3), 1: logEntry(0, 4), 2: logEntry(2, 9), 3: logEntry(2, 10)}, "[9 10]"},
		{"a gap", map[int64][]byte{0: logEntry(0, 3), 1: logEntry(0, 5)}, "[3]"},
		{"the tail is gone", map[int64][]byte{0: logEntry(9, 3), 1: logEntry(9, 4)}, "[]"},
		{"the last is torn", map[int64][]byte{0: logEntry(0, 1), 1: broken(5000)}, "[1]"},
		{"its header", map[int64][]byte{0: logEntry(0, 1), 1: broken(20)}, "[1]"},
		{"another log", map[int64][]byte{0: logEntry(0, 1), 1: broken(32)}, "[1]"},
		{"many descriptors", map[int64][]byte{0: logEntry(0, 1, many...), 2: logEntry(0, 2)}, "[1 2]"},
	} {
		got := []uint64{}
		for _, e := range logOf(tt.entries).active() {
			got = append(got, e.sequence)
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
}

func TestVHDXPatches(t *testing.T) {
	page := make([]byte, vhdxLogSector)
	for i := range page {
		page[i] = byte(i % 251)
	}
	l := logOf(map[int64][]byte{15: logEntry(15, 1, filePatch{4096, 8192, nil}, filePatch{8192, 4096, page}, filePatch{1 << 20, 0, nil})})
	got := l.patches(l.active())
	if len(got) != 2 || got[0].off != 4096 || got[0].n != 8192 || got[0].data != nil ||
		got[1].off != 8192 || got[1].n != 4096 || !bytes.Equal(got[1].data, page) {
		t.Errorf("got %+v", got)
	}
}

// TestPatchedFile lays random patches over a file, and writes them into a copy of it.
func TestPatchedFile(t *testing.T) {
	const unit = 4096
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		file := bytes.Repeat([]byte{0xff}, r.IntN(12*unit))
		want := bytes.Clone(file)
		var patches []filePatch
		for i := range r.IntN(12) {
			p := filePatch{off: r.Int64N(14) * unit, n: unit}
			if i%2 == 0 {
				p.n *= 1 + r.Int64N(5)
			} else {
				p.data = bytes.Repeat([]byte{byte(i)}, unit)
			}
			patches = append(patches, p)
			if need := int(p.off+p.n) - len(want); need > 0 {
				want = append(want, make([]byte, need)...)
			}
			clear(want[p.off:][:p.n])
			copy(want[p.off:], p.data)
		}
		f := newPatched(bytes.NewReader(file), int64(len(file)), patches)
		if f.size != int64(len(want)) {
			t.Fatalf("%d bytes, want %d", f.size, len(want))
		}
		if got, err := io.ReadAll(io.NewSectionReader(f, 0, f.size)); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v: not as written", err)
		}
		for range 20 {
			off, b := r.Int64N(15*unit), make([]byte, r.IntN(3*unit))
			n, err := f.ReadAt(b, off)
			left := want[min(off, f.size):]
			if !bytes.Equal(b[:n], left[:min(len(b), len(left))]) || (n < len(b)) != (err == io.EOF) {
				t.Fatalf("%d bytes at %d: %d, %v", len(b), off, n, err)
			}
		}
	}
}
