package ext_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
)

// A badSector fails each read that reaches one byte.
type badSector struct {
	io.ReaderAt
	at int64
}

var errBadSector = errors.New("bad sector")

func (b *badSector) ReadAt(p []byte, off int64) (int, error) {
	if off <= b.at && b.at < off+int64(len(p)) {
		n, _ := b.ReaderAt.ReadAt(p[:b.at-off], off)
		return n, errBadSector
	}
	return b.ReaderAt.ReadAt(p, off)
}

// TestTargetReader reads targets that lie one behind the other, in order, backwards, and two
// at a time; and where the block of one cannot be read, all others.
func TestTargetReader(t *testing.T) {
	const links = 60
	dir := t.TempDir()
	tree, path := filepath.Join(dir, "tree"), filepath.Join(dir, "image")
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range links {
		want = append(want, strings.Repeat(fmt.Sprintf("%02d/", i), 25+i))
		if err := os.Symlink(want[i], filepath.Join(tree, fmt.Sprintf("link-%02d", i))); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range []string{"-t ext4 -b 1024", "-t ext2 -b 4096", "-t ext4 -b 65536"} {
		_ = os.Remove(path)
		cmd := exec.Command(exttest.Tool(t, "mke2fs"), append(strings.Fields("-q -F -m 0 -N 512 "+args+" -d "+tree), path, "64M")...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", cmd.Args, err, out)
		}
		image, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f := openBytes(t, image, ext.Options{})
		bad := &badSector{bytes.NewReader(image), -1}
		damaged, err := ext.Open(bad, int64(len(image)), ext.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var inodes []*ext.Inode
		var blocks []ext.Block
		for i := range links {
			in, err := f.Resolve(fmt.Sprintf("/link-%02d", i), false)
			if err != nil {
				t.Fatal(err)
			}
			runs, ok := f.AppendSimple(nil, in)
			if !ok || len(runs) != 1 {
				t.Fatalf("%s: target %d: runs %v", args, i, runs)
			}
			inodes, blocks = append(inodes, in), append(blocks, runs[0].Physical)
		}
		if blocks[1] != blocks[0]+1 {
			t.Fatalf("%s: targets do not lie together: blocks %d", args, blocks)
		}
		for _, order := range []func(i int) int{
			func(i int) int { return i },
			func(i int) int { return links - 1 - i },
			func(i int) int { return i / 2 },
			func(i int) int { return i * 7 % links },
		} {
			r := f.NewTargetReader()
			for i := range links {
				k := order(i)
				if got, err := r.Readlink(inodes[k]); err != nil || string(got) != want[k] {
					t.Fatalf("%s: target %d is %q, %v", args, k, got, err)
				}
			}
		}
		for lost := range links {
			bad.at = f.BlockOffset(blocks[lost])
			r := damaged.NewTargetReader()
			for k := range links {
				got, err := r.Readlink(inodes[k])
				if k == lost && !errors.Is(err, errBadSector) || k != lost && (err != nil || string(got) != want[k]) {
					t.Fatalf("%s: without target %d, target %d is %q, %v", args, lost, k, got, err)
				}
			}
		}
	}
}
