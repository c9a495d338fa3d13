package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// diskMBR makes a disk with an MBR: the demo image in partition 1, zeros in the
// logical partition 5, nothing in partition 2's end, which is cut off.
func diskMBR(t *testing.T, cut int) string {
	t.Helper()
	const sector = 512
	disk := make([]byte, 4<<20)
	entry := func(b []byte, i int, kind byte, start, count uint32) {
		e := b[446+16*i:]
		e[4] = kind
		binary.LittleEndian.PutUint32(e[8:], start)
		binary.LittleEndian.PutUint32(e[12:], count)
		b[510], b[511] = 0x55, 0xaa
	}
	binary.LittleEndian.PutUint32(disk[440:], 0xabcd1234)
	entry(disk, 0, 0x83, 2048, 1024)
	entry(disk, 1, 0x05, 4096, 2048)
	entry(disk, 2, 0x82, 6144, 2048)
	disk[446] = 0x80
	entry(disk[4096*sector:], 0, 0x83, 512, 1024)
	copy(disk[2048*sector:], exttest.Bytes(t, "demo.img"))
	path := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(path, disk[:len(disk)-cut], 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

type volumes struct {
	Image struct {
		Scheme     string
		DiskID     string `json:"disk_id"`
		SectorSize int    `json:"sector_size"`
	}
	Volumes []struct {
		Number   int
		Parent   *int
		Kind     string
		Start    int64
		Length   int64
		Bootable *bool
		TypeName string `json:"type_name"`
		Content  struct {
			Type  string
			Label *string
			Ext   bool
		}
	}
}

func TestPartitionsAgreesWithMmls(t *testing.T) {
	tool := exttest.Tool(t, "mmls")
	img := diskMBR(t, 0)
	var got volumes
	if r := decode(t, &got, "partitions", img); r.status != exitDone || r.err != "" {
		t.Errorf("exit status %d, stderr %s", r.status, r.err)
	}
	out, err := exec.Command(tool, img).Output()
	if err != nil {
		t.Fatal(err)
	}
	starts := map[int64]int64{}
	for _, m := range regexp.MustCompile(`(?m)^\d+:  \S+ +(\d+) +\d+ +(\d+) +(?:Linux|DOS)`).FindAllSubmatch(out, -1) {
		start, _ := strconv.ParseInt(string(m[1]), 10, 64)
		length, _ := strconv.ParseInt(string(m[2]), 10, 64)
		starts[start*512] = length * 512
	}
	if len(starts) < 3 {
		t.Fatalf("mmls lists too little:\n%s", out)
	}
	for _, v := range got.Volumes {
		if length, ok := starts[v.Start]; !ok || length != v.Length {
			t.Errorf("partition %d at %d, %d long: mmls has %v", v.Number, v.Start, v.Length, starts)
		}
	}
	if got.Image.Scheme != "mbr" || got.Image.DiskID != "abcd1234" || got.Image.SectorSize != 512 {
		t.Errorf("%+v", got.Image)
	}
	want := "1 primary ext4 true, 2 extended  false, 3 primary  false, 5 logical zeros false, "
	list := ""
	for _, v := range got.Volumes {
		kind := v.Content.Type
		if v.Number == 2 || v.Number == 3 {
			kind = ""
		}
		list += fmt.Sprintf("%d %s %s %v, ", v.Number, v.Kind, kind, v.Content.Ext)
	}
	if list != want {
		t.Errorf("%s, want %s", list, want)
	}
	if p := got.Volumes[len(got.Volumes)-1].Parent; p == nil || *p != 2 {
		t.Errorf("parent of the logical partition: %v", p)
	}
}

func TestPartitionsStatus(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		err    string // pattern
	}{
		{"directory", []string{dir}, exitNotExt, "directory"},
		{"empty", []string{file("empty", nil)}, exitNotExt, "empty"},
		{"missing", []string{filepath.Join(dir, "nothing")}, exitUsage, "no such file"},
		{"zeros", []string{file("zeros", make([]byte, 1<<20))}, exitDone, "^$"},
		{"one byte", []string{file("one", []byte{1})}, exitDone, "^$"},
		{"cut off", []string{diskMBR(t, 100<<10)}, exitPartial, "partition 3: truncated, 102400 of its 1048576 bytes are missing"},
		{"no image", nil, exitUsage, "arg"},
		{"bad flag", []string{demo, "--sector-size", "7"}, exitUsage, "sector"},
		{"bad format", []string{demo, "-f", "xml"}, exitUsage, "unknown format"},
		{"onto the evidence", []string{file("own", make([]byte, 4096)), "--force", "-o", filepath.Join(dir, "own")}, exitUsage, "the evidence itself"},
	} {
		r := call(t, append([]string{"partitions"}, tt.args...)...)
		if r.status != tt.status || !regexp.MustCompile(tt.err).MatchString(r.err) {
			t.Errorf("%s: exit status %d, stderr %q; want %d and %q", tt.name, r.status, r.err, tt.status, tt.err)
		}
	}
}
