package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// A lostVolume is an image that is going to be damaged, and what was in it.
type lostVolume struct {
	image string
	live  map[string]string // SHA-256 by path
	gone  map[string]string // of files that were deleted
	sums  map[string]bool   // of all of these
}

// sourceTree makes a tree of files of many sizes.
func sourceTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(7, 8))
	put := func(name string, size int) {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sizes := []int{1, 100, 4096, 5000, 40000, 300000}
	for d := range 16 {
		for i := range 10 {
			put(fmt.Sprintf("d%02d/sub%d/f%d", d, d%4, i), sizes[rng.IntN(len(sizes))]+i)
		}
		put(fmt.Sprintf("d%02d/top", d), 9000+d)
	}
	put("root", 50000)
	if err := os.Symlink("d00/top", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sumTree gives the sums of the files in a tree.
func sumTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	sums := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(name)
		sum := sha256.Sum256(b)
		sums["/"+filepath.ToSlash(strings.TrimPrefix(name, dir+"/"))] = hex.EncodeToString(sum[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

// volume makes an image with mke2fs; with the kernel, some files are deleted again.
func volume(t *testing.T, kernel bool, mkfs string) *lostVolume {
	t.Helper()
	src := sourceTree(t)
	v := &lostVolume{image: filepath.Join(t.TempDir(), "image"), live: sumTree(t, src), gone: map[string]string{}, sums: map[string]bool{}}
	if err := os.WriteFile(v.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(v.image, 192<<20); err != nil {
		t.Fatal(err)
	}
	for _, sum := range v.live {
		v.sums[sum] = true
	}
	args := append(strings.Fields(mkfs), "-q", "-F")
	if !kernel {
		args = append(args, "-d", src)
	}
	tool(t, exttest.Tool(t, "mke2fs"), append(args, v.image)...)
	if !kernel {
		return v
	}
	exttest.Root(t)
	v.mounted(t, func(dir string) {
		tool(t, "cp", "-a", src+"/.", dir)
		tool(t, "sync", "-f", dir)
	})
	v.mounted(t, func(dir string) {
		for _, name := range []string{"d05/sub1/f1", "d05/sub1/f2", "d06"} {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			for path, sum := range v.live {
				if strings.HasPrefix(path+"/", "/"+name+"/") {
					v.gone[path] = sum
					delete(v.live, path)
				}
			}
		}
	})
	return v
}

func (v *lostVolume) mounted(t *testing.T, do func(dir string)) {
	t.Helper()
	m, err := exttest.MountImage(v.image, "noatime,noinit_itable")
	if err != nil {
		t.Fatal(err)
	}
	do(m.Dir)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
	return string(out)
}

// zero overwrites bytes of the image with zeros.
func (v *lostVolume) zero(t *testing.T, off, n int64) { v.fill(t, off, make([]byte, n)) }

func (v *lostVolume) fill(t *testing.T, off int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(v.image, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(b, off); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// number asks debugfs for a number.
func (v *lostVolume) number(t *testing.T, request string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.TrimSpace(exttest.Debugfs(t, v.image, request)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// table gives where the inode table of group 0 lies, in blocks, by dumpe2fs.
func (v *lostVolume) table(t *testing.T) (from, to int64) {
	t.Helper()
	out := tool(t, exttest.Tool(t, "dumpe2fs"), v.image)
	_, out, _ = strings.Cut(out, "Inode table at ")
	if _, err := fmt.Sscanf(out, "%d-%d", &from, &to); err != nil {
		t.Fatal(err)
	}
	return from, to
}

// noSuperblocks zeroes all superblocks.
func (v *lostVolume) noSuperblocks(t *testing.T, blockSize int64) {
	t.Helper()
	lines := strings.Split(tool(t, exttest.Tool(t, "dumpe2fs"), v.image), "\n")
	v.zero(t, 1024, 1024)
	for _, line := range lines {
		var block int64
		if _, rest, ok := strings.Cut(line, "Backup superblock at "); ok {
			if _, err := fmt.Sscanf(rest, "%d", &block); err == nil {
				v.zero(t, block*blockSize, 1024)
			}
		}
	}
}

// A recovered is what came back.
type recovered struct {
	right  map[string]string // grade by path, of files with the contents that they had
	known  int               // files with contents of the tree, whatever their path
	listed map[string]bool   // paths of which there are no contents
	call   result
	sum    map[string]any
}

// recover recovers the former tree, and holds all that is called intact against truth.
func (v *lostVolume) recover(t *testing.T, flags ...string) *recovered {
	t.Helper()
	to := filepath.Join(t.TempDir(), "to")
	r := &recovered{right: map[string]string{}, listed: map[string]bool{}}
	r.call = call(t, append([]string{"recover", v.image, "--to", to, "--all"}, flags...)...)
	if r.call.status != exitDone && r.call.status != exitPartial {
		t.Fatalf("status %d: %s", r.call.status, r.call.err)
	}
	m := readManifest(t, filepath.Join(to, manifestName))
	r.sum = m.Summary
	for _, f := range m.Files {
		if f.Type != "file" {
			continue
		}
		if f.SHA256 == nil {
			if f.Path != nil {
				r.listed[*f.Path] = true
			}
			continue
		}
		want := ""
		if f.Path != nil {
			if want = v.live[*f.Path]; want == "" {
				want = v.gone[*f.Path]
			}
		}
		right := want == *f.SHA256 || want == "" && v.sums[*f.SHA256]
		if f.Grade == "intact" && !right {
			t.Errorf("inode %d, %q, is called intact, and is not: %s", f.Inode, f.Name, f.Evidence)
		}
		if right {
			r.known++
			if f.Path != nil && want != "" {
				r.right[*f.Path] = f.Grade
			}
		}
	}
	return r
}

// all asks for every file that was in use, by its path, with a grade.
func (r *recovered) all(t *testing.T, v *lostVolume, grade string) {
	t.Helper()
	for path := range v.live {
		if got := r.right[path]; got != grade {
			t.Errorf("%s: %q, want %s", path, got, grade)
		}
	}
}

func (r *recovered) says(t *testing.T, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(r.call.err, w) {
			t.Errorf("stderr does not say %q:\n%s", w, r.call.err)
		}
	}
}

// overIt makes mke2fs leave what was there, as on a device that cannot discard.
const overIt = "-E nodiscard,lazy_itable_init=1 -q -F"

// TestFormerDamaged damages volumes, and asks for all that was in them.
func TestFormerDamaged(t *testing.T) {
	for _, kind := range []struct {
		name, mkfs string
		blockSize  int64
		all        bool
	}{
		{"4k", "-t ext4 -b 4096", 4096, true},
		{"1k", "-t ext4 -b 1024", 1024, false},
		// The hash seed says where the kernel puts directories: were it left to chance, most
		// files would now and then lie where the new file system has its tables.
		{"ext3", "-t ext3 -b 4096", 4096, false},
	} {
		for _, tt := range []struct {
			name   string
			damage func(t *testing.T, v *lostVolume)
			says   []string
			always bool // of all kinds
		}{
			{"superblock and descriptors", func(t *testing.T, v *lostVolume) { v.zero(t, 1024, 3*kind.blockSize) },
				[]string{"using the backup superblock of group 1"}, false},
			{"journal superblock", func(t *testing.T, v *lostVolume) {
				v.zero(t, v.number(t, "bmap <8> 0")*kind.blockSize, kind.blockSize)
			}, []string{"journal: its superblock is gone, another was made by what the log holds"}, true},
			{"inode table", func(t *testing.T, v *lostVolume) {
				from, to := v.table(t)
				v.zero(t, from*kind.blockSize, (to-from+1)*kind.blockSize)
			}, []string{"of inode tables and", "newest copies in the journal"}, false},
			{"first MiB", func(t *testing.T, v *lostVolume) { v.zero(t, 0, 1<<20) },
				[]string{"using the backup superblock", "newest copies in the journal"}, true},
			{"all superblocks", func(t *testing.T, v *lostVolume) { v.noSuperblocks(t, kind.blockSize) },
				[]string{"superblock: "}, false},
		} {
			if !kind.all && !tt.always {
				continue
			}
			t.Run(kind.name+"/"+tt.name, func(t *testing.T) {
				v := volume(t, true, kind.mkfs)
				tt.damage(t, v)
				r := v.recover(t, "--former")
				if r.call.status != exitPartial || r.sum["former"] != "damaged" {
					t.Errorf("status %d, former %v", r.call.status, r.sum["former"])
				}
				r.says(t, tt.says...)
				r.all(t, v, "intact")
				for path := range v.gone {
					if r.right[path] == "" {
						t.Errorf("%s, which was deleted, does not come back", path)
					}
				}
			})
		}
	}
}

// TestFormerNoJournal damages volumes that no kernel has seen: no log has copies.
func TestFormerNoJournal(t *testing.T) {
	t.Run("no superblock", func(t *testing.T) {
		v := volume(t, false, "-t ext4 -b 4096")
		v.noSuperblocks(t, 4096)
		r := v.recover(t, "--former")
		r.says(t, "superblock: no copy is left", "checksums: the seed", "by a block of group descriptors")
		r.all(t, v, "intact")
	})
	t.Run("no superblock, no descriptors", func(t *testing.T) {
		v := volume(t, false, "-t ext4 -b 4096")
		v.noSuperblocks(t, 4096)
		v.zero(t, 4096, 4096)
		v.zero(t, 32769*4096, 4096)
		r := v.recover(t, "--former")
		r.says(t, "superblock: no copy is left", "at a ratio of inodes that mke2fs takes")
		r.all(t, v, "intact")
	})
	t.Run("inode table", func(t *testing.T) {
		v := volume(t, false, "-t ext4 -b 4096")
		from, to := v.table(t)
		v.zero(t, from*4096, (to-from+1)*4096)
		r := v.recover(t, "--former")
		r.says(t, "inodes are in use by the bitmaps, and there is nothing in the inode tables")
		for path := range v.live {
			if !r.listed[path] {
				t.Errorf("%s: the name is not listed", path)
			}
		}
	})
	t.Run("noise", func(t *testing.T) {
		v := volume(t, false, "-t ext4 -b 4096")
		noise := make([]byte, 400<<10)
		rng := rand.New(rand.NewPCG(1, 1))
		for i := range noise {
			noise[i] = byte(rng.Uint32())
		}
		from, _ := v.table(t)
		v.fill(t, 0, noise[:from*4096+4096])
		r := v.recover(t, "--former")
		if r.known < len(v.sums)*9/10 {
			t.Errorf("%d of %d files came back", r.known, len(v.sums))
		}
	})
}

// TestFormerOverwritten makes file systems over others.
func TestFormerOverwritten(t *testing.T) {
	for _, tt := range []struct {
		name, mkfs, over string
		kernel           bool
		least            int // of ten files that are still there
		grade            string
		says             []string
	}{
		{"the same layout", "-t ext4 -b 4096", "-t ext4 -b 4096", false, 9, "intact",
			[]string{"another was made over", "superblock: no copy is left", "layout: that of the file system that is there now"}},
		{"another layout", "-t ext4 -b 4096", "-t ext4 -b 4096 -g 16384 -O ^has_journal,^resize_inode", false, 9, "intact",
			[]string{"another was made over", "superblock: "}},
		{"no checksums", "-t ext4 -b 4096 -O ^metadata_csum", "-t ext4 -b 4096", false, 9, "unproven",
			[]string{"another was made over"}},
		{"ext3", "-t ext3 -b 1024 -E hash_seed=00000000-1111-4222-8333-444444444444", "-t ext4 -b 1024", true, 7, "unproven", []string{"another was made over", "journal: its inode is gone"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := volume(t, tt.kernel, tt.mkfs)
			files := len(v.sums)
			over := func() {
				tool(t, exttest.Tool(t, "mke2fs"), append(strings.Fields(tt.over+" "+overIt), v.image)...)
			}
			if tt.kernel {
				files = v.survivors(t, over)
			} else {
				over()
			}
			r := v.recover(t, "--former")
			if r.sum["former"] != "overwritten" {
				t.Errorf("former is %v", r.sum["former"])
			}
			r.says(t, tt.says...)
			t.Logf("%d of %d files came back, %v %s", r.known, files, r.sum[tt.grade], tt.grade)
			if files == 0 || r.known*10 < files*tt.least {
				t.Errorf("%d of %d files came back", r.known, files)
			}
			if n, _ := r.sum[tt.grade].(float64); int(n)*10 < files*tt.least {
				t.Errorf("%v of %d %s", r.sum[tt.grade], files, tt.grade)
			}
		})
	}
	t.Run("and mounted", func(t *testing.T) {
		v := volume(t, true, "-t ext4 -b 4096")
		tool(t, exttest.Tool(t, "mke2fs"), append(strings.Fields("-t ext4 -b 4096 "+overIt), v.image)...)
		v.mounted(t, func(dir string) {
			for i := range 10 {
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), make([]byte, 10<<10), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			tool(t, "sync", "-f", dir)
			for i := range 5 {
				os.Remove(filepath.Join(dir, fmt.Sprint(i)))
			}
		})
		r := v.recover(t, "--former")
		if n := r.known; n < len(v.sums)/4 {
			t.Errorf("%d of %d files came back", n, len(v.sums))
		}
	})
}

// survivors makes another file system over the image, and counts the files of which that
// left contents and inode as they were, and the contents in blocks that it has no use for: by
// FIEMAP, by where debugfs says that inodes lie, and by what dumpe2fs calls free. Where the
// kernel puts directories is a matter of chance, and so is what mke2fs takes.
func (v *lostVolume) survivors(t *testing.T, do func()) int {
	t.Helper()
	type piece struct{ off, n int64 }
	files := map[uint64][]piece{}
	v.mounted(t, func(dir string) {
		for _, o := range exttest.Walk(t, dir) {
			if o.Type != "file" {
				continue
			}
			files[o.Ino] = []piece{}
			for _, e := range o.Extents {
				files[o.Ino] = append(files[o.Ino], piece{e.Physical, e.Length})
			}
		}
	})
	var asked strings.Builder
	for ino := range files {
		fmt.Fprintf(&asked, "imap <%d>\n", ino)
	}
	requests := filepath.Join(t.TempDir(), "requests")
	if err := os.WriteFile(requests, []byte(asked.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	said := tool(t, exttest.Tool(t, "debugfs"), "-f", requests, v.image)
	where := regexp.MustCompile(`Inode (\d+) is part of block group \d+\s+located at block (\d+), offset 0x([0-9a-f]+)`)
	for _, m := range where.FindAllStringSubmatch(said, -1) {
		ino, _ := strconv.ParseUint(m[1], 10, 64)
		block, _ := strconv.ParseInt(m[2], 10, 64)
		at, _ := strconv.ParseInt(m[3], 16, 64)
		files[ino] = append(files[ino], piece{block*1024 + at, 128})
	}
	sums := func() map[uint64][32]byte {
		b, err := os.ReadFile(v.image)
		if err != nil {
			t.Fatal(err)
		}
		out := map[uint64][32]byte{}
		for ino, pieces := range files {
			var all []byte
			for _, p := range pieces {
				all = append(all, b[p.off:][:p.n]...)
			}
			out[ino] = sha256.Sum256(all)
		}
		return out
	}
	before := sums()
	do()
	type span struct{ first, last int64 } // in bytes; 1024 a block, before and after
	var free []span
	for _, line := range regexp.MustCompile(`(?m)^  Free blocks: (\d.*)$`).FindAllStringSubmatch(tool(t, exttest.Tool(t, "dumpe2fs"), v.image), -1) {
		for text := range strings.SplitSeq(line[1], ", ") {
			a, b, two := strings.Cut(text, "-")
			if !two {
				b = a
			}
			first, _ := strconv.ParseInt(a, 10, 64)
			last, _ := strconv.ParseInt(b, 10, 64)
			free = append(free, span{first * 1024, last*1024 + 1023})
		}
	}
	inFree := func(p piece) bool {
		return slices.ContainsFunc(free, func(s span) bool { return s.first <= p.off && p.off+p.n-1 <= s.last })
	}
	n := 0
	for ino, sum := range sums() {
		pieces := files[ino]
		if len(pieces) > 0 && before[ino] == sum && !slices.ContainsFunc(pieces[:len(pieces)-1], func(p piece) bool { return !inFree(p) }) {
			n++
		}
	}
	return n
}

// TestFormerNone looks at a sound file system.
func TestFormerNone(t *testing.T) {
	v := volume(t, false, "-t ext4 -b 4096")
	r := v.recover(t, "--former")
	if r.call.status != exitDone || r.sum["former"] != "none" || r.known != 0 {
		t.Errorf("status %d, former %v, %d files", r.call.status, r.sum["former"], r.known)
	}
	r.says(t, "is sound, and nothing was found of another")
}
