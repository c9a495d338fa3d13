package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// volumeFiles unpacks disks of testdata/volumes.
func volumeFiles(t testing.TB, names ...string) []string {
	t.Helper()
	var paths []string
	for _, name := range names {
		paths = append(paths, exttest.Stored(t, "volumes", name))
	}
	return paths
}

// volumeTruth is what the kernel read of the volumes: size and SHA-256 by case and name.
func volumeTruth(t testing.TB) map[string]string {
	t.Helper()
	b, err := os.ReadFile("../testdata/volumes/truth.txt")
	if err != nil {
		t.Fatal(err)
	}
	truth := map[string]string{}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		truth[f[0]+" "+f[1]] = f[2] + " " + f[3]
	}
	return truth
}

// openSeveral opens the first of paths with the others.
func openSeveral(t testing.TB, paths []string) *Image {
	t.Helper()
	im, err := Open(paths[0], Options{With: paths[1:]})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { im.Close() })
	return im
}

func volumesOf(t testing.TB, im *Image) *Table {
	t.Helper()
	table, err := im.Partitions()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// named is the volume of that name.
func named(t testing.TB, im *Image, name string) Partition {
	t.Helper()
	table := volumesOf(t, im)
	for _, p := range table.Partitions {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no volume %q in:\n%s", name, outline(table))
	return Partition{}
}

// outline tells of volumes, a line each.
func outline(table *Table) string {
	var b strings.Builder
	for _, p := range table.Partitions {
		fmt.Fprintf(&b, "%d<%d %s %s %q %s: %s", p.Number, p.Parent, p.Scheme, p.Kind, p.Name, p.TypeName, p.Content.Type)
		if p.State != "" {
			fmt.Fprintf(&b, ", %s", p.State)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// sum is the size and SHA-256 of a volume, by pieces that are no multiple of any stripe.
func sum(t testing.TB, r *Section) string {
	t.Helper()
	h := sha256.New()
	n, err := io.CopyBuffer(h, struct{ io.Reader }{r}, make([]byte, 13_331))
	if err != nil {
		t.Fatalf("at byte %d: %v", n, err)
	}
	return fmt.Sprintf("%d %s", n, hex.EncodeToString(h.Sum(nil)))
}

// What the kernel's arrays hold is read from their members: from one alone of a mirror,
// and in whatever order members are given.
func TestArrays(t *testing.T) {
	truth := volumeTruth(t)
	for _, tt := range []struct {
		name, files, level string
		warnings           []string
	}{
		{"raid1-0.90", "0", "raid1", []string{"1 of 2 members missing"}},
		{"raid1-0.90", "1 0", "raid1", nil},
		{"raid1-1.0", "0", "raid1", []string{"1 of 2 members missing"}},
		{"raid1-1.0", "0 1", "raid1", nil},
		{"raid1-1.1", "1", "raid1", []string{"1 of 2 members missing"}},
		{"raid1-1.2", "0", "raid1", []string{"2 of 3 members missing"}},
		{"raid1-1.2", "1 0", "raid1", []string{"1 of 3 members missing"}},
		{"raid1-stale", "0 1", "raid1", []string{"partition 1 is behind: it has", "1 of 2 members missing"}},
		{"raid1-stale", "1", "raid1", []string{"1 of 2 members missing"}},
		{"linear-1.2", "0 1 2", "linear", nil},
		{"linear-1.2", "2 0 1", "linear", nil},
		{"linear-0.90", "1 0", "linear", nil},
		{"raid0-1.2", "0 1", "raid0", nil},
		{"raid0-1.2", "1 0", "raid0", nil},
	} {
		t.Run(tt.name+" "+tt.files, func(t *testing.T) {
			var names []string
			for _, i := range strings.Fields(tt.files) {
				names = append(names, "md/"+tt.name+"."+i)
			}
			im := openSeveral(t, volumeFiles(t, names...))
			table := volumesOf(t, im)
			p, err := im.Select("")
			if err != nil {
				t.Fatalf("%v\n%s", err, outline(table))
			}
			if p.TypeName != tt.level || p.Kind != "array" || p.Scheme != "md" || p.State != "" || len(p.Members) != len(names) {
				t.Errorf("got %+v", p)
			}
			if !strings.HasSuffix(tt.name, "0.90") && p.Name != "any:"+tt.name {
				t.Errorf("name %q", p.Name)
			}
			if got, want := sum(t, im.Section(p)), truth[tt.name+" md"]; got != want {
				t.Errorf("got %s, the kernel read %s", got, want)
			}
			warned(t, p.Warnings, tt.warnings...)
			warned(t, table.Warnings)
		})
	}
}

// The member that a mirror went on without is alone what it was when it was left.
func TestStaleMemberAlone(t *testing.T) {
	im := openSeveral(t, volumeFiles(t, "md/raid1-stale.0"))
	p, err := im.Select("")
	if err != nil || p.Content.Label != "before" {
		t.Errorf("%+v, %v", p, err)
	}
	im = openSeveral(t, volumeFiles(t, "md/raid1-stale.0", "md/raid1-stale.1"))
	if p, err = im.Select(""); err != nil || p.Content.Label != "after" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestArraysNamed(t *testing.T) {
	for name, want := range map[string]string{"raid5-1.2": "raid5 is not supported", "raid10-1.0": "raid10 is not supported"} {
		im := openSeveral(t, volumeFiles(t, "md/"+name+".0", "md/"+name+".1"))
		p := named(t, im, "any:"+name)
		if p.State != StateUnsupported || p.Content.Detail != want || im.Section(p).Size() != 0 {
			t.Errorf("%s: %+v", name, p)
		}
		// What a member's first bytes look like is not the file system.
		if _, err := im.Select(""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What lies on members that are not there is an error with its range, the rest is read.
func TestArrayMissing(t *testing.T) {
	whole := openSeveral(t, volumeFiles(t, "md/raid0-1.2.0", "md/raid0-1.2.1"))
	all := named(t, whole, "any:raid0-1.2")
	half := openSeveral(t, volumeFiles(t, "md/raid0-1.2.1"))
	p := named(t, half, "any:raid0-1.2")
	if p.State != StateIncomplete || p.Length != all.Length || p.Available != all.Length/2 {
		t.Errorf("got %+v", p)
	}
	want, got := make([]byte, 16<<10), make([]byte, 16<<10)
	for off := int64(0); off < p.Length; off += 16 << 10 {
		n, err := half.Section(p).ReadAt(got, off)
		if off/(16<<10)%2 == 0 {
			var missing *MissingError
			if n != 0 || !errors.As(err, &missing) || missing.Offset != off || missing.Length != 16<<10 ||
				missing.Error() != fmt.Sprintf("bytes %d to %d of any:raid0-1.2: member 0 is missing", off, off+16<<10-1) {
				t.Fatalf("byte %d: %d, %v", off, n, err)
			}
			continue
		}
		if _, werr := whole.Section(all).ReadAt(want, off); err != nil || werr != nil || !bytes.Equal(got, want) {
			t.Fatalf("byte %d: %v, %v", off, err, werr)
		}
	}
	// A linear array ends where it is not known how long the next member is.
	first := openSeveral(t, volumeFiles(t, "md/linear-1.2.0"))
	p = named(t, first, "any:linear-1.2")
	warned(t, p.Warnings, "2 of 3 members missing", "member 1 is missing, and how long it is")
	if p.Content.Type != "ext4" {
		t.Errorf("got %+v", p)
	}
	last := openSeveral(t, volumeFiles(t, "md/linear-1.2.2"))
	if p = named(t, last, "any:linear-1.2"); p.State != StateDamaged {
		t.Errorf("got %+v", p)
	}
}

var groupDisks = []string{"lvm/pv0", "lvm/pv1", "lvm/pv2"}

func TestGroup(t *testing.T) {
	truth := volumeTruth(t)
	im := openSeveral(t, volumeFiles(t, groupDisks...))
	table := volumesOf(t, im)
	warned(t, table.Warnings)
	for _, tt := range []struct{ name, kind, state string }{
		{"linear", "linear", ""}, {"striped", "striped", ""}, {"gap", "linear", ""}, {"mirror", "mirror", ""}, {"raid1", "raid1", ""},
		{"raid0", "raid0", ""}, {"origin", "linear", ""}, {"snap", "snapshot of origin", StateUnsupported},
		{"pool", "thin-pool", StateUnsupported}, {"thin", "thin", StateUnsupported},
	} {
		name := "vg0/" + tt.name
		p := named(t, im, name)
		if p.TypeName != tt.kind || p.State != tt.state || p.Kind != "lv" || p.Scheme != "lvm2" || len(p.Warnings) > 0 {
			t.Errorf("%s: %+v", name, p)
		}
		if want := truth["lvm "+name]; want != "" {
			if got := sum(t, im.Section(p)); got != want {
				t.Errorf("%s: got %s, the kernel read %s", name, got, want)
			}
			if sel, err := im.Select(name); err != nil || sel.Number != p.Number || sel.Content.Label != tt.name {
				t.Errorf("%s: %+v, %v", name, sel, err)
			}
			if sel, err := im.Select(p.UUID); err != nil || sel.Number != p.Number {
				t.Errorf("%s: %+v, %v", p.UUID, sel, err)
			}
		}
	}
	for _, p := range table.Partitions {
		if strings.ContainsAny(p.Name, "_") {
			t.Errorf("%s is a part, not a volume", p.Name)
		}
	}
	// One disk alone: mirrors are whole, the others name what they lack.
	for i, disk := range groupDisks {
		im := openSeveral(t, volumeFiles(t, disk))
		table := volumesOf(t, im)
		if len(table.Warnings) != 2 {
			t.Errorf("%s: %q", disk, table.Warnings)
		}
		for name, on := range map[string]string{"mirror": "01", "raid1": "12", "linear": "", "striped": "", "raid0": "", "gap": "0", "origin": "2"} {
			p := named(t, im, "vg0/"+name)
			if whole := strings.Contains(on, fmt.Sprint(i)); whole != (p.State == "") {
				t.Errorf("%s, %s: %q", disk, name, p.State)
			} else if want := truth["lvm vg0/"+name]; whole && want != "" {
				if got := sum(t, im.Section(p)); got != want {
					t.Errorf("%s, %s: got %s, the kernel read %s", disk, name, got, want)
				}
			}
		}
	}
}

// A group lies in what may lie in others: encryption in a partition, or a mirror; and
// its volumes may be disks of machines, with tables of their own.
func TestNested(t *testing.T) {
	truth := volumeTruth(t)
	im := openSeveral(t, volumeFiles(t, "nested/guest1", "nested/guest0"))
	table := volumesOf(t, im)
	want := `1<0 none whole "" : Linux RAID member
2<0 none whole "" : Linux RAID member
3<1 md array "any:guests" raid1: LVM2 member
4<3 lvm2 lv "vgmd/disk" linear: MBR partition table
5<4 mbr primary "" Linux: ext4
6<4 mbr primary "" Linux: zeros
`
	if got := outline(table); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for sel, key := range map[string]string{"": "guest guest1", "5": "guest guest1", "guest1": "guest guest1"} {
		p, err := im.Select(sel)
		if err != nil {
			t.Fatal(err)
		}
		if got := sum(t, im.Section(p)); got != truth[key] {
			t.Errorf("%q: got %s, the kernel read %s", sel, got, truth[key])
		}
	}
	im = openSeveral(t, volumeFiles(t, "nested/disk"))
	want = `1<0 gpt gpt "boot" Linux file system: ext4
2<0 gpt gpt "system" Linux file system: LUKS2, locked
`
	if got := outline(volumesOf(t, im)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if p, err := im.Select(""); err != nil || sum(t, im.Section(p)) != truth["nested boot"] {
		t.Errorf("%+v, %v", p, err)
	}
}
