package links_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
)

// FuzzSurvey surveys images: fuzz data is a first byte that chooses a sound image,
// then patches of it, each three bytes of offset, one of length, and the bytes.
func FuzzSurvey(f *testing.F) {
	var images [][]byte
	for i, name := range []string{"small", "small-ext2", "small-inline", "links-tutorial/12-python-chain"} {
		images = append(images, exttest.Bytes(f, name))
		f.Add([]byte{byte(i)})
		// A wiped inode table, a link count, a parent, a name.
		f.Add([]byte{byte(i), 0, 0x20, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8})
		f.Add([]byte{byte(i), 0x1a, 0x29, 0, 2, 0xff, 0xff, 0x1a, 0x2a, 0, 2, 0, 0})
	}
	for _, name := range exttest.Some(20, exttest.HostileNames()) {
		image := exttest.HostileImage(f, name)
		for i, base := range images[:3] {
			if data := patches(i, base, image); data != nil {
				f.Add(data)
				break
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || int(data[0]) >= len(images) {
			return
		}
		image := bytes.Clone(images[data[0]])
		for data = data[1:]; len(data) > 4; {
			at, n := int(data[0])|int(data[1])<<8|int(data[2])<<16, min(int(data[3]), len(data)-4)
			if at < len(image) {
				copy(image[at:], data[4:4+n])
			}
			data = data[4+n:]
		}
		defer exttest.Watch(t, exttest.TimeLimit())()
		start := time.Now()
		everyLink(t, image)
		if took := time.Since(start); took > exttest.TimeLimit() {
			t.Errorf("took %v", took)
		}
	})
}

// patches is the fuzz data that makes image from a base, nil where that takes a
// lot.
func patches(number int, base, image []byte) []byte {
	if len(base) != len(image) {
		return nil
	}
	data := []byte{byte(number)}
	for at := 0; at < len(base) && len(data) < 2000; at++ {
		if base[at] != image[at] {
			data = append(data, byte(at), byte(at>>8), byte(at>>16), 1, image[at])
		}
	}
	if len(data) >= 2000 {
		return nil
	}
	return data
}

// everyLink asks all that the package can be asked, and looks at whether the
// answers fit each other.
func everyLink(t *testing.T, image []byte) {
	f, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{})
	if err != nil {
		return
	}
	ctx := context.Background()
	tree, err := links.Survey(ctx, f, links.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	hard, err := tree.HardLinks(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for l := range hard {
		for _, p := range l.Paths {
			if len(p) == 0 || p[0] != '/' && p[0] != '@' {
				t.Errorf("inode %d has the path %q", l.Ino, p)
			}
		}
	}
	if tree, err = links.Survey(ctx, f, links.Hooks{Symlinks: true}); err != nil {
		t.Fatal(err)
	}
	symlinks, err := tree.Symlinks(ctx, links.SymlinkOptions{MountedAt: "/mnt"})
	if err != nil {
		t.Fatal(err)
	}
	for s := range symlinks {
		switch s.State {
		case links.StateOK:
			if s.To == 0 || len(s.Resolved) == 0 {
				t.Errorf("symlink %d leads to inode %d, %q", s.Ino, s.To, s.Resolved)
			}
		case links.StateRotten:
			s.Why()
		case links.StateLoop, links.StateExternal, links.StateUnreadable:
		default:
			t.Errorf("symlink %d is %q", s.Ino, s.State)
		}
	}
	if _, _, err := tree.Orphans(ctx); err != nil {
		t.Fatal(err)
	}
	lost, err := tree.Unattached(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range lost {
		if u.Below > uint64(tree.Limit()) {
			t.Errorf("%d inodes below inode %d", u.Below, u.Ino)
		}
	}
	var blocks []layout.Block
	for b := layout.Block(0); uint64(b) < min(f.Super.BlocksCount, 200); b++ {
		blocks = append(blocks, b)
	}
	if _, _, err := links.Owners(ctx, f, blocks, nil); err != nil {
		t.Fatal(err)
	}
}
