package main

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// containerForms are all stored forms of one small image, each with the files beside it.
var containerForms = [][]string{
	{"e01/encase6.E01"}, {"e01/encase1.E01"}, {"e01/smart.s01"}, {"e01/set.E01", "e01/set.E02", "e01/set.E03", "e01/set.E04", "e01/set.E05"},
	{"qcow2/v1.qcow"}, {"qcow2/v2.qcow2"}, {"qcow2/v3.qcow2"}, {"qcow2/zlib.qcow2"}, {"qcow2/zstd.qcow2"}, {"qcow2/extended.qcow2"},
	{"vmdk/monolithicSparse.vmdk"}, {"vmdk/streamOptimized.vmdk"}, {"simg/raw.simg"},
	{"packed/raw.gz"}, {"packed/raw.xz"}, {"packed/raw.zst"}, {"packed/raw.bz2"},
	{"vhd/fixed.vhd"}, {"vhd/dynamic.vhd"}, {"vhd/child.vhd", "vhd/middle.vhd", "vhd/parent.vhd"},
	{"vhdx/dynamic.vhdx"}, {"vhdx/log.vhdx"}, {"vhdx/child.vhdx", "vhdx/parent.vhdx"},
	{"vdi/dynamic.vdi"}, {"vdi/child.vdi", "vdi/parent.vdi"},
}

// TestContainers holds what commands print of each stored form of an image against what
// they print of the raw one.
func TestContainers(t *testing.T) {
	type printed struct {
		out    string
		status int
	}
	of := func(t *testing.T, image string, args []string) printed {
		got := call(t, append([]string{args[0], image}, args[1:]...)...)
		return printed{strings.ReplaceAll(got.out, image, "IMAGE"), got.status}
	}
	commands := [][]string{{"audit"}, {"ls", "-lR", "-i"}, {"deleted", "-f", "csv"}, {"hash", "-f", "csv"}, {"hash", "--files"}, {"symlinks"}, {"cat", "/seq"}}
	raw := exttest.Container(t, "raw.img")
	var want []printed
	for _, args := range commands {
		want = append(want, of(t, raw, args))
		if want[len(want)-1].out == "" {
			t.Fatalf("%v prints nothing", args)
		}
	}
	for _, names := range exttest.Some(9, containerForms) {
		t.Run(names[0], func(t *testing.T) {
			file := exttest.Container(t, names...)
			for i, args := range commands {
				if got := of(t, file, args); got != want[i] {
					t.Errorf("%v: status %d, want %d; %s", args, got.status, want[i].status, firstDifference(got.out, want[i].out))
				}
			}
		})
	}
}

// TestContainersRecover has other tools put an image with deleted files into their forms:
// what is recovered from each is what is recovered from the raw one, manifest included.
func TestContainersRecover(t *testing.T) {
	raw := exttest.Image(t, "journal/rot")
	want := filesRecovered(t, raw)
	if len(want) < 9 {
		t.Fatalf("%d files are recovered from the raw image", len(want))
	}
	dir := t.TempDir()
	qemu := func(format, options string) []string {
		args := []string{"qemu-img", "convert", "-f", "raw", "-O", format}
		if options != "" {
			args = append(args, "-o", options)
		}
		return append(args, raw, filepath.Join(dir, format))
	}
	for _, tt := range []struct {
		file string
		args []string
	}{
		{"qcow2", qemu("qcow2", "")}, {"vmdk", qemu("vmdk", "subformat=streamOptimized")}, {"vpc", qemu("vpc", "force_size=on")}, {"vhdx", qemu("vhdx", "")}, {"vdi", qemu("vdi", "")},
		{"simg", []string{"img2simg", raw, filepath.Join(dir, "simg")}},
		{"ewf.E01", []string{"ewfacquire", "-q", "-u", "-c", "fast", "-t", filepath.Join(dir, "ewf"), raw}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			if out, err := exec.Command(exttest.Tool(t, tt.args[0]), tt.args[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", tt.args, err, out)
			}
			got := filesRecovered(t, filepath.Join(dir, tt.file))
			for name, b := range want {
				if got[name] != b {
					t.Errorf("%s differs: %s", name, firstDifference(got[name], b))
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d files are recovered, %d from the raw image", len(got), len(want))
			}
		})
	}
}

// filesRecovered gives all files that recover writes, by name; what the manifest tells of the
// image itself is left out.
func filesRecovered(t *testing.T, image string) map[string]string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "to")
	if got := call(t, "recover", image, "--all", "--to", to); got.status != exitDone {
		t.Fatalf("%s: status %d, %s", image, got.status, got.err)
	}
	files := map[string]string{}
	err := filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(to, path)
		files[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, rows, ok := strings.Cut(files[manifestName], `"filesystem"`)
	if !ok {
		t.Fatalf("the manifest tells of no file system: %.300s", files[manifestName])
	}
	files[manifestName] = rows
	return files
}

// TestAcceptDamage damages the checksum of stored forms: what it covers is read only if that
// is asked for, and told either way.
func TestAcceptDamage(t *testing.T) {
	raw := exttest.Container(t, "raw.img")
	plain, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	want := call(t, "ls", "-lR", raw).out
	gz := func(b []byte) []byte {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return packed.Bytes()
	}
	damaged := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[(at+len(b))%len(b)] ^= 1
		return b
	}
	simg, err := os.ReadFile(exttest.Container(t, "simg/raw.simg"))
	if err != nil {
		t.Fatal(err)
	}
	vmdk, err := os.ReadFile(exttest.Container(t, "vmdk/streamOptimized.vmdk"))
	if err != nil {
		t.Fatal(err)
	}
	qcow2, err := os.ReadFile(exttest.Container(t, "qcow2/v3.qcow2"))
	if err != nil {
		t.Fatal(err)
	}
	whole := gz(plain)
	half := append(gz(plain[:2<<20]), gz(plain[2<<20:])...)
	for _, tt := range []struct {
		name   string
		b      []byte
		status int    // without the flag
		err    string // of the last line
	}{
		{"sum.gz", damaged(whole, -6), exitNotExt, "bytes 0 to 511: gzip member at byte 0 of sum.gz: its checksum is"},
		{"cut.gz", whole[:len(whole)-4], exitNotExt, "bytes 0 to 511: gzip member at byte 0 of cut.gz: cut short"},
		{"half.gz", damaged(half, -6), exitPartial, "bytes 2097152 to 4194303: gzip member at byte"},
		{"disk.vmdk.gz", damaged(gz(vmdk), -6), exitNotExt, "disk.vmdk.gz: gzip: a vmdk image lies inside; bytes 0 to"},
		{"disk.qcow2.gz", damaged(append(gz(qcow2[:400]), gz(qcow2[400:])...), -6), exitNotExt, "it is damaged: bytes 400 to"},
		{"sum.simg", damaged(simg, 0x18), exitNotExt, "bytes 0 to 511: checksum at byte 24 of sum.simg: it is"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), tt.name)
			if err := os.WriteFile(file, tt.b, 0o600); err != nil {
				t.Fatal(err)
			}
			got := call(t, "ls", "-lR", file)
			lines := strings.Split(strings.TrimSuffix(got.err, "\n"), "\n")
			if last := lines[len(lines)-1]; got.status != tt.status || !strings.Contains(last, tt.err) || !strings.Contains(last, "--accept-damage reads") {
				t.Errorf("status %d, want %d: %s", got.status, tt.status, got.err)
			}
			if got.out != "" && got.status == exitNotExt {
				t.Errorf("it reads %.200s", got.out)
			}
			got = call(t, "ls", "-lR", file, "--accept-damage")
			if got.out != want || got.status != exitPartial || !strings.Contains(got.err, "bytes ") || strings.Contains(got.err, "--accept-damage") {
				t.Errorf("accepted: status %d, %s, %s", got.status, got.err, firstDifference(got.out, want))
			}
		})
	}
}
