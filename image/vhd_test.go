package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The first bytes of footers that qemu and Windows wrote, and of a header of Windows; all
// that is left out is zeros.
const (
	qemuFooter = `636f6e6563746978 00000002 00010000 ffffffffffffffff 329aaa5b 71656d32 00050003 5769326b
		0000000000400000 0000000000400000 ffff10ff 00000002 ffffe6a8 4219b2532d584895933f7e2c8905c138 00`
	windowsFooter = `636f6e6563746978 00000002 00010000 0000000000000200 27198e1b 77696e20 000a0000 5769326b
		0000000000400000 0000000000400000 00780411 00000004 fffff02c f84f1636cd9e9041a69edcc2380e416a 00`
	windowsHeader = `6378737061727365 ffffffffffffffff 0000000000002000 00010000 00000002 00200000 ffffd951
		5fa21a55f394aa4d99581951a67d5540 00000000 00000000
		0043003a005c00500072006f006a0065006300740073005c00640066007600660073005c0074006500730074005f0064006100740061005c006600610074002d0070006100720065006e0074002e007600680064`
	windowsLocators = `57326b75 00001000 00000054 00000000 00000000 00001000 57327275 00010000 00000020 00000000 00000000 00003000`
)

// padded is hex and then zeros, n bytes in all.
func padded(t testing.TB, s string, n int) []byte {
	b := unhex(t, s)
	return append(b, make([]byte, n-len(b))...)
}

func TestVHDFooter(t *testing.T) {
	for _, tt := range []struct{ name, dump, want string }{
		{"qemu, fixed", qemuFooter, "qem2 kind 2, 4194304 bytes, 136899993600 by geometry, longest true, made 2026-11-26T08:29:15Z, header at 18446744073709551615, 4219b253-2d58-4895-933f-7e2c8905c138 <nil>"},
		{"windows, differencing", windowsFooter, "win  kind 4, 4194304 bytes, 4177920 by geometry, longest false, made 2020-10-14T10:23:23Z, header at 512, f84f1636-cd9e-9041-a69e-dcc2380e416a <nil>"},
		{"a bit off", strings.Replace(qemuFooter, "00500", "00400", 1), "qem2 kind 2, 4194304 bytes, 136899993600 by geometry, longest true, made 2026-11-26T08:29:15Z, header at 18446744073709551615, 4219b253-2d58-4895-933f-7e2c8905c138 checksum does not match"},
		{"another cookie", "00" + qemuFooter[2:], "wrong image type"},
	} {
		h, err := decodeVHDFooter(padded(t, tt.dump, vhdFooterLen))
		got := fmt.Sprintf("%s kind %d, %d bytes, %d by geometry, longest %v, made %s, header at %d, %s %v", h.creator, h.kind, h.current, h.geometry,
			h.longest, h.created.Format("2006-01-02T15:04:05Z"), h.dataOffset, uuidString(h.id[:]), err)
		if errors.Is(err, errWrongType) {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.want)
		}
	}
	if _, err := decodeVHDFooter(unhex(t, qemuFooter)); !errors.Is(err, errWrongType) {
		t.Errorf("too short: %v", err)
	}
}

func TestVHDHeader(t *testing.T) {
	b := append(padded(t, windowsHeader, 576), padded(t, windowsLocators, vhdHeaderLen-576)...)
	h, err := decodeVHDHeader(b)
	if err != nil || h.tableOffset != 8192 || h.entries != 2 || h.block != 2<<20 || h.parentName != `C:\Projects\dfvfs\test_data\fat-parent.vhd` ||
		uuidString(h.parent[:]) != "5fa21a55-f394-aa4d-9958-1951a67d5540" ||
		h.locators[0] != (vhdLocator{"W2ku", 0x54, 0x1000}) || h.locators[1] != (vhdLocator{"W2ru", 0x20, 0x3000}) {
		t.Errorf("%+v, %v", h, err)
	}
	b[700]++
	if _, err := decodeVHDHeader(b); !errors.Is(err, errVHDChecksum) {
		t.Errorf("changed: %v", err)
	}
}

// TestVHDSize has what each maker's disks are as long as: qemu's block/vpc.c tells which.
func TestVHDSize(t *testing.T) {
	for _, tt := range []struct {
		h    vhdFooter
		want uint64
	}{
		{vhdFooter{creator: "vpc ", current: 5000, geometry: 4096}, 4096},
		{vhdFooter{creator: "qemu", current: 5000, geometry: 4096}, 4096},
		{vhdFooter{creator: "vpc ", current: 5000, geometry: 4096, longest: true}, 5000},
		{vhdFooter{creator: "qem2", current: 5000, geometry: 4096}, 5000},
		{vhdFooter{creator: "win ", current: 5000, geometry: 4096}, 5000},
		{vhdFooter{creator: "tap\x00", current: 5000, geometry: 4096}, 5000},
		{vhdFooter{creator: "vbox", current: 5000, geometry: 4096}, 5000},
		{vhdFooter{creator: "none", current: 5000}, 5000},
	} {
		if got := tt.h.size(); got != tt.want {
			t.Errorf("%+v: %d, want %d", tt.h, got, tt.want)
		}
	}
}

// TestVHDFooterPlaces damages or moves the footers of a vhd.
func TestVHDFooterPlaces(t *testing.T) {
	dir := t.TempDir()
	read := func(name string) []byte {
		b, err := os.ReadFile(storedIn(t, dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	raw, fixed, dynamic := read("raw.img"), read("vhd/fixed.vhd"), read("vhd/dynamic.vhd")
	for _, tt := range []struct {
		name     string
		of       []byte
		change   func(b []byte) []byte
		format   string // or the error
		warnings []string
	}{
		{"fixed", fixed, nil, "vhd", nil},
		{"fixed, short footer", fixed, func(b []byte) []byte { return b[:len(b)-1] }, "vhd", nil},
		{"fixed, checksum", fixed, func(b []byte) []byte { b[len(b)-100]++; return b }, "raw", []string{"checksum of that footer does not match"}},
		{"fixed, bytes missing", fixed, func(b []byte) []byte { return b[4096:] }, "vhd", []string{"a disk of 4194304 bytes, but has 4190208"}},
		{"fixed, bytes more", fixed, func(b []byte) []byte { return append(bytes.Clone(raw[:4096]), b...) }, "vhd", []string{"a disk of 4194304 bytes, but has 4198400"}},
		{"dynamic", dynamic, nil, "vhd", nil},
		{"dynamic, no footer", dynamic, func(b []byte) []byte { return b[:len(b)-512] }, "vhd", []string{"its copy at the start was used"}},
		{"dynamic, short footer", dynamic, func(b []byte) []byte { return b[:len(b)-1] }, "vhd", nil},
		{"dynamic, footer", dynamic, func(b []byte) []byte { b[len(b)-1]++; return b }, "vhd", []string{"its copy at the start was used"}},
		{"dynamic, copy", dynamic, func(b []byte) []byte { b[100]++; return b }, "vhd", []string{"the copy of the footer at the start of"}},
		{"dynamic, both alike", dynamic, func(b []byte) []byte { b[100]++; b[len(b)-412]++; return b }, "vhd", []string{"it is the same as its copy"}},
		{"dynamic, both", dynamic, func(b []byte) []byte { b[30]++; b[len(b)-482]--; return b }, "neither the footer nor its copy at the start is valid (byte 64)", nil},
		{"dynamic, header", dynamic, func(b []byte) []byte { b[600]++; return b }, "dynamic disk header: checksum does not match (byte 548)", nil},
		{"a vhd at the end of a disk", dynamic, func(b []byte) []byte { return append(make([]byte, 8192), b...) }, "raw", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := bytes.Clone(tt.of)
			if tt.change != nil {
				b = tt.change(b)
			}
			im, err := Open(tempFile(t, "disk.vhd", b), Options{})
			if err != nil {
				if !strings.HasSuffix(err.Error(), tt.format) {
					t.Errorf("got %v, want %s", err, tt.format)
				}
				return
			}
			defer im.Close()
			if im.Format() != tt.format {
				t.Errorf("opened as %s, want %s", im.Format(), tt.format)
			}
			warned(t, im.Warnings(), tt.warnings...)
			got, err := io.ReadAll(io.NewSectionReader(im, 0, im.Size()))
			switch {
			case im.Format() == "raw":
			case len(b) < len(fixed) && strings.Contains(tt.name, "missing"):
				var read *ReadError
				if !errors.As(err, &read) || read.Offset+read.Length != int64(len(raw)) || read.Offset != int64(len(raw))-4096 {
					t.Errorf("the missing bytes: %v", err)
				}
			case err != nil || im.Size() != int64(len(raw)) || !strings.Contains(tt.name, "more") && !bytes.Equal(got, raw):
				t.Errorf("%d bytes, %v: not as raw", im.Size(), err)
			}
		})
	}
}

// TestVHDAgainstQemu reads what qemu-img writes, disks that it rounds up to a geometry
// included.
func TestVHDAgainstQemu(t *testing.T) {
	dir := t.TempDir()
	raw := patternDisk(t, dir)
	for _, options := range []string{
		"subformat=dynamic", "subformat=fixed", "subformat=dynamic,force_size=on", "subformat=fixed,force_size=on",
	} {
		t.Run(options, func(t *testing.T) {
			path, back := filepath.Join(dir, "disk.vhd"), filepath.Join(dir, "back.raw")
			command(t, "", "qemu-img", "convert", "-f", "raw", "-O", "vpc", "-o", options, raw, path)
			command(t, "", "qemu-img", "convert", "-f", "vpc", "-O", "raw", path, back)
			sameAsRaw(t, back, path, Options{})
		})
	}
}

// patternDisk makes a raw image of data and holes that no block size divides.
func patternDisk(t testing.TB, dir string) string {
	t.Helper()
	b := make([]byte, 9<<20+3*512)
	for i := range b[:5<<19] {
		b[1<<19+i] = byte(i * i >> 7)
	}
	for i := 8 << 20; i < len(b); i += 4096 {
		b[i] = 1
	}
	path := filepath.Join(dir, "disk.raw")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
