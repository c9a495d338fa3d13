package image

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// memImage is an image in memory.
func memImage(name string, b []byte, with ...*Image) *Image {
	return &Image{name: name, format: "raw", size: int64(len(b)), data: bytes.NewReader(b), closer: io.NopCloser(nil), further: with}
}

// FuzzLVMText parses metadata, and maps what volumes it has on disks of some length.
func FuzzLVMText(f *testing.F) {
	f.Add(vgText(1, lv("root", linearA)))
	f.Add(vgText(2, lv("s", `start_extent = 0 extent_count = 4 type = "striped" stripe_count = 2 stripe_size = 8 stripes = ["a", 0, "b", 1]`)))
	f.Add(vgText(3, lv("m", `start_extent = 0 extent_count = 4 type = "mirror" mirrors = ["p", 0, "q", 1]`)+
		lv("p", linearA)+lv("q", linearA, `start_extent = 16 extent_count = 1 type = "zero"`)))
	f.Add(vgText(4, lv("r", `start_extent = 0 extent_count = 4 type = "raid1" raids = ["r0", "p", "r1", "q"]`)+lv("r0", linearA)+lv("p", linearA)+lv("q", linearA)))
	f.Add(vgText(5, lv("snap", linearA)+lv("s0", `start_extent = 0 extent_count = 4 type = "snapshot" cow_store = "snap" origin = "root"`)))
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<16 {
			return
		}
		g, err := decodeLVMGroup(text)
		if err != nil {
			return
		}
		disk := bytes.NewReader(make([]byte, 1<<20))
		members := map[string]area{pvA: {r: disk, room: 1 << 20, name: "a"}}
		m := newLVMMapper(g, members)
		for i := range g.lvs {
			v, err := m.volume(g.lvs[i].name, 0)
			if err != nil {
				if err.Error() == "" {
					t.Error("an error without words")
				}
				continue
			}
			var at int64
			for _, s := range v.segments {
				if s.start != at || s.length <= 0 || s.stripe < 0 || s.stripe == 0 && !s.mirrored && len(s.areas) > 1 {
					t.Fatalf("%s: segment %+v at %d", v.name, s, at)
				}
				at += s.length
			}
			if at != v.size {
				t.Fatalf("%s: %d bytes, segments have %d", v.name, v.size, at)
			}
			peek(t, v, v.size, v.name)
		}
	})
}

// peek reads here and there: whatever happens, it is told by an error with words.
func peek(t *testing.T, r io.ReaderAt, size int64, name string) {
	b := make([]byte, 5000)
	for _, off := range []int64{0, size / 2, size - 100} {
		if off < 0 {
			continue
		}
		n, err := r.ReadAt(b, off)
		if n < 0 || n > len(b) || n < len(b) && err == nil || err != nil && err.Error() == "" {
			t.Fatalf("%s: read %d at %d of %d: %v", name, n, off, size, err)
		}
	}
}

// FuzzMD decodes superblocks.
func FuzzMD(f *testing.F) {
	one := mdMember1(1<<20, 4096, mdRAID1, 2, 1, 7, 64<<10)
	f.Add(one[4096:8192], int64(4096))
	f.Add(one[4096:8192], int64(0))
	zero := make([]byte, mdLen)
	le.PutUint32(zero, mdMagic)
	le.PutUint32(zero[4*2:], 90)
	f.Add(zero, int64(1<<20))
	f.Fuzz(func(t *testing.T, b []byte, at int64) {
		for _, decode := range []func([]byte, int64) (*mdSuper, bool){decodeMD1, decodeMD0} {
			m, ok := decode(b, at)
			if !ok {
				continue
			}
			if m.role() < -1 || len(m.roles) > mdLen/2 || m.content().Type == "" || m.levelName() == "" {
				t.Errorf("%+v", m)
			}
		}
	})
}

// volumeDisks are small disks, two of each kind of volume.
func volumeDisks() [][2][]byte {
	linear := mdMember1(128<<10, 4096, mdLinear, 2, 0, 1, 16<<10)
	mirror := mdMember1(160<<10, 0, mdRAID1, 2, 0, 3, 8<<10)
	putMBR(mirror, 8<<10, 1, slot(0, 0x83, 8, 40), slot(0, 0x82, 48, 8))
	stripes := mdMember1(128<<10, 4096, mdRAID0, 2, 0, 1, 16<<10)
	text := vgText(2, lv("root", linearA)+lv("s", `start_extent = 0 extent_count = 4 type = "striped" stripe_count = 2 stripe_size = 8 stripes = ["a", 0, "b", 1]`)+
		lv("m", `start_extent = 0 extent_count = 4 type = "mirror" mirrors = ["root", 0, "b", 1]`))
	group := lvmDisk(192<<10, pvA, text, 4096)
	putExt(group, 128<<10, "root")
	nested := mdMember1(280<<10, 4096, mdRAID1, 1, 0, 3, 16<<10)
	copy(nested[16<<10:], group)
	return [][2][]byte{
		{linear, mdMember1(128<<10, 4096, mdLinear, 2, 1, 1, 16<<10)},
		{mirror, mdMember1(160<<10, 0, mdRAID1, 2, 1, 4, 8<<10)},
		{stripes, mdMember1(128<<10, 4096, mdRAID0, 2, 1, 1, 16<<10)},
		{group, lvmDisk(192<<10, pvB, text, 4096)},
		{nested, nil},
	}
}

// FuzzVolumes changes two disks at some places, makes checksums right again, and looks at
// all volumes. Disks are given by number, so that what changes is what matters.
func FuzzVolumes(f *testing.F) {
	disks := volumeDisks()
	for i := range disks {
		f.Add(uint8(i), []byte{})
		f.Add(uint8(i), []byte("\x00\x00\x30\x01\x00\x80\x00\x02"))
	}
	f.Fuzz(func(t *testing.T, which uint8, patches []byte) {
		pair := disks[int(which)%len(disks)]
		a, b := bytes.Clone(pair[0]), bytes.Clone(pair[1])
		for ; len(patches) >= 4; patches = patches[4:] { // disk, place, value
			d := a
			if patches[0]&1 != 0 {
				d = b
			}
			at := int(patches[1])<<8 | int(patches[2])
			if patches[0]&2 != 0 {
				at &= 0x1fff // where labels and superblocks lie
			}
			if at < len(d) {
				d[at] = patches[3]
			}
		}
		for _, d := range [][]byte{a, b} {
			if len(d) > 0 {
				fixLVM(d)
				fixMD(d)
				if len(d) > 200<<10 {
					fixLVM(d[16<<10:])
				}
			}
		}
		im := memImage("a", a, memImage("b", b))
		for _, p := range volumesOf(t, im).Partitions {
			s := im.Section(p)
			if p.Number < 1 || p.Content.Type == "" || p.Length < 0 || p.Available < 0 || p.Available > p.Length || s.Size() > p.Length {
				t.Errorf("%+v", p)
			}
			peek(t, s, s.Size(), p.Name)
		}
		for _, sel := range []string{"", "1", "vg0/root"} {
			if _, err := im.Select(sel); err != nil && err.Error() == "" {
				t.Error("an error without words")
			}
		}
	})
}

var corruptions = flag.Int("corruptions", 40, "changed or cut copies of each volume fixture")

// Metadata that is changed anywhere never gives other bytes than before without a word.
func TestVolumeCorruptions(t *testing.T) {
	for _, tt := range []struct {
		files  []string
		region [][2]int // of the first, where its metadata lies
	}{
		{[]string{"lvm/pv1", "lvm/pv0", "lvm/pv2"}, [][2]int{{512, 1024}, {4096, 4608}, {4096, 64 << 10}}},
		{[]string{"md/raid1-1.2.0", "md/raid1-1.2.1"}, [][2]int{{4096, 4096 + 0x180}}},
		{[]string{"md/raid1-0.90.0", "md/raid1-0.90.1"}, [][2]int{{5<<20 - 64<<10, 5<<20 - 60<<10}}},
		{[]string{"md/raid1-1.0.0", "md/raid1-1.0.1"}, [][2]int{{5<<20 - 8<<10, 5<<20 - 8<<10 + 0x180}}},
		{[]string{"md/linear-1.2.1", "md/linear-1.2.0", "md/linear-1.2.2"}, [][2]int{{4096, 4096 + 0x180}}},
		{[]string{"md/raid0-1.2.1", "md/raid0-1.2.0"}, [][2]int{{4096, 4096 + 0x180}}},
	} {
		t.Run(tt.files[0], func(t *testing.T) {
			var bytesOf [][]byte
			for _, path := range volumeFiles(t, tt.files...) {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				bytesOf = append(bytesOf, b)
			}
			image := func(first []byte) *Image {
				var with []*Image
				for i, b := range bytesOf[1:] {
					with = append(with, memImage(fmt.Sprint(i), b))
				}
				return memImage("first", first, with...)
			}
			whole := image(bytesOf[0])
			want := map[string]Partition{}
			for _, p := range volumesOf(t, whole).Partitions {
				want[p.Name] = p
			}
			r := rand.New(rand.NewPCG(2, 3))
			for range *corruptions {
				b := bytes.Clone(bytesOf[0])
				if r.IntN(4) == 0 {
					b = b[:r.IntN(len(b))]
				} else {
					region := tt.region[r.IntN(len(tt.region))]
					for range 1 + r.IntN(3) {
						b[region[0]+r.IntN(region[1]-region[0])] ^= 1 << r.IntN(8)
					}
				}
				im := image(b)
				table, err := im.Partitions()
				if err != nil {
					continue
				}
				for _, p := range table.Partitions {
					if p.Kind != "lv" && p.Kind != "array" || p.State == StateUnsupported || p.State == StateDamaged {
						continue
					}
					was, ok := want[p.Name]
					if !ok || p.Length != was.Length && p.TypeName != "linear" {
						t.Fatalf("a volume of its own: %+v", p)
					}
					got, before := make([]byte, 8<<10), make([]byte, 8<<10)
					for range 20 {
						off := r.Int64N(p.Length)
						n, err := im.Section(p).ReadAt(got, off)
						if _, werr := whole.Section(was).ReadAt(before, off); werr != nil && werr != io.EOF {
							t.Fatal(werr)
						}
						var missing *MissingError
						if !bytes.Equal(got[:n], before[:n]) || err != nil && err != io.EOF && !errors.As(err, &missing) {
							t.Fatalf("%s, %d bytes at %d: %v\n%s", p.Name, n, off, err, strings.Join(table.Warnings, "\n"))
						}
					}
				}
			}
		})
	}
}
