package layout

import (
	"fmt"
	"testing"
)

// Descriptors by mke2fs 1.47.0 for groups of 1024 blocks, UUID
// 11111111-2222-3333-4444-555555555555. want holds the words of dumpe2fs: places
// of block bitmap, inode bitmap and inode table; free blocks, free inodes,
// directories, unused inodes; the checksums of descriptor and bitmaps; flags.
var groupDumps = []struct {
	name     string
	group    uint32
	features ROCompat
	dump     string
	want     string
}{
	{"crc16, 32 bytes", 0, ROCompatGDTCsum,
		"82000000 86000000 8a000000 29033500 02000000 .8. 35000246",
		"130 134 138; 809 53 2 53; 4602 0 0; 0"},
	{"crc16, 32 bytes", 1, ROCompatGDTCsum,
		"83000000 87000000 9a000000 7f034000 00000300 .8. 4000dd70",
		"131 135 154; 895 64 0 64; 70dd 0 0; 3"},
	{"crc16, 64 bytes", 0, ROCompatGDTCsum,
		"02010000 06010000 0a010000 a9023500 02000000 .8. 3500ad51 .32.",
		"258 262 266; 681 53 2 53; 51ad 0 0; 0"},
	{"crc16, 64 bytes", 3, ROCompatGDTCsum,
		"05010000 09010000 3a010000 fe024000 00000100 .8. 4000c309 .32.",
		"261 265 314; 766 64 0 64; 9c3 0 0; 1"},
	{"crc32c, 32 bytes", 0, ROCompatMetadataCsum,
		"82000000 86000000 8a000000 29033500 02000000 .4. f44ea7f8 35000fe7",
		"130 134 138; 809 53 2 53; e70f 4ef4 f8a7; 0"},
	{"crc32c, 32 bytes", 3, ROCompatMetadataCsum,
		"85000000 89000000 ba000000 7e034000 00000100 .4. f42b0000 40002a6d",
		"133 137 186; 894 64 0 64; 6d2a 2bf4 0; 1"},
	{"crc32c, 64 bytes", 0, ROCompatMetadataCsum,
		"02010000 06010000 0a010000 a9023500 02000000 .4. c498a7f8 35005667 .24. 2752d8b6 .4.",
		"258 262 266; 681 53 2 53; 6756 522798c4 b6d8f8a7; 0"},
	{"crc32c, 64 bytes", 3, ROCompatMetadataCsum,
		"05010000 09010000 3a010000 fe024000 00000100 .4. c19b0000 40004202 .24. 324f0000 .4.",
		"261 265 314; 766 64 0 64; 242 4f329bc1 0; 1"},
}

func groupWords(g GroupDesc) string {
	return fmt.Sprintf("%d %d %d; %d %d %d %d; %x %x %x; %x", g.BlockBitmap, g.InodeBitmap, g.InodeTable,
		g.FreeBlocks, g.FreeInodes, g.UsedDirs, g.ItableUnused, g.Checksum, g.BlockBitmapCsum, g.InodeBitmapCsum, g.Flags)
}

func TestDecodeGroupDesc(t *testing.T) {
	for _, tt := range groupDumps {
		if got := groupWords(DecodeGroupDesc(hexBytes(t, tt.dump))); got != tt.want {
			t.Errorf("%s, group %d: got %s, want %s", tt.name, tt.group, got, tt.want)
		}
	}
}

// Every byte of a descriptor, as fs/ext4/ext4.h lays them out.
func TestDecodeGroupDescHalves(t *testing.T) {
	b := hexBytes(t, `00010203 04050607 08090a0b 0c0d 0e0f 1011 1213 14151617 1819 1a1b 1c1d 1e1f
		20212223 24252627 28292a2b 2c2d 2e2f 3031 3233 34353637 3839 3a3b 3c3d3e3f`)
	low := fmt.Sprintf("%d %d %d; %d %d %d %d; 1f1e 1918 1b1a; 1312", 0x03020100, 0x07060504, 0x0b0a0908, 0x0d0c, 0x0f0e, 0x1110, 0x1d1c)
	both := fmt.Sprintf("%d %d %d; %d %d %d %d; 1f1e 39381918 3b3a1b1a; 1312", uint64(0x2322212003020100), uint64(0x2726252407060504),
		uint64(0x2b2a29280b0a0908), 0x2d2c0d0c, 0x2f2e0f0e, 0x31301110, 0x33321d1c)
	zero := groupWords(GroupDesc{})
	for _, tt := range []struct {
		size int
		want string
	}{{64, both}, {63, low}, {32, low}, {31, zero}, {0, zero}} {
		if got := groupWords(DecodeGroupDesc(b[:tt.size])); got != tt.want {
			t.Errorf("%d bytes: got %s, want %s", tt.size, got, tt.want)
		}
	}
	// Larger descriptors are possible; what the rest holds is not defined.
	if got := groupWords(DecodeGroupDesc(append(b, make([]byte, 960)...))); got != both {
		t.Errorf("1024 bytes: got %s, want %s", got, both)
	}
}

func FuzzDecodeGroupDesc(f *testing.F) {
	for _, tt := range groupDumps {
		f.Add(hexBytes(f, tt.dump), tt.group, uint32(tt.features))
	}
	f.Fuzz(func(t *testing.T, b []byte, group, features uint32) {
		g := DecodeGroupDesc(b)
		if len(b) < 64 && (uint64(g.InodeTable)|uint64(g.BlockBitmap)|uint64(g.InodeBitmap))>>32 != 0 {
			t.Errorf("high halves in %d bytes: %+v", len(b), g)
		}
		s := Superblock{ROCompat: ROCompat(features)}
		_, ok := s.GroupChecksum(b, group, 1)
		if want := len(b) >= 32 && s.ROCompat&(ROCompatGDTCsum|ROCompatMetadataCsum) != 0; ok != want {
			t.Errorf("a checksum: %v, want %v", ok, want)
		}
	})
}
