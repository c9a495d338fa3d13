package layout

import (
	"fmt"
	"strings"
	"testing"
)

// Nodes that Linux 6.18 wrote, 1024-byte blocks and metadata_csum, UUID
// 11111111-2222-3333-4444-555555555555: a file of one block; the two nodes of
// inode 14, generation 2237114496, fallocated and partly written; and the root
// of a tree of three levels.
const (
	extentRootDump = "0af30100 04000000 .8. 01000000 09220000 .36."
	extentTopDump  = "0af30100 04000100 .8. 0a210000 .4. 0a000000 f69f0000 0b800000 00200000 00a00000 01c00000 00400000 00900000 03e10000"
	extentLeafDump = `0af30500 54000000 .8. 07800000 01800000 07000000 03000000 08800000 0a000000 f69f0000 0b800000 00200000
		00a00000 01c00000 00400000 00900000 03e10000 .948. d1b0a7e8`
	extentHighDump = "0af30100 04000200 .8. 08210000 .4. a8000000 05210000 .4. 50010000 06210000 .4. f8010000 07210000 .4."
)

// extentWords lists the records of a node, in a leaf as debugfs ex does.
func extentWords(n *ExtentNode) string {
	var lines []string
	for i := range int(n.Entries) {
		if n.Depth > 0 {
			x := n.Index(i)
			lines = append(lines, fmt.Sprintf("%d > %d", x.FileBlock, x.Child))
			continue
		}
		e := n.Extent(i)
		line := fmt.Sprintf("%d - %d %d %d", e.FileBlock, e.FileBlock+e.Len-1, e.Start, e.Len)
		if e.Unwritten {
			line += " Uninit"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, ", ")
}

func TestDecodeExtentNode(t *testing.T) {
	root, leaf := hexBytes(t, extentRootDump), hexBytes(t, extentLeafDump)
	record := func(dump string) []byte { return damaged(root, 12, hexBytes(t, dump)...) }
	for _, tt := range []struct {
		name        string
		b           []byte
		want, error string
	}{
		{"one extent", root, "0 - 0 8713 1", ""},
		{"leaf", leaf, "0 - 6 32769 7 Uninit, 7 - 9 32776 3, 10 - 8191 32779 8182 Uninit, " +
			"8192 - 16383 49153 8192 Uninit, 16384 - 20479 57603 4096 Uninit", ""},
		{"index", hexBytes(t, extentTopDump), "0 > 8458", ""},
		{"two levels above the leaves", hexBytes(t, extentHighDump), "0 > 8456", ""},

		// What debugfs ex makes of these.
		{"longest written", record("00000000 0080 0000 09220000"), "0 - 32767 8713 32768", ""},
		{"shortest unwritten", record("00000000 0180 0000 09220000"), "0 - 0 8713 1 Uninit", ""},
		{"longest unwritten", record("00000000 ffff 0000 09220000"), "0 - 32766 8713 32767 Uninit", ""},
		{"high start", record("00000000 0300 0100 09220000"), "0 - 2 4294976009 3", ""},
		{"highest start", record("00000000 0300 ffff 09220000"), "0 - 2 281470681752073 3", ""},

		{"empty", damaged(root, 2, 0), "", ""},
		{"full", damaged(root, 2, 4), "0 - 0 8713 1, 0 - 4294967295 0 0, 0 - 4294967295 0 0, 0 - 4294967295 0 0", ""},
		{"more than eh_max", damaged(root, 2, 5), "0 - 0 8713 1, 0 - 4294967295 0 0, 0 - 4294967295 0 0, 0 - 4294967295 0 0",
			"corrupt extent node: eh_entries is 0x5 at byte 4098"},
		{"eh_max 0", damaged(root, 4, 0), "0 - 0 8713 1", "corrupt extent node: eh_max is 0x0 at byte 4100"},
		{"eh_max past the node", damaged(root, 2, 5, 0, 5), "0 - 0 8713 1, 0 - 4294967295 0 0, 0 - 4294967295 0 0, 0 - 4294967295 0 0",
			"corrupt extent node: eh_max is 0x5 at byte 4100"},
		{"deepest", damaged(hexBytes(t, extentTopDump), 6, 5), "0 > 8458", ""},
		{"too deep", damaged(hexBytes(t, extentTopDump), 6, 6), "0 > 8458", "corrupt extent node: eh_depth is 0x6 at byte 4102"},
		{"high child", damaged(hexBytes(t, extentTopDump), 20, 1, 0x80), "0 > 140741783331082", ""},
		{"wiped", make([]byte, 60), "", "corrupt extent node: eh_magic is 0x0 at byte 4096"},
		{"header only", root[:12], "", "corrupt extent node: eh_max is 0x4 at byte 4100"},
		{"short", root[:11], "", "corrupt extent node: length is 0xb at byte 4096"},
		{"nothing", nil, "", "corrupt extent node: length is 0x0 at byte 4096"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, err := DecodeExtentNode(tt.b, 4096)
			wantError(t, err, tt.error)
			if got := extentWords(&n); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	n, _ := DecodeExtentNode(leaf, 4096)
	if got := n.RecordOffset(4); got != 4096+60 {
		t.Errorf("record 4 at byte %d", got)
	}
}

func TestExtentChecksum(t *testing.T) {
	b := hexBytes(t, extentLeafDump)
	fs := CRC32C(^uint32(0), hexBytes(t, "11111111 2222 3333 4444 555555555555"))
	seed := InodeSeed(fs, 14, 2237114496)
	if stored, computed, ok := ExtentChecksum(b, seed); !ok || stored != 0xe8a7b0d1 || computed != stored {
		t.Errorf("stored %#x, computed %#x, %v", stored, computed, ok)
	}
	if stored, computed, _ := ExtentChecksum(b, InodeSeed(fs, 15, 2237114496)); stored == computed {
		t.Error("the checksum holds for another inode")
	}
	if _, _, ok := ExtentChecksum(damaged(b, 4, 85), seed); ok {
		t.Error("a checksum where eh_max leaves no room for it")
	}
	for _, n := range []int{0, 11, 12, 1023} {
		if _, _, ok := ExtentChecksum(b[:n], seed); ok {
			t.Errorf("a checksum in %d bytes", n)
		}
	}
}

func FuzzDecodeExtentNode(f *testing.F) {
	for _, dump := range []string{extentRootDump, extentTopDump, extentLeafDump, extentHighDump} {
		f.Add(hexBytes(f, dump))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := DecodeExtentNode(b, 0)
		if int(n.Entries) > len(b)/12 {
			t.Fatalf("%d records in %d bytes", n.Entries, len(b))
		}
		if err == nil && (n.Depth > MaxExtentDepth || n.Entries > n.Max) {
			t.Errorf("accepted %+v", n.ExtentHeader)
		}
		for i := range int(n.Entries) {
			e, x := n.Extent(i), n.Index(i)
			if e.Len > MaxWrittenLen || e.Start>>48 != 0 || x.Child>>48 != 0 || e.Unwritten && (e.Len == 0 || e.Len == MaxWrittenLen) {
				t.Errorf("record %d: %+v %+v", i, e, x)
			}
			if end := n.RecordOffset(i) + 12; end > int64(len(b)) {
				t.Errorf("record %d ends at byte %d of %d", i, end, len(b))
			}
		}
		ExtentChecksum(b, 1)
	})
}
