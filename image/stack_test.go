package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// A veil stands for encryption: bytes behind a header, each changed the same way.
type veil struct{ r io.ReaderAt }

const veilAt = 4096

func (v *veil) ReadAt(p []byte, off int64) (int, error) {
	n, err := v.r.ReadAt(p, off+veilAt)
	for i := range p[:n] {
		p[i] ^= 0x5a
	}
	return n, err
}

func veiled(b []byte) []byte {
	out := make([]byte, veilAt, veilAt+len(b))
	copy(out, "LUKS\xba\xbe\x00\x02")
	copy(out[0xa8:], testUUID)
	for _, c := range b {
		out = append(out, c^0x5a)
	}
	return out
}

// unveil is how a stack opens what is veiled, with the key "open".
func unveil(r io.ReaderAt, size int64, passphrase func() ([]byte, error)) (io.ReaderAt, int64, error) {
	key, err := passphrase()
	if err != nil {
		return nil, 0, err
	}
	if string(key) != "open" {
		return nil, 0, errors.New("no key fits")
	}
	return &veil{r}, size - veilAt, nil
}

// lockedImage opens disks with a key, and counts how often it is asked for.
func lockedImage(t *testing.T, key string, disks ...[]byte) (im *Image, asked *[]string) {
	t.Helper()
	im, asked = groupOf(t, disks...), &[]string{}
	im.options.Passphrase = func(volume string) ([]byte, error) {
		*asked = append(*asked, volume)
		return []byte(key), nil
	}
	var err error
	if im.stack, err = newStack(im); err != nil {
		t.Fatal(err)
	}
	im.stack.unlock = unveil
	return im, asked
}

// extLV is a group on one disk with a file system in its volume.
func extLV(uuid, text, label string, extent int) []byte {
	d := lvmDisk(1<<20, uuid, text, 4096)
	putExt(d, 128<<10+extent*4096, label)
	return d
}

const linearA = `start_extent = 0 extent_count = 16 type = "striped" stripe_count = 1 stripes = ["a", 0]`

// lockedDisk has /boot, and a group behind encryption.
func lockedDisk() []byte {
	disk := make([]byte, 4<<20)
	putGPT(disk, gptSpec{parts: []gptEntry{{1, linuxGUID, guidA, 64, 1063, 0, "boot"}, {2, linuxGUID, guidB, 2048, 6143, 0, "system"}}})
	putExt(disk, 64*512, "boot")
	copy(disk[2048*512:], veiled(extLV(pvA, vgText(1, lv("root", linearA)), "root", 0)))
	return disk
}

func TestStackLocked(t *testing.T) {
	const locked = `1<0 gpt gpt "boot" Linux file system: ext4
2<0 gpt gpt "system" Linux file system: LUKS2, locked
`
	const open = `1<0 gpt gpt "boot" Linux file system: ext4
2<0 gpt gpt "system" Linux file system: LUKS2
3<2 luks decrypted "" LUKS2: LVM2 member
4<3 lvm2 lv "vg0/root" linear: ext4
`
	im, asked := lockedImage(t, "open", lockedDisk())
	if p, err := im.Select("boot"); err != nil || p.Number != 1 || len(*asked) != 0 {
		t.Errorf("%+v, %v, asked %q", p, err, *asked)
	}
	if got := outline(im.stack.table); got != locked {
		t.Errorf("got\n%s", got)
	}
	p, err := im.Select("vg0/root")
	if err != nil || p.Content.Label != "root" || p.Start != -1 {
		t.Errorf("%+v, %v", p, err)
	}
	if want := []string{"partition 2, LUKS2 UUID " + testUUID}; !slices.Equal(*asked, want) {
		t.Errorf("asked %q, want %q", *asked, want)
	}
	if got := outline(volumesOf(t, im)); got != open || len(*asked) != 1 {
		t.Errorf("asked %q, got\n%s", *asked, got)
	}
	var several *AmbiguousError
	if _, err := im.Select(""); !errors.As(err, &several) || len(several.Candidates) != 2 {
		t.Errorf("%v", err)
	}

	im, asked = lockedImage(t, "wrong", lockedDisk())
	if p, err := im.Select(""); err != nil || p.Number != 1 || len(*asked) != 1 {
		t.Errorf("%+v, %v, asked %q", p, err, *asked)
	}
	table := volumesOf(t, im)
	if got := outline(table); got != locked || len(*asked) != 1 {
		t.Errorf("asked %q, got\n%s", *asked, got)
	}
	warned(t, table.Partitions[1].Warnings, "stays locked: no key fits")
	var none *NoSuchPartitionError
	if _, err := im.Select("vg0/root"); !errors.As(err, &none) {
		t.Errorf("%v", err)
	}
}

// A group is put together when what its members may lie in is open.
func TestStackWaits(t *testing.T) {
	text := vgText(1, lv("root", `start_extent = 0 extent_count = 16 type = "striped" stripe_count = 1 stripes = ["b", 0]`))
	im, _ := lockedImage(t, "open", extLV(pvA, text, "", 0), veiled(extLV(pvB, text, "root", 0)))
	p, err := im.Select("vg0/root")
	if err != nil || p.Content.Label != "root" || p.State != "" {
		t.Errorf("%+v, %v\n%s", p, err, outline(volumesOf(t, im)))
	}
	// The same for a linear array.
	first, second := mdMember1(512<<10, 4096, mdLinear, 2, 0, 1, 64<<10), mdMember1(512<<10, 4096, mdLinear, 2, 1, 1, 64<<10)
	putExt(first, 64<<10, "long")
	im, _ = lockedImage(t, "open", veiled(second), first)
	if p, err = im.Select(""); err != nil || p.Kind != "array" || p.Length != 2*(512-64-16)<<10 || p.State != "" {
		t.Errorf("%+v, %v\n%s", p, err, outline(volumesOf(t, im)))
	}
}

// Whatever lies in itself ends at a depth.
func TestStackDepth(t *testing.T) {
	im, asked := lockedImage(t, "open", veiled(make([]byte, 64<<10)))
	im.stack.unlock = func(r io.ReaderAt, size int64, pass func() ([]byte, error)) (io.ReaderAt, int64, error) {
		_, _ = pass()
		return r, size, nil
	}
	table := volumesOf(t, im)
	if len(table.Partitions) != maxNesting+1 || len(*asked) != maxNesting {
		t.Errorf("asked %d times, got\n%s", len(*asked), outline(table))
	}
	warned(t, table.Warnings, "volumes are nested deeper than 8")
}

// Volumes are no more than there may be.
func TestStackBound(t *testing.T) {
	var all strings.Builder
	for i := range maxVolumes / 4 {
		all.WriteString(lv(fmt.Sprintf("v%d", i), `start_extent = 0 extent_count = 1 type = "zero"`))
	}
	var disks [][]byte
	for i := range 5 {
		uuid := strings.ReplaceAll(pvA, "a0", fmt.Sprintf("b%d", i))
		text := strings.NewReplacer(pvA, uuid, `"vg"`, fmt.Sprintf(`"vg%d"`, i)).Replace(vgText(1, all.String()))
		d := lvmDisk(1<<20, uuid, "", 4096)
		d = append(d, make([]byte, 1<<20)...)
		le.PutUint64(d[512+0x70:], 1<<20)
		le.PutUint64(d[4096+0x20:], 1<<20)
		le.PutUint64(d[4096+0x30:], uint64(len(text)))
		copy(d[4096+512:], text)
		fixLVM(d)
		disks = append(disks, d)
	}
	table := volumesOf(t, groupOf(t, disks...))
	if n := len(table.Partitions); n > maxVolumes+6 || n < maxVolumes {
		t.Errorf("%d volumes", n)
	}
	if !slices.ContainsFunc(table.Warnings, func(w string) bool { return strings.Contains(w, "the rest is left out") }) {
		t.Errorf("warnings %q", table.Warnings)
	}
}

// What LVM2 itself says where the extents of volumes are is where they are read.
func TestAgainstLVM(t *testing.T) {
	lvm := exttest.Tool(t, "lvm")
	_ = lvm
	dir := t.TempDir()
	var devices, paths []string
	for i := range 3 {
		path := fmt.Sprintf("%s/pv%d", dir, i)
		if err := os.WriteFile(path, randomBytes(16<<20, uint64(i)), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(make([]byte, 64<<10), 0); err != nil { // nothing that looks like a disk
			t.Fatal(err)
		}
		f.Close()
		paths, devices = append(paths, path), append(devices, loopDevice(t, path))
	}
	config := fmt.Sprintf(`devices{use_devicesfile=0 filter=["a|^%s$|","r|.*|"]} backup{backup=0 archive=0} global{locking_type=1 use_lvmpolld=0}`, strings.Join(devices, `$|","a|^`))
	run := func(args ...string) string {
		t.Helper()
		return command(t, "", "lvm", append([]string{args[0], "--config", config}, args[1:]...)...)
	}
	create := func(args ...string) {
		t.Helper()
		run(append([]string{"lvcreate", "--driverloaded", "n", "-an", "-Zn", "-Wn", "-y"}, args...)...)
	}
	group := "extscope" + strings.ReplaceAll(devices[0], "/dev/loop", "")
	run(append([]string{"pvcreate", "-ff", "-y"}, devices...)...)
	run(append([]string{"vgcreate", "-s", "64k", group}, devices...)...)
	create("-l", "20", "-n", "linear", group, devices[0])
	create("-l", "30", "-i", "3", "-I", "16k", "-n", "striped", group)
	create("-l", "10", "-i", "2", "-I", "64k", "-n", "pair", group, devices[1], devices[2])
	run("lvextend", "--driverloaded", "n", "-l", "+7", group+"/linear", devices[1])
	run("lvextend", "--driverloaded", "n", "-l", "+5", group+"/linear", devices[0])

	var report struct {
		Report []struct {
			Seg []struct {
				Name   string `json:"lv_name"`
				Start  int64  `json:"seg_start_pe,string"`
				Size   int64  `json:"seg_size_pe,string"`
				Stripe int64  `json:"stripe_size,string"`
				Ranges string `json:"seg_pe_ranges"`
			}
			PV []struct {
				Name  string `json:"pv_name"`
				Start int64  `json:"pe_start,string"`
			}
		}
	}
	parse := func(out string) {
		t.Helper()
		if i := strings.IndexByte(out, '{'); i >= 0 {
			out = out[i:]
		}
		if err := json.NewDecoder(strings.NewReader(out)).Decode(&report); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	parse(run("pvs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", "pv_name,pe_start"))
	at := map[string]int64{}
	for _, pv := range report.Report[0].PV {
		at[pv.Name] = pv.Start
	}
	parse(run("lvs", "--reportformat", "json", "--segments", "--units", "b", "--nosuffix", "-o", "lv_name,seg_start_pe,seg_size_pe,stripe_size,seg_pe_ranges", group))
	const extent = 64 << 10
	want := map[string][]byte{}
	for _, s := range report.Report[0].Seg {
		var parts [][]byte
		for _, r := range strings.Fields(s.Ranges) {
			dev, span, _ := strings.Cut(r, ":")
			var from, to int64
			if _, err := fmt.Sscanf(span, "%d-%d", &from, &to); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(paths[slices.Index(devices, dev)])
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, b[at[dev]+from*extent:at[dev]+(to+1)*extent])
		}
		if len(parts) == 1 {
			s.Stripe = int64(len(parts[0]))
		}
		out := make([]byte, 0, s.Size*extent)
		for row := int64(0); row < int64(len(parts[0])); row += s.Stripe {
			for _, p := range parts {
				out = append(out, p[row:row+s.Stripe]...)
			}
		}
		if int64(len(want[s.Name])) != s.Start*extent {
			t.Fatalf("%s: segment at extent %d", s.Name, s.Start)
		}
		want[s.Name] = append(want[s.Name], out...)
	}
	if len(want) != 3 || len(want["linear"]) != 32*extent {
		t.Fatalf("%d volumes", len(want))
	}
	im := openSeveral(t, paths)
	for name, b := range want {
		p := named(t, im, group+"/"+name)
		got, err := io.ReadAll(im.Section(p))
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s: %d bytes, want %d, %v", name, len(got), len(b), err)
		}
	}
}
