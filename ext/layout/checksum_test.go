package layout

import (
	"bytes"
	"strings"
	"testing"
)

// testSeed is the seed of file systems with the UUID of most dumps here; dumpe2fs
// prints it as the checksum seed of the image of superFullDump.
const testSeed = 0x643dbf5b

func TestCRC(t *testing.T) {
	check := []byte("123456789") // what catalogues of CRCs give values for
	if got := ^CRC32C(^uint32(0), check); got != 0xe3069283 {
		t.Errorf("CRC-32C %#x", got)
	}
	if got := CRC16(0, check); got != 0xbb3d {
		t.Errorf("CRC-16/ARC %#x", got)
	}
	for i := range check {
		if got := ^CRC32C(CRC32C(^uint32(0), check[:i]), check[i:]); got != 0xe3069283 {
			t.Errorf("CRC-32C in two parts, %d first: %#x", i, got)
		}
		if got := CRC16(CRC16(0, check[:i]), check[i:]); got != 0xbb3d {
			t.Errorf("CRC-16 in two parts, %d first: %#x", i, got)
		}
	}
	for _, v := range []uint32{0, 1, 0x12345678, 0xffffffff} {
		if got, want := crc32cLE32(testSeed, v), CRC32C(testSeed, le.AppendUint32(nil, v)); got != want {
			t.Errorf("%#x: got %#x, want %#x", v, got, want)
		}
	}
	if CRC32C(5, nil) != 5 || CRC16(5, nil) != 5 {
		t.Error("no bytes change the sum")
	}
}

func TestSeed(t *testing.T) {
	s := Superblock{UUID: UUID(hexBytes(t, "11111111 2222 3333 4444 555555555555"))}
	if got := s.Seed(); got != testSeed {
		t.Errorf("from the UUID: %#x", got)
	}
	s.Incompat, s.ChecksumSeed = IncompatCsumSeed, 7
	if got := s.Seed(); got != 7 {
		t.Errorf("stored: %#x", got)
	}
	if s.MetadataCsum() {
		t.Error("metadata_csum without the feature")
	}
}

func TestSuperblockChecksum(t *testing.T) {
	b := hexBytes(t, superFullDump)
	if got := SuperblockChecksum(b); got != 0xf1082ce2 {
		t.Errorf("got %#x", got)
	}
	if SuperblockChecksum(damaged(b, 0x3fb, 1)) == 0xf1082ce2 {
		t.Error("the last byte does not count")
	}
	if SuperblockChecksum(damaged(b, 0x3fc, 1)) != 0xf1082ce2 {
		t.Error("the checksum counts itself")
	}
	if SuperblockChecksum(b[:1023]) != 0 {
		t.Error("a checksum of 1023 bytes")
	}
}

func TestGroupChecksum(t *testing.T) {
	s := Superblock{UUID: UUID(hexBytes(t, "11111111 2222 3333 4444 555555555555"))}
	for _, tt := range groupDumps {
		s.ROCompat = tt.features
		b := hexBytes(t, tt.dump)
		want := DecodeGroupDesc(b).Checksum
		if got, ok := s.GroupChecksum(b, tt.group, testSeed); !ok || got != want {
			t.Errorf("%s, group %d: got %#x, %v, want %#x", tt.name, tt.group, got, ok, want)
		}
		if got, _ := s.GroupChecksum(b, tt.group+1, testSeed); got == want {
			t.Errorf("%s: holds for group %d too", tt.name, tt.group+1)
		}
		if got, _ := s.GroupChecksum(damaged(b, 0x1e, 0, 0), tt.group, testSeed); got != want {
			t.Errorf("%s: the checksum counts itself", tt.name)
		}
		if got, _ := s.GroupChecksum(damaged(b, len(b)-5, 0xff), tt.group, testSeed); got == want {
			t.Errorf("%s: the end does not count", tt.name)
		}
		if _, ok := s.GroupChecksum(b[:31], tt.group, testSeed); ok {
			t.Errorf("%s: a checksum of 31 bytes", tt.name)
		}
		s.ROCompat |= ROCompatGDTCsum // metadata_csum goes first
		if got, _ := s.GroupChecksum(b, tt.group, testSeed); got != want {
			t.Errorf("%s, both features: got %#x", tt.name, got)
		}
		s.ROCompat = 0
		if _, ok := s.GroupChecksum(b, tt.group, testSeed); ok {
			t.Errorf("%s: a checksum without the feature", tt.name)
		}
	}
}

func TestInodeChecksum(t *testing.T) {
	check := func(name string, b []byte, ino Ino) {
		t.Helper()
		in := DecodeInode(b)
		sum, wide := InodeChecksum(b, InodeSeed(testSeed, ino, in.Generation))
		if sum != in.Checksum || wide != in.ChecksumHi {
			t.Errorf("%s: got %#x, %v, want %#x, %v", name, sum, wide, in.Checksum, in.ChecksumHi)
		}
		if sums := NewInodeSums(testSeed, len(b)); !sums.Hold(b, ino) || sums.Hold(b, ino+1) {
			t.Error("in one stretch it is another")
		}
		if sum, _ := InodeChecksum(b, InodeSeed(testSeed, ino+1, in.Generation)); sum == in.Checksum {
			t.Errorf("%s: holds for inode %d too", name, ino+1)
		}
		if sum, _ := InodeChecksum(damaged(b, 0x7c, 0, 0), InodeSeed(testSeed, ino, in.Generation)); sum != in.Checksum {
			t.Errorf("%s: the checksum counts itself", name)
		}
	}
	for _, tt := range inodeDumps {
		check(tt.name, hexBytes(t, tt.dump), tt.ino)
	}
	for _, tt := range extraDumps {
		check("extra "+tt.extra, extraInode(t, tt.extra), 15)
	}
	if sum, wide := InodeChecksum(make([]byte, 127), 1); sum != 0 || wide {
		t.Errorf("%#x of 127 bytes", sum)
	}
}

// Bitmaps of the 64-byte descriptors in groupDumps: mke2fs used the first 343 of
// 1024 blocks and 11 of 64 inodes of group 0, the first 257 of the 1023 blocks of
// group 3 and, there being no block 4096, the last bit.
func TestBitmapChecksum(t *testing.T) {
	blocks := func(full, next int, last byte) []byte {
		b := append(bytes.Repeat([]byte{0xff}, full), byte(next))
		b = append(b, make([]byte, 1024-len(b))...)
		b[127] |= last
		for i := 128; i < 1024; i++ {
			b[i] = 0xff // padding, which does not count
		}
		return b
	}
	inodes := append(hexBytes(t, "ff07 .6."), []byte(strings.Repeat("\xff", 1016))...)
	for _, tt := range []struct {
		name   string
		bitmap []byte
		bits   uint32
		want   uint32
	}{
		{"blocks of group 0", blocks(42, 0x7f, 0), 1024, 0x522798c4},
		{"blocks of group 3", blocks(32, 0x01, 0x80), 1024, 0x4f329bc1},
		{"inodes of group 0", inodes, 64, 0xb6d8f8a7},
		{"no bits", inodes, 7, testSeed},
		{"no bitmap", nil, 64, testSeed},
	} {
		if got := BitmapChecksum(testSeed, tt.bitmap, tt.bits); got != tt.want {
			t.Errorf("%s: got %#x, want %#x", tt.name, got, tt.want)
		}
	}
	BitmapChecksum(1, inodes, ^uint32(0)) // more bits than there are
}

// The xattr block, number 1362, of the first inode of 128 bytes in inodeDumps.
func TestXattrBlockChecksum(t *testing.T) {
	b := hexBytes(t, `000002ea 01000000 01000000 76006b00 76a49a74 .12. 0101fc03 .4. 01000000 76006b00 6b000000 .968. 76000000`)
	want := le.Uint32(b[0x10:])
	if got := XattrBlockChecksum(b, testSeed, 1362); got != want {
		t.Errorf("got %#x, want %#x", got, want)
	}
	if XattrBlockChecksum(b, testSeed, 1362|1<<32) == want {
		t.Error("the high half of the block number does not count")
	}
	if XattrBlockChecksum(b[:31], testSeed, 1362) != 0 {
		t.Error("a checksum of 31 bytes")
	}
}
