package image

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/diskfs/go-diskfs/partition/mbr"
)

// brief is a table in one line a partition, as the tests below compare it.
func brief(t *Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", strings.TrimSpace(fmt.Sprint(t.Scheme, " ", t.SectorSize, " ", t.DiskID)))
	for _, p := range t.Partitions {
		fmt.Fprintf(&b, "%d<%d %s %d+%d", p.Number, p.Parent, p.Kind, p.Start, p.Length)
		if p.Available != p.Length {
			fmt.Fprintf(&b, "/%d", p.Available)
		}
		fmt.Fprintf(&b, " %s", p.TypeCode)
		for _, s := range []string{p.UUID, p.Name} {
			if s != "" {
				fmt.Fprintf(&b, " %s", s)
			}
		}
		if p.Bootable {
			b.WriteString(" *")
		}
		fmt.Fprintf(&b, " = %s\n", p.Content.Type)
	}
	return b.String()
}

func sameTable(t *testing.T, got *Table, want string) {
	t.Helper()
	var lines []string
	for _, l := range strings.Split(strings.TrimSpace(want), "\n") {
		lines = append(lines, strings.TrimSpace(l))
	}
	if g := strings.TrimSpace(brief(got)); g != strings.Join(lines, "\n") {
		t.Errorf("got\n%s\nwant\n%s", g, strings.Join(lines, "\n"))
	}
}

const mib = 1 << 20

func TestMBR(t *testing.T) {
	for _, tt := range []struct {
		name     string
		size     int
		slots    [][]byte
		ext      []int // byte offsets of ext file systems
		want     string
		warnings []string
	}{
		{"two", 4 * mib, [][]byte{slot(0x80, 0x83, 2048, 2048), slot(0, 0x82, 4096, 4096)}, []int{mib}, `
			mbr 512 abcd1234
			1<0 primary 1048576+1048576 0x83 abcd1234-01 * = ext4
			2<0 primary 2097152+2097152 0x82 abcd1234-02 = zeros`, nil},
		{"slots 2 and 4", 4 * mib, [][]byte{{}, slot(0, 0x83, 2048, 2048), {}, slot(0, 0x83, 4096, 4096)}, []int{2 * mib}, `
			mbr 512 abcd1234
			2<0 primary 1048576+1048576 0x83 abcd1234-02 = zeros
			4<0 primary 2097152+2097152 0x83 abcd1234-04 = ext4`, nil},
		{"odd flag", 4 * mib, [][]byte{slot(0x01, 0x83, 2048, 2048), slot(0x81, 0x83, 4096, 4096)}, []int{mib}, `
			mbr 512 abcd1234
			1<0 primary 1048576+1048576 0x83 abcd1234-01 = ext4
			2<0 primary 2097152+2097152 0x83 abcd1234-02 * = zeros`,
			[]string{"MBR slot 1: boot flag is 0x01", "MBR slot 2: boot flag is 0x81"}},
		{"truncated", 3 * mib, [][]byte{slot(0, 0x83, 2048, 8192), slot(0, 0x83, 10240, 2048)}, []int{mib}, `
			mbr 512 abcd1234
			1<0 primary 1048576+4194304/2097152 0x83 abcd1234-01 = ext4
			2<0 primary 5242880+1048576/0 0x83 abcd1234-02 = beyond the end of the image`,
			[]string{"partition 1 is cut off by the end of the image: 2097152 of 4194304 bytes", "partition 2 lies beyond the end"}},
		{"overlap and no length", 4 * mib, [][]byte{slot(0, 0x83, 2048, 4096), slot(0, 0x83, 4096, 2048), slot(0, 0x83, 6144, 0)}, []int{mib}, `
			mbr 512 abcd1234
			1<0 primary 1048576+2097152 0x83 abcd1234-01 = ext4
			2<0 primary 2097152+1048576 0x83 abcd1234-02 = zeros
			3<0 primary 3145728+0 0x83 abcd1234-03 = empty partition`,
			[]string{"partitions 1 and 2 overlap", "partition 3 has no length"}},
		{"only the first sector", 512, [][]byte{slot(0, 0x83, 2048, 2048)}, nil, `
			mbr 512 abcd1234
			1<0 primary 1048576+1048576/0 0x83 abcd1234-01 = beyond the end of the image`,
			[]string{"partition 1 lies beyond the end"}},
		{"4096-byte sectors", 4 * mib, [][]byte{slot(0, 0x83, 256, 512)}, []int{mib}, `
			mbr 4096 abcd1234
			1<0 primary 1048576+2097152 0x83 abcd1234-01 = ext4`, []string{"sectors of 4096 bytes, not 512"}},
		{"no partition", mib, nil, nil, `mbr 512 abcd1234`, []string{"names no partition"}},
		{"beyond 4 GiB", 1 * mib, [][]byte{slot(0, 0x83, 0xffffff00, 0xffffffff)}, nil, `
			mbr 512 abcd1234
			1<0 primary 2199023124480+2199023255040/0 0x83 abcd1234-01 = beyond the end of the image`,
			[]string{"beyond the end"}},
		{"protective without a GPT", 2 * mib, [][]byte{slot(0, 0xee, 1, 4095)}, nil, `
			mbr 512 abcd1234
			1<0 primary 512+2096640 0xee abcd1234-01 = zeros`, []string{"announces a GPT"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			disk := make([]byte, tt.size)
			putMBR(disk, 0, 0xabcd1234, tt.slots...)
			for _, at := range tt.ext {
				putExt(disk, at, "root")
			}
			got := tableOf(t, disk, 0)
			sameTable(t, got, tt.want)
			warned(t, got.Warnings, tt.warnings...)
		})
	}
}

// The extended partition covers sectors 2048 to 16383; EBRs lie in its sectors
// 0, 4096 and 8192.
func logicalDisk() []byte {
	disk := make([]byte, 8*mib)
	putMBR(disk, 0, 0xabcd1234, slot(0, 0x05, 2048, 14336))
	putMBR(disk, 2048*512, 0, slot(0, 0x83, 63, 4000), slot(0, 0x05, 4096, 4096))
	putMBR(disk, (2048+4096)*512, 0, slot(0, 0x83, 2048, 2048), slot(0, 0x05, 8192, 4096))
	putMBR(disk, (2048+8192)*512, 0, slot(0, 0x82, 1, 4095))
	putExt(disk, (2048+63)*512, "one")
	return disk
}

const logicalTable = `
	mbr 512 abcd1234
	1<0 extended 1048576+7340032 0x05 abcd1234-01 = extended partition
	5<1 logical 1080832+2048000 0x83 abcd1234-05 = ext4
	6<1 logical 4194304+1048576 0x83 abcd1234-06 = zeros
	7<1 logical 5243392+2096640 0x82 abcd1234-07 = zeros`

func TestLogical(t *testing.T) {
	got := tableOf(t, logicalDisk(), 0)
	sameTable(t, got, logicalTable)
	warned(t, got.Warnings)

	upTo := func(n int) string { return strings.Join(strings.Split(logicalTable, "\n")[:n+3], "\n") }
	for _, tt := range []struct {
		name    string
		damage  func(disk []byte)
		want    string
		warning string
	}{
		{"link to itself", func(d []byte) { le.PutUint32(d[(2048+8192)*512+446+16+8:], 8192); d[(2048+8192)*512+446+16+4] = 5 }, logicalTable, "returns to the EBR at byte 5242880"},
		{"link to the first", func(d []byte) { copy(d[(2048+8192)*512+446+16:], slot(0, 5, 0, 4096)) }, logicalTable, "returns to the EBR at byte 1048576"},
		{"link beyond the end", func(d []byte) { copy(d[(2048+4096)*512+446+16:], slot(0, 5, 1<<30, 4096)) }, upTo(2), "beyond the end"},
		{"no signature", func(d []byte) { d[(2048+4096)*512+511] = 0 }, upTo(1), "no 0x55aa at the end of the EBR at byte 3145728"},
	} {
		disk := logicalDisk()
		tt.damage(disk)
		got := tableOf(t, disk, 0)
		sameTable(t, got, tt.want)
		warned(t, got.Warnings, tt.warning)
	}
}

func TestLogicalChainIsBounded(t *testing.T) {
	disk := make([]byte, 2*mib)
	putMBR(disk, 0, 1, slot(0, 0x0f, 1, 4095))
	for i := range 2000 {
		putMBR(disk, (1+2*i)*512, 0, slot(0, 0x83, 1, 1), slot(0, 0x0f, uint32(2*i+2), 2))
	}
	start := time.Now()
	got := tableOf(t, disk, 0)
	if n := len(got.Partitions); n != 1+maxLogical || got.Partitions[n-1].Number != 4+maxLogical {
		t.Errorf("%d partitions", n)
	}
	warned(t, got.Warnings, "longer than 128")
	if d := time.Since(start); d > time.Minute { // a millisecond, where it ends
		t.Errorf("took %v", d)
	}
}

// The whole-disk file system against what looks like a table in its first
// sector.
func TestWholeDisk(t *testing.T) {
	const whole = `
		none 512
		1<0 whole 0+4194304  = ext4`
	code := bytes.Repeat([]byte{0xbe, 0x1b, 0x7c, 0x50, 0x57}, 13)[:64]
	for _, tt := range []struct {
		name    string
		damage  func(disk []byte)
		want    string
		warning []string
	}{
		{"plain", func([]byte) {}, whole, nil},
		{"boot loader", func(d []byte) { copy(d[446:], code); copy(d[510:], "\x55\xaa") }, whole, nil},
		{"0x55aa alone", func(d []byte) { putMBR(d, 0, 7) }, whole, nil},
		{"table of nothing known", func(d []byte) { putMBR(d, 0, 7, slot(0, 0x83, 2048, 2048)) }, whole, []string{"mbr, 1 partitions"}},
		{"table that covers it", func(d []byte) { putMBR(d, 0, 7, slot(0x80, 0x83, 0, 8192)) }, whole, []string{"mbr, 1 partitions"}},
		{"table of file systems", func(d []byte) { putMBR(d, 0, 7, slot(0, 0x83, 2048, 2048)); putExt(d, mib, "inner") }, `
			mbr 512 00000007
			1<0 primary 1048576+1048576 0x83 00000007-01 = ext4`, []string{`ext4 file system (label "outer")`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			disk := make([]byte, 4*mib)
			putExt(disk, 0, "outer")
			tt.damage(disk)
			got := tableOf(t, disk, 0)
			sameTable(t, got, tt.want)
			warned(t, got.Warnings, tt.warning...)
		})
	}
}

// Where go-diskfs can read a table, the decoder here reads the same.
func TestMBRAgainstDiskfs(t *testing.T) {
	for _, parts := range [][]*mbr.Partition{
		{{Type: mbr.Linux, Start: 2048, Size: 2048}},
		{{Bootable: true, Type: mbr.Fat32LBA, Start: 63, Size: 5}, {Type: mbr.LinuxSwap, Start: 0xfffffff0, Size: 0xffffffff}},
		{{Type: mbr.Empty}, {Type: mbr.ExtendedLBA, Start: 1, Size: 1}, {Type: mbr.NTFS, Start: 5, Size: 5}, {Type: mbr.Linux, Start: 99, Size: 1}},
	} {
		disk := make([]byte, mib)
		le.PutUint32(disk[440:], 0x01020304)
		if err := (&mbr.Table{Partitions: parts}).Write(newMemFile(disk), mib); err != nil {
			t.Fatal(err)
		}
		theirs, ok := diskfsMBR(bytes.NewReader(disk), mib)
		ours, ok2 := decodeMBR(disk)
		if !ok || !ok2 || theirs != ours {
			t.Errorf("go-diskfs %+v %v, here %+v %v", theirs, ok, ours, ok2)
		}
	}
}
