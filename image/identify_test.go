package image

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// at places hex bytes at an offset of a small image.
type at struct {
	off int
	hex string
}

func crafted(t testing.TB, size int, bytes ...at) []byte {
	b := make([]byte, size)
	for _, p := range bytes {
		copy(b[p.off:], unhex(t, p.hex))
	}
	return b
}

func text(s string) string { return fmt.Sprintf("%x", s) }

const (
	uuidHex = "00112233445566778899aabbccddeeff"
	k       = 1024
)

func TestIdentify(t *testing.T) {
	for _, tt := range []struct {
		name  string
		size  int
		parts []at
		want  Content // Detail as a part of it
	}{
		{"empty", 0, nil, Content{Type: "empty file"}},
		{"short", 100, nil, Content{Type: "file too short", Detail: "100 bytes"}},
		{"zeros", 4 * k, nil, Content{Type: "zeros"}},
		{"one byte in the middle", 300 * k, []at{{200 * k, "01"}}, Content{Type: "unknown data", Detail: "begins 0000"}},
		{"elf", 4 * k, []at{{0, "7f454c4602010100"}}, Content{Type: "unknown data", Detail: "begins 7f454c46020101000000000000000000"}},
		{"xfs", 64 * k, []at{{0, "58465342 00001000"}, {32, uuidHex}, {108, text("data")}}, Content{Type: "xfs", Label: "data", UUID: testUUID}},
		{"btrfs", 128 * k, []at{{0x10040, text("_BHRfS_M")}, {0x10020, uuidHex}, {0x1012b, text("data")}}, Content{Type: "btrfs", Label: "data", UUID: testUUID}},
		{"apfs", 64 * k, []at{{32, text("NXSB")}, {72, uuidHex}}, Content{Type: "apfs", UUID: testUUID}},
		{"hfs+", 64 * k, []at{{1024, "482b0004"}}, Content{Type: "hfs+"}},
		{"hfsx", 64 * k, []at{{1024, "48580005"}}, Content{Type: "hfs+"}},
		{"zfs", 1 << 20, []at{{132 * k, "0cb1ba00 00000000"}}, Content{Type: "zfs", Detail: "pool"}},
		{"zfs by its last label", 1 << 20, []at{{1<<20 - 128*k, "00000000 00bab10c"}}, Content{Type: "zfs", Detail: "pool"}},
		{"reiser4", 128 * k, []at{{65536, text("ReIsEr4")}}, Content{Type: "reiser4"}},
		{"jffs2", 4 * k, []at{{0, "85190320"}}, Content{Type: "jffs2"}},
		{"ubi", 4 * k, []at{{0, text("UBI#")}}, Content{Type: "UBI", Detail: "flash"}},
		{"ubifs", 4 * k, []at{{0, "31181006"}}, Content{Type: "ubifs"}},
		{"cramfs", 4 * k, []at{{0, "453dcd28"}, {48, text("Compressed")}}, Content{Type: "cramfs", Label: "Compressed"}},
		{"ufs2", 128 * k, []at{{65536 + 1372, "19015419"}}, Content{Type: "ufs"}},
		{"ocfs2", 64 * k, []at{{8192, text("OCFSV2")}}, Content{Type: "ocfs2"}},
		{"gfs2", 128 * k, []at{{65536, "0116197000000001"}}, Content{Type: "gfs2"}},
		{"vmfs", 3 << 20, []at{{0x200000, "5ef1ab2f"}, {0x200000 + 29, text("store")}}, Content{Type: "VMFS", Label: "store"}},
		{"refs", 4 * k, []at{{3, "52654653 00000000"}}, Content{Type: "refs"}},
		{"bitlocker", 4 * k, []at{{0, "eb5890 2d4656452d46532d"}}, Content{Type: "BitLocker", Detail: "encrypted"}},
		{"lvm", 64 * k, []at{{512, text("LABELONE") + "0100000000000000 00000000 20000000" + text("LVM2 001") + text("abcdefGHIJ1234klmn5678opqr90STUVWX")}},
			Content{Type: "LVM2 member", UUID: "abcdef-GHIJ-1234-klmn-5678-opqr-90STUV", Detail: "physical volume"}},
		{"swap", 64 * k, []at{{4086, text("SWAPSPACE2")}, {1024, "01000000 ff000000 00000000" + uuidHex + text("swap")}}, Content{Type: "swap", Label: "swap", UUID: testUUID, Detail: "4096"}},
		{"suspended", 64 * k, []at{{4086, text("S1SUSPEND") + "00"}}, Content{Type: "swsuspend", Detail: "suspended"}},
		{"bcache", 64 * k, []at{{4096 + 24, "c68573f64e1a45ca8265f57f48ba6d81" + uuidHex}}, Content{Type: "bcache", UUID: testUUID}},
		{"md 1.2", 256 * k, []at{{4096, "fc4e2ba9 01000000"}, {4096 + 16, uuidHex + text("host:0")}, {4096 + 0x48, "05000000"}, {4096 + 0x5c, "03000000"}, {4096 + 0x90, "08"}},
			Content{Type: "Linux RAID member", UUID: testUUID, Label: "host:0", Detail: "md superblock 1.2, level 5, of 3 disks"}},
		{"md 1.1", 256 * k, []at{{0, "fc4e2ba9 01000000"}, {0x48, "fcffffff"}}, Content{Type: "Linux RAID member", Detail: "1.1, level -4"}},
		{"md 1.0", 256 * k, []at{{248 * k, "fc4e2ba9 01000000"}, {248*k + 0x90, "f001"}}, Content{Type: "Linux RAID member", Detail: "1.0"}},
		{"md 0.90", 256 * k, []at{{192 * k, "fc4e2ba9 00000000 5a000000"}, {192*k + 0x14, "33221100"}, {192*k + 0x28, "02000000"}, {192*k + 0x34, "77665544 bbaa9988 ffeeddcc"}},
			Content{Type: "Linux RAID member", UUID: testUUID, Detail: "0.90, level 0, of 2 disks"}},
		{"luks2 second header", 64 * k, []at{{0x4000, text("SKUL") + "babe0002"}, {0x4000 + 0xa8, text(testUUID)}}, Content{Type: "LUKS2", UUID: testUUID, Detail: "at byte 16384"}},
		{"e01", 4 * k, []at{{0, "455646090d0aff00 01"}}, Content{Type: "E01 image", Detail: "ewfexport"}},
		{"ex01", 4 * k, []at{{0, "455646320d0a8100"}}, Content{Type: "Ex01 image", Detail: "ewfexport"}},
		{"vmdk descriptor", 300, []at{{0, text("# Disk DescriptorFile\nversion=1\n")}}, Content{Type: "vmdk image", Detail: "descriptor"}},
		{"android sparse", 4 * k, []at{{0, "3aff26ed 0100 0000 1c00 0c00"}}, Content{Type: "Android sparse image", Detail: "simg2img"}},
		{"fixed vhd", 4 * k, []at{{3584, text("conectix")}}, Content{Type: "vhd image", Detail: "footer"}},
		{"dmg", 4 * k, []at{{3584, text("koly") + "00000004"}}, Content{Type: "dmg image", Detail: "dmg2img"}},
		{"aff4", 4 * k, []at{{0, "504b0304"}, {30, text("container.description")}}, Content{Type: "AFF4 image", Detail: "aff4imager"}},
		{"zip", 100, []at{{0, "504b0304"}}, Content{Type: "zip archive", Detail: "unzip"}},
		{"gzip", 30, []at{{0, "1f8b0800"}}, Content{Type: "gzip data", Detail: "gzip -dc"}},
		{"xz", 64, []at{{0, "fd377a585a00"}}, Content{Type: "xz data", Detail: "xz"}},
		{"zstd", 64, []at{{0, "28b52ffd"}}, Content{Type: "zstd data", Detail: "zstd"}},
		{"bzip2", 64, []at{{0, "425a6839 314159265359"}}, Content{Type: "bzip2 data", Detail: "bzip2"}},
		{"7z", 64, []at{{0, "377abcaf271c"}}, Content{Type: "7z archive", Detail: "7z"}},
		{"tar", 4 * k, []at{{257, text("ustar")}}, Content{Type: "tar archive", Detail: "tar"}},
		{"mbr", 4 * k, []at{{440, "04030201"}, {446, "80000000 83000000 01000000 02000000"}, {510, "55aa"}}, Content{Type: "MBR partition table", UUID: "01020304"}},
		{"journal", 4 * k, []at{{0, "c03b3998 00000004"}, {0x30, uuidHex}}, Content{Type: "ext journal", UUID: testUUID, Detail: "without"}},
		{"magic of ext only", 4 * k, []at{{1080, "53ef"}}, Content{Type: "ext2", Detail: "superblock damaged", IsExt: true}},
		{"magic of ext in other data", 4 * k, []at{{1080, "53ef"}, {1048, "ffff"}}, Content{Type: "unknown data", Detail: "begins"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := crafted(t, tt.size, tt.parts...)
			got := Identify(bytes.NewReader(b), int64(len(b)))
			if !strings.Contains(got.Detail, tt.want.Detail) || tt.want.Detail == "" && got.Detail != "" {
				t.Errorf("detail %q, want %q in it", got.Detail, tt.want.Detail)
			}
			got.Detail, tt.want.Detail = "", ""
			if got != tt.want {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
		})
	}
}

// Which of two signatures is the live one.
func TestIdentifyOrder(t *testing.T) {
	for _, tt := range []struct {
		name   string
		parts  []at
		want   string
		detail string
	}{
		{"luks over ext", []at{{0, text("LUKS") + "babe0001"}}, "LUKS1", "an older ext superblock"},
		{"ext over second luks header", []at{{0x4000, text("SKUL") + "babe0002"}}, "ext4", ""},
		{"ext over btrfs", []at{{0x10040, text("_BHRfS_M")}}, "ext4", ""},
		{"ext over swap", []at{{4086, text("SWAPSPACE2")}}, "ext4", ""},
		{"ext in half a mirror", []at{{248 * k, "fc4e2ba9 01000000"}, {248*k + 0x90, "f001"}}, "ext4", "inside a Linux RAID member, md superblock 1.0"},
		{"ext with a boot loader", []at{{0, "eb639010"}, {510, "55aa"}}, "ext4", ""},
		{"ext with a vhd footer", []at{{256*k - 512, text("conectix")}}, "ext4", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := make([]byte, 256*k)
			putExt(b, 0, "")
			for _, p := range tt.parts {
				copy(b[p.off:], unhex(t, p.hex))
			}
			got := Identify(bytes.NewReader(b), int64(len(b)))
			if got.Type != tt.want || !strings.Contains(got.Detail, tt.detail) || tt.detail == "" && got.Detail != "" {
				t.Errorf("got %s", got)
			}
		})
	}
}

// mke2fs makes them, the primary superblock goes, the backup is found.
func TestExtBackup(t *testing.T) {
	for _, tt := range []struct {
		args   string
		mib    int64
		detail string
	}{
		{"-t ext4 -b 1024", 16, "ext4 by the backup in group 1, block 8193 of 1024 bytes"},
		{"-t ext2 -b 1024", 16, "ext2 by the backup in group 1, block 8193 of 1024 bytes"},
		{"-t ext3 -b 2048", 64, "ext3 by the backup in group 1, block 16384 of 2048 bytes"},
		{"-t ext4 -b 4096", 300, "ext4 by the backup in group 1, block 32768 of 4096 bytes"},
		{"-t ext2 -b 65536 -N 64", 4200, "ext2 by the backup in group 1, block 65528 of 65536 bytes"},
		{"-t ext2 -r 0 -b 1024 -O none", 32, "ext2 by the backup in group 1"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			path := sparseFile(t, "fs.img", tt.mib*mib)
			label := []string{"-q", "-F", "-L", "gone", "-E", "lazy_itable_init=1"}
			command(t, "", "mke2fs", append(append(label, strings.Fields(tt.args)...), path)...)
			im := mustOpen(t, path)
			was := Identify(im, im.Size())
			for name, r := range map[string]io.ReaderAt{
				"zeroed":      patched{im, 1024, make([]byte, 1024)},
				"all zeroed":  patched{im, 0, make([]byte, 4096)},
				"no magic":    patched{im, 1080, []byte{0, 0}},
				"overwritten": patched{im, 0, bytes.Repeat([]byte("garbage "), 512)},
			} {
				got := Identify(r, im.Size())
				if got.Type != "ext (backup superblock only)" || !got.IsExt || got.UUID != was.UUID || got.Label != was.Label {
					t.Errorf("%s: got %#v, was %#v", name, got, was)
				}
				if !strings.Contains(got.Detail, tt.detail) {
					t.Errorf("%s: detail %q, want %q", name, got.Detail, tt.detail)
				}
			}
		})
	}
}

// patched is r with other bytes at one place.
type patched struct {
	r   io.ReaderAt
	off int64
	b   []byte
}

func (p patched) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.r.ReadAt(b, off)
	for i := range b[:n] {
		if j := off + int64(i) - p.off; j >= 0 && j < int64(len(p.b)) {
			b[i] = p.b[j]
		}
	}
	return n, err
}

// counted counts the bytes that are read of r.
type counted struct {
	r io.ReaderAt
	n int64
}

func (c *counted) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(b, off)
	c.n += int64(n)
	return n, err
}

func TestZerosSampled(t *testing.T) {
	im := mustOpen(t, sparseFile(t, "zeros", 3<<30))
	read := &counted{r: im}
	got := Identify(read, im.Size())
	if got.Type != "zeros" || !strings.Contains(got.Detail, "zeros where sampled") {
		t.Errorf("got %s", got)
	}
	if got := Identify(patched{read, im.Size() - 1, []byte{1}}, im.Size()); got.Type != "unknown data" {
		t.Errorf("last byte set: %s", got)
	}
	if read.n > im.Size()/8 {
		t.Errorf("%d bytes were read", read.n)
	}
}

func TestUnreadable(t *testing.T) {
	im := mustOpen(t, writeSegments(t, map[string]int{".002": 4096, ".003": 4096})+".002")
	got := Identify(im, im.Size())
	if got.Type != "unreadable" || !strings.Contains(got.Detail, "disk.001 is missing") {
		t.Errorf("got %s", got)
	}
	if _, err := im.Partitions(); err == nil || !strings.Contains(err.Error(), "disk.001 is missing") {
		t.Errorf("partitions: %v", err)
	}
}

func TestContentString(t *testing.T) {
	for _, tt := range []struct {
		c    Content
		want string
	}{
		{Content{Type: "xfs", Label: "data"}, `xfs file system (label "data")`},
		{Content{Type: "LUKS2", Detail: "encrypted"}, `LUKS2 (encrypted)`},
		{Content{Type: "ntfs", Label: "a\x1b[31m\u202e\"", Detail: "d"}, `ntfs file system (label "a\x1b[31m\u202e\""; d)`},
		{Content{Type: "zeros"}, `zeros`},
	} {
		if got := tt.c.String(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestDstring(t *testing.T) {
	for dump, want := range map[string]string{
		"08 4d e4 72 00 00 04": "Mär",
		"10 4e2d 0041 00 05":   "中A",
		"08 41 42 43 00 00 ff": "ABC", // the length lies beyond the field
		"00 00 00 00 00 00 00": "",
		"07 41 42 43 00 00 04": "",
		"08 41 42 43 00 00 00": "",
	} {
		if got := dstring(unhex(t, dump)); got != want {
			t.Errorf("%s: %q, want %q", dump, got, want)
		}
	}
}
