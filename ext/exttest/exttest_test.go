package exttest

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// Sealing what is sound changes nothing: so the checksums are the kernel's.
func TestSealSound(t *testing.T) {
	for _, name := range []string{"small", "small-inline"} {
		e := Edit(t, name)
		if !e.sums {
			t.Fatalf("%s has no metadata checksums", name)
		}
		want := bytes.Clone(e.Image)
		e.SealSuperblock()
		for g := range uint32(len(e.tables)) {
			e.SealGroup(g)
		}
		for _, ino := range e.inos {
			e.SealInode(ino)
		}
		e.SealDirectory(2, e.First(2))
		e.SealExtents(e.Ino("/frag"), e.First(e.Ino("/frag")))
		e.SealIndex(e.Ino("/many"), e.First(e.Ino("/many")))
		e.SealXattrs(le.Uint32(e.Inode(e.Ino("/xattr"))[0x68:]))
		for i := range want {
			if e.Image[i] != want[i] {
				t.Fatalf("%s: byte %#x is %#x, was %#x", name, i, e.Image[i], want[i])
			}
		}
	}
}

func TestHostile(t *testing.T) {
	bases := make(map[string][]byte)
	for _, c := range hostileCases() {
		if bases[c.image] == nil {
			bases[c.image] = Bytes(t, c.image)
		}
	}
	names := make(map[string]bool)
	for _, c := range hostileCases() {
		if names[c.name] {
			t.Errorf("%s: twice", c.name)
		}
		names[c.name] = true
		if bytes.Equal(c.make(t), bases[c.image]) && c.name != "symlink-self" {
			t.Errorf("%s: nothing was damaged", c.name)
		}
	}
	if got := len(HostileNames()); got != len(names) {
		t.Errorf("%d names, %d cases", got, len(names))
	}
}

// debugfs must find fault with the structure that was damaged, not with its
// checksum.
func TestHostileChecksums(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image")
	for _, c := range []struct{ name, request, want string }{
		{"inode-size-16t", "stat /file", "Size: 17592186044416"},
		{"directory-cycle", "ls /a/b/c/down/b", "sibling"},
		{"extent-length-0", "stat /file", "Inode: "},
		{"orphans-loop", "stats", "First orphan inode:"},
		{"xattr-value-at-end", "stat /xattr", "File ACL: "},
	} {
		if err := os.WriteFile(path, HostileImage(t, c.name), 0o600); err != nil {
			t.Fatal(err)
		}
		got := Debugfs(t, path, c.request)
		if !strings.Contains(got, c.want) || strings.Contains(got, "checksum does not match") {
			t.Errorf("%s: %s gives %q, want %q in it", c.name, c.request, got, c.want)
		}
	}
}

func TestSparseDigest(t *testing.T) {
	b := make([]byte, 5*4096+100)
	copy(b[4096+5:], "data")
	copy(b[4*4096+4000:], bytes.Repeat([]byte("x"), 150)) // over a chunk's end
	whole, err := SparseDigest(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, ranges := range [][]Range{
		{{4096 + 5, 4}, {4*4096 + 4000, 150}},
		{{4*4096 + 4000, 150}, {4096, 1}},
		{{0, 4096 * 3}, {4096, 10}, {4 * 4096, 1 << 20}},
	} {
		got, err := SparseDigest(bytes.NewReader(b), int64(len(b)), ranges...)
		if err != nil || got != whole {
			t.Errorf("%v: %s, %v, want %s", ranges, got, err, whole)
		}
	}
	if part, _ := SparseDigest(bytes.NewReader(b), int64(len(b)), Range{4096, 4096}); part == whole {
		t.Error("a missing range makes no difference")
	}
	if longer, _ := SparseDigest(bytes.NewReader(b), int64(len(b)-50)); longer == whole {
		t.Error("the last chunk makes no difference")
	}
}

func TestTruthRoundTrip(t *testing.T) {
	want := []Object{
		{Path: []byte("/"), Ino: 2, Type: "directory", Mode: 01777, Links: 3, Size: 1024},
		{Path: []byte("/caf\xe9\n"), Ino: 12, Type: "symlink", Mode: 0777, Target: []byte("\xff<&>"), Mtime: Time{-1, 999999999}},
		{Path: []byte("/d"), Ino: 13, Type: "chardev", Rdev: 259<<32 | 1048575, Xattrs: map[string][]byte{"user.x": {0, 255}}},
		{Path: []byte("/f"), Ino: 14, Type: "file", SHA256: "00", Extents: []Extent{{0, 1 << 40, 4096, ExtentLast}}, Partial: true},
	}
	for _, name := range []string{"truth.json", "truth.json.gz"} {
		path := filepath.Join(t.TempDir(), name)
		if err := WriteTruth(path, want); err != nil {
			t.Fatal(err)
		}
		got, err := ReadTruth(path)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v\nwant %+v", name, got, err, want)
		}
	}
}

// The stored truth is what the kernel shows today, where this kernel can mount
// the image.
func TestTruthHolds(t *testing.T) {
	Root(t)
	tried, held := 0, 0
	for _, name := range Some(4, append(Cases(t, ""), "demo.img")) {
		t.Run(name, func(t *testing.T) {
			want := Truth(t, name)
			if want[0].Partial {
				t.Skip("recorded from the tree that the image was filled with")
			}
			tried++
			m, err := MountImage(Image(t, name), "ro,noload")
			if err != nil {
				t.Skip(err)
			}
			held++
			defer m.Close()
			got := Walk(t, m.Dir)
			if len(got) != len(want) {
				t.Fatalf("%d names, recorded %d", len(got), len(want))
			}
			for i := range got {
				if want[i].Flags != got[i].Flags && strings.HasPrefix(name, "matrix/verity") {
					continue
				}
				if got[i].Unreadable != "" && want[i].Unreadable == "" {
					continue // sealed, and this kernel can't tell
				}
				if !reflect.DeepEqual(got[i], want[i]) {
					t.Errorf("%q: %+v\nrecorded %+v", got[i].Path, got[i], want[i])
				}
			}
		})
	}
	if tried > 0 && held == 0 {
		Skip(t, "this kernel mounts none of %d images", tried)
	}
}
