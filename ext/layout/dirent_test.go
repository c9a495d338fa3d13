package layout

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Directory blocks of 1024 bytes written by Linux 6.18: one with metadata_csum
// (inode 12, generation 453014279) from which the kernel removed a name, one
// from which debugfs rm removed three, and one without the filetype feature.
const (
	dirDump = `0c000000 0c000102 2e000000 02000000 0c000202 2e2e0000 0d000000 0c000101 61000000 0e000000 24000801 66696c65
		2d74776f .20. 10000000 0c000301 646f7400 11000000 0c000407 6c696e6b 12000000 0c000405 6669666f 13000000
		0c000403 6e756c6c 14000000 7c030302 73756200 .884. 0c0000de c59e79f1`
	dirRemovedDump = `0c000000 0c000102 2e000000 02000000 0c000202 2e2e0000 0d000000 30000101 61000000 0e000000 24000801 66696c65
		2d74776f 0f000000 14000901 74687265 652e7478 74000000 10000000 b8030301 646f7400 11000000 ac03ff01`
	dirNoTypeDump = "0c000000 0c000100 2e000000 02000000 0c000200 2e2e0000 0d000000 0c000100 61000000 0e000000 dc030800 66696c65 2d74776f .972."
)

// longName is the name of 255 bytes that follows dirRemovedDump.
var longName = strings.Repeat("n", MaxNameLen)

func dirRemovedBlock(t testing.TB) []byte {
	b := append(hexBytes(t, dirRemovedDump), longName...)
	return append(b, make([]byte, 1024-len(b))...)
}

// direntWords lists the records of a block as debugfs ls -l and ls -d do: inode,
// (type), (rec_len) and name, inodes of records not in use being 0.
func direntWords(b []byte, f DirFormat) (string, error) {
	var lines []string
	w := NewDirBlock(b, 8192, f)
	for e := (Dirent{}); w.Next(&e); {
		lines = append(lines, fmt.Sprintf("%d (%d) (%d) %s", e.Ino, e.Type, e.RecLen, e.Name))
	}
	return strings.Join(lines, ", "), w.Err()
}

func TestDirBlock(t *testing.T) {
	typed := DirFormat{FileType: true}
	dir, noType := hexBytes(t, dirDump), hexBytes(t, dirNoTypeDump)
	const first = "12 (2) (12) ., 2 (2) (12) .., 13 (1) (12) a, "
	for _, tt := range []struct {
		name        string
		b           []byte
		format      DirFormat
		want, error string
	}{
		{"all types", dir, typed, first + "14 (1) (36) file-two, 16 (1) (12) dot, 17 (7) (12) link, " +
			"18 (5) (12) fifo, 19 (3) (12) null, 20 (2) (892) sub, 0 (222) (12) ", ""},
		{"after debugfs rm", dirRemovedBlock(t), typed, "12 (2) (12) ., 2 (2) (12) .., 13 (1) (48) a, 16 (1) (952) dot", ""},
		{"no filetype", noType, DirFormat{}, "12 (0) (12) ., 2 (0) (12) .., 13 (0) (12) a, 14 (0) (988) file-two", ""},
		// tune2fs -O ^filetype leaves the types; the kernel and debugfs read on.
		{"filetype taken back", dir[:72], DirFormat{}, "12 (0) (12) ., 2 (0) (12) .., 13 (0) (12) a, 14 (0) (36) file-two", ""},
		{"dirdata bits", damaged(dir, 31, 0x11)[:36], DirFormat{FileType: true, DirData: true}, first[:len(first)-2], ""},
		{"type out of range", damaged(dir, 31, 0x11)[:36], typed, "12 (2) (12) ., 2 (2) (12) .., 13 (17) (12) a", ""},
		{"not in use", damaged(dir, 24, 0)[:36], typed, "12 (2) (12) ., 2 (2) (12) .., 0 (1) (12) a", ""},
		{"name of no bytes", damaged(dir, 30, 0)[:36], typed, "12 (2) (12) ., 2 (2) (12) .., 13 (1) (12) ", ""},
		{"name up to the end", damaged(dir, 30, 4)[:36], typed, "12 (2) (12) ., 2 (2) (12) .., 13 (1) (12) a\x00\x00\x00", ""},
		{"longest name", damaged(dirRemovedBlock(t), 24, dirRemovedBlock(t)[84:]...)[:24+940], typed,
			"12 (2) (12) ., 2 (2) (12) .., 17 (1) (940) " + longName, ""},
		{"header alone", damaged(dir, 28, 8, 0, 0)[:32], typed, "12 (2) (12) ., 2 (2) (12) .., 13 (1) (8) ", ""},

		{"name past the record", damaged(dir, 30, 5), typed, "12 (2) (12) ., 2 (2) (12) ..", "corrupt directory entry: name_len is 0x5 at byte 8222"},
		{"the same, not in use", damaged(dir, 24, 0, 0, 0, 0, 12, 0, 5)[:36], typed, "12 (2) (12) ., 2 (2) (12) .., 0 (1) (12) ", ""},
		{"rec_len 0", damaged(dir, 28, 0), typed, "12 (2) (12) ., 2 (2) (12) ..", "corrupt directory entry: rec_len is 0x0 at byte 8220"},
		{"rec_len 4", damaged(dir, 28, 4), typed, "12 (2) (12) ., 2 (2) (12) ..", "corrupt directory entry: rec_len is 0x4 at byte 8220"},
		{"rec_len not by fours", damaged(dir, 28, 13), typed, "12 (2) (12) ., 2 (2) (12) ..", "corrupt directory entry: rec_len is 0xd at byte 8220"},
		{"rec_len past the block", damaged(dir, 28, 0xec, 3), typed, "12 (2) (12) ., 2 (2) (12) ..", "corrupt directory entry: rec_len is 0x3ec at byte 8220"},
		{"rec_len up to its end", damaged(dir, 28, 0xe8, 3), typed, "12 (2) (12) ., 2 (2) (12) .., 13 (1) (1000) a", ""},
		{"rec_len 65535", damaged(dir, 28, 0xff, 0xff), typed, "12 (2) (12) ., 2 (2) (12) ..", "corrupt directory entry: rec_len is 0xffff at byte 8220"},
		{"seven bytes left", dir[:31], typed, "12 (2) (12) ., 2 (2) (12) ..", "corrupt directory entry: rec_len is 0x7 at byte 8220"},
		{"wiped", make([]byte, 1024), typed, "", "corrupt directory entry: rec_len is 0x0 at byte 8196"},
		{"nothing", nil, typed, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := direntWords(tt.b, tt.format)
			wantError(t, err, tt.error)
			if got != tt.want {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
		})
	}
}

// Blocks of 64 KiB, in which rec_len has no room for the block size: the first
// is of mke2fs and debugfs 1.47.0, the others follow ext4_rec_len_from_disk.
func TestDirBlock64K(t *testing.T) {
	typed := DirFormat{FileType: true}
	b := hexBytes(t, "0c000000 0c000102 2e000000 02000000 0c000202 2e2e0000 0d000000 e8ff0101 61000000 .65500.")
	for _, tt := range []struct {
		name        string
		b           []byte
		want, error string
	}{
		{"three entries", b, "12 (2) (12) ., 2 (2) (12) .., 13 (1) (65512) a", ""},
		{"empty, 65535", hexBytes(t, "00000000 ffff 00 00 .65528."), "0 (0) (65536) ", ""},
		{"empty, 0", make([]byte, 65536), "0 (0) (65536) ", ""},
		{"empty, low bits", hexBytes(t, "00000000 0100 00 00 .65528."), "0 (0) (65536) ", ""},
		{"65532 and a piece", hexBytes(t, "00000000 fcff 00 00 .65528."), "0 (0) (65532) ", "corrupt directory entry: rec_len is 0x4 at byte 73728"},
		{"whole block in the middle", damaged(b, 28, 0, 0), "12 (2) (12) ., 2 (2) (12) ..", "corrupt directory entry: rec_len is 0x0 at byte 8220"},
		{"low bits in the middle", damaged(b, 28, 0xea, 0xff), "12 (2) (12) ., 2 (2) (12) ..", "corrupt directory entry: rec_len is 0xffea at byte 8220"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := direntWords(tt.b, typed)
			wantError(t, err, tt.error)
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Records of a casefolded and encrypted directory, laid out by hand as
// EXT4_DIRENT_HASHES, fs/ext4/ext4.h, has them: none behind "." and "..".
func TestDirBlockHashed(t *testing.T) {
	b := hexBytes(t, `0c000000 0c00 01 02 2e000000 02000000 1400 02 02 2e2e0000 deadbeef deadbeef
		0d000000 2000 10 01 00112233445566778899aabbccddeeff 78563412 f0debc9a
		0e000000 1400 03 01 61626300 04030201 08070605 0f000000 1000 03 01 64656600 11111111`)
	var got []string
	w := NewDirBlock(b, 0, DirFormat{FileType: true, Hashed: true})
	for e := (Dirent{}); w.Next(&e); {
		got = append(got, fmt.Sprintf("%d %x", e.Ino, e.Hash))
	}
	want := []string{"12 0", "2 0", "13 9abcdef012345678", "14 506070801020304", "15 0"}
	if w.Err() != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, w.Err(), want)
	}
	// ext4_dir_rec_len
	for n, want := range map[int][2]int{0: {8, 16}, 1: {12, 20}, 4: {12, 20}, 5: {16, 24}, 16: {24, 32}, 255: {264, 272}} {
		plain, hashed := DirFormat{}.DirentLen(n), DirFormat{Hashed: true}.DirentLen(n)
		if plain != want[0] || hashed != want[1] {
			t.Errorf("a name of %d bytes needs %d and %d, want %v", n, plain, hashed, want)
		}
	}
}

func TestRemoved(t *testing.T) {
	typed := DirFormat{FileType: true}
	b := dirRemovedBlock(t)
	hashed := append(make([]byte, 12), hexBytes(t, "0d000000 2000 10 01 00112233445566778899aabbccddeeff 78563412 f0debc9a")...)
	for _, tt := range []struct {
		name     string
		b        []byte
		from, to int
		format   DirFormat
		inodes   uint32
		want     string
	}{
		// debugfs ls -d: <14> (36) file-two, <15> (20) three.txt, <17> (940) nnn…
		{"behind a", b, 36, 72, typed, 1024, "36: 14 (1) file-two, 52: 15 (1) three.txt"},
		{"behind dot", b, 84, 1024, typed, 1024, "84: 17 (1) " + longName},
		{"name touches the end", b, 52, 69, typed, 1024, "52: 15 (1) three.txt"},
		{"name cut off", b, 52, 68, typed, 1024, ""},
		{"end past the block", b, 84, 5000, typed, 1024, "84: 17 (1) " + longName},
		{"odd start", b, 37, 72, typed, 1024, "52: 15 (1) three.txt"},
		{"largest inode", b, 36, 72, typed, 15, "36: 14 (1) file-two, 52: 15 (1) three.txt"},
		{"inode out of range", b, 36, 72, typed, 14, "36: 14 (1) file-two"},
		{"no types", hexBytes(t, dirNoTypeDump), 36, 1024, DirFormat{}, 1024, "36: 14 (0) file-two"},
		{"types not to be believed", b, 36, 72, DirFormat{}, 1024, "36: 14 (0) file-two, 52: 15 (0) three.txt"},
		{"type 7", damaged(b, 43, 7), 36, 52, typed, 1024, "36: 14 (7) file-two"},
		{"type 8", damaged(b, 43, 8), 36, 52, typed, 1024, ""},
		{"dirdata", damaged(b, 43, 0x21), 36, 52, DirFormat{FileType: true, DirData: true}, 1024, "36: 14 (1) file-two"},
		{"no name", damaged(b, 42, 0), 36, 52, typed, 1024, ""},
		{"rec_len too short", damaged(b, 40, 12), 36, 52, typed, 1024, ""},
		{"rec_len 0", damaged(b, 40, 0), 36, 52, typed, 1024, ""},
		{"rec_len up to the end", damaged(b, 40, 0xdc, 3), 36, 52, typed, 1024, "36: 14 (1) file-two"},
		{"rec_len past the end", damaged(b, 40, 0xe0, 3), 36, 52, typed, 1024, ""},
		{"slash in the name", damaged(b, 48, '/'), 36, 52, typed, 1024, ""},
		{"NUL in the name", damaged(b, 48, 0), 36, 52, typed, 1024, ""},
		{"wiped by Linux", hexBytes(t, dirDump), 52, 72, typed, 1024, ""},
		{"hashed", damaged(hashed, 20, hexBytes(t, "0112233445566778899aabbccddeeff1")...), 12, 44,
			DirFormat{FileType: true, Hashed: true}, 1024, "12: 13 (1) \x01\x12\x23\x34\x45\x56\x67\x78\x89\x9a\xab\xbc\xcd\xde\xef\xf1"},
		{"no gap", b, 36, 36, typed, 1024, ""},
		{"gap the wrong way round", b, 72, 36, typed, 1024, ""},
		{"nothing", nil, 0, 1024, typed, 1024, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			if !tt.format.Removed(tt.b, tt.from, tt.to, tt.inodes, func(e *Dirent) bool {
				got = append(got, fmt.Sprintf("%d: %d (%d) %s", e.Offset, e.Ino, e.Type, e.Name))
				return true
			}) {
				t.Error("said to have been stopped")
			}
			if got := strings.Join(got, ", "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	n := 0
	if typed.Removed(b, 36, 72, 1024, func(*Dirent) bool { n++; return false }) || n != 1 {
		t.Errorf("went on after being stopped: %d records", n)
	}
}

func TestDirTail(t *testing.T) {
	b := hexBytes(t, dirDump)
	fs := CRC32C(^uint32(0), hexBytes(t, "11111111 2222 3333 4444 555555555555"))
	if sum, ok := DirTail(b); !ok || sum != 0xf1799ec5 {
		t.Errorf("got %#x, %v", sum, ok)
	}
	if sum := DirChecksum(b, InodeSeed(fs, 12, 453014279)); sum != 0xf1799ec5 {
		t.Errorf("computed %#x", sum)
	}
	for at, v := range map[int]byte{1012: 1, 1016: 11, 1018: 1, 1019: 0} {
		if _, ok := DirTail(damaged(b, at, v)); ok {
			t.Errorf("a tail with byte %d damaged", at)
		}
	}
	if _, ok := DirTail(dirRemovedBlock(t)); ok {
		t.Error("a tail in a block without one")
	}
	if _, ok := DirTail(b[1013:]); ok || DirChecksum(b[1013:], 1) != 0 {
		t.Error("a tail in 11 bytes")
	}
}

func TestFTOfMode(t *testing.T) {
	for mode, want := range map[uint16]uint8{0o100644: FTRegular, 0o40755: FTDir, 0o20600: FTChar, 0o60600: FTBlock,
		0o10600: FTFIFO, 0o140777: FTSocket, 0o120777: FTSymlink, 0: FTUnknown, 0o170000: FTUnknown, 0o110644: FTUnknown} {
		if got := FTOfMode(mode); got != want {
			t.Errorf("%o: got %d, want %d", mode, got, want)
		}
	}
}

func FuzzDirBlock(f *testing.F) {
	f.Add(hexBytes(f, dirDump), uint8(1))
	f.Add(dirRemovedBlock(f), uint8(1))
	f.Add(hexBytes(f, dirNoTypeDump), uint8(0))
	f.Add(hexBytes(f, "00000000 ffff 00 00 .65528."), uint8(7))
	f.Fuzz(func(t *testing.T, b []byte, bits uint8) {
		format := DirFormat{FileType: bits&1 != 0, DirData: bits&2 != 0, Hashed: bits&4 != 0}
		w := NewDirBlock(b, 0, format)
		at := 0
		for e := (Dirent{}); w.Next(&e); {
			end := e.Offset + e.RecLen
			if e.Offset != at || e.RecLen < 8 || end > len(b) || w.Rest() != end || len(e.Name)+8 > e.RecLen || len(e.Name) > MaxNameLen {
				t.Fatalf("%+v after byte %d of %d", e, at, len(b))
			}
			at = end
		}
		if w.Err() == nil && at != len(b) {
			t.Fatalf("ended at byte %d of %d without an error", at, len(b))
		}
		last := -1
		format.Removed(b, int(bits), len(b), 1<<20, func(e *Dirent) bool {
			if e.Offset < int(bits) || e.Offset < last || e.Offset%4 != 0 || e.Offset+8+len(e.Name) > len(b) || len(e.Name) == 0 || e.Ino == 0 || e.Ino > 1<<20 {
				t.Fatalf("%+v after byte %d of %d", e, last, len(b))
			}
			last = e.Offset + 12
			return true
		})
		DirTail(b)
		DirChecksum(b, 1)
	})
}
