package image

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestParseLVM(t *testing.T) {
	// show writes a node as JSON would, near enough.
	var show func(n *lvmNode) string
	show = func(n *lvmNode) string {
		switch n.is {
		case lvmNumber:
			return fmt.Sprint(n.num)
		case lvmString:
			return fmt.Sprintf("%q", n.text)
		}
		var list []string
		for i := range n.kids {
			k := show(&n.kids[i])
			if n.is == lvmSection {
				k = n.kids[i].key + ":" + k
			}
			list = append(list, k)
		}
		if n.is == lvmList {
			return "[" + strings.Join(list, " ") + "]"
		}
		return "{" + strings.Join(list, " ") + "}"
	}
	for _, tt := range []struct{ text, want, err string }{
		{"", "{}", ""},
		{"# only a comment", "{}", ""},
		{"a = 1", "{a:1}", ""},
		{"vg0 {\n\tid = \"x-y\"\t# c\n seqno=17 }\nversion = 1\n\x00junk", `{vg0:{id:"x-y" seqno:17} version:1}`, ""},
		{"l = [\"pv0\", 0,\n\"pv1\", 64\n]", `{l:["pv0" 0 "pv1" 64]}`, ""},
		{"l = []", "{l:[]}", ""},
		{`s = "a \"b\" \\ {"`, `{s:"a \"b\" \\ {"}`, ""},
		{"n = -5 f = 1.5", `{n:-5 f:"1.5"}`, ""},
		{"n = 99999999999999999999", `{n:"99999999999999999999"}`, ""},
		{"a {", "", "byte 3 of the text: ends within a section"},
		{"a = [1", "", "byte 6 of the text: ends within a list"},
		{"a = \"b\\", "", "byte 7 of the text: ends within a string"},
		{"a = ", "", "byte 4 of the text: want a value"},
		{"a = [[1]]", "", "byte 5 of the text: want a value"},
		{"a b", "", "byte 2 of the text: want { or ="},
		{"}", "", "byte 0 of the text: want a name"},
		{strings.Repeat("a{", 9), "", "sections nested too deep"},
		{strings.Repeat("a{", 8) + strings.Repeat("}", 8), "{" + strings.Repeat("a:{", 8) + strings.Repeat("}", 8) + "}", ""},
		{strings.Repeat("a=1 ", maxLVMValues+1), "", "more than 250000 values"},
		{"l=[" + strings.Repeat("1,", maxLVMValues), "", "more than 250000 values"},
	} {
		n, err := parseLVM(tt.text)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%.30q: %v, want %s", tt.text, err, tt.err)
			}
			continue
		}
		if got := show(&n); err != nil || got != tt.want {
			t.Errorf("%.30q: %s, %v; want %s", tt.text, got, err, tt.want)
		}
	}
}

const (
	pvA = "aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaa0"
	pvB = "bbbbbb-bbbb-bbbb-bbbb-bbbb-bbbb-bbbbb1"
)

// lvmDisk is a physical volume of size bytes: a label in sector 1, and metadata areas of
// 64 KiB at the given places, with text in each.
func lvmDisk(size int, uuid, text string, areas ...int) []byte {
	d := make([]byte, size)
	l := d[512:1024]
	copy(l, "LABELONE")
	le.PutUint64(l[0x8:], 1)
	le.PutUint32(l[0x14:], 0x20)
	copy(l[0x18:], "LVM2 001")
	copy(l[0x20:], strings.ReplaceAll(uuid, "-", ""))
	le.PutUint64(l[0x40:], uint64(size))
	le.PutUint64(l[0x48:], 128<<10)
	at := 0x68
	for _, a := range areas {
		le.PutUint64(l[at:], uint64(a))
		le.PutUint64(l[at+8:], 64<<10)
		at += 0x10
		h := d[a:][:64<<10]
		copy(h[0x4:], lvmMagic)
		le.PutUint32(h[0x14:], 1)
		le.PutUint64(h[0x18:], uint64(a))
		le.PutUint64(h[0x20:], 64<<10)
		le.PutUint64(h[0x28:], 512)
		le.PutUint64(h[0x30:], uint64(len(text)))
		copy(h[512:], text)
	}
	fixLVM(d)
	return d
}

// fixLVM makes the checksums of a physical volume right, as far as its structures say
// where they are.
func fixLVM(d []byte) {
	for at := 0; at+512 <= len(d) && at < 2048; at += 512 {
		l, ok := decodeLVMLabel(d[at:])
		if !ok {
			continue
		}
		le.PutUint32(d[at+0x10:], lvmCRC(d[at+0x14:at+512]))
		for _, e := range l.meta {
			if e.start > uint64(len(d)) || uint64(len(d))-e.start < 512 {
				continue
			}
			h := d[e.start:]
			if size := le.Uint64(h[0x20:]); size > 512 && size <= uint64(len(h)) {
				off, n := le.Uint64(h[0x28:]), le.Uint64(h[0x30:])
				if off >= 512 && off < size && n <= size-512 {
					first := min(n, size-off)
					le.PutUint32(h[0x38:], lvmCRC(h[off:off+first], h[512:512+n-first]))
				}
			}
			le.PutUint32(h, lvmCRC(h[4:512]))
		}
	}
}

// vgText is the metadata of a group of 4 KiB extents: two physical volumes, and volumes
// as sections of their own.
func vgText(seqno int, volumes string) string {
	return fmt.Sprintf(`vg0 {
id = "vg"
seqno = %d
status = ["RESIZEABLE", "READ", "WRITE"]
extent_size = 8
physical_volumes {
a { id = "%s" status = ["ALLOCATABLE"] pe_start = 256 pe_count = 64 }
b { id = "%s" status = ["ALLOCATABLE"] pe_start = 256 pe_count = 64 }
}
logical_volumes {
%s
}
}
contents = "Text Format Volume Group"
version = 1
`, seqno, pvA, pvB, volumes)
}

// lv is a visible volume of segments.
func lv(name string, segments ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s { id = %q status = [\"READ\", \"VISIBLE\"] segment_count = %d\n", name, name, len(segments))
	for i, s := range segments {
		fmt.Fprintf(&b, "segment%d { %s }\n", i+1, s)
	}
	return b.String() + "}\n"
}

func TestLVMLabel(t *testing.T) {
	disk := lvmDisk(1<<20, pvA, "x = 1", 4096, 1<<19)
	l, at, ok := readLVMLabel(bytes.NewReader(disk), int64(len(disk)))
	if !ok || at != 512 || !l.crcOK || l.uuid != pvA || l.size != 1<<20 || !slices.Equal(l.meta, []lvmExtent{{4096, 64 << 10}, {1 << 19, 64 << 10}}) {
		t.Errorf("%+v at %d, %v", l, at, ok)
	}
	disk[600] ^= 1
	if l, _, _ = readLVMLabel(bytes.NewReader(disk), int64(len(disk))); l.crcOK {
		t.Error("a changed label has a right checksum")
	}
}

// A text that goes round the end of its area is read in two parts.
func TestLVMTextGoesRound(t *testing.T) {
	text := vgText(7, lv("v", `start_extent = 0 extent_count = 4 type = "striped" stripe_count = 1 stripes = ["a", 0]`))
	disk := lvmDisk(1<<20, pvA, text, 4096)
	h := disk[4096:][:64<<10]
	le.PutUint64(h[0x28:], 64<<10-100)
	copy(h[64<<10-100:], text)
	copy(h[512:], text[100:])
	fixLVM(disk)
	got, err := readLVMText(bytes.NewReader(disk), int64(len(disk)), lvmExtent{4096, 64 << 10})
	if err != nil || !got.crcOK || string(got.text) != text {
		t.Errorf("%+v, %v", got, err)
	}
	for name, tt := range map[string]struct {
		at   int
		val  uint64
		want string
	}{
		"offset in the header": {0x28, 100, "does not fit into"},
		"offset beyond":        {0x28, 64 << 10, "does not fit into"},
		"longer than the area": {0x30, 64 << 10, "does not fit into"},
		"area beyond the end":  {0x20, 1 << 20, "does not fit into"},
		"elsewhere":            {0x18, 512, "says that it starts at byte 512"},
		"another version":      {0x14, 2, "version 2 is not supported"},
	} {
		bad := bytes.Clone(disk)
		if tt.at == 0x14 {
			le.PutUint32(bad[4096+tt.at:], uint32(tt.val))
		} else {
			le.PutUint64(bad[4096+tt.at:], tt.val)
		}
		fixLVM(bad)
		if _, err := readLVMText(bytes.NewReader(bad), int64(len(bad)), lvmExtent{4096, 64 << 10}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Not checked by any sum but the header's.
	disk[4096+4] = 'x'
	if _, err := readLVMText(bytes.NewReader(disk), int64(len(disk)), lvmExtent{4096, 64 << 10}); err == nil || !strings.Contains(err.Error(), "no header") {
		t.Errorf("no magic: %v", err)
	}
}

// groupOf opens disks of a group.
func groupOf(t testing.TB, disks ...[]byte) *Image {
	var paths []string
	for i, d := range disks {
		paths = append(paths, tempFile(t, fmt.Sprintf("pv%d", i), d))
	}
	return openSeveral(t, paths)
}

// A group is what the newest text says whose checksum is right, whichever disk has it.
func TestLVMNewest(t *testing.T) {
	linear := func(name string) string {
		return lv(name, `start_extent = 0 extent_count = 4 type = "striped" stripe_count = 1 stripes = ["b", 2]`)
	}
	older := lvmDisk(1<<20, pvA, vgText(3, linear("older")), 4096)
	newer := lvmDisk(1<<20, pvB, vgText(4, linear("newer")), 4096)
	both := lvmDisk(1<<20, pvB, vgText(4, linear("newer")), 4096, 1<<19)
	broken := bytes.Clone(newer)
	broken[bytes.Index(broken, []byte("Text Format"))] ^= 1
	half := bytes.Clone(both) // the first area is damaged, the second is not
	half[bytes.Index(half, []byte("Text Format"))] ^= 1
	none := lvmDisk(1<<20, pvB, "")
	for name, tt := range map[string]struct {
		disks    [][]byte
		want     string
		warnings int // of the table
	}{
		"both":             {[][]byte{older, newer}, "vg0/newer", 0},
		"other order":      {[][]byte{newer, older}, "vg0/newer", 0},
		"damaged":          {[][]byte{older, broken}, "vg0/older", 0},
		"damaged first":    {[][]byte{broken, older}, "vg0/older", 0},
		"one area damaged": {[][]byte{half, older}, "vg0/newer", 0},
		"only damaged":     {[][]byte{broken}, "vg0/newer", 2}, // as it is, and pv a missing
		"without metadata": {[][]byte{none, older}, "vg0/older", 0},
	} {
		im := groupOf(t, tt.disks...)
		table := volumesOf(t, im)
		var names []string
		for _, p := range table.Partitions {
			if p.Kind == "lv" {
				names = append(names, p.Name)
			}
		}
		if !slices.Equal(names, []string{tt.want}) || len(table.Warnings) != tt.warnings {
			t.Errorf("%s: %q, warnings %q", name, names, table.Warnings)
		}
	}
}

// What cannot be is an error of the one volume; the others are there.
func TestLVMHostile(t *testing.T) {
	one := `start_extent = 0 extent_count = 4 type = "striped" stripe_count = 1 stripes = `
	volumes := map[string]struct{ text, want string }{
		"good":    {lv("good", one+`["a", 0]`), ""},
		"zero":    {lv("zero", `start_extent = 0 extent_count = 4 type = "zero"`), ""},
		"self":    {lv("self", one+`["self", 0]`), "part of itself"},
		"loopa":   {lv("loopa", one+`["loopb", 0]`), "part of itself"},
		"loopb":   {lv("loopb", one+`["loopa", 0]`), "part of itself"},
		"nowhere": {lv("nowhere", one+`[]`), "lies nowhere"},
		"unknown": {lv("unknown", one+`["c", 0]`), `"c" is not in the group`},
		"beyond":  {lv("beyond", one+`["a", 64]`), `extent 64 of "a", which has 64`},
		"gap":     {lv("gap", `start_extent = 1 extent_count = 4 type = "striped" stripes = ["a", 0]`), "where the segment before does not end"},
		"odd":     {lv("odd", `start_extent = 0 extent_count = 5 type = "striped" stripe_size = 8 stripes = ["a", 0, "b", 0]`), "do not divide"},
		"stripe0": {lv("stripe0", `start_extent = 0 extent_count = 4 type = "striped" stripe_size = 0 stripes = ["a", 0, "b", 0]`), "do not divide"},
		"huge":    {lv("huge", `start_extent = 0 extent_count = 4294967295 type = "striped" stripes = ["a", 0]`), ""},
		"minus":   {lv("minus", `start_extent = 0 extent_count = -1 type = "striped" stripes = ["a", 0]`), "that can be"},
		"empty":   {lv("empty"), "has no segments"},
		"numbers": {lv("numbers", one+`[0, 0]`), "none of volumes"},
		"raidodd": {lv("raidodd", `start_extent = 0 extent_count = 4 type = "raid1" raids = ["good"]`), "none of volumes"},
		"cache":   {lv("cache", `start_extent = 0 extent_count = 4 type = "cache" origin = "good"`), "cache is not supported"},
		"vdo":     {lv("vdo", `start_extent = 0 extent_count = 4 type = "vdo"`), "vdo is not supported"},
		"legs":    {lv("legs", `start_extent = 0 extent_count = 1 type = "mirror" mirrors = [`+strings.Repeat(`"a", 0,`, 11)+`]`), "11 copies"},
		"m1":      {lv("m1", `start_extent = 0 extent_count = 1 type = "mirror" mirrors = ["a", 0, "b", 0]`), ""},
		"m2":      {lv("m2", `start_extent = 0 extent_count = 1 type = "mirror" mirrors = ["m1", 0, "b", 0]`), ""},
		"m3":      {lv("m3", `start_extent = 0 extent_count = 1 type = "mirror" mirrors = ["m2", 0, "b", 0]`), "mirror of mirrors"},
	}
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(volumes)) {
		all.WriteString(volumes[name].text)
	}
	disk := lvmDisk(1<<20, pvA, vgText(1, all.String()), 4096)
	im := groupOf(t, disk)
	for name, tt := range volumes {
		p := named(t, im, "vg0/"+name)
		if tt.want == "" {
			if p.State != "" && name != "huge" {
				t.Errorf("%s: %+v", name, p)
			}
		} else if p.State == "" || !strings.Contains(p.Content.Detail, tt.want) {
			t.Errorf("%s: %s %s", name, p.State, p.Content.Detail)
		}
		if n, err := im.Section(p).ReadAt(make([]byte, 100), 0); (err == nil) != (tt.want == "") {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if p := named(t, im, "vg0/huge"); p.State != StateIncomplete || p.Length-p.Available != (4294967295-224)*4096 {
		t.Errorf("huge: %+v", p)
	}
}

// Volumes nest to a depth, and no physical volume is one of two groups.
func TestVolumesInThemselves(t *testing.T) {
	// The volume is the whole of the disk it lies in, label and all.
	text := strings.ReplaceAll(vgText(1, lv("v", `start_extent = 0 extent_count = 256 type = "striped" stripes = ["a", 0]`)), "pe_start = 256 pe_count = 64", "pe_start = 0 pe_count = 256")
	im := groupOf(t, lvmDisk(1<<20, pvA, text, 4096))
	table := volumesOf(t, im)
	if len(table.Partitions) != 2 {
		t.Errorf("got\n%s", outline(table))
	}
	warned(t, table.Partitions[1].Warnings, "was met before, in partition 1")
}

// Of the legs of a RAID 1 that is read which device-mapper's own superblocks call whole.
func TestLVMRaidLegs(t *testing.T) {
	seg := func(extent, count int) string {
		return fmt.Sprintf(`start_extent = 0 extent_count = %d type = "striped" stripe_count = 1 stripes = ["a", %d]`, count, extent)
	}
	text := vgText(1, lv("r", `start_extent = 0 extent_count = 8 type = "raid1" raids = ["m0", "i0", "m1", "i1"]`)+
		lv("i0", seg(0, 8))+lv("i1", seg(8, 8))+lv("m0", seg(16, 1))+lv("m1", seg(17, 1)))
	const at = 128 << 10
	for name, tt := range map[string]struct {
		events, failed, rebuilt [2]uint64
		want                    string
		warn                    []string
	}{
		"none":        {[2]uint64{}, [2]uint64{}, [2]uint64{}, "leg 0", nil},
		"both":        {[2]uint64{5, 5}, [2]uint64{}, [2]uint64{1<<64 - 1, 1<<64 - 1}, "leg 0", nil},
		"behind":      {[2]uint64{3, 9}, [2]uint64{}, [2]uint64{1<<64 - 1, 1<<64 - 1}, "leg 1", nil},
		"one behind":  {[2]uint64{8, 9}, [2]uint64{}, [2]uint64{1<<64 - 1, 1<<64 - 1}, "leg 0", nil},
		"failed":      {[2]uint64{8, 9}, [2]uint64{0, 1}, [2]uint64{1<<64 - 1, 1<<64 - 1}, "leg 1", nil},
		"not rebuilt": {[2]uint64{9, 9}, [2]uint64{}, [2]uint64{100, 1<<64 - 1}, "leg 1", nil},
		"neither":     {[2]uint64{9, 9}, [2]uint64{}, [2]uint64{100, 100}, "leg 0", []string{"the only copy lies on a member that may lack the last writes"}},
	} {
		d := lvmDisk(1<<20, pvA, text, 4096)
		putExt(d, at, "leg 0")
		putExt(d, at+8*4096, "leg 1")
		for i := range 2 {
			if tt.events[i] == 0 {
				continue
			}
			b := d[at+(16+i)*4096:]
			copy(b, "DmRd")
			le.PutUint64(b[0x10:], tt.events[i])
			le.PutUint64(b[0x18:], tt.failed[i])
			le.PutUint64(b[0x20:], tt.rebuilt[i])
		}
		p := named(t, groupOf(t, d), "vg0/r")
		if p.Content.Label != tt.want {
			t.Errorf("%s: %q, want %q", name, p.Content.Label, tt.want)
		}
		warned(t, p.Warnings, tt.warn...)
	}
}
