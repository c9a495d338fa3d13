package main

import (
	"bufio"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// ownerBlock is what the tests look at in the JSON of owner.
type ownerBlock struct {
	Block     uint64
	Kind      string
	Allocated *bool
	Inodes    []uint64
	Logical   *uint64
	Paths     []string
	Owners    []struct {
		Inode   uint64
		Kind    string
		Deleted bool
	}
}

// slack is what debugfs does not know of.
func (b *ownerBlock) slack() bool { return b.Kind == "cluster slack" }

// Every block of a small image, and spread over the larger ones, belongs to
// whom icheck says, is called by the names that ncheck finds, and is in use
// where testb says so.
func TestOwnerAgreesWithDebugfs(t *testing.T) {
	exttest.Tool(t, "debugfs")
	for _, name := range exttest.Some(6, append(exttest.Cases(t, "small"), append(exttest.Cases(t, "matrix"), "demo.img")...)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			img := exttest.Image(t, name)
			blocks := sampleBlocks(t, img)
			var got struct{ Blocks []ownerBlock }
			var args []string
			for _, b := range blocks {
				args = append(args, strconv.FormatUint(b, 10))
			}
			decode(t, &got, append([]string{"owner", img}, args...)...)
			if len(got.Blocks) != len(blocks) {
				t.Fatalf("%d blocks, want %d", len(got.Blocks), len(blocks))
			}
			owners := icheck(t, img, blocks)
			inodes := map[uint64]bool{}
			for _, b := range got.Blocks {
				want, owned := owners[b.Block]
				if b.slack() || !owned && len(b.Owners) > 0 && (b.Owners[0].Deleted || len(b.Paths) == 0) {
					continue // icheck passes inodes without a link by
				}
				if owned != (len(b.Inodes) > 0) || owned && !slices.Contains(b.Inodes, want) {
					t.Errorf("block %d (%s): inodes %v, icheck has %d", b.Block, b.Kind, b.Inodes, want)
				}
				if owned {
					inodes[want] = true
				}
			}
			checkNames(t, img, got.Blocks, inodes)
			checkUse(t, img, got.Blocks)
		})
	}
}

// sampleBlocks picks some 300 blocks of an image: the first, the last, and evenly
// between.
func sampleBlocks(t *testing.T, img string) []uint64 {
	var info struct{ Superblock struct{ Blocks uint64 } }
	decode(t, &info, "info", img)
	n := info.Superblock.Blocks
	var blocks []uint64
	for b := uint64(0); b < n; b += max(1, n/400) {
		blocks = append(blocks, b)
	}
	for b := uint64(1); b < min(n, 700); b += 3 {
		blocks = append(blocks, b)
	}
	blocks = append(blocks, n-1)
	slices.Sort(blocks)
	return slices.Compact(blocks)
}

func numbers(list []uint64) string {
	s := make([]string, len(list))
	for i, n := range list {
		s[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(s, " ")
}

func icheck(t *testing.T, img string, blocks []uint64) map[uint64]uint64 {
	t.Helper()
	owners := map[uint64]uint64{}
	for chunk := range slices.Chunk(blocks, 200) {
		for line := range strings.Lines(exttest.Debugfs(t, img, "icheck "+numbers(chunk))) {
			var block, ino uint64
			if n, _ := fmt.Sscanf(line, "%d\t%d", &block, &ino); n == 2 && ino != 0 {
				owners[block] = ino
			}
		}
	}
	return owners
}

// checkNames compares the paths of the owners with ncheck's, but for names that
// the lines of its output don't hold, and for what lies below a lost directory.
func checkNames(t *testing.T, img string, blocks []ownerBlock, inodes map[uint64]bool) {
	t.Helper()
	var list []uint64
	for ino := range inodes {
		if ino > 11 {
			list = append(list, ino)
		}
	}
	slices.Sort(list)
	names := map[uint64][]string{}
	for chunk := range slices.Chunk(list, 200) {
		lines := bufio.NewScanner(strings.NewReader(exttest.Debugfs(t, img, "ncheck "+numbers(chunk))))
		for lines.Scan() {
			from, path, ok := strings.Cut(lines.Text(), "\t")
			if ino, err := strconv.ParseUint(from, 10, 32); ok && err == nil {
				names[ino] = append(names[ino], strings.Replace(path, "//", "/", 1))
			}
		}
	}
	plain := regexp.MustCompile(`^[ -\[\]-~]*$`)
	for _, b := range blocks {
		if len(b.Inodes) != 1 || names[b.Inodes[0]] == nil {
			continue
		}
		if slices.ContainsFunc(b.Paths, func(p string) bool { return !plain.MatchString(p) }) {
			continue
		}
		for _, p := range names[b.Inodes[0]] {
			if plain.MatchString(p) && !strings.Contains(p, "???") && !slices.Contains(b.Paths, p) {
				t.Errorf("block %d of inode %d: paths %q, ncheck has %q", b.Block, b.Inodes[0], b.Paths, p)
			}
		}
	}
}

// checkUse compares the allocation with testb's.
func checkUse(t *testing.T, img string, blocks []ownerBlock) {
	t.Helper()
	for i, b := range blocks {
		if i%40 != 1 || b.Kind == "boot block" {
			continue
		}
		out := exttest.Debugfs(t, img, fmt.Sprintf("testb %d", b.Block))
		if used := strings.Contains(out, "marked in use"); b.Allocated == nil || *b.Allocated != used {
			t.Errorf("block %d: allocated %v, debugfs says %s", b.Block, b.Allocated, out)
		}
	}
}

// The kinds of metadata are where dumpe2fs sees them; see TestInfoAgreesWithDumpe2fs
// for the numbers themselves.
func TestOwnerMetadata(t *testing.T) {
	for _, name := range []string{"matrix/ext4-1k", "matrix/meta-bg", "matrix/many-groups", "matrix/no-flex-bg", "matrix/bigalloc-16k", "matrix/mmp", "matrix/sparse-super2"} {
		img := exttest.Image(t, name)
		var info struct {
			Superblock struct {
				Backups []uint64
				MMP     *struct{ Block uint64 }
			}
			Groups []struct {
				BlockBitmap uint64 `json:"block_bitmap"`
				InodeBitmap uint64 `json:"inode_bitmap"`
				InodeTable  uint64 `json:"inode_table"`
			}
		}
		decode(t, &info, "info", img)
		want := map[uint64]string{}
		for _, g := range info.Groups {
			want[g.BlockBitmap], want[g.InodeBitmap], want[g.InodeTable] = "block bitmap", "inode bitmap", "inode table"
		}
		for _, b := range info.Superblock.Backups {
			want[b] = "superblock"
		}
		if m := info.Superblock.MMP; m != nil {
			want[m.Block] = "multiple mount protection"
		}
		args := []string{"owner", img}
		for b := range want {
			args = append(args, strconv.FormatUint(b, 10))
		}
		var got struct{ Blocks []ownerBlock }
		decode(t, &got, args...)
		for _, b := range got.Blocks {
			if b.Kind != want[b.Block] || b.Allocated == nil || !*b.Allocated {
				t.Errorf("%s: block %d is %s, want %s", name, b.Block, b.Kind, want[b.Block])
			}
		}
	}
}

// The run list of every file is debugfs's, index blocks and all.
func TestBlocksAgreesWithDebugfs(t *testing.T) {
	exttest.Tool(t, "debugfs")
	for _, tt := range []struct{ name, path string }{
		{"small-ext2", "/mapped"}, {"small-ext2", "/frag"}, {"small", "/frag"}, {"small", "/many"}, {"demo.img", "/var/log/app.log"},
	} {
		img := exttest.Image(t, tt.name)
		var got struct{ Files []struct{ Runs []jsonRun } }
		decode(t, &got, "blocks", img, tt.path)
		var mine []int64
		for _, r := range got.Files[0].Runs {
			for i := range r.Length {
				if r.Physical != nil {
					mine = append(mine, *r.Physical+i)
				}
			}
		}
		slices.Sort(mine)
		var want []int64
		for f := range strings.FieldsSeq(exttest.Debugfs(t, img, "blocks "+tt.path)) {
			n, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, n)
		}
		slices.Sort(want)
		if !slices.Equal(mine, want) {
			t.Errorf("%s %s: blocks %v, debugfs has %v", tt.name, tt.path, mine, want)
		}
	}
}
