package image

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// TestQcow2Fixtures reads the small images that are kept.
func TestQcow2Fixtures(t *testing.T) {
	raw := exttest.Container(t, "raw.img")
	for _, name := range []string{"v1.qcow", "v2.qcow2", "v3.qcow2", "zlib.qcow2", "zstd.qcow2", "extended.qcow2"} {
		t.Run(name, func(t *testing.T) {
			path := exttest.Container(t, "qcow2/"+name)
			sameAsRaw(t, raw, path, Options{})
			corrupt(t, path, 250, false)
		})
	}
}

// qemuDisk makes a raw image of some MiB, of data, text and holes, that no cluster size divides.
func qemuDisk(t *testing.T, dir string) string {
	t.Helper()
	b := make([]byte, 9*mib+3*512)
	for i := range b[mib/2 : 3*mib] {
		b[mib/2+i] = byte(i * i >> 7)
	}
	copy(b[5*mib:], strings.Repeat("text that compresses well. ", 40000))
	for i := 8 * mib; i < len(b); i += 4096 {
		b[i] = 1
	}
	path := filepath.Join(dir, "disk.raw")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestQcow2AgainstQemu reads what qemu-img writes, of each kind.
func TestQcow2AgainstQemu(t *testing.T) {
	dir := t.TempDir()
	raw := qemuDisk(t, dir)
	for _, args := range []string{
		"", "-o cluster_size=512", "-o cluster_size=2M", "-o compat=0.10", "-c", "-c -o cluster_size=512", "-c -o cluster_size=2M", "-c -o compat=0.10",
		"-c -o compression_type=zstd", "-c -o compression_type=zstd,cluster_size=4K", "-o lazy_refcounts=on,refcount_bits=1",
		"-o extended_l2=on", "-o extended_l2=on,cluster_size=16K", "-c -o extended_l2=on", "-o preallocation=metadata", "-o preallocation=falloc",
		"-o data_file=%/ext.data", "-o data_file=%/rawext.data,data_file_raw=on",
	} {
		t.Run(args, func(t *testing.T) {
			path := filepath.Join(dir, "disk.qcow2")
			words := strings.Fields(strings.ReplaceAll(args, "%", dir))
			if strings.Contains(args, "data_file") {
				// A file of its own: qemu-img convert wants it to be there.
				command(t, "", "qemu-img", "create", "-f", "qcow2", "-o", words[1], path, fmt.Sprint(9*mib+3*512))
				command(t, "", "qemu-img", "convert", "-n", "-f", "raw", "-O", "qcow2", raw, path)
			} else {
				command(t, "", "qemu-img", append(append([]string{"convert", "-f", "raw", "-O", "qcow2"}, words...), raw, path)...)
			}
			sameAsRaw(t, raw, path, Options{})
		})
	}
	t.Run("version 1", func(t *testing.T) {
		path := filepath.Join(dir, "disk.qcow")
		command(t, "", "qemu-img", "convert", "-f", "raw", "-O", "qcow", raw, path)
		sameAsRaw(t, raw, path, Options{})
	})
}

// TestQcow2Chain reads an image over a shorter one over a raw one, and its snapshots.
func TestQcow2Chain(t *testing.T) {
	dir := t.TempDir()
	raw := qemuDisk(t, dir)
	path := func(name string) string { return filepath.Join(dir, name) }
	io := func(image string, commands ...string) {
		var args []string
		for _, c := range commands {
			args = append(args, "-c", c)
		}
		command(t, "", "qemu-io", append(args, "-f", "qcow2", image)...)
	}
	command(t, "", "qemu-img", "create", "-f", "qcow2", "-b", "disk.raw", "-F", "raw", path("mid.qcow2"))
	io(path("mid.qcow2"), "write -P 7 1M 100k", "write -z 2M 128k", "write -P 0x51 4200000 70000")
	command(t, "", "qemu-img", "create", "-f", "qcow2", "-o", "extended_l2=on", "-b", path("mid.qcow2"), "-F", "qcow2", path("top.qcow2"), "12M")
	io(path("top.qcow2"), "write -P 9 1060k 12k", "write -z 1100k 4k", "write -P 3 11M 4k", "write -z 6M 2M")
	same := func(name string, o Options) {
		t.Helper()
		want := path("want.raw")
		args := []string{"convert", "-O", "raw"}
		if o.Snapshot != "" {
			args = append(args, "-l", "snapshot.name="+o.Snapshot)
		}
		command(t, "", "qemu-img", append(args, path(name), want)...)
		if o.Snapshot == "first" { // it keeps the size of now
			os.Truncate(want, 12*mib)
		}
		sameAsRaw(t, want, path(name), o)
	}
	same("mid.qcow2", Options{})
	same("top.qcow2", Options{})

	command(t, "", "qemu-img", "snapshot", "-c", "first", path("top.qcow2"))
	io(path("top.qcow2"), "write -P 0xaa 0 3M")
	command(t, "", "qemu-img", "resize", path("top.qcow2"), "13M")
	command(t, "", "qemu-img", "snapshot", "-c", "second", path("top.qcow2"))
	io(path("top.qcow2"), "discard 0 1M", "write -P 0xbb 12M 1M")
	same("top.qcow2", Options{})
	same("top.qcow2", Options{Snapshot: "first"})
	same("top.qcow2", Options{Snapshot: "second"})
	im, err := Open(path("top.qcow2"), Options{Snapshot: "2"}) // by its ID
	if err != nil {
		t.Fatal(err)
	}
	if im.Size() != 13*mib {
		t.Errorf("snapshot 2 has %d bytes", im.Size())
	}
	if d := im.Details(); !strings.HasPrefix(d[len(d)-1].Value, `2 "second" of 2`) {
		t.Errorf("details %v", d)
	}
	if len(im.Segments()) != 3 {
		t.Errorf("segments %v", im.Segments())
	}
	im.Close()
	var snapshot *SnapshotError
	if _, err := Open(path("top.qcow2"), Options{Snapshot: "third"}); !errors.As(err, &snapshot) || len(snapshot.Have) != 2 {
		t.Errorf("a third snapshot: %v", err)
	}
	if _, err := Open(raw, Options{Snapshot: "first"}); !errors.As(err, &snapshot) {
		t.Errorf("a snapshot of a raw image: %v", err)
	}

	// The last element counts where the path does not lead anywhere, and a backing file
	// whose format is not recorded is looked into.
	want := contents(t, path("top.qcow2"))
	command(t, "", "qemu-img", "rebase", "-u", "-b", "/far/away/mid.qcow2", "-F", "qcow2", path("top.qcow2"))
	b, err := os.ReadFile(path("top.qcow2"))
	if err != nil {
		t.Fatal(err)
	}
	be.PutUint32(b[bytes.Index(b, []byte{0xe2, 0x79, 0x2a, 0xca}):], 0x99)
	if err := os.WriteFile(path("top.qcow2"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(contents(t, path("top.qcow2")), want) {
		t.Error("not the same by another name")
	}
	var ref *ReferenceError
	os.Rename(path("mid.qcow2"), path("other"))
	refused := func(what string) {
		t.Helper()
		im, err := Open(path("top.qcow2"), Options{})
		if !errors.As(err, &ref) {
			t.Errorf("%s: %v", what, err)
		}
		if err == nil {
			im.Close()
		}
	}
	refused("gone")
	os.Symlink("other", path("mid.qcow2"))
	refused("symlink")
	os.Remove(path("mid.qcow2"))
	os.Link(path("top.qcow2"), path("mid.qcow2"))
	refused("itself")
	os.Remove(path("mid.qcow2"))
	command(t, "", "qemu-img", "create", "-u", "-f", "qcow2", "-b", "top.qcow2", "-F", "qcow2", path("mid.qcow2"), "1M")
	refused("a cycle")
}

// TestQcow2Deep refuses a chain of too many files.
func TestQcow2Deep(t *testing.T) {
	dir := t.TempDir()
	for i := range maxParents + 1 {
		args := []string{"create", "-q", "-u", "-f", "qcow2"}
		if i > 0 {
			args = append(args, "-b", fmt.Sprintf("disk-%d", i-1), "-F", "qcow2")
		}
		command(t, "", "qemu-img", append(args, filepath.Join(dir, fmt.Sprintf("disk-%d", i)), "1M")...)
	}
	im, err := Open(filepath.Join(dir, fmt.Sprintf("disk-%d", maxParents-1)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	im.Close()
	if _, err = Open(filepath.Join(dir, fmt.Sprintf("disk-%d", maxParents)), Options{}); err == nil || !strings.Contains(err.Error(), "more than 64 files") {
		t.Errorf("%v", err)
	}
}

// TestQcow2Refused changes the header of a good file.
func TestQcow2Refused(t *testing.T) {
	dir := t.TempDir()
	good, err := os.ReadFile(exttest.Container(t, "qcow2/v3.qcow2"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "changed.qcow2")
	open := func(change func(b []byte)) (*Image, error) {
		b := bytes.Clone(good)
		change(b)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return Open(path, Options{})
	}
	for want, change := range map[string]func(b []byte){
		"encrypted with LUKS":                   func(b []byte) { be.PutUint32(b[32:], 2) },
		"encrypted with AES":                    func(b []byte) { be.PutUint32(b[32:], 1) },
		`not known: "without a name" (bit 40)`:  func(b []byte) { be.PutUint64(b[72:], 1<<40) },
		`not known: "dirty bit" (bit 40)`:       func(b []byte) { be.PutUint64(b[72:], 1<<40); b[bytes.Index(b, []byte("dirty bit"))-1] = 40 },
		"version 4":                             func(b []byte) { b[7] = 4 },
		"cluster_bits is 22":                    func(b []byte) { b[23] = 22 },
		"header_length is 4096000":              func(b []byte) { be.PutUint32(b[100:], 4096000) },
		"compression type":                      func(b []byte) { b[79] |= qcow2Compression; b[104] = 2 },
		"an L1 table of 0 entries":              func(b []byte) { be.PutUint32(b[36:], 0) },
		"L1 table of 1 entries is beyond":       func(b []byte) { b[40] = 1 },
		"an image of 9223372036854775808 bytes": func(b []byte) { be.PutUint64(b[24:], 1<<63) },
		"whose name is not recorded":            func(b []byte) { b[79] |= qcow2External },
		"not in the first cluster":              func(b []byte) { be.PutUint64(b[8:], 1<<30); b[19] = 5 },
	} {
		if im, err := open(change); err == nil {
			im.Close()
			t.Errorf("%s: opened", want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	im, err := open(func(b []byte) { b[79] = qcow2Dirty | qcow2Corrupt })
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	warned(t, im.Warnings(), "marked as corrupt", "not closed properly")
}

// TestQcow2Damage changes tables: the range that one leads to is named, and what is around
// it comes as it is.
func TestQcow2Damage(t *testing.T) {
	raw, _ := os.ReadFile(exttest.Container(t, "raw.img"))
	for _, tt := range []struct {
		file   string
		change func(b []byte, l2 uint64)
		off    int64 // of the damage
		n      int64
		want   string
	}{
		{"v3.qcow2", func(b []byte, l2 uint64) { b[l2+7] |= 0; b[l2+6] |= 2 }, 0, 64 << 10, "L2 entry of cluster 0 at byte 262144"},
		{"v3.qcow2", func(b []byte, l2 uint64) { b[l2+3] = 1 }, 0, 64 << 10, "beyond the end of the file"},
		{"v2.qcow2", func(b []byte, l2 uint64) { b[l2+7] |= 1 }, 0, 4096, "which version 2 does not know"},
		{"zlib.qcow2", func(b []byte, l2 uint64) { clear(b[be.Uint64(b[l2:])&(1<<54-1):][:40]) }, 0, 64 << 10, "cluster 0 at byte"},
		{"zstd.qcow2", func(b []byte, l2 uint64) { clear(b[be.Uint64(b[l2:])&(1<<54-1):][:40]) }, 0, 64 << 10, "cluster 0 at byte"},
		{"extended.qcow2", func(b []byte, l2 uint64) { b[l2+8+3] |= 1 }, 0, 512, "both stored and zero"},
	} {
		t.Run(tt.file+" "+tt.want, func(t *testing.T) {
			path := exttest.Container(t, "qcow2/"+tt.file)
			b, _ := os.ReadFile(path)
			l1 := be.Uint64(b[40:])
			tt.change(b, be.Uint64(b[l1:])&qcow2OffsetMask)
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			im := mustOpen(t, path)
			p := make([]byte, len(raw))
			_, err := im.ReadAt(p, 0)
			var damage *DamageError
			if !errors.As(err, &damage) || damage.Offset != tt.off || damage.Length != tt.n || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v", err)
			}
			rest := p[tt.off+tt.n:]
			if n, err := im.ReadAt(rest, tt.off+tt.n); n != len(rest) || !bytes.Equal(rest, raw[tt.off+tt.n:]) {
				t.Errorf("behind the damage: %d, %v", n, err)
			}
		})
	}
}
