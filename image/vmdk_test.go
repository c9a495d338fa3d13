package image

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

var vmdkForms = []string{"monolithicSparse", "streamOptimized", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"}

// TestVmdkForms holds each form that qemu-img makes against the raw image.
func TestVmdkForms(t *testing.T) {
	raw := exttest.Container(t, "raw.img")
	for _, form := range vmdkForms {
		t.Run(form, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "disk.vmdk")
			command(t, "", "qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat="+form, raw, out)
			sameAsRaw(t, raw, out, Options{})
			im := mustOpen(t, out)
			if im.Format() != "vmdk" || len(im.Warnings()) > 0 || len(im.Faults()) > 0 {
				t.Errorf("%s, %q, %q", im.Format(), im.Warnings(), im.Faults())
			}
			if d := im.Details(); len(d) == 0 || d[0] != (Detail{"create_type", form}) {
				t.Errorf("details %q", d)
			}
		})
	}
}

func TestVmdkStored(t *testing.T) {
	raw := exttest.Container(t, "raw.img")
	for _, form := range vmdkForms[:2] {
		sameAsRaw(t, raw, exttest.Container(t, "vmdk/"+form+".vmdk"), Options{})
	}
}

// TestVmdkSplit has a disk of several extents, one of which then goes missing.
func TestVmdkSplit(t *testing.T) {
	dir := t.TempDir()
	raw := filepath.Join(dir, "raw")
	sparse, err := os.Create(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer sparse.Close()
	const size = 5<<30 + 4096
	if err := sparse.Truncate(size); err != nil {
		t.Fatal(err)
	}
	word := []byte("extents meet here")
	for _, at := range []int64{0, 2<<30 - 8, 4<<30 - 8, size - 100} {
		if _, err := sparse.WriteAt(word, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, form := range []string{"twoGbMaxExtentSparse", "twoGbMaxExtentFlat"} {
		t.Run(form, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "disk.vmdk")
			command(t, "", "qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat="+form, raw, out)
			im := mustOpen(t, out)
			if im.Size() != size || len(im.Segments()) != 4 {
				t.Fatalf("%d bytes, %d segments", im.Size(), len(im.Segments()))
			}
			for _, at := range []int64{0, 2<<30 - 8, 4<<30 - 8, size - 100} {
				p := make([]byte, len(word))
				if _, err := im.ReadAt(p, at); err != nil || !bytes.Equal(p, word) {
					t.Errorf("at %d: %q, %v", at, p, err)
				}
			}
			if err := os.Remove(im.Segments()[2].Name); err != nil {
				t.Fatal(err)
			}
			im = mustOpen(t, out)
			p := make([]byte, 4096)
			n, err := im.ReadAt(p, 2<<30-1000)
			var missing *MissingError
			if n != 1000 || !errors.As(err, &missing) || missing.Offset != 2<<30 || len(im.Faults()) != 1 {
				t.Errorf("%d, %v; %q", n, err, im.Faults())
			}
			if n, err := im.ReadAt(p, 4<<30); n != len(p) || err != nil {
				t.Errorf("behind what is missing: %d, %v", n, err)
			}
		})
	}
}

// TestVmdkParents has changes over changes over a base, in one folder.
func TestVmdkParents(t *testing.T) {
	dir := t.TempDir()
	raw := exttest.Container(t, "raw.img")
	at := func(name string) string { return filepath.Join(dir, name) }
	command(t, "", "qemu-img", "convert", "-f", "raw", "-O", "vmdk", raw, at("base.vmdk"))
	command(t, "", "qemu-img", "create", "-f", "vmdk", "-F", "vmdk", "-b", at("base.vmdk"), at("one.vmdk"))
	command(t, "", "qemu-io", "-f", "vmdk", "-c", "write -P 0x11 100000 200000", at("one.vmdk"))
	command(t, "", "qemu-img", "create", "-f", "vmdk", "-F", "vmdk", "-b", at("one.vmdk"), at("two.vmdk"))
	command(t, "", "qemu-io", "-f", "vmdk", "-c", "write -P 0x22 250000 900000", "-c", "write -z 2097152 65536", at("two.vmdk"))
	command(t, "", "qemu-img", "convert", "-O", "raw", at("two.vmdk"), at("two.raw"))
	sameAsRaw(t, at("two.raw"), at("two.vmdk"), Options{})
	im := mustOpen(t, at("two.vmdk"))
	if w := im.Warnings(); len(w) != 0 {
		t.Errorf("%q", w)
	}

	edit := func(name, from, to string) {
		t.Helper()
		b, err := os.ReadFile(at(name))
		if err != nil || len(from) < len(to) || !bytes.Contains(b, []byte(from)) {
			t.Fatalf("%v, or no %q", err, from)
		}
		b = bytes.Replace(b, []byte(from), []byte(to+strings.Repeat(" ", len(from)-len(to))), 1)
		if err := os.WriteFile(at(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := fmt.Sprintf("parentFileNameHint=%q", at("one.vmdk"))
	parent := strings.TrimLeft(im.Details()[3].Value, "0") // which qemu-img leaves out too
	other := strings.Repeat("7", len(parent))
	edit("two.vmdk", "parentCID="+parent, "parentCID="+other)
	warned(t, mustOpen(t, at("two.vmdk")).Warnings(), "content ID "+strings.Repeat("0", 8-len(other))+other)

	for name, want := range map[string]string{
		`"/dev/null"`:      "no such file",
		`".."`:             "invalid",
		`"C:\up\two.vmdk"`: "comes back",
		`"link.vmdk"`:      "symlink",
		`"two.raw"`:        "no vmdk",
		`"../../one.vmdk"`: "", // the one beside it
		`"/else/one.vmdk"`: "",
	} {
		b, err := os.ReadFile(at("two.vmdk"))
		if err != nil {
			t.Fatal(err)
		}
		_ = os.Symlink("base.vmdk", at("link.vmdk"))
		edit("two.vmdk", old, "parentFileNameHint="+name)
		im, err := Open(at("two.vmdk"), Options{})
		if err == nil {
			im.Close()
		}
		var ref *ReferenceError
		if want == "" && err != nil || want != "" && (!errors.As(err, &ref) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if err := os.WriteFile(at("two.vmdk"), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestVmdkDamage damages what the redundant directory, or the markers, make up for.
func TestVmdkDamage(t *testing.T) {
	raw := exttest.Container(t, "raw.img")
	change := func(form string, f func(b []byte) []byte) string {
		b, err := os.ReadFile(exttest.Container(t, "vmdk/"+form+".vmdk"))
		if err != nil {
			t.Fatal(err)
		}
		return tempFile(t, "disk.vmdk", f(b))
	}
	h := func(b []byte, at int) int { return int(le.Uint64(b[at:])) * vmdkSector }
	for _, tt := range []struct {
		name, form, fault string
		change            func(b []byte) []byte
	}{
		{"directory of noise", "monolithicSparse", "1 grain tables are damaged", func(b []byte) []byte {
			copy(b[h(b, 0x38):], "\xff\xff\xff\xff")
			return b
		}},
		{"directory outside of the file", "monolithicSparse", "the redundant one is used", func(b []byte) []byte {
			le.PutUint64(b[0x38:], 1<<30)
			return b
		}},
		{"table of noise", "monolithicSparse", "1 grain tables are damaged", func(b []byte) []byte {
			at := int(le.Uint32(b[h(b, 0x38):])) * vmdkSector
			for i := range 256 {
				b[at+i] = 0xee
			}
			return b
		}},
		{"directory of zeros", "monolithicSparse", "1 grain tables are damaged", func(b []byte) []byte {
			clear(b[h(b, 0x38):][:4])
			return b
		}},
		{"no footer", "streamOptimized", "found by their markers", func(b []byte) []byte {
			b = withFooter(b)
			clear(b[len(b)-3*vmdkSector:][:2*vmdkSector])
			return b
		}},
		{"as text", "monolithicSparse", "sent as text", func(b []byte) []byte { b[0x4b] = '\n'; return b }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := change(tt.form, tt.change)
			sameAsRaw(t, raw, path, Options{})
			if f := fmt.Sprint(mustOpen(t, path).Faults()); !strings.Contains(f, tt.fault) {
				t.Errorf("faults %s, want %q", f, tt.fault)
			}
		})
	}
	t.Run("footer", func(t *testing.T) {
		path := change("streamOptimized", withFooter)
		sameAsRaw(t, raw, path, Options{})
		if im := mustOpen(t, path); len(im.Faults())+len(im.Warnings()) > 0 {
			t.Errorf("%q, %q", im.Faults(), im.Warnings())
		}
	})
	for name, make1 := range map[string]func(b []byte) []byte{"cut short": func(b []byte) []byte { return b }, "cut short, with footer": withFooter} {
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(raw)
			if err != nil {
				t.Fatal(err)
			}
			path := change("streamOptimized", func(b []byte) []byte { return make1(b)[:len(b)/2] })
			im := mustOpen(t, path)
			p := make([]byte, len(want))
			n, err := im.ReadAt(p, 0)
			var damage *DamageError
			if !errors.As(err, &damage) || damage.Offset != int64(n) || n < 256<<10 || !bytes.Equal(p[:n], want[:n]) || len(im.Faults()) == 0 {
				t.Errorf("%d, %v, %q", n, err, im.Faults())
			}
		})
	}
	t.Run("bad grain", func(t *testing.T) {
		var at int64
		path := change("streamOptimized", func(b []byte) []byte {
			at = int64(le.Uint64(b[0x40:])) * vmdkSector
			b[at+grainMarkerLen+20] ^= 1
			return b
		})
		im := mustOpen(t, path)
		var damage *DamageError
		if _, err := im.ReadAt(make([]byte, 100), 50); !errors.As(err, &damage) || damage.At != at || damage.Offset != 0 || damage.Length != 64<<10 {
			t.Errorf("got %v", err)
		}
		if n, err := im.ReadAt(make([]byte, 65536), 65536); n != 65536 || err != nil {
			t.Errorf("the next: %d, %v", n, err)
		}
	})
}

// withFooter makes of a compressed extent of qemu's, whose directory is at its beginning,
// one as VMware's tools write them: the header leads to a footer, the end is marked.
func withFooter(b []byte) []byte {
	for len(b)%vmdkSector != 0 {
		b = append(b, 0)
	}
	head := bytes.Clone(b[:vmdkSector])
	le.PutUint64(b[0x38:], 1<<64-1)
	marker := make([]byte, vmdkSector)
	marker[0], marker[12] = 1, markerFooter
	return append(append(append(b, marker...), head...), make([]byte, vmdkSector)...)
}

// TestVmdkEsx has an ESX sparse extent, laid out by hand as qemu's and ESX's are.
func TestVmdkEsx(t *testing.T) {
	want, b := esxDisk()
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"raw": want, "disk-delta.vmdk": b,
		"disk.vmdk": []byte("# Disk DescriptorFile\nversion=1\nCID=0000000a\nparentCID=ffffffff\ncreateType=\"vmfsSparse\"\n" +
			fmt.Sprintf("RW %d VMFSSPARSE \"disk-delta.vmdk\"\n", len(want)/vmdkSector)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sameAsRaw(t, filepath.Join(dir, "raw"), filepath.Join(dir, "disk.vmdk"), Options{})
	sameAsRaw(t, filepath.Join(dir, "raw"), filepath.Join(dir, "disk-delta.vmdk"), Options{})
	out := filepath.Join(dir, "by-qemu")
	command(t, "", "qemu-img", "convert", "-O", "raw", filepath.Join(dir, "disk.vmdk"), out)
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
		t.Errorf("qemu-img reads other bytes (%v)", err)
	}
}

// esxDisk is a disk of 3 MiB, and the ESX sparse extent that holds it.
func esxDisk() (raw, extent []byte) {
	const grain = 512
	raw = make([]byte, 3<<20)
	extent = make([]byte, 4*vmdkSector+vmdkSector+2*4096*4)
	copy(extent, vmdkEsxMagic)
	for at, v := range map[int]uint32{4: 1, 8: 3, 12: uint32(len(raw) / vmdkSector), 16: 1, 20: 4, 24: 2} {
		le.PutUint32(extent[at:], v)
	}
	le.PutUint32(extent[4*vmdkSector:], 5)
	le.PutUint32(extent[4*vmdkSector+4:], 5+32)
	r := rand.New(rand.NewPCG(1, 1))
	for i := 0; i < len(raw)/grain; i += 1 + r.IntN(7) {
		for k := range grain {
			raw[i*grain+k] = byte(r.Uint32())
		}
		le.PutUint32(extent[5*vmdkSector+i*4:], uint32(len(extent)/vmdkSector))
		extent = append(extent, raw[i*grain:][:grain]...)
	}
	return raw, extent
}

func TestVmdkCorrupt(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 100
	}
	corrupt(t, exttest.Container(t, "vmdk/monolithicSparse.vmdk"), n, false)
	corrupt(t, exttest.Container(t, "vmdk/streamOptimized.vmdk"), n, false)
}

// TestVmdkSample holds the extents that fuzzing begins with against qemu's reading.
func TestVmdkSample(t *testing.T) {
	for _, packed := range []bool{false, true} {
		path := tempFile(t, "disk.vmdk", vmdkSample(packed))
		out := filepath.Join(t.TempDir(), "raw")
		command(t, "", "qemu-img", "convert", "-f", "vmdk", "-O", "raw", path, out)
		sameAsRaw(t, out, path, Options{})
		if im := mustOpen(t, path); len(im.Faults())+len(im.Warnings()) > 0 {
			t.Errorf("%q, %q", im.Faults(), im.Warnings())
		}
	}
}
