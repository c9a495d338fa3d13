package image

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The first bytes of a header and of tables that qemu wrote; all that is left out is zeros.
const (
	vhdxHeaderDump = `68656164 abedbc6f 3b6f9aa200000000 eba0bb2a4d4b4bb0b57f75eb10998f71 601f5ce4558c4f02b3452a5b2db7d2da
		00000000000000000000000000000000 0000 0100 00001000 0000100000000000`
	vhdxMetadataDump = `6d65746164617461 0000 0200 0000000000000000000000000000000000000000
		3767a1ca36fa434db3b633f0aa44e76b 00000100 08000000 04000000 00000000
		2442a52f1bcd7648b2115dbed83bf4b8 08000100 08000000 06000000 00000000`
)

func TestVHDXHeader(t *testing.T) {
	b := padded(t, vhdxHeaderDump, vhdxHeaderLen)
	h, err := decodeVHDXHeader(b)
	want := vhdxHeader{sequence: 0xa29a6f3b, dataWrite: "e45c1f60-8c55-024f-b345-2a5b2db7d2da", version: 1, logLength: 1 << 20, logOffset: 1 << 20}
	if err != nil || h != want {
		t.Errorf("%+v, %v\nwant %+v", h, err, want)
	}
	b[4000]++
	if _, err := decodeVHDXHeader(b); !errors.Is(err, errChecksum) {
		t.Errorf("changed: %v", err)
	}
	if _, err := decodeVHDXHeader(b[:100]); !errors.Is(err, errWrongType) {
		t.Errorf("short: %v", err)
	}
}

func TestVHDXMetadata(t *testing.T) {
	b := padded(t, vhdxMetadataDump, vhdxTableLen)
	items, err := decodeVHDXMetadata(b)
	if got := fmt.Sprint(items, err); got != "[{"+vhdxFileParameters+" 65536 8 false true} {"+vhdxDiskSize+" 65544 8 false true}] <nil>" {
		t.Errorf("got %s", got)
	}
	le.PutUint16(b[10:], 2048)
	if _, err := decodeVHDXMetadata(b); err == nil || err.Error() != "2048 entries" {
		t.Errorf("too many: %v", err)
	}
	b[0]++
	if _, err := decodeVHDXMetadata(b); err == nil || err.Error() != "no signature" {
		t.Errorf("no signature: %v", err)
	}
}

func TestVHDXLocator(t *testing.T) {
	b := append(guidBytes(vhdxLocatorType), 0, 0, 1, 0, 32, 0, 0, 0, 34, 0, 0, 0, 2, 0, 4, 0, 'k', 0, 'v', 0, '!', 0)
	keys, err := decodeVHDXLocator(b)
	if got := fmt.Sprint(keys, err); got != "map[k:v!] <nil>" {
		t.Errorf("got %s", got)
	}
	for _, tt := range []struct {
		at   int
		to   byte
		want string
	}{{0, 1, "type b04aef01-d19e-4a81-b789-25b8e9445913 is not known"}, {18, 9, "9 keys in 38 bytes"}, {24, 35, "key 0 lies beyond its end"}} {
		c := bytes.Clone(b)
		c[tt.at] = tt.to
		if _, err := decodeVHDXLocator(c); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

// TestVHDXParts changes parts of a vhdx: what has a copy is read from it.
func TestVHDXParts(t *testing.T) {
	dir := t.TempDir()
	raw, _ := os.ReadFile(storedIn(t, dir, "raw.img"))
	good, err := os.ReadFile(storedIn(t, dir, "vhdx/dynamic.vhdx"))
	if err != nil {
		t.Fatal(err)
	}
	const bat, meta = 2 << 20, 3 << 20 // where qemu puts them
	entry := func(b []byte, i int, e uint64) { le.PutUint64(b[bat+8*i:], e) }
	header := func(b []byte, at int64, change func(h []byte)) {
		h := b[at:][:vhdxHeaderLen]
		change(h)
		le.PutUint32(h[4:], crc32cWithout(h, 4))
	}
	both := func(b []byte, change func(h []byte)) {
		for _, at := range vhdxHeaders {
			header(b, at, change)
		}
	}
	zeros := func(from, to int) []byte {
		want := bytes.Clone(raw)
		clear(want[from<<20 : to<<20])
		return want
	}
	for _, tt := range []struct {
		name     string
		change   func(b []byte)
		want     []byte // nil: an error that ends with err, of opening or reading
		err      string
		warnings []string
	}{
		{"as it is", func(b []byte) {}, raw, "", nil},
		{"first header", func(b []byte) { b[64<<10+9]++ }, raw, "", []string{"the header at byte 65536"}},
		{"second header", func(b []byte) { b[128<<10] = 0 }, raw, "", []string{"the header at byte 131072"}},
		{"both headers", func(b []byte) { b[64<<10+9]++; b[128<<10+9]++ }, nil, "neither of the two headers is valid (byte 65536)", nil},
		{"headers of one number", func(b []byte) {
			both(b, func(h []byte) { le.PutUint64(h[8:], 9) })
			header(b, vhdxHeaders[1], func(h []byte) { h[20]++; h[33]++ })
		}, nil, "two different headers of the same sequence number (byte 65544)", nil},
		{"version", func(b []byte) { both(b, func(h []byte) { h[66] = 2 }) }, nil, "version 2 is not supported; " + byQemu, nil},
		{"region table", func(b []byte) { b[192<<10+20]++ }, raw, "", []string{"region table of disk.vhdx is damaged (checksum does not match): its copy was used"}},
		{"both region tables", func(b []byte) { b[192<<10+20]++; b[256<<10+20]++ }, nil, "region table: checksum does not match (byte 196608)", nil},
		{"log of nothing", func(b []byte) { both(b, func(h []byte) { h[50] = 1 }) }, nil, "log with nothing in it that can be replayed, though it is not empty (byte 1048576)", nil},
		{"log of a later version", func(b []byte) { both(b, func(h []byte) { h[50], h[64] = 1, 1 }) }, nil, "log of version 1, which is not supported (byte 1048576)", nil},
		{"log beyond the end", func(b []byte) { both(b, func(h []byte) { h[50], h[79] = 1, 1 }) }, nil, fmt.Sprintf("of a file of %d (byte 72057594038976512)", len(good)), nil},
		{"block size", func(b []byte) { le.PutUint32(b[meta+64<<10:], 3<<20) }, nil, "block size of 3145728 bytes (byte 3145728)", nil},
		{"disk size", func(b []byte) { le.PutUint64(b[meta+64<<10+8:], 1<<60) }, nil, "disk of 1152921504606846976 bytes (byte 3145728)", nil},
		{"required item", func(b []byte) { b[meta+64]++ }, nil, "which is required, is not known (byte 3145728)", nil},
		{"undefined", func(b []byte) { entry(b, 0, 4<<20|vhdxUndefined) }, zeros(0, 1), "", nil},
		{"zero, unmapped", func(b []byte) { entry(b, 0, vhdxZero); entry(b, 1, 5<<20|vhdxUnmapped) }, zeros(0, 2), "", nil},
		{"not present", func(b []byte) { entry(b, 0, 0) }, zeros(0, 1), "", nil},
		{"partial without a parent", func(b []byte) { b[bat] = vhdxPartial }, nil, "bytes 0 to 1048575: block 0 at byte 2097152 of disk.vhdx: its entry in the block table cannot be right", []string{"1 entries"}},
		{"reserved state", func(b []byte) { b[bat+8] = 4 }, nil, "to 2097151: block 1 at byte 2097160 of disk.vhdx: its entry in the block table cannot be right", []string{"1 entries"}},
		{"reserved bits", func(b []byte) { b[bat+1] = 1 }, nil, "bytes 0 to 1048575: block 0 at byte 2097152 of disk.vhdx: its entry in the block table cannot be right", []string{"1 entries"}},
		{"beyond the end", func(b []byte) { entry(b, 1, 99<<20|vhdxPresent) }, nil, "to 2097151: block 1 at byte 103809024 of disk.vhdx: unexpected EOF", []string{"1 blocks, the first from byte 1048576"}},
		{"a place for two", func(b []byte) { copy(b[bat+8:bat+16], b[bat:]) }, append(append(bytes.Clone(raw[:1<<20]), raw[:1<<20]...), raw[2<<20:]...), "", []string{"1 blocks overlap"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := bytes.Clone(good)
			tt.change(b)
			im, err := Open(tempFile(t, "disk.vhdx", b), Options{})
			var got []byte
			if err == nil {
				defer im.Close()
				warned(t, im.Warnings(), tt.warnings...)
				got = make([]byte, im.Size())
				_, err = im.ReadAt(got, 0)
			}
			switch {
			case tt.want == nil && (err == nil || !strings.HasSuffix(err.Error(), tt.err)):
				t.Errorf("got %v, want %s", err, tt.err)
			case tt.want != nil && (err != nil || !bytes.Equal(got, tt.want)):
				t.Errorf("%d bytes, %v: not as wanted", len(got), err)
			}
		})
	}
	t.Run("sectors of 4096", func(t *testing.T) {
		b := bytes.Clone(good)
		at := bytes.Index(b[meta:], guidBytes(vhdxLogicalSector))
		le.PutUint32(b[meta+int(le.Uint32(b[meta+at+16:])):], 4096)
		im := mustOpen(t, tempFile(t, "disk.vhdx", b))
		if got := im.SectorSize(); got != 4096 {
			t.Errorf("sector size %d", got)
		}
		if got := fetch(im, 0, len(raw)); !bytes.Equal(got, raw) {
			t.Error("not as raw")
		}
	})
}

func TestVHDXAgainstQemu(t *testing.T) {
	dir := t.TempDir()
	raw := patternDisk(t, dir)
	for _, options := range []string{
		"subformat=dynamic", "subformat=fixed", "block_size=1M", "block_size=2M,block_state_zero=off", "block_size=256M", "log_size=4M",
	} {
		t.Run(options, func(t *testing.T) {
			path, back := filepath.Join(dir, "disk.vhdx"), filepath.Join(dir, "back.raw")
			command(t, "", "qemu-img", "convert", "-f", "raw", "-O", "vhdx", "-o", options, raw, path)
			command(t, "", "qemu-img", "convert", "-f", "vhdx", "-O", "raw", path, back)
			sameAsRaw(t, back, path, Options{})
		})
	}
}

// TestVHDXLogAgainstQemu replays a log in memory, and qemu on disk.
func TestVHDXLogAgainstQemu(t *testing.T) {
	dir := t.TempDir()
	path, back := storedIn(t, dir, "vhdx/log.vhdx"), filepath.Join(dir, "back.raw")
	im := mustOpen(t, path)
	warned(t, im.Warnings(), "the log of log.vhdx goes on with an entry that was not written whole", "2 entries were replayed, in memory only")
	got := fetch(im, 0, int(im.Size()))
	command(t, "", "qemu-img", "check", "-q", "-r", "all", path)
	command(t, "", "qemu-img", "convert", "-f", "vhdx", "-O", "raw", path, back)
	if want, err := os.ReadFile(back); err != nil || !bytes.Equal(got, want) {
		t.Errorf("not as qemu has it: %v", err)
	}
}
