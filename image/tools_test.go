package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// sfdiskTable is what sfdisk makes of a disk, in brief's words but for content.
func sfdiskTable(t *testing.T, path string, sector int) string {
	t.Helper()
	var dump struct {
		PartitionTable struct {
			Label, ID  string
			Partitions []struct {
				Node, Type, UUID, Name string
				Start, Size            int64
				Bootable               bool
			}
		}
	}
	out := command(t, "", "sfdisk", "--json", path)
	if err := json.Unmarshal([]byte(out), &dump); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var b strings.Builder
	d := dump.PartitionTable
	fmt.Fprintf(&b, "%s %s\n", strings.Replace(d.Label, "dos", "mbr", 1), strings.ToLower(strings.TrimPrefix(d.ID, "0x")))
	for _, p := range d.Partitions {
		number := strings.TrimPrefix(strings.TrimPrefix(p.Node, path), "p")
		fmt.Fprintf(&b, "%s %d+%d %s %s %s\n", number, p.Start*int64(sector), p.Size*int64(sector),
			strings.ToLower(p.Type), strings.ToLower(p.UUID), p.Name)
	}
	return b.String()
}

func oursAsSfdisk(table *Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", table.Scheme, table.DiskID)
	for _, p := range table.Partitions {
		uuid, code := p.UUID, p.TypeCode
		if p.Scheme == "mbr" {
			uuid, code = "", strings.TrimPrefix(strings.TrimPrefix(code, "0x"), "0") // sfdisk's way
		}
		fmt.Fprintf(&b, "%d %d+%d %s %s %s\n", p.Number, p.Start, p.Length, code, uuid, p.Name)
	}
	return b.String()
}

func TestAgainstSfdisk(t *testing.T) {
	exttest.Tool(t, "sfdisk")
	for _, tt := range []struct {
		name   string
		sector int
		script string
	}{
		{"mbr", 512, "label: dos\nlabel-id: 0x1234abcd\nsize=2MiB, type=83, bootable\nsize=1MiB, type=82\n"},
		{"mbr logical", 512, "label: dos\nsize=2MiB, type=83\nsize=30MiB, type=5\nsize=4MiB, type=83\nsize=5MiB, type=8e\nsize=6MiB, type=83\n"},
		{"mbr extended lba in slot 4", 512, "label: dos\n4: size=30MiB, type=f\n5: size=4MiB\n6: size=4MiB\n2: size=5MiB, type=7\n"},
		{"mbr 4096", 4096, "label: dos\nsize=2MiB, type=83\nsize=3MiB, type=83\nsize=20MiB, type=5\nsize=4MiB, type=83\nsize=4MiB, type=83\n"},
		{"gpt", 512, "label: gpt\nsize=2MiB, type=U, name=esp\nsize=3MiB, type=L, name=\"root fs\"\n7: size=1MiB, type=S\n"},
		{"gpt 4096", 4096, "label: gpt\nsize=2MiB, type=U\nsize=3MiB, type=L\n"},
		{"gpt short", 512, "label: gpt\ntable-length: 4\nsize=2MiB, type=U\nsize=3MiB, type=L\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := sparseFile(t, "disk.img", 48*mib)
			if tt.sector != 512 { // sfdisk asks the device
				path = loopDevice(t, path, "--sector-size", fmt.Sprint(tt.sector))
			}
			command(t, tt.script, "sfdisk", "-q", "--no-reread", "--no-tell-kernel", path)
			im, err := Open(path, Options{SectorSize: tt.sector})
			if err != nil {
				t.Fatal(err)
			}
			defer im.Close()
			table, err := im.Partitions()
			if err != nil {
				t.Fatal(err)
			}
			if got, want := oursAsSfdisk(table), sfdiskTable(t, path, tt.sector); got != want {
				t.Errorf("got\n%s\nsfdisk says\n%s", got, want)
			}
			warned(t, table.Warnings)
		})
	}
}

// The logical chain of the other tests is read alike by sfdisk.
func TestLogicalAgainstSfdisk(t *testing.T) {
	disk := logicalDisk()
	path := tempFile(t, "disk.img", disk)
	if got, want := oursAsSfdisk(tableOf(t, disk, 0)), sfdiskTable(t, path, 512); got != want {
		t.Errorf("got\n%s\nsfdisk says\n%s", got, want)
	}
}

func TestEntrySizeAgainstSfdisk(t *testing.T) {
	disk := gptDisk(gptSpec{entryLen: 256})
	path := tempFile(t, "disk.img", disk)
	if got, want := oursAsSfdisk(tableOf(t, disk, 0)), sfdiskTable(t, path, 512); got != want {
		t.Errorf("got\n%s\nsfdisk says\n%s", got, want)
	}
}

// partx reads tables as libblkid does, so it tells PARTUUIDs.
func TestAgainstPartx(t *testing.T) {
	hybrid := gptDisk(gptSpec{})
	copy(hybrid[446+16:], slot(0x80, 0x83, 4096, 2048))
	noPrimary := gptDisk(gptSpec{})
	clear(noPrimary[512:1024])
	leftover := gptDisk(gptSpec{})
	putMBR(leftover, 0, 9, slot(0, 0x83, 4096, 2048))
	for name, disk := range map[string][]byte{
		"logical": logicalDisk(), "gpt": gptDisk(gptSpec{}), "hybrid": hybrid, "leftover": leftover, "no primary": noPrimary,
	} {
		t.Run(name, func(t *testing.T) {
			path := tempFile(t, "disk.img", disk)
			want := strings.TrimSpace(command(t, "", "partx", "--raw", "--noheadings", "--output", "NR,START,SECTORS,TYPE,UUID", path))
			var got []string
			for _, p := range tableOf(t, disk, 0).Partitions {
				code := strings.Replace(p.TypeCode, "0x0", "0x", 1)
				got = append(got, fmt.Sprintf("%d %d %d %s %s", p.Number, p.Start/512, p.Length/512, code, p.UUID))
			}
			if g := strings.Join(got, "\n"); g != want {
				t.Errorf("got\n%s\npartx says\n%s", g, want)
			}
		})
	}
}

// blkid probes a file: tag to value.
func blkid(t *testing.T, path string) map[string]string {
	t.Helper()
	out, err := exec.Command(exttest.Tool(t, "blkid"), "-p", "-o", "export", path).Output()
	if err != nil {
		t.Fatalf("blkid %s: %v", path, err)
	}
	tags := map[string]string{}
	for _, line := range strings.Split(string(out), "\n") {
		if k, v, ok := strings.Cut(line, "="); ok {
			tags[k] = strings.ReplaceAll(v, `\ `, " ")
		}
	}
	return tags
}

// blkidType is blkid's name for a type of ours, where it has another.
var blkidType = map[string]string{
	"LUKS1": "crypto_LUKS", "LUKS2": "crypto_LUKS", "fat12": "vfat", "fat16": "vfat", "fat32": "vfat",
	"LVM2 member": "LVM2_member", "Linux RAID member": "linux_raid_member", "external ext journal": "jbd",
	"hfs+": "hfsplus", "zfs": "zfs_member",
}

// What the tools make, the tools and this package name alike. %s is the file.
func TestAgainstBlkid(t *testing.T) {
	const label = "evidence 1"
	for _, tt := range []struct {
		want string
		mib  int64
		args []string
	}{
		{"ext2", 4, []string{"mke2fs", "-q", "-t", "ext2", "-L", label}},
		{"ext2", 4, []string{"mke2fs", "-q", "-t", "ext2", "-r", "0", "-O", "none"}},
		{"ext3", 8, []string{"mke2fs", "-q", "-t", "ext3", "-L", label}},
		{"ext4", 8, []string{"mke2fs", "-q", "-t", "ext4", "-L", label}},
		{"ext4", 8, []string{"mke2fs", "-q", "-t", "ext4", "-O", "^has_journal"}},
		{"ext4", 8, []string{"mke2fs", "-q", "-t", "ext3", "-O", "extents"}},
		{"ext4", 8, []string{"mke2fs", "-q", "-t", "ext4", "-b", "1024", "-L", "sixteen letters!"}},
		{"ext2", 64, []string{"mke2fs", "-q", "-t", "ext2", "-b", "65536"}},
		{"external ext journal", 8, []string{"mke2fs", "-q", "-O", "journal_dev", "-L", label}},
		{"swap", 2, []string{"mkswap", "-L", label}},
		{"swap", 2, []string{"mkswap", "-p", "65536"}},
		{"xfs", 320, []string{"mkfs.xfs", "-q", "-L", label}},
		{"btrfs", 128, []string{"mkfs.btrfs", "-q", "-L", label}},
		{"ntfs", 8, []string{"mkfs.ntfs", "-q", "-F", "-f", "-L", label}},
		{"fat12", 2, []string{"mkfs.fat", "-n", "EVIDENCE 1"}},
		{"fat12", 2, []string{"mkfs.fat"}},
		{"fat16", 20, []string{"mkfs.fat", "-F", "16", "-n", "EVIDENCE 1"}},
		{"fat32", 40, []string{"mkfs.fat", "-F", "32", "-n", "EVIDENCE 1"}},
		{"exfat", 8, []string{"mkfs.exfat", "-L", label}},
		{"reiserfs", 40, []string{"mkreiserfs", "-q", "-f", "-f", "-l", label}},
		{"jfs", 20, []string{"jfs_mkfs", "-q", "-L", label}},
		{"nilfs2", 140, []string{"mkfs.nilfs2", "-q", "-f", "-L", label}},
		{"udf", 8, []string{"mkudffs", "-l", label}},
		{"udf", 8, []string{"mkudffs", "-b", "2048"}},
		{"f2fs", 64, []string{"mkfs.f2fs", "-q", "-l", label}},
		{"apfs", 1024, []string{"mkapfs"}},
		{"LUKS1", 20, []string{"cryptsetup", "-q", "luksFormat", "--type", "luks1", "--pbkdf-force-iterations", "1000", "--key-file", "/bin/true", "--keyfile-size", "16"}},
		{"LUKS2", 20, []string{"cryptsetup", "-q", "luksFormat", "--type", "luks2", "--label", label, "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file", "/bin/true", "--keyfile-size", "16"}},
	} {
		t.Run(tt.want+" "+tt.args[0], func(t *testing.T) {
			exttest.Tool(t, "blkid")
			path := sparseFile(t, "fs.img", tt.mib*mib)
			command(t, "y\n", tt.args[0], append(tt.args[1:], path)...)
			compareBlkid(t, path, tt.want)
		})
	}
}

// From a disk with a table to the bytes of the one ext file system on it.
func TestSelectOnDisk(t *testing.T) {
	disk := make([]byte, 24*mib)
	putMBR(disk, 0, 0xabcd1234, slot(0, 0x82, 2048, 2048), slot(0x80, 0x83, 4096, 16*2048))
	path := tempFile(t, "disk.img", disk)
	command(t, "", "mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-U", testUUID, "-E", "offset=2097152", path, "16M")
	im := mustOpen(t, path)
	for _, sel := range []string{"", "2", "root", testUUID, "ABCD1234-02"} {
		p, err := im.Select(sel)
		if err != nil || p.Start != 2*mib || p.Length != 16*mib || !p.Bootable {
			t.Errorf("%q: %+v, %v", sel, p, err)
			continue
		}
		if c := Identify(im.Section(p), p.Available); c != (Content{Type: "ext4", Label: "root", UUID: testUUID, IsExt: true}) {
			t.Errorf("%q: %#v", sel, c)
		}
	}
}

func compareBlkid(t *testing.T, path, want string) {
	t.Helper()
	im := mustOpen(t, path)
	got, tags := Identify(im, im.Size()), blkid(t, path)
	theirs := want
	if n, ok := blkidType[want]; ok {
		theirs = n
	}
	if got.Type != want || tags["TYPE"] != theirs {
		t.Errorf("type %q, blkid says %q, want %q", got, tags["TYPE"], want)
	}
	if want == "udf" {
		delete(tags, "UUID") // is not read
	}
	if got.Label != tags["LABEL"] || got.UUID != tags["UUID"] {
		t.Errorf("label %q UUID %q, blkid says %q %q", got.Label, got.UUID, tags["LABEL"], tags["UUID"])
	}
	table, err := im.Partitions()
	if err != nil || len(table.Partitions) != 1 || table.Scheme != "none" || table.Partitions[0].Content != got {
		t.Errorf("partitions %+v, %v", table, err)
	}
	warned(t, table.Warnings)
}

// Formats whose tool wants a folder to put in.
func TestArchivesAgainstBlkid(t *testing.T) {
	dir := t.TempDir()
	tempDirFile := tempFile(t, "file", bytes.Repeat([]byte("contents"), 8192))
	src := filepath.Dir(tempDirFile)
	for _, tt := range []struct {
		want, tool string
		args       []string
	}{
		{"squashfs", "mksquashfs", []string{src, "%", "-quiet", "-no-progress"}},
		{"erofs", "mkfs.erofs", []string{"%", src}},
		{"iso9660", "genisoimage", []string{"-quiet", "-V", "EVIDENCE 1", "-o", "%", src}},
		{"udf", "genisoimage", []string{"-quiet", "-udf", "-o", "%", src}},
		{"romfs", "genromfs", []string{"-V", "evidence", "-f", "%", "-d", src}},
	} {
		t.Run(tt.want, func(t *testing.T) {
			path := filepath.Join(dir, tt.want)
			for i, a := range tt.args {
				if a == "%" {
					tt.args[i] = path
				}
			}
			command(t, "", tt.tool, tt.args...)
			im := mustOpen(t, path)
			got, tags := Identify(im, im.Size()), blkid(t, path)
			if got.Type != tt.want || tags["TYPE"] != tt.want {
				t.Errorf("type %q, blkid says %q", got, tags["TYPE"])
			}
			if tt.want == "udf" {
				delete(tags, "UUID") // is not read
			}
			if got.Label != tags["LABEL"] || got.UUID != tags["UUID"] {
				t.Errorf("label %q UUID %q, blkid says %q %q", got.Label, got.UUID, tags["LABEL"], tags["UUID"])
			}
		})
	}
}

func TestContainersByQemu(t *testing.T) {
	raw := sparseFile(t, "raw", mib)
	for format, want := range map[string]string{
		"qcow2": "qcow2 image", "vmdk": "vmdk image", "vpc": "vhd image", "vhdx": "vhdx image", "vdi": "vdi image",
		"qcow": "qcow image", "qed": "qed image", "parallels": "Parallels image",
		"vmdk -o subformat=streamOptimized": "vmdk image", "vmdk -o subformat=monolithicFlat": "vmdk image",
		"vpc -o subformat=fixed": "vhd image",
	} {
		t.Run(format, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "disk")
			command(t, "", "qemu-img", append(append([]string{"convert", "-f", "raw", "-O"}, strings.Fields(format)...), raw, path)...)
			f, err := os.Open(path) // as it is, not as what it holds
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			if got := Identify(f, info.Size()); got.Type != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
