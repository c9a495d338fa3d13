package image

import (
	"errors"
	"fmt"
	"testing"
)

func TestSelect(t *testing.T) {
	part := func(n int, typ, label, uuid, name, partUUID string) Partition {
		return Partition{Number: n, Scheme: "gpt", Length: 3 << 20, Name: name, UUID: partUUID,
			Content: Content{Type: typ, Label: label, UUID: uuid, IsExt: typ == "ext4"}}
	}
	several := []Partition{
		part(1, "fat32", "ESP", "ABCD-1234", "efi", "p1"),
		part(2, "ext4", "root", "u2", "", "p2"),
		part(3, "ext4", "Root", "u3", "home", "p3"),
		part(4, "ext4", "2", "u4", "twin", "p4"),
		part(5, "xfs", "twin", "u5", "twin", "p5"),
		part(6, "ext4", "same", "u6", "", "p6"),
		part(7, "ext4", "same", "u6", "", "p7"),
	}
	for _, tt := range []struct {
		parts []Partition
		sel   string
		want  string
	}{
		{several, "2", "2"}, // the number before the label
		{several, "root", "2"},
		{several, "Root", "3"},
		{several, "ROOT", `*image.AmbiguousError disk: several ext file systems fit "ROOT": 2: ext4 label "root" UUID u2 3 MiB, 3: ext4 label "Root" name "home" UUID u3 3 MiB`},
		{several, "home", "3"},
		{several, "HOME", "3"},
		{several, "U4", "4"},
		{several, "P6", "6"},
		{several, "twin", "4"}, // the one of the two that is ext
		{several, "same", `*image.AmbiguousError disk: several ext file systems fit "same": 6: ext4 label "same" UUID u6 3 MiB, 7: ext4 label "same" UUID u6 3 MiB`},
		{several, "1", `*image.NotExtError disk: partition 1 is not an ext file system: fat32 file system (label "ESP")`},
		{several, "abcd-1234", `*image.NotExtError disk: partition 1 is not an ext file system: fat32 file system (label "ESP")`},
		{several[:2], "", "2"},
		{several[:2], "9", `*image.NoSuchPartitionError disk: no partition "9" among: 1: fat32 label "ESP" name "efi" UUID ABCD-1234 3 MiB, 2: ext4 label "root" UUID u2 3 MiB`},
		{several[1:3], "", `*image.AmbiguousError disk: several ext file systems: 2: ext4 label "root" UUID u2 3 MiB, 3: ext4 label "Root" name "home" UUID u3 3 MiB`},
		{several[:1], "", `*image.NotExtError disk: no ext file system on any partition (gpt): 1: fat32 file system (label "ESP")`},
		{nil, "", `*image.NotExtError disk: not an ext file system: gpt partition table without partitions`},
		{nil, "1", `*image.NoSuchPartitionError disk: no partition "1": there are none`},
	} {
		table := &Table{Scheme: "gpt", Partitions: tt.parts}
		p, err := table.pick("disk", tt.sel)
		got := fmt.Sprint(p.Number)
		if err != nil {
			got = fmt.Sprintf("%T %v", err, err)
		}
		if got != tt.want {
			t.Errorf("%q:\ngot  %s\nwant %s", tt.sel, got, tt.want)
		}
	}
}

func TestSelectWhole(t *testing.T) {
	xfs := crafted(t, 64*k, at{0, "58465342 00001000"}, at{108, text("data")})
	im := mustOpen(t, tempFile(t, "disk.img", xfs))
	_, err := im.Select("")
	var not *NotExtError
	if !errors.As(err, &not) || err.Error() != im.Name()+`: not an ext file system: xfs file system (label "data")` {
		t.Errorf("xfs: %v", err)
	}

	ext := make([]byte, 64*k)
	putExt(ext, 0, "root")
	im = mustOpen(t, tempFile(t, "disk.img", ext))
	for _, sel := range []string{"", "1", "root", testUUID} {
		p, err := im.Select(sel)
		if err != nil || p.Kind != "whole" || im.Section(p).Size() != 64*k {
			t.Errorf("%q: %+v, %v", sel, p, err)
		}
	}

	im = mustOpen(t, tempFile(t, "empty.img", nil))
	if _, err = im.Select(""); !errors.As(err, &not) || err.Error() != im.Name()+": not an ext file system: empty file" {
		t.Errorf("empty: %v", err)
	}
}

func TestHumanSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 1<<30 - 1: "1024 MiB", 1 << 30: "1 GiB", 1<<63 - 1: "8 EiB"} {
		if got := humanSize(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
