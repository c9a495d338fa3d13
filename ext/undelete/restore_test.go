package undelete

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

// restorer makes a Restorer of a new folder, and what writes one inline file.
func restorer(t *testing.T) (r *Restorer, dir string, write func(c *Candidate, output string) (*Restored, error)) {
	t.Helper()
	dir = t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	r = &Restorer{Root: root, Result: &Result{}, Placing: NewPlacement(slices.Values([]*Candidate(nil)))}
	t.Cleanup(func() { r.Close(); root.Close() })
	return r, dir, func(c *Candidate, output string) (*Restored, error) {
		return r.File(t.Context(), &Job{Candidate: c, Contents: r.Result.Contents(c, false), Output: output, Key: fmt.Sprintf("%x", c.Key())})
	}
}

func inline(ino Ino, contents string) *Candidate {
	in := &ext.Inode{Ino: ino}
	in.Mode, in.Mtime = layout.ModeRegular|0o4640, time.Unix(1e9, 5).UTC()
	return &Candidate{Ino: ino, Type: layout.ModeRegular, In: in, Inline: []byte(contents), Size: uint64(len(contents)), SizeKnown: true, Grade: Intact}
}

func contents(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tree lists what lies below a folder.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	if err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, name)
		all = append(all, filepath.ToSlash(rel))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all[1:], " ")
}

// eachWay runs a test with files that have no name while they are written, where the
// system has such, and with temporary names.
func eachWay(t *testing.T, test func(t *testing.T, named bool)) {
	t.Run("nameless", func(t *testing.T) { test(t, false) })
	t.Run("named", func(t *testing.T) { test(t, true) })
}

func TestRestoreFile(t *testing.T) { eachWay(t, testRestoreFile) }

// TestRestoreLink gives a file further names: none over another, through a link, or outside of
// the folder, and none twice where a run goes on.
func TestRestoreLink(t *testing.T) {
	r, dir, write := restorer(t)
	c := inline(12, "contents")
	file, err := write(c, "a/b")
	if err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "out")); err != nil {
		exttest.Skip(t, "no symbolic links here: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "taken"), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		output, want string
		resume       bool
	}{
		{"c/d", "c/d", false}, {"c/d", "c/d", true}, {"c/d", "c/d.@12", false}, {"taken", "taken.@12", true}, {"out/x", "out.@1/x", false},
	} {
		r.Resume = tt.resume
		if got, err := r.Link(c, file.Output, tt.output); err != nil || got != tt.want {
			t.Errorf("%s, going on %t: %s, %v, want %s", tt.output, tt.resume, got, err, tt.want)
			continue
		}
		if got := contents(t, filepath.Join(dir, filepath.FromSlash(tt.want))); got != "contents" {
			t.Errorf("%s has %q", tt.want, got)
		}
	}
	if got := contents(t, filepath.Join(dir, "taken")); got != "other" {
		t.Errorf("what had the name has %q", got)
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("%s was written through a link", left[0].Name())
	}
}

func testRestoreFile(t *testing.T, named bool) {
	r, dir, write := restorer(t)
	r.named.Store(named)
	got, err := write(inline(12, "contents"), "a/b/c")
	if err != nil {
		t.Fatal(err)
	}
	if got.Output != "a/b/c" || got.Size != 8 || got.SHA256 != "d1b2a59fbea7e20077af9f91b27e95e865061b270be03ff539ab3b73587882e8" || got.Notes != nil {
		t.Errorf("got %+v", got)
	}
	info, err := os.Lstat(filepath.Join(dir, "a/b/c"))
	if err != nil {
		t.Fatal(err)
	}
	if contents(t, filepath.Join(dir, "a/b/c")) != "contents" || !info.ModTime().Truncate(time.Microsecond).Equal(time.Unix(1e9, 0)) {
		t.Errorf("contents or time differ: %v", info.ModTime())
	}
	if runtime.GOOS != "windows" && info.Mode() != 0o640 {
		t.Errorf("mode %v: set-id bits are for --owner", info.Mode())
	}
	if all := tree(t, dir); all != "a a/b a/b/c" {
		t.Errorf("left behind: %s", all)
	}
}

// TestRestoreNeverOverwrites puts files, links and folders in the way.
func TestRestoreNeverOverwrites(t *testing.T) { eachWay(t, testRestoreNeverOverwrites) }

func testRestoreNeverOverwrites(t *testing.T, named bool) {
	r, dir, write := restorer(t)
	r.named.Store(named)
	outside := t.TempDir()
	secret := filepath.Join(outside, "secret")
	for _, err := range []error{
		os.WriteFile(secret, []byte("mine"), 0o600),
		os.WriteFile(filepath.Join(dir, "file"), []byte("mine"), 0o600),
		os.Mkdir(filepath.Join(dir, "folder"), 0o700),
		os.Mkdir(filepath.Join(dir, "real"), 0o700),
		os.Symlink(outside, filepath.Join(dir, "away")),
		os.Symlink("real", filepath.Join(dir, "near")),
		os.Symlink(secret, filepath.Join(dir, "link")),
		os.Symlink("nowhere", filepath.Join(dir, "rotten")),
	} {
		if err != nil {
			exttest.Skip(t, "%v", err)
		}
	}
	for _, tt := range []struct{ output, want string }{
		{"file", "file.@12"}, {"folder", "folder.@12"}, {"link", "link.@12"}, {"rotten", "rotten.@12"},
		{"file/below", "file.@1/below"}, {"away/secret", "away.@1/secret"}, {"near/x", "near.@1/x"}, {"near/y/z", "near.@1/y/z"},
	} {
		got, err := write(inline(12, "new"), tt.output)
		if err != nil || got.Output != tt.want {
			t.Errorf("%s: written to %v, %v; want %s", tt.output, got, err, tt.want)
			continue
		}
		if contents(t, filepath.Join(dir, filepath.FromSlash(got.Output))) != "new" {
			t.Errorf("%s: other contents", got.Output)
		}
	}
	if contents(t, secret) != "mine" || contents(t, filepath.Join(dir, "file")) != "mine" || tree(t, outside) != "secret" || tree(t, filepath.Join(dir, "real")) != "" {
		t.Error("something was written through a link, or over a file")
	}
}

// TestRestoreResume finds what an interrupted run left.
func TestRestoreResume(t *testing.T) { eachWay(t, testRestoreResume) }

func testRestoreResume(t *testing.T, named bool) {
	r, dir, write := restorer(t)
	r.named.Store(named)
	c := inline(12, "contents")
	part := filepath.Join(dir, ".extscope-part-"+fmt.Sprintf("%x", c.Key()))
	if err := os.WriteFile(part, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := write(c, "a"); err != nil {
		t.Fatal(err)
	}
	if contents(t, part) != "half" {
		t.Error("a file was taken for one of an earlier run, and there was none")
	}
	r.Resume = true
	got, err := write(c, "a")
	if err != nil || got.Output != "a" || tree(t, dir) != "a" {
		t.Errorf("written again to %v, %v; there is %s", got, err, tree(t, dir))
	}
	if got, err := write(inline(12, "others"), "a"); err != nil || got.Output != "a.@12" {
		t.Errorf("other contents are written to %v, %v", got, err)
	}
	sum := got.SHA256
	for _, tt := range []struct {
		output string
		size   uint64
		sum    string
		want   bool
	}{{"a", 8, sum, true}, {"a", 9, sum, false}, {"a", 8, strings.Repeat("0", 64), false}, {"a", 8, "", true}, {"b", 8, sum, false}, {"../a", 8, sum, false}, {"", 0, "", false}} {
		if r.Kept(tt.output, tt.size, tt.sum) != tt.want {
			t.Errorf("kept %q of %d bytes: want %t", tt.output, tt.size, tt.want)
		}
	}
	if os.Symlink(".", filepath.Join(dir, "here")) == nil && r.Kept("here/a", 8, sum) {
		t.Error("a link was followed")
	}
}

// TestRestoreInterrupted leaves nothing behind.
func TestRestoreInterrupted(t *testing.T) { eachWay(t, testRestoreInterrupted) }

func testRestoreInterrupted(t *testing.T, named bool) {
	r, dir, _ := restorer(t)
	r.named.Store(named)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := inline(12, "contents")
	if _, err := r.File(ctx, &Job{Candidate: c, Contents: r.Result.Contents(c, false), Output: "a", Key: "k"}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if all := tree(t, dir); all != "" {
		t.Errorf("left behind: %s", all)
	}
}

// over makes the result of an image, to read blocks of it.
func over(t *testing.T, name string) *Result {
	t.Helper()
	f, size := exttest.Open(t, name)
	fsys, err := ext.Open(f, size, ext.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &Result{f: &finder{fs: fsys, fates: newFates(fsys, nil)}}
}

// TestContents leaves out what something else uses, and believes no size that the map
// does not bear out.
func TestContents(t *testing.T) {
	r := over(t, "small")
	bs := uint64(r.f.fs.BlockSize())
	free := Block(0)
	for b := Block(r.f.fs.Super.BlocksCount - 1); free == 0 && b > 0; b-- {
		if r.f.fates.of(b, latest.tx()) == fateLoose {
			free = b - 1 // two in a row, at the end
		}
	}
	runs := []ext.Run{{Logical: 0, Physical: 1, Len: 2, Kind: ext.Data}, {Logical: 4, Physical: free, Len: 2, Kind: ext.Data}}
	c := &Candidate{Type: layout.ModeRegular, Size: 16 << 40, SizeKnown: true, Runs: runs, Grade: Partial, Coverage: Coverage{Loose: 2, Reused: 2}, tx: latest}
	got := r.Contents(c, false)
	if got.Size != 6*bs || !got.Cut || got.Left != 2 || got.Data != 2*bs || len(got.Runs) != 1 || got.Runs[0].Physical != free || got.Runs[0].Len != 2 {
		t.Errorf("partial: %+v", got)
	}
	if got := r.Contents(c, true); got.Left != 0 || got.Data != 4*bs || len(got.Runs) != 2 {
		t.Errorf("with reused blocks: %+v", got)
	}
	var b bytes.Buffer
	if err := r.CopyContents(t.Context(), &b, c, got); err != nil || uint64(b.Len()) != 6*bs || !bytes.Equal(b.Bytes()[:4*bs], make([]byte, 4*bs)) {
		t.Errorf("copied %d bytes, %v", b.Len(), err)
	}
	loop := &Candidate{Type: layout.ModeRegular, Size: 1 << 40, SizeKnown: true, Grade: Partial, Coverage: Coverage{Loose: 6}, tx: latest,
		Runs: []ext.Run{{Logical: 0, Physical: free, Len: 2, Kind: ext.Data}, {Logical: 4, Physical: free, Len: 2, Kind: ext.Data}, {Logical: 9, Physical: free - 1, Len: 2, Kind: ext.Data}}}
	if got := r.Contents(loop, false); got.Same != 3 || got.Data != 3*bs || len(got.Runs) != 2 || got.Runs[0] != (ext.Run{Logical: 1, Physical: free + 1, Len: 1, Kind: ext.Data}) {
		t.Errorf("blocks mapped thrice: %+v", got)
	}
	c.Grade = Intact
	if got := r.Contents(c, false); got.Size != c.Size || got.Cut {
		t.Errorf("intact: %+v", got)
	}
}

// TestRestoreSparse writes a file of 1 TiB that is all hole but for a block, at once.
func TestRestoreSparse(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("sparse files are as the system has them")
	}
	r, dir, _ := restorer(t)
	r.Result = over(t, "small")
	bs := uint64(r.Result.f.fs.BlockSize())
	c := &Candidate{Ino: 12, Type: layout.ModeRegular, Size: 1 << 40, SizeKnown: true, Grade: Intact, tx: latest,
		Runs: []ext.Run{{Logical: 3, Physical: 1, Len: 1, Kind: ext.Data}}}
	got, err := r.File(t.Context(), &Job{Candidate: c, Contents: r.Result.Contents(c, false), Output: "sparse", Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if got.SHA256 != "" || len(got.Notes) != 1 {
		t.Errorf("got %+v", got)
	}
	info, err := os.Stat(filepath.Join(dir, "sparse"))
	if err != nil || info.Size() != 1<<40 {
		t.Errorf("%v, %v", info.Size(), err)
	}
	if blocks := allocated(info); blocks > int64(bs)+64<<10 {
		t.Errorf("%d bytes are allocated", blocks)
	}
}

func TestSystemACL(t *testing.T) {
	disk := []byte{1, 0, 0, 0, 1, 0, 6, 0, 2, 0, 4, 0, 0xe8, 3, 0, 0, 4, 0, 4, 0, 0x10, 0, 4, 0, 0x20, 0, 4, 0}
	want := []byte{2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0xe8, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
		0x10, 0, 4, 0, 255, 255, 255, 255, 0x20, 0, 4, 0, 255, 255, 255, 255}
	if got := systemACL(disk); !bytes.Equal(got, want) {
		t.Errorf("got %x", got)
	}
	for _, b := range [][]byte{nil, {1}, {2, 0, 0, 0, 9}, {1, 0, 0, 0, 2}} {
		systemACL(b)
	}
}
