package audit_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
)

// Forty links on the way are followed, as by the kernel (MAXSYMLINKS), and no
// more: in a chain, side by side, and both.
func TestLinkLimit(t *testing.T) {
	m := newMaker(4096, 1<<12, 1000)
	root := []name{{"file", 20, layout.FTRegular}, {"dir", 21, layout.FTDir}, {"up", 22, layout.FTSymlink}}
	m.inode(20, 0x81a4, 1, 0, 0)
	m.symlink(22, "dir/..") // one link, back to the root
	want := map[string]string{"up": links.StateOK}
	ino := uint32(100)
	link := func(name_, target, state string) {
		root = append(root, name{name_, ino, layout.FTSymlink})
		if want[name_] = state; len(target) < 60 {
			m.symlink(ino, target)
		} else {
			at := m.alloc(1)
			copy(m.block(at), target)
			m.mapped(ino, 0xa1ff, 1, int64(len(target)), 0, extentRec{0, 1, at})
		}
		ino++
	}
	// c1 leads to the file, c2 to c1 and so on: cN takes N links.
	for i := 1; i <= 60; i++ {
		target, state := fmt.Sprintf("c%d", i-1), links.StateOK
		if i == 1 {
			target = "./file"
		}
		if i > 40 {
			state = links.StateLoop
		}
		link(fmt.Sprintf("c%d", i), target, state)
	}
	// Side by side: each "up" takes one, the link itself another.
	link("side39", strings.Repeat("up/", 39)+"file", links.StateOK)
	link("side40", strings.Repeat("up/", 40)+"file", links.StateLoop)
	link("both40", strings.Repeat("up/", 9)+"c30", links.StateOK)
	link("both41", strings.Repeat("up/", 10)+"c30", links.StateLoop)
	// What is missing behind too many links is not looked for.
	link("rotten39", strings.Repeat("up/", 39)+"nothing", links.StateRotten)
	link("rotten40", strings.Repeat("up/", 40)+"nothing", links.StateLoop)
	link("to-loop", "up/c50", links.StateLoop)
	link("file/", "file/", links.StateRotten) // never by this name
	delete(want, "file/")
	root = root[:len(root)-1]
	link("slash", "c3/", links.StateRotten)
	link("behind", "c3/x", links.StateRotten)
	link("slash-dir", "up/", links.StateOK)
	link("a", "b", links.StateLoop)
	link("b", "./up/a", links.StateLoop)
	link("into-circle", "dir/../b/x", links.StateLoop)
	m.dir(21, 2)
	m.dir(2, 2, root...)
	f, err := ext.Open(m, m.size, ext.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := links.Survey(t.Context(), f, links.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := tree.Symlinks(t.Context(), links.SymlinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for s := range all {
		if s.Path == nil {
			continue
		}
		n++
		if w := want[string(s.Path[1:])]; s.State != w {
			t.Errorf("%s is %s, want %s", s.Path, s.State, w)
		}
		in, err := f.Resolve(string(s.Path), true)
		if (err == nil) != (s.State == links.StateOK) || errors.Is(err, ext.ErrLoop) != (s.State == links.StateLoop) {
			t.Errorf("%s is %s, by its path: %v", s.Path, s.State, err)
		}
		if err == nil && in.Ino != s.To {
			t.Errorf("%s leads to inode %d, by its path to %d", s.Path, s.To, in.Ino)
		}
	}
	if n != len(want) {
		t.Errorf("%d links, want %d", n, len(want))
	}
}
