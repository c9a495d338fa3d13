package layout

import (
	"fmt"
	"slices"
	"testing"
)

// Blocks of a directory of 420 long names, 1024-byte blocks, written by Linux
// 6.18 with metadata_csum; what the kernel left behind the entries is zeroed,
// which no checksum covers. Inode 13, generation 1662096590.
const (
	dxRootDump = `0d000000 0c00 01 02 2e000000 02000000 f403 02 02 2e2e0000
		00000000 01 08 01 00
		7b00 0200 7c000000 6402b783 80000000 .968. 0c0000de 2d45db6c`
	dxNodeDump = `00000000 0004 00 00 7e00 4600 4c000000
		6a6f0284 5a000000 c2cdb284 21000000 487fd485 7f000000 5890c086 56000000 ca931b8a 3c000000 de74288c 1d000000
		ea73238d 36000000 b0706d8d 71000000 42d6548e 88000000 4a3c168f 0e000000 0414df90 0a000000 1cca3091 3b000000
		b24e8893 60000000 a844ca95 13000000 b4535c97 89000000 14e58498 4d000000 32081d99 04000000 74e5999a 43000000
		d6f66f9c 17000000 14bede9c 8a000000 c42b449f 4e000000 4ae5ee9f 2f000000 54ac04a4 0b000000 de6634a4 23000000
		4c7146a7 40000000 62ae40ad 67000000 387d12af 2e000000 c4ff71b0 6a000000 92fab7b3 32000000 68b703b6 41000000
		3c243eb9 5c000000 e0269bba 84000000 b24068bb 08000000 f8088fbd 70000000 68e46abf 7d000000 68255dc0 44000000
		5c2f9bc2 5e000000 26fd2ec4 34000000 14c0d6c6 15000000 a47560c8 68000000 0a6f9dca 75000000 5e169ecb 0d000000
		080d18cc 2a000000 ea9bcbcd 3f000000 4699b6d0 8b000000 a641b4d1 12000000 00ecc5d3 4a000000 14dcb7d6 79000000
		be1d46d9 63000000 9233a2da 39000000 a67809dc 64000000 78d5cfdc 29000000 a4a973df 0c000000 14415de0 6d000000
		54c271e1 8d000000 16e49be2 7e000000 7c1ce6e3 2d000000 20a381e8 74000000 18acd6ea 42000000 12cc63ec 6b000000
		f28298ed 85000000 da01e8ee 33000000 bef47bf2 27000000 7e6fb8f3 1a000000 36c00bf5 5d000000 caad32f8 05000000
		a867f6f9 30000000 ae805bfc 54000000 325e6cfe 1f000000 .448. 00000000 042e82a5`
)

// dxSeed is the inode's checksum seed, from the UUID
// 11111111-2222-3333-4444-555555555555, the inode number and the generation.
func dxSeed(t *testing.T) uint32 {
	fs := CRC32C(^uint32(0), hexBytes(t, "11111111 2222 3333 4444 555555555555"))
	return CRC32C(fs, le.AppendUint32(le.AppendUint32(nil, 13), 1662096590))
}

func TestDecodeDxRoot(t *testing.T) {
	b := hexBytes(t, dxRootDump)
	r, err := DecodeDxRoot(b, 4096)
	wantError(t, err, "")
	// The numbers debugfs htree_dump prints.
	want := DxRoot{DotIno: 13, DotDotIno: 2, HashVersion: HashHalfMD4, InfoLength: 8, Levels: 1,
		DxNode: DxNode{CountOffset: 0x20, Limit: 123, Count: 2, Entries: []DxEntry{{0, 124}, {0x83b70264, 128}}}}
	if fmt.Sprint(r) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", r, want)
	}
	for _, tt := range []struct {
		name  string
		b     []byte
		error string
	}{
		{"short", b[:0x27], "corrupt directory index root: length is 0x27 at byte 4096"},
		{"linear directory", damaged(b, 0x18, hexBytes(t, "0d000000 e803 04 01")...), "corrupt directory index root: info.reserved_zero is 0xd at byte 4120"},
		{"first entry too long", damaged(b, 0x4, 0, 4), "corrupt directory index root: dot.rec_len is 0x400 at byte 4100"},
		{"info length", damaged(b, 0x1d, 12), "corrupt directory index root: info.info_length is 0xc at byte 4125"},
		{"limit 0", damaged(b, 0x20, 0, 0), "corrupt directory index root: limit is 0x0 at byte 4128"},
		{"largest limit", damaged(b, 0x20, 124, 0), ""},
		{"limit past the block", damaged(b, 0x20, 125, 0), "corrupt directory index root: limit is 0x7d at byte 4128"},
		{"count 0", damaged(b, 0x22, 0, 0), "corrupt directory index root: count is 0x0 at byte 4130"},
		{"full", damaged(b, 0x22, 123, 0), ""},
		{"count past limit", damaged(b, 0x22, 124, 0), "corrupt directory index root: count is 0x7c at byte 4130"},
		{"unknown hash", damaged(b, 0x1c, 7), "corrupt directory index root: info.hash_version is 0x7 at byte 4124"},
		{"siphash", damaged(b, 0x1c, 6), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := DecodeDxRoot(tt.b, 4096)
			wantError(t, err, tt.error)
		})
	}
}

func TestDecodeDxNode(t *testing.T) {
	b := hexBytes(t, dxNodeDump)
	n, err := DecodeDxNode(b, 0)
	wantError(t, err, "")
	if n.Limit != 126 || n.Count != 70 || len(n.Entries) != 70 ||
		n.Entries[0] != (DxEntry{0, 0x4c}) || n.Entries[69] != (DxEntry{0xfe6c5e32, 0x1f}) {
		t.Errorf("got %+v", n)
	}
	if !slices.IsSortedFunc(n.Entries, func(a, b DxEntry) int { return int(int64(a.Hash) - int64(b.Hash)) }) {
		t.Error("hashes are out of order")
	}
	// The high bits of a block number are not part of it.
	if n, _ := DecodeDxNode(damaged(b, 0x0c, 1, 0, 0, 0xf0), 0); n.Entries[0].Block != 1 {
		t.Errorf("block %#x, want 1", n.Entries[0].Block)
	}
	_, err = DecodeDxNode(damaged(b, 0, 9), 512)
	wantError(t, err, "corrupt directory index node: fake.inode is 0x9 at byte 512")
	_, err = DecodeDxNode(damaged(b, 0x8, 128, 0), 512)
	wantError(t, err, "corrupt directory index node: limit is 0x80 at byte 520")
	_, err = DecodeDxNode(nil, 512)
	wantError(t, err, "corrupt directory index node: length is 0x0 at byte 512")
	if !(DxEntry{Hash: 3}).Continued() || (DxEntry{Hash: 2}).Continued() {
		t.Error("the lowest bit of the hash is the collision mark")
	}
}

func TestDxChecksum(t *testing.T) {
	seed := dxSeed(t)
	for _, tt := range []struct {
		name, dump string
		at         int
		want       uint32
	}{
		{"root", dxRootDump, DxRootCountOffset, 0x6cdb452d},
		{"node", dxNodeDump, DxNodeCountOffset, 0xa5822e04},
	} {
		b := hexBytes(t, tt.dump)
		if stored, computed, ok := DxChecksum(b, seed, tt.at); !ok || stored != tt.want || computed != tt.want {
			t.Errorf("%s: stored %#x, computed %#x, %v, want %#x", tt.name, stored, computed, ok, tt.want)
		}
		if stored, computed, _ := DxChecksum(b, seed+1, tt.at); stored == computed {
			t.Errorf("%s: the checksum holds for another inode", tt.name)
		}
	}
	b := hexBytes(t, dxRootDump)
	if _, _, ok := DxChecksum(damaged(b, 0x20, 124, 0), seed, DxRootCountOffset); ok {
		t.Error("a checksum where the limit leaves no room for it")
	}
	if _, _, ok := DxChecksum(damaged(b, 0x22, 200, 0), seed, DxRootCountOffset); ok {
		t.Error("a checksum over more entries than fit")
	}
}

func TestDxLimit(t *testing.T) {
	for _, tt := range []struct {
		block, at    int
		csum, hashed bool
		want         int
	}{
		{1024, DxRootCountOffset, true, false, 123}, // as in the dumps above
		{1024, DxNodeCountOffset, true, false, 126},
		{1024, DxRootCountOffset, false, false, 124}, // from mke2fs -O ^metadata_csum
		{1024, DxNodeCountOffset, false, false, 127},
		{4096, DxRootCountOffset, true, false, 507},
		{4096, DxNodeCountOffset, true, true, 509}, // dx_node_limit, fs/ext4/namei.c
		{4096, DxRootCountOffset, true, true, 507},
	} {
		if got := DxLimit(tt.block, tt.at, tt.csum, tt.hashed); got != tt.want {
			t.Errorf("%+v: got %d", tt, got)
		}
	}
}

func FuzzDecodeDx(f *testing.F) {
	f.Add(hexBytes(f, dxRootDump))
	f.Add(hexBytes(f, dxNodeDump))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeDxRoot(b, 0)
		if err == nil && (len(r.Entries) != int(r.Count) || len(r.Entries)*8 > len(b)) {
			t.Errorf("%d entries of %d in %d bytes", len(r.Entries), r.Count, len(b))
		}
		n, err := DecodeDxNode(b, 0)
		if err == nil && (len(n.Entries) != int(n.Count) || len(n.Entries)*8 > len(b)) {
			t.Errorf("%d entries of %d in %d bytes", len(n.Entries), n.Count, len(b))
		}
		DxChecksum(b, 1, DxRootCountOffset)
		DxChecksum(b, 1, DxNodeCountOffset)
	})
}
