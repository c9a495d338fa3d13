package image

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// mdMember1 is a member of size bytes with a superblock of version 1 at byte at: device
// number of an array of disks that has the given events, data from byte data on.
func mdMember1(size, at, level, disks, number, events, data int) []byte {
	d := make([]byte, size)
	b := d[at:]
	le.PutUint32(b, mdMagic)
	le.PutUint32(b[0x4:], 1)
	copy(b[0x10:], uuidBytes)
	copy(b[0x20:], "host:0")
	le.PutUint32(b[0x48:], uint32(level))
	le.PutUint64(b[0x50:], uint64(size-data-16384)/512)
	le.PutUint32(b[0x58:], 8)
	le.PutUint32(b[0x5c:], uint32(disks))
	le.PutUint64(b[0x80:], uint64(data)/512)
	le.PutUint64(b[0x88:], uint64(size-data-16384)/512)
	le.PutUint64(b[0x90:], uint64(at)/512)
	le.PutUint32(b[0xa0:], uint32(number))
	le.PutUint64(b[0xc8:], uint64(events))
	le.PutUint32(b[0xdc:], 8)
	for i := range 8 {
		role := uint16(0xffff)
		if i < disks {
			role = uint16(i)
		}
		le.PutUint16(b[0x100+2*i:], role)
	}
	fixMD(d)
	return d
}

// fixMD makes the checksum of a member's superblock right, if it has one.
func fixMD(d []byte) {
	one, zero := mdPlaces(int64(len(d)))
	for _, at := range one {
		if at+0x100 > int64(len(d)) || le.Uint32(d[at:]) != mdMagic {
			continue
		}
		if n := 0x100 + 2*int64(le.Uint32(d[at+0xdc:])); n <= int64(len(d))-at && n <= mdLen {
			le.PutUint32(d[at+0xd8:], mdSum(d[at:at+n], 0xd8))
		}
	}
	if zero > 0 && le.Uint32(d[zero:]) == mdMagic {
		le.PutUint32(d[zero+4*38:], mdSum(d[zero:zero+mdLen], 4*38))
	}
}

// Each member that the kernel wrote is read as mdadm reads it.
func TestMDAgainstMdadm(t *testing.T) {
	exttest.Tool(t, "mdadm")
	entries, err := os.ReadDir("../testdata/volumes/md")
	if err != nil {
		t.Fatal(err)
	}
	field := func(out, name string) string {
		m := regexp.MustCompile(`(?m)^ *` + name + ` : (.*)$`).FindStringSubmatch(out)
		if m == nil {
			return ""
		}
		return strings.TrimSpace(m[1])
	}
	for _, e := range entries {
		path := volumeFiles(t, "md/"+strings.TrimSuffix(e.Name(), ".gz"))[0]
		out := command(t, "", "mdadm", "--examine", path)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m := findMD(bytes.NewReader(b), int64(len(b)))
		if m == nil {
			t.Errorf("%s: nothing found", e.Name())
			continue
		}
		h := strings.ReplaceAll(m.set, "-", "")
		uuid := strings.Join([]string{h[:8], h[8:16], h[16:24], h[24:]}, ":")
		got := map[string]string{
			"Magic": "a92b4efc", "Version": m.version, "Raid Level": m.levelName(), "Raid Devices": fmt.Sprint(m.disks),
			"Events": fmt.Sprint(m.events),
		}
		if m.version == "0.90" {
			got["Version"], got["UUID"] = "0.90.00", uuid
			if used := field(out, "Used Dev Size"); used != "0" && used != "" {
				got["Used Dev Size"] = strings.Fields(used)[0] + strings.TrimPrefix(used, fmt.Sprint(m.used/1024))
			}
		} else {
			got["Array UUID"] = uuid
			if m.version != "1.0" { // where it is none
				got["Data Offset"] = fmt.Sprintf("%d sectors", m.dataAt/512)
			}
			got["Super Offset"] = fmt.Sprintf("%d sectors", m.at/512)
			got["Device Role"] = fmt.Sprintf("Active device %d", m.role())
			if size := field(out, "Avail Dev Size"); !strings.HasPrefix(size, fmt.Sprintf("%d sectors", m.dataLen/512)) {
				t.Errorf("%s: %d sectors of data, mdadm says %s", e.Name(), m.dataLen/512, size)
			}
			if name := field(out, "Name"); !strings.HasPrefix(name, m.name) || m.name == "" {
				t.Errorf("%s: name %q, mdadm says %q", e.Name(), m.name, name)
			}
		}
		if m.chunk != 0 && field(out, "Chunk Size") != "" {
			got["Chunk Size"] = fmt.Sprintf("%dK", m.chunk/1024)
		}
		for name, v := range got {
			if want := field(out, name); v != want && !(name == "Magic" && want != "") {
				t.Errorf("%s: %s is %q, mdadm says %q", e.Name(), name, v, want)
			}
		}
		if sum := field(out, "Checksum"); m.crcOK != strings.HasSuffix(sum, "- correct") {
			t.Errorf("%s: checksum holds: %v, mdadm says %s", e.Name(), m.crcOK, sum)
		}
		// A changed byte is found by the sum, as by mdadm's.
		b[m.at+0x48] ^= 4
		if m = findMD(bytes.NewReader(b), int64(len(b))); m.crcOK {
			t.Errorf("%s: the checksum of a changed superblock holds", e.Name())
		}
	}
}

// The members that tests make are what mdadm takes for sound.
func TestMDFixture(t *testing.T) {
	path := tempFile(t, "member", mdMember1(1<<20, 4096, mdRAID1, 2, 1, 7, 64<<10))
	out := command(t, "", "mdadm", "--examine", path)
	for _, want := range []string{"- correct", "Active device 1", "Raid Level : raid1", "Data Offset : 128 sectors", "Events : 7"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestDecodeMD(t *testing.T) {
	good := mdMember1(1<<20, 4096, mdRAID1, 2, 1, 7, 64<<10)[4096:]
	m, ok := decodeMD1(good, 4096)
	if !ok || !m.crcOK || m.version != "1.2" || m.role() != 1 || m.level != 1 || m.disks != 2 || m.events != 7 ||
		m.dataAt != 64<<10 || m.name != "host:0" || m.set != testUUID || !slices.Equal(m.roles, []int{0, 1, -1, -1, -1, -1, -1, -1}) {
		t.Errorf("%+v, %v", m, ok)
	}
	for name, tt := range map[string]struct {
		change func(b []byte)
		check  func(m *mdSuper, ok bool) bool
	}{
		"too many roles": {func(b []byte) { le.PutUint32(b[0xdc:], 1<<31-1) }, func(m *mdSuper, ok bool) bool { return ok && !m.crcOK && m.role() == -1 }},
		"far number":     {func(b []byte) { le.PutUint32(b[0xa0:], 1<<31-1) }, func(m *mdSuper, ok bool) bool { return ok && m.role() == -1 }},
		"data too far":   {func(b []byte) { le.PutUint64(b[0x80:], 1<<60) }, func(m *mdSuper, ok bool) bool { return ok && m.dataAt == -1 }},
		"elsewhere":      {func(b []byte) { le.PutUint64(b[0x90:], 16) }, func(_ *mdSuper, ok bool) bool { return !ok }},
		"no magic":       {func(b []byte) { b[0] = 0 }, func(_ *mdSuper, ok bool) bool { return !ok }},
		"rebuilding":     {func(b []byte) { b[8] = 2 }, func(m *mdSuper, ok bool) bool { return ok && m.filling }},
		"reshaping":      {func(b []byte) { b[8] = 4 }, func(m *mdSuper, ok bool) bool { return ok && m.reshape }},
	} {
		b := bytes.Clone(good)
		tt.change(b)
		if m, ok := decodeMD1(b, 4096); !tt.check(m, ok) {
			t.Errorf("%s: %+v, %v", name, m, ok)
		}
	}
	if _, ok := decodeMD1(good[:0xff], 4096); ok {
		t.Error("a short one was decoded")
	}
}

// What mirrors tell of each other decides which of them is read.
func TestMDWhich(t *testing.T) {
	member := func(number, events int, label string, change func(b []byte)) []byte {
		d := mdMember1(1<<20, 4096, mdRAID1, 3, number, events, 64<<10)
		putExt(d, 64<<10, label)
		if change != nil {
			change(d[4096:])
			fixMD(d)
		}
		return d
	}
	fail := func(n int) func([]byte) { return func(b []byte) { le.PutUint16(b[0x100+2*n:], 0xfffe) } }
	for name, tt := range map[string]struct {
		disks [][]byte
		want  string // label of the file system
		warn  []string
	}{
		"newest":           {[][]byte{member(0, 5, "old", nil), member(1, 9, "new", nil)}, "new", []string{"partition 1 is behind: it has 5 events, the newest has 9", "2 of 3"}},
		"one event behind": {[][]byte{member(0, 8, "first", nil), member(1, 9, "second", nil)}, "second", []string{"1 of 3"}},
		"failed":           {[][]byte{member(0, 9, "failed", nil), member(1, 9, "other", fail(0))}, "failed", []string{"1 of 3"}},
		"failed, newer":    {[][]byte{member(0, 8, "failed", nil), member(1, 9, "other", fail(0))}, "other", []string{"partition 1 is behind", "2 of 3"}},
		"rebuilt":          {[][]byte{member(0, 9, "half", func(b []byte) { b[8] = 2 }), member(1, 9, "whole", nil)}, "whole", []string{"partition 1 was being rebuilt", "2 of 3"}},
		"only rebuilt":     {[][]byte{member(0, 9, "half", func(b []byte) { b[8] = 2 })}, "half", []string{"partition 1 was being rebuilt", "3 of 3", "the only copy"}},
		"spare":            {[][]byte{member(5, 9, "spare", nil), member(1, 9, "whole", nil)}, "whole", []string{"2 of 3"}},
		"same place":       {[][]byte{member(1, 9, "first", nil), member(1, 9, "again", nil)}, "first", []string{"partition 2 has the place of another", "2 of 3"}},
		"bad blocks":       {[][]byte{member(1, 9, "x", func(b []byte) { b[8] = 8; b[0xba] = 1 })}, "x", []string{"list of bad blocks", "2 of 3"}},
	} {
		im := groupOf(t, tt.disks...)
		p := named(t, im, "host:0")
		if p.Content.Label != tt.want {
			t.Errorf("%s: %q, want %q", name, p.Content.Label, tt.want)
		}
		warned(t, p.Warnings, tt.warn...)
	}
	for name, change := range map[string]func(b []byte){
		"no size":        func(b []byte) { le.PutUint64(b[0x50:], 0) },
		"data elsewhere": func(b []byte) { le.PutUint64(b[0x80:], 1<<40) },
		"many disks":     func(b []byte) { b[0x5f] = 0x10 },
		"no disks":       func(b []byte) { clear(b[0x5c:0x60]) },
		"no set":         func(b []byte) { clear(b[0x10:0x20]) },
	} {
		table := volumesOf(t, groupOf(t, member(0, 1, "x", change)))
		if last := table.Partitions[len(table.Partitions)-1]; last.State != StateDamaged {
			t.Errorf("%s:\n%s", name, outline(table))
		}
	}
	d := member(0, 1, "x", nil)
	d[4096+0x20] ^= 1
	table := volumesOf(t, groupOf(t, d))
	if len(table.Partitions) != 1 || table.Partitions[0].State != StateDamaged {
		t.Errorf("wrong checksum:\n%s", outline(table))
	}
	if p := named(t, groupOf(t, member(0, 1, "x", func(b []byte) { b[8] = 4 })), "host:0"); p.State != StateUnsupported {
		t.Errorf("reshaped: %+v", p)
	}
}
