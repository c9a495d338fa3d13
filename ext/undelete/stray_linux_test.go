package undelete

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/replay"
)

// A recipe makes an image with the kernel: files are made, the disk is synced and
// mounted again, then some of them are removed.
type recipe struct {
	mkfs   string
	make   func(t *testing.T, dir string, put func(name string, size int))
	remove []string
	after  func(t *testing.T, image string) // on the image
}

// deleted makes the image, and gives what Find finds of it and the contents by name.
func (r *recipe) deleted(t *testing.T) (*Result, map[string][]byte) {
	t.Helper()
	v, truth := r.view(t)
	result, err := Find(context.Background(), v, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return result, truth
}

// view makes the image, and gives it with the contents by name.
func (r *recipe) view(t *testing.T) (*replay.View, map[string][]byte) {
	t.Helper()
	exttest.Root(t)
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 64<<20); err != nil {
		t.Fatal(err)
	}
	run(t, exttest.Tool(t, "mke2fs"), append(strings.Fields(r.mkfs), "-q", "-F", image)...)
	rng := rand.New(rand.NewPCG(5, 6))
	truth := map[string][]byte{}
	mounted(t, image, func(dir string) {
		r.make(t, dir, func(name string, size int) {
			b := make([]byte, size)
			for i := range b {
				b[i] = byte(rng.Uint32()) | 1 // no zeros at the end
			}
			truth[name] = b
			write(t, filepath.Join(dir, name), b)
		})
	})
	mounted(t, image, func(dir string) {
		for _, name := range r.remove {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	})
	if r.after != nil {
		r.after(t, image)
	}
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	v, err := replay.Open(f, 64<<20, replay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return v, truth
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

func mounted(t *testing.T, image string, do func(dir string)) {
	t.Helper()
	m, err := exttest.MountImage(image, "noatime")
	if err != nil {
		t.Fatal(err)
	}
	done := false
	defer func() {
		if !done {
			m.Close()
		}
	}()
	do(m.Dir)
	done = true
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name string, b []byte) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// contents gives what Find recovers, by contents.
func strayContents(t *testing.T, r *Result) map[string]*Candidate {
	t.Helper()
	out := map[string]*Candidate{}
	for c := range r.All() {
		if !c.Recoverable() || c.Size > 32<<20 {
			continue
		}
		var b bytes.Buffer
		if err := r.Copy(context.Background(), &b, c); err != nil {
			t.Errorf("inode %d: %v", c.Ino, err)
		}
		if c.Grade == Intact && !c.SizeKnown {
			t.Errorf("inode %d is called intact, and its size is not known", c.Ino)
		}
		out[b.String()] = c
	}
	return out
}

// comb fills two files by turns, so that each of their blocks is an extent of its own.
func comb(t *testing.T, a, b string, blocks int) []byte {
	t.Helper()
	var kept []byte
	x, err := os.Create(a)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	y, err := os.Create(b)
	if err != nil {
		t.Fatal(err)
	}
	defer y.Close()
	for i := range blocks {
		block := bytes.Repeat([]byte{byte(i) | 1, byte(i>>8) | 2}, 2048)
		kept = append(kept, block...)
		for _, f := range []*os.File{x, y} {
			if _, err := f.Write(block); err != nil {
				t.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return kept
}

const noJournal = "-t ext4 -b 4096 -O ^has_journal -E lazy_itable_init=0"

// TestStrayTree takes the slots from the inode of a fragmented file that was removed:
// the leaf of its extent tree must do.
func TestStrayTree(t *testing.T) {
	var want []byte
	ino := ""
	r := recipe{mkfs: noJournal, remove: []string{"victim"},
		make: func(t *testing.T, dir string, put func(string, int)) {
			want = comb(t, filepath.Join(dir, "victim"), filepath.Join(dir, "stays"), 40)
			info, err := exec.Command("stat", "-c%i", filepath.Join(dir, "victim")).Output()
			if err != nil {
				t.Fatal(err)
			}
			ino = strings.TrimSpace(string(info))
		},
		after: func(t *testing.T, image string) {
			for slot := 3; slot < 15; slot++ {
				run(t, exttest.Tool(t, "debugfs"), "-w", "-R", fmt.Sprintf("sif <%s> block[%d] 0", ino, slot), image)
			}
		}}
	result, _ := r.deleted(t)
	c := strayContents(t, result)[string(want)]
	if c == nil || c.Technique != StrayTree || c.Grade != Partial || fmt.Sprint(c.Ino) != ino {
		t.Fatalf("got %+v, want a stray tree of inode %s", c, ino)
	}
}

// TestStrayDirs removes directories of many names, with no journal to tell of them.
func TestStrayDirs(t *testing.T) {
	const count = 400
	for _, tt := range []struct {
		name, mkfs string
		paths      int // how many of the names must have their directory
	}{
		{"checksums", noJournal, count},
		{"hashes", noJournal + " -O ^has_journal,^metadata_csum,^metadata_csum_seed", count},
		{"ext2", "-t ext2 -b 1024", count * 9 / 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := recipe{mkfs: tt.mkfs, remove: []string{"above"},
				make: func(t *testing.T, dir string, put func(string, int)) {
					if err := os.MkdirAll(filepath.Join(dir, "above/tree"), 0o755); err != nil {
						t.Fatal(err)
					}
					for i := range count {
						name := filepath.Join(dir, "above/tree", fmt.Sprintf("a file of some name %d", i))
						if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
							t.Fatal(err)
						}
					}
				}}
			v, _ := r.view(t)
			f, err := search(context.Background(), v, Options{})
			if err != nil {
				t.Fatal(err)
			}
			named, placed := 0, 0
			for c := range f.result.Outlines() {
				if !bytes.HasPrefix(c.Name, []byte("a file of some name ")) {
					continue
				}
				named++
				for l := f.lives.first(c.Ino); l != nil; l = f.lives.next(l) {
					for _, n := range f.byAge(l) {
						if bytes.Equal(n.name, c.Name) && n.dir != 0 {
							placed++
						}
					}
				}
			}
			if named < count || placed < tt.paths {
				t.Errorf("%d names, %d of them with their directory, want %d and %d", named, placed, count, tt.paths)
			}
		})
	}
}

// TestIndirectTrees removes files of ext2, whose inodes then hold nothing.
func TestIndirectTrees(t *testing.T) {
	r := recipe{mkfs: "-t ext2 -b 1024", remove: []string{"one", "two", "three"},
		make: func(t *testing.T, dir string, put func(string, int)) {
			put("first", 5000)
			put("one", 13*1024-100)
			put("between", 40000)
			put("two", 150*1024+1)
			put("behind", 30000)
			put("three", 700*1024+10) // one indirect block, and two levels
			put("last", 3000)
		}}
	result, truth := r.deleted(t)
	got := strayContents(t, result)
	for _, name := range r.remove {
		c := got[string(truth[name])]
		if c == nil {
			t.Errorf("%s is not found", name)
			continue
		}
		if c.Technique != StrayTree || c.Grade != Partial || c.SizeKnown {
			t.Errorf("%s: %s, %s", name, c.Technique, c.Grade)
		}
	}
	for c := range result.All() {
		if c.Technique == StrayTree && c.Size > 0 {
			t.Logf("%d bytes: %v", c.Size, c.Evidence)
		}
	}
}

// TestFreedSet removes files after their inodes have left the log.
func TestFreedSet(t *testing.T) {
	const csum = "-t ext4 -b 4096 -J size=4 -E lazy_itable_init=0"
	churn := func(t *testing.T, dir string) {
		for i := range 400 {
			name := filepath.Join(dir, fmt.Sprintf("spool%d", i%8))
			write(t, name, []byte{byte(i), 1})
			if err := os.Truncate(name, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name   string
		remove []string
		inode  bool
	}{
		{"one", []string{"victim1"}, true},
		{"several", []string{"victim1", "victim2", "victim3"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := recipe{mkfs: csum, remove: tt.remove,
				make: func(t *testing.T, dir string, put func(string, int)) {
					for i := 1; i <= 3; i++ {
						put(fmt.Sprintf("victim%d", i), 50000+1000*i)
					}
					if err := os.Mkdir(filepath.Join(dir, "far"), 0o755); err != nil {
						t.Fatal(err)
					}
					for i := range 40 { // so that the churn is of other blocks of the inode table
						put(fmt.Sprintf("pad%d", i), 10)
					}
					churn(t, filepath.Join(dir, "far"))
				}}
			result, truth := r.deleted(t)
			got := strayContents(t, result)
			for _, name := range tt.remove {
				c := got[string(truth[name])]
				switch {
				case c == nil:
					t.Errorf("%s is not found", name)
				case c.Technique != FreedSet || c.Grade != Partial || (c.Ino != 0) != tt.inode:
					t.Errorf("%s: %s, %s, inode %d", name, c.Technique, c.Grade, c.Ino)
				}
			}
		})
	}
}
