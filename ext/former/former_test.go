package former

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

func TestReader(t *testing.T) {
	base := bytes.Repeat([]byte{1}, 100)
	r := &reader{r: bytes.NewReader(base), hide: merge(Spans{{50, 60}, {10, 20}, {15, 25}, {60, 61}, {70, 70}})}
	r.put(patch{off: 22, b: []byte{7, 8, 9, 7, 8, 9}}, patch{off: 58, b: []byte{5}}, patch{off: 22, b: []byte{7, 8, 9}})
	want := slices.Clone(base)
	clear(want[10:25])
	clear(want[50:61])
	copy(want[22:], []byte{7, 8, 9})
	want[58] = 5
	for _, step := range []int{1, 3, 7, 100} {
		var got []byte
		for off := 0; off < len(base); off += step {
			p := make([]byte, min(step, len(base)-off))
			if n, err := r.ReadAt(p, int64(off)); n < len(p) {
				t.Fatal(n, err)
			}
			got = append(got, p...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("in steps of %d: % x", step, got)
		}
	}
	for _, tt := range []struct {
		off, n int64
		want   bool
	}{{0, 10, false}, {0, 11, true}, {25, 25, false}, {24, 1, true}, {61, 39, false}, {200, 1, false}} {
		if got := r.hide.Meets(tt.off, tt.n); got != tt.want {
			t.Errorf("%d bytes from %d on meet: %t", tt.n, tt.off, got)
		}
	}
}

func TestSpansWithout(t *testing.T) {
	for _, tt := range []struct{ s, others, want Spans }{
		{nil, Spans{{0, 5}}, nil},
		{Spans{{0, 10}}, nil, Spans{{0, 10}}},
		{Spans{{0, 10}, {20, 30}}, Spans{{0, 10}}, Spans{{20, 30}}},
		{Spans{{0, 10}, {20, 30}}, Spans{{2, 4}, {6, 22}, {29, 40}}, Spans{{0, 2}, {4, 6}, {22, 29}}},
		{Spans{{5, 10}}, Spans{{0, 5}, {10, 12}}, Spans{{5, 10}}},
	} {
		if got := tt.s.without(tt.others); !slices.Equal(got, tt.want) {
			t.Errorf("%v without %v: %v, want %v", tt.s, tt.others, got, tt.want)
		}
	}
}

func TestDescriptors(t *testing.T) {
	for _, size := range []int{32, 64} {
		d := layout.GroupDesc{BlockBitmap: 0x104, InodeBitmap: 0x114, InodeTable: 0x124, BlockBitmapCsum: 0x1234, InodeBitmapCsum: 0xabcd}
		if size == 64 {
			d.InodeTable, d.BlockBitmapCsum = 0x500000124, 0xdeadbeef
		}
		b := make([]byte, size)
		encodeDesc(b, &d)
		if got := layout.DecodeGroupDesc(b); got != d {
			t.Errorf("%d bytes: %+v, want %+v", size, got, d)
		}
	}
	two := func(size int, a, b layout.GroupDesc) []byte {
		out := make([]byte, unit)
		encodeDesc(out[:size], &a)
		encodeDesc(out[size:][:size], &b)
		return out
	}
	at := func(n Block) layout.GroupDesc {
		return layout.GroupDesc{BlockBitmap: n, InodeBitmap: n + 16, InodeTable: n + 32}
	}
	for _, tt := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"two of 32 bytes", two(32, at(260), at(261)), true},
		{"two of 64 bytes", two(64, at(260), at(261)), true},
		{"one", two(64, at(260), layout.GroupDesc{}), false},
		{"out of order", two(64, at(261), at(260)), false},
		{"the table before the bitmaps", two(64, layout.GroupDesc{BlockBitmap: 9, InodeBitmap: 10, InodeTable: 8}, at(261)), false},
		{"zeros", make([]byte, unit), false},
	} {
		if got := looksLikeDescs(tt.b); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

// TestScan finds the directories of images, with the numbers that the kernel gave them.
func TestScan(t *testing.T) {
	for _, name := range []string{"small", "small-ext2", "matrix/ext4-1k", "matrix/ext3-4k"} {
		t.Run(name, func(t *testing.T) {
			image := exttest.Bytes(t, name)
			tr, err := Scan(context.Background(), bytes.NewReader(image), int64(len(image)), nil)
			if err != nil || tr.Err() != nil || tr.Read != int64(len(image)) {
				t.Fatal(err, tr.Err(), tr.Read)
			}
			f := &finder{ctx: context.Background(), r: bytes.NewReader(image), size: int64(len(image)), t: tr}
			f.links()
			found := map[uint64]bool{}
			for _, l := range f.all {
				found[uint64(l.ino)] = true
			}
			n, dirs := 0, 0
			for _, o := range exttest.Truth(t, name) {
				if o.Type == "directory" {
					dirs++
					if found[o.Ino] {
						n++
					}
				}
			}
			t.Logf("%d of %d directories", n, dirs) // but for those in inodes, and with trees of a depth
			if n*10 < dirs*9 || len(tr.supers) == 0 {
				t.Errorf("%d directories and %d superblocks", n, len(tr.supers))
			}
		})
	}
}

// TestDefaultInodes holds the number of inodes of a group against what mke2fs made.
func TestDefaultInodes(t *testing.T) {
	for _, tt := range []struct {
		total, groups   uint64
		size, blockSize int
		want            uint32
	}{
		{49152, 24, 256, 1024, 2048},    // 192 MiB, a ratio of 4096
		{49152, 2, 256, 4096, 24576},    // the same in blocks of 4 KiB
		{65536, 2, 256, 4096, 32768},    // 256 MiB
		{1572864, 192, 256, 4096, 8192}, // 24 GiB, a ratio of 16384
		{1, 1, 256, 4096, 16},
	} {
		if got := defaultInodes(tt.total, tt.groups, tt.size, tt.blockSize); got != tt.want {
			t.Errorf("%d inodes in %d groups: %d each, want %d", tt.total, tt.groups, got, tt.want)
		}
	}
}
