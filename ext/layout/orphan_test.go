package layout

import (
	"fmt"
	"testing"
)

// Block 1161 of an orphan file while three unlinked files, inodes 446 to 448,
// were open under Linux 6.18. The orphan file is inode 12, generation 0.
const orphanDump = "be010000 bf010000 c0010000 .1004. 04ca100b c1d13b1b"

func TestDecodeOrphanBlock(t *testing.T) {
	b := hexBytes(t, orphanDump)
	for _, tt := range []struct {
		name  string
		b     []byte
		want  string
		error string
	}{
		{"in use", b, "4096:446 4100:447 4104:448 ", ""},
		{"hole", damaged(b, 4, 0, 0, 0, 0), "4096:446 4104:448 ", ""},
		{"last slot", damaged(b, 1012, 9), "4096:446 4100:447 4104:448 5108:9 ", ""},
		{"no magic", damaged(b, 1016, 0), "4096:446 4100:447 4104:448 ", "corrupt orphan file block: ob_magic is 0xb10ca00 at byte 5112"},
		{"short", b[:7], "", "corrupt orphan file block: length is 0x7 at byte 4096"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inodes, err := DecodeOrphanBlock(tt.b, 4096)
			wantError(t, err, tt.error)
			var got string
			for at, ino := range inodes {
				got += fmt.Sprintf("%d:%d ", at, ino)
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	inodes, _ := DecodeOrphanBlock(b, 0)
	for range inodes {
		break // an iterator must bear being left
	}
}

func TestOrphanChecksum(t *testing.T) {
	fs := CRC32C(^uint32(0), hexBytes(t, "11111111 2222 3333 4444 555555555555"))
	seed := CRC32C(fs, le.AppendUint32(le.AppendUint32(nil, 12), 0))
	stored, computed, ok := OrphanChecksum(hexBytes(t, orphanDump), seed, 1161)
	if !ok || stored != 0x1b3bd1c1 || computed != stored {
		t.Errorf("stored %#x, computed %#x, %v", stored, computed, ok)
	}
	if _, computed, _ := OrphanChecksum(hexBytes(t, orphanDump), seed, 1162); computed == stored {
		t.Error("the checksum holds at another block")
	}
	if _, _, ok := OrphanChecksum(nil, seed, 1161); ok {
		t.Error("a checksum in no bytes")
	}
}

func FuzzDecodeOrphanBlock(f *testing.F) {
	f.Add(hexBytes(f, orphanDump))
	f.Fuzz(func(t *testing.T, b []byte) {
		inodes, _ := DecodeOrphanBlock(b, 0)
		n := 0
		for at, ino := range inodes {
			if n++; ino == 0 || at < 0 || at+4 > int64(len(b)) {
				t.Errorf("inode %d at %d", ino, at)
			}
		}
		if n*4 > len(b) {
			t.Errorf("%d numbers in %d bytes", n, len(b))
		}
		OrphanChecksum(b, 1, 2)
	})
}
