package image

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/diskfs/go-diskfs/partition/gpt"
)

const (
	guidA = "aaaaaaaa-0000-4000-8000-000000000001"
	guidB = "bbbbbbbb-0000-4000-8000-000000000002"
)

// twoParts are an EFI system partition and a Linux one, at 1 MiB and 2 MiB of
// a disk of 4 MiB with 512-byte sectors.
var twoParts = []gptEntry{
	{1, espGUID, guidA, 2048, 4095, 0, "EFI"},
	{2, linuxGUID, guidB, 4096, 6143, 4, "Wurzel ä𝄞"},
}

const twoTable = `
	gpt 512 11111111-2222-3333-4444-555566667777
	1<0 gpt 1048576+1048576 c12a7328-f81f-11d2-ba4b-00a0c93ec93b aaaaaaaa-0000-4000-8000-000000000001 EFI = zeros
	2<0 gpt 2097152+1048576 0fc63daf-8483-4772-8e79-3d69d8477de4 bbbbbbbb-0000-4000-8000-000000000002 Wurzel ä𝄞 * = ext4`

func gptDisk(g gptSpec) []byte {
	disk := make([]byte, 4*mib)
	g.parts = twoParts
	putGPT(disk, g)
	putExt(disk, 2*mib, "root")
	return disk
}

func TestGPT(t *testing.T) {
	backupHeader := 4*mib - 512
	for _, tt := range []struct {
		name     string
		spec     gptSpec
		damage   func(d []byte) []byte
		want     string
		warnings []string
	}{
		{"sound", gptSpec{}, nil, twoTable, nil},
		{"entries of 256 bytes", gptSpec{entryLen: 256}, nil, twoTable, nil},
		{"few entries", gptSpec{entries: 4}, nil, twoTable, nil},
		{"no MBR", gptSpec{noMBR: true}, nil, twoTable, []string{"no protective MBR"}},
		{"backup damaged", gptSpec{}, func(d []byte) []byte { d[backupHeader+60]++; return d }, twoTable, []string{"backup GPT at byte 4193792 is damaged or missing"}},
		{"backup differs", gptSpec{}, func(d []byte) []byte {
			h := d[backupHeader:]
			h[56]++
			fixCRC(h)
			return d
		}, twoTable, []string{"differs"}},
		{"primary zeroed", gptSpec{}, func(d []byte) []byte { clear(d[512:1024]); return d }, twoTable, []string{"primary GPT is missing: the backup at byte 4193792 was used"}},
		{"primary header damaged", gptSpec{}, func(d []byte) []byte { d[512+60]++; return d }, twoTable, []string{"damaged (header checksum): the backup"}},
		{"primary entries damaged", gptSpec{}, func(d []byte) []byte { d[1024]++; return d }, twoTable, []string{"damaged (checksum of the entries): the backup"}},
		{"grown", gptSpec{}, func(d []byte) []byte { return append(d, make([]byte, mib)...) }, twoTable, []string{"the image goes on for 1048576 bytes behind the backup GPT"}},
		{"grown, primary header damaged", gptSpec{}, func(d []byte) []byte { d[512+60]++; return append(d, make([]byte, 8*mib)...) }, twoTable,
			[]string{"the backup at byte 4193792 was used", "not in the last sector"}},
		{"grown, primary zeroed", gptSpec{}, func(d []byte) []byte { clear(d[512:1024]); return append(d, make([]byte, 8*mib)...) }, twoTable,
			[]string{"the backup at byte 4193792 was used", "not in the last sector"}},
		{"grown, primary and MBR zeroed", gptSpec{}, func(d []byte) []byte { clear(d[:1024]); return append(d, make([]byte, mib)...) }, twoTable,
			[]string{"the backup at byte 4193792 was used", "not in the last sector", "no protective MBR"}},
		{"both damaged", gptSpec{}, func(d []byte) []byte { d[512+16]++; d[backupHeader]++; return d }, twoTable, []string{"no backup was found: it is shown as it is"}},
		{"hybrid", gptSpec{}, func(d []byte) []byte { copy(d[446+16:], slot(0x80, 0x83, 4096, 2048)); return d }, twoTable, []string{"hybrid MBR: beside the protective entry it names 2048 sectors of type 0x83"}},
		{"truncated", gptSpec{}, func(d []byte) []byte { return d[:2*mib+mib/2] }, `
			gpt 512 11111111-2222-3333-4444-555566667777
			1<0 gpt 1048576+1048576 c12a7328-f81f-11d2-ba4b-00a0c93ec93b aaaaaaaa-0000-4000-8000-000000000001 EFI = zeros
			2<0 gpt 2097152+1048576/524288 0fc63daf-8483-4772-8e79-3d69d8477de4 bbbbbbbb-0000-4000-8000-000000000002 Wurzel ä𝄞 * = ext4`,
			[]string{"sector 8191, beyond the end of the image", "partition 2 is cut off"}},
		{"leftover under an MBR", gptSpec{}, func(d []byte) []byte { putMBR(d, 0, 9, slot(0, 0x83, 4096, 2048)); return d }, `
			mbr 512 00000009
			1<0 primary 2097152+1048576 0x83 00000009-01 = ext4`, []string{"there is a GPT of 2 partitions, too: ignored"}},
		{"backup under a whole-disk file system", gptSpec{}, func(d []byte) []byte { clear(d[:1024]); putExt(d, 0, "new"); return d }, `
			none 512
			1<0 whole 0+4194304  = ext4`, []string{"only the GPT's backup is left"}},
		{"MBR of nothing known", gptSpec{}, func(d []byte) []byte { putMBR(d, 0, 9, slot(0, 0x83, 100, 100)); return d }, twoTable, []string{"the MBR is not protective"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			disk := gptDisk(tt.spec)
			if tt.damage != nil {
				disk = tt.damage(disk)
			}
			got := tableOf(t, disk, 0)
			sameTable(t, got, tt.want)
			warned(t, got.Warnings, tt.warnings...)
		})
	}
}

func TestGPT4096(t *testing.T) {
	disk := make([]byte, 4*mib)
	putGPT(disk, gptSpec{sector: 4096, parts: []gptEntry{{3, linuxGUID, guidA, 256, 511, 0, "root"}}})
	putExt(disk, mib, "root")
	const want = `
		gpt 4096 11111111-2222-3333-4444-555566667777
		3<0 gpt 1048576+1048576 0fc63daf-8483-4772-8e79-3d69d8477de4 aaaaaaaa-0000-4000-8000-000000000001 root = ext4`
	for _, sector := range []int{0, 4096} {
		got := tableOf(t, disk, sector)
		sameTable(t, got, want)
		warned(t, got.Warnings)
	}
	clear(disk[4096:8192])
	got := tableOf(t, disk, 0)
	sameTable(t, got, want)
	warned(t, got.Warnings, "primary GPT is missing")
}

// A bad entry does not hide the others.
func TestGPTBadEntries(t *testing.T) {
	disk := make([]byte, 4*mib)
	putGPT(disk, gptSpec{parts: []gptEntry{
		{1, linuxGUID, guidA, 2048, 2047, 0, "backwards"},
		{2, linuxGUID, guidA, 2048, 2046, 0, "more so"},
		{3, linuxGUID, guidA, 1 << 60, 1 << 61, 0, "far"},
		{4, linuxGUID, guidA, 0, 1<<64 - 1, 0, "everything"},
		{5, linuxGUID, guidA, 1 << 40, 1 << 41, 0, "beyond"},
		{7, linuxGUID, guidB, 2048, 4095, 0, "good"},
		{128, linuxGUID, guidB, 3000, 3000, 0, "inside"},
	}})
	putExt(disk, mib, "root")
	got := tableOf(t, disk, 0)
	warned(t, got.Warnings, "partition 1 ends at sector 2047", "partition 2 ends", "partition 3: sectors", "partition 4: sectors",
		"partition 1 has no length", "partition 2 has no length", "partition 3 has no length", "partition 4 has no length",
		"partition 5 lies beyond", "partitions 7 and 128 overlap")
	if p := got.Partitions[5]; len(got.Partitions) != 7 || p.Number != 7 || p.Content.Type != "ext4" || p.Start != mib || p.Length != mib {
		t.Errorf("got %+v", p)
	}
}

// Headers with sound checksums and sizes no one should allocate: go-diskfs must
// not be asked, and the rest must not follow them either.
func TestGPTHostile(t *testing.T) {
	for _, tt := range []struct {
		name             string
		entries, length  uint32
		array            uint64
		onlyLast, sector bool
	}{
		{"count", 0xffffffff, 128, 2, false, false},
		{"size", 128, 0xffffffff, 2, false, false},
		{"both", 0xffffffff, 0xffffffff, 2, false, false},
		{"zero size", 128, 0, 2, false, false},
		{"array far away", 128, 128, 1 << 62, false, false},
		{"array at the end", 128, 128, 8191, false, false},
		{"backup only", 0xffffffff, 128, 2, true, false},
		{"4096-byte sectors", 0xffffffff, 128, 2, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			unit := 512
			if tt.sector {
				unit = 4096
			}
			disk := make([]byte, 4*mib)
			putGPT(disk, gptSpec{sector: unit, parts: []gptEntry{{1, linuxGUID, guidA, 1024, 1030, 0, ""}}})
			last := disk[len(disk)-unit:]
			for _, h := range [][]byte{disk[unit:], last} {
				le.PutUint64(h[72:], tt.array)
				le.PutUint32(h[80:], tt.entries)
				le.PutUint32(h[84:], tt.length)
				fixCRC(h)
			}
			if tt.onlyLast {
				clear(disk[unit : 2*unit])
			}
			if _, ok := diskfsGPT(bytes.NewReader(disk), int64(len(disk)), unit); ok {
				t.Error("go-diskfs read it")
			}
			got := tableOf(t, disk, 0)
			if got.Scheme != "mbr" || len(got.Partitions) != 1 || got.Partitions[0].TypeCode != "0xee" {
				t.Errorf("got %s", brief(got))
			}
		})
	}
}

// What go-diskfs writes reads the same by both, at both sector sizes.
func TestGPTAgainstDiskfs(t *testing.T) {
	for _, sector := range []int{512, 4096} {
		disk := make([]byte, 4*mib)
		table := &gpt.Table{LogicalSectorSize: sector, PhysicalSectorSize: sector, ProtectiveMBR: true, GUID: diskGUID, Partitions: []*gpt.Partition{
			{Index: 1, Start: 256, End: 299, Type: gpt.EFISystemPartition, Name: "boot ß", GUID: guidA, Attributes: 4},
			{Index: 5, Start: 300, End: 400, Type: gpt.LinuxFilesystem, GUID: guidB},
		}}
		if err := table.Write(newMemFile(disk), int64(len(disk))); err != nil {
			t.Fatal(err)
		}
		r := bytes.NewReader(disk)
		theirs, ok := diskfsGPT(r, r.Size(), sector)
		ours := readGPT(r, r.Size(), int64(sector), sector)
		want := []gptEntry{
			{1, espGUID, guidA, 256, 299, 4, "boot ß"},
			{5, linuxGUID, guidB, 300, 400, 0, ""},
		}
		if !ok || !ours.sound() || !reflect.DeepEqual(theirs, want) || !reflect.DeepEqual(ours.entries, want) {
			t.Errorf("go-diskfs %+v %v, here %+v", theirs, ok, ours)
		}
		if got := tableOf(t, disk, 0); got.DiskID != diskGUID || got.SectorSize != sector || len(got.Warnings) != 0 {
			t.Errorf("got %s %v", brief(got), got.Warnings)
		}
	}
}

// The first segment is missing; the backup at the end still tells the table.
func TestGPTFirstSegmentMissing(t *testing.T) {
	disk, dir := gptDisk(gptSpec{}), t.TempDir()
	for i := 2; i <= 4; i++ {
		name := filepath.Join(dir, fmt.Sprintf("disk.%03d", i))
		if err := os.WriteFile(name, disk[(i-1)*mib:i*mib], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	im := mustOpen(t, filepath.Join(dir, "disk.002"))
	got, err := im.Partitions()
	if err != nil {
		t.Fatal(err)
	}
	sameTable(t, got, twoTable)
	warned(t, got.Warnings, "primary GPT is missing", "no protective MBR", "disk.001 is missing")
}
