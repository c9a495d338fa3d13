package layout

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// inodeTable is a stretch of a table of inodes that all have right checksums, but for
// those that are all zeros, by their places in it.
func inodeTable(size, count int, first Ino, zeros ...int) []byte {
	random := rand.NewChaCha8([32]byte{1})
	b := make([]byte, size*count)
	_, _ = random.Read(b)
	for i := range count {
		in := b[size*i:][:size]
		le.PutUint16(in[0x80:], 32) // i_extra_isize
		sum, _ := InodeChecksum(in, InodeSeed(testSeed, first+Ino(i), le.Uint32(in[0x64:])))
		le.PutUint16(in[0x7c:], uint16(sum))
		le.PutUint16(in[0x82:], uint16(sum>>16))
	}
	for _, i := range zeros {
		clear(b[size*i:][:size])
	}
	return b
}

func TestInodeSums(t *testing.T) {
	const first, count = 0x12345, 16
	for _, size := range []int{160, 256, 512, 4096} {
		sums := NewInodeSums(testSeed, size)
		good := inodeTable(size, count, first, 0, 7, count-1)
		for n := range count + 1 {
			if !sums.HoldAll(good[:n*size], first) {
				t.Errorf("size %d: the first %d of a table that holds", size, n)
			}
		}
		if sums.HoldAll(good, first+1) || NewInodeSums(testSeed+1, size).HoldAll(good, first) {
			t.Errorf("size %d: holds for other numbers, or another file system", size)
		}
		for at := range good {
			bad := bytes.Clone(good)
			bad[at] ^= 1 << (at % 8)
			if sums.HoldAll(bad, first) {
				t.Fatalf("size %d: byte %#x of inode %d changes nothing", size, at%size, at/size)
			}
		}
		half := bytes.Clone(good)
		in := half[size:][:size]
		le.PutUint16(in[0x80:], 0)
		le.PutUint16(in[0x82:], 0)
		sum, wide := InodeChecksum(in, InodeSeed(testSeed, first+1, le.Uint32(in[0x64:])))
		le.PutUint16(in[0x7c:], uint16(sum))
		if wide || !sums.Hold(in, first+1) || sums.HoldAll(half, first) {
			t.Errorf("size %d: of half a checksum: %v", size, wide)
		}
	}
	if NewInodeSums(testSeed, 128).HoldAll(make([]byte, 4096), first) {
		t.Error("inodes without room for the whole checksum")
	}
}

func BenchmarkInodeSums(b *testing.B) {
	const size, count = 256, 16
	sums, table := NewInodeSums(testSeed, size), inodeTable(size, count, 1)
	b.SetBytes(int64(len(table)))
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			sums.HoldAll(table, 1)
		}
	})
	b.Run("each", func(b *testing.B) {
		for b.Loop() {
			for i := range count {
				sums.Hold(table[size*i:][:size], 1+Ino(i))
			}
		}
	})
}
