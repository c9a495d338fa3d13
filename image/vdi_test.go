package image

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// vdiBytes is a header of qemu's, from its signature on; b[:0x40] is text.
func vdiBytes(t testing.TB) []byte {
	b := make([]byte, vdiHeaderLen)
	copy(b, "<<< QEMU VM Virtual Disk Image >>>\n")
	copy(b[0x40:], unhex(t, "7f10dabe 01000100 90010000 01000000"))
	copy(b[0x154:], unhex(t, "00020000 00040000"))
	copy(b[0x168:], unhex(t, "00020000 00000000 0000400000000000 00001000 00000000 04000000 01000000 5ac2b0747ca21a4e97a0ee838b8ec9b4 c075d6f7ee83e149a58d7a6a9f7ff972"))
	return b
}

func TestVDIHeader(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(b []byte)
		want   string
	}{
		{"qemu", func(b []byte) {}, "QEMU VM Virtual Disk Image, 10001, type 1, map 512, data 1024, 4194304 bytes in 4 of 1048576+0, 74b0c25a-a27c-4e1a-97a0-ee838b8ec9b4 f7d675c0-83ee-49e1-a58d-7a6a9f7ff972 <nil>"},
		{"1.0", func(b []byte) { b[0x44] = 0 }, "QEMU VM Virtual Disk Image, 10000, type 1, map 512, data 1024, 4194304 bytes in 4 of 1048576+0, 74b0c25a-a27c-4e1a-97a0-ee838b8ec9b4 f7d675c0-83ee-49e1-a58d-7a6a9f7ff972 <nil>"},
		{"no signature", func(b []byte) { b[0x40] = 0 }, "wrong image type"},
		{"code", func(b []byte) { copy(b, "\xeb\x63\x90"); b[0x46] = 9 }, "wrong image type"},
		{"0.1", func(b []byte) { b[0x46] = 0 }, "QEMU VM Virtual Disk Image, 1, type 0, map 0, data 0, 0 bytes in 0 of 0+0, 00000000-0000-0000-0000-000000000000 00000000-0000-0000-0000-000000000000 <nil>"},
	} {
		b := vdiBytes(t)
		tt.change(b)
		h, err := decodeVDIHeader(b)
		got := fmt.Sprintf("%s, %x, type %d, map %d, data %d, %d bytes in %d of %d+%d, %s %s %v", h.text, h.version, h.kind, h.blocks, h.data,
			h.size, h.count, h.block, h.extra, guidString(h.id[:]), guidString(h.modified[:]), err)
		if errors.Is(err, errWrongType) {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// TestVDIRefused has what is a vdi and not read, or cannot be right.
func TestVDIRefused(t *testing.T) {
	for _, tt := range []struct {
		change func(b []byte)
		want   string
	}{
		{func(b []byte) { b[0x46] = 0 }, "version 0.1 is not supported (byte 68); " + byVBox},
		{func(b []byte) { b[0x4c] = 9 }, "type 9 is not supported (byte 76); " + byVBox},
		{func(b []byte) { b[0x178] = 1 }, "block size of 1048577 bytes, and 0 before each (byte 376)"},
		{func(b []byte) { b[0x180] = 3 }, "3 blocks of 1048576 bytes, too few for a disk of 4194304 (byte 384)"},
		{func(b []byte) { b[0x156] = 1 }, "block table of 16 bytes ends beyond the end of the file (byte 66048)"},
		{func(b []byte) { b[0x175] = 0x10; le.PutUint32(b[0x180:], 0xffffffff) }, "block table of 16777220 blocks, more than 16777216 (byte 512); " + byQemu},
		{func(b []byte) { b[0x4c] = vdiDifferencing }, `parent "00000000-0000-0000-0000-000000000000": no vdi of this UUID lies beside it`},
	} {
		b := append(vdiBytes(t), make([]byte, 1024)...)
		tt.change(b)
		if _, err := Open(tempFile(t, "disk.vdi", b), Options{}); err == nil || !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

// TestVDIBlocks has a block in each state, one that was cut off and one with bytes before
// its data.
func TestVDIBlocks(t *testing.T) {
	b := vdiBytes(t)
	le.PutUint64(b[0x170:], 5*512)
	le.PutUint32(b[0x178:], 512)
	le.PutUint32(b[0x17c:], 16)
	le.PutUint32(b[0x180:], 5)
	b = append(b, make([]byte, 1024-len(b))...)
	for i, s := range []uint32{1, vdiFree, vdiDiscarded, 5, 2} {
		le.PutUint32(b[512+4*i:], s)
	}
	for i := range 3 * 528 {
		b = append(b, byte('a'+i/528)) // blocks 0 to 2
	}
	im := mustOpen(t, tempFile(t, "disk.vdi", b[:len(b)-100]))
	warned(t, im.Warnings(), "1 blocks, the first from byte 2048", "1 entries of the block table cannot be right, the first for byte 1536")
	p := make([]byte, 5*512)
	n, err := im.ReadAt(p, 0)
	want := strings.Repeat("b", 512) + strings.Repeat("\x00", 1024)
	if string(p[:n]) != want || err == nil || err.Error() != "bytes 1536 to 2047: block 3 at byte 524 of disk.vdi: its entry in the block table cannot be right" {
		t.Errorf("%d bytes, %v", n, err)
	}
	n, err = im.ReadAt(p[:512], 2048)
	if n != 412 || string(p[:n]) != strings.Repeat("c", 412) || err == nil || err.Error() != "bytes 2460 to 2559: block 4 at byte 2508 of disk.vdi: unexpected EOF" {
		t.Errorf("%d bytes, %v", n, err)
	}
	for _, tt := range []struct {
		off  int64
		kind RangeKind
		n    int64
	}{{0, Data, 512}, {100, Data, 412}, {512, Zero, 1024}, {1025, Zero, 511}, {1536, Data, 1024}, {2559, Data, 1}} {
		if kind, n := im.Map(tt.off); kind != tt.kind || n != tt.n {
			t.Errorf("Map(%d) is %d, %d", tt.off, kind, n)
		}
	}
}

func TestVDIAgainstQemu(t *testing.T) {
	dir := t.TempDir()
	raw := patternDisk(t, dir)
	for _, options := range []string{"static=off", "static=on"} {
		path := filepath.Join(dir, "disk.vdi")
		command(t, "", "qemu-img", "convert", "-f", "raw", "-O", "vdi", "-o", options, raw, path)
		sameAsRaw(t, raw, path, Options{})
		os.Remove(path)
	}
}

// TestVDIParentChanged changes the parent's modification UUID.
func TestVDIParentChanged(t *testing.T) {
	dir := t.TempDir()
	child, parent := storedIn(t, dir, "vdi/child.vdi"), storedIn(t, dir, "vdi/parent.vdi")
	b, err := os.ReadFile(parent)
	if err != nil {
		t.Fatal(err)
	}
	b[0x198]++
	if err := os.WriteFile(parent, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var changed *ParentError
	if _, err := Open(child, Options{}); !errors.As(err, &changed) {
		t.Errorf("got %v", err)
	}
}
