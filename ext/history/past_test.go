package history_test

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
)

// TestPast goes back to each recorded change, and holds the tree of then against what
// the changes up to it made.
func TestPast(t *testing.T) {
	for _, name := range []string{"journal/history", "journal/history-ext3"} {
		t.Run(name, func(t *testing.T) {
			l := open(t, name)
			tree := map[string]uint64{"/lost+found": 11}
			for _, c := range exttest.Changes(t, name) {
				apply(tree, c)
				i, ok := l.Sequence(c.Sequence)
				if !ok {
					t.Fatalf("no transaction %d", c.Sequence)
				}
				p, err := l.At(i)
				if err != nil {
					t.Fatal(err)
				}
				root, err := p.FS.Inode(2)
				if err != nil {
					t.Fatal(err)
				}
				got := map[string]uint64{}
				for e, err := range p.FS.Walk(context.Background(), root, []byte("/"), ext.WalkOptions{Doubt: p.Doubt, Inodes: true}) {
					if err != nil {
						t.Errorf("at change %d: %v", c.Number, err)
						continue
					}
					got[string(e.Path)] = uint64(e.Ino)
					in, err := e.Inode()
					if err != nil || !p.InodeKnown(in) {
						t.Errorf("at change %d: %s: known %t, %v", c.Number, e.Path, err == nil && p.InodeKnown(in), err)
					}
				}
				for name, ino := range tree {
					if got[name] != ino {
						t.Errorf("at change %d: %s is inode %d, want %d", c.Number, name, got[name], ino)
					}
				}
				for name := range got {
					if tree[name] == 0 {
						t.Errorf("at change %d: %s is there", c.Number, name)
					}
				}
			}
		})
	}
}

// apply makes a recorded change to a tree of paths.
func apply(tree map[string]uint64, c exttest.Change) {
	switch c.Op {
	case "rename", "replace":
		delete(tree, c.Path)
		tree[c.Other] = c.Ino
	case "link":
		tree[c.Other] = c.Ino
	case "unlink", "rmdir":
		delete(tree, c.Path)
	default:
		tree[c.Path] = c.Ino
	}
}

// TestNameChanges holds the names that directories gained and lost against the
// recorded changes.
func TestNameChanges(t *testing.T) {
	for _, name := range []string{"journal/history", "journal/history-ext3"} {
		t.Run(name, func(t *testing.T) {
			l := open(t, name)
			for _, c := range exttest.Changes(t, name)[1:] {
				var want []string
				dirs := map[string]bool{path.Dir(c.Path): true}
				switch c.Op {
				case "create", "mkdir", "symlink":
					want = []string{"+" + c.Path}
				case "unlink", "rmdir":
					want = []string{"-" + c.Path}
				case "link":
					want = []string{"+" + c.Other}
					dirs = map[string]bool{path.Dir(c.Other): true}
				case "rename":
					want = []string{"+" + c.Other, "-" + c.Path}
					dirs[path.Dir(c.Other)] = true
				default:
					continue
				}
				i, _ := l.Sequence(c.Sequence)
				p, err := l.At(i)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for dir := range dirs {
					in, err := p.FS.Resolve(dir, false)
					if err != nil {
						t.Fatalf("change %d: %s: %v", c.Number, dir, err)
					}
					versions, err := l.InodeVersions(in.Ino)
					if err != nil {
						t.Fatal(err)
					}
					for k := range versions[1:] {
						if v := &versions[k+1]; v.Sequence == c.Sequence {
							names, known := l.NameChanges(&versions[k], v)
							if !known {
								t.Errorf("change %d: names of %s are not known", c.Number, dir)
							}
							for _, n := range names {
								sign := "+"
								if n.Removed {
									sign = "-"
								}
								got = append(got, sign+path.Join(dir, string(n.Name)))
							}
						}
					}
				}
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("change %d, %s %s: names %v, want %v", c.Number, c.Op, c.Path, got, want)
				}
			}
		})
	}
}

// TestFind follows paths that were there once.
func TestFind(t *testing.T) {
	l := open(t, "journal/history")
	last := map[string]exttest.InodeFacts{}
	for _, c := range exttest.Changes(t, "journal/history") {
		switch c.Op {
		case "unlink", "rmdir":
			last[c.Path] = *c.Removed
		case "rename", "replace":
			last[c.Path] = c.InodeFacts
		}
	}
	for name, want := range last {
		if _, err := l.FS.Resolve(name, false); err == nil {
			continue // it was made again
		}
		ino, gen, ok, err := l.Find(context.Background(), name)
		if err != nil || !ok || uint64(ino) != want.Ino || want.Generation != 0 && gen != want.Generation {
			t.Errorf("%s: inode %d, generation %d, %t, %v; want %d, %d", name, ino, gen, ok, err, want.Ino, want.Generation)
		}
	}
	if _, _, ok, _ := l.Find(context.Background(), "/inbox/never"); ok {
		t.Error("found what never was")
	}
}

// TestWhen asks for moments.
func TestWhen(t *testing.T) {
	l := open(t, "journal/history")
	for moment, want := range map[string]uint32{"7": 7, "2030-01-01": 41, "2026-11-22T23:00:00Z": 41, "@4000000000": 41} {
		i, err := l.When(moment)
		if err != nil || l.Transactions()[i].Sequence != want {
			t.Errorf("%s: %v, %v", moment, i, err)
		}
	}
	at := l.Transactions()[10].CommitTime
	if i, err := l.When(at.Format("2006-01-02T15:04:05.999999999Z07:00")); err != nil || i != 10 {
		t.Errorf("%v: %d, %v", at, i, err)
	}
	for moment, want := range map[string]string{"1": "holds no transaction 1", "2001-01-01": "goes back to", "yesterday": "neither", "@9223372036854775807": "neither", "@-9223372036854775808": "neither", "": "neither"} {
		if _, err := l.When(moment); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", moment, err)
		}
	}
	if _, err := l.When("99999999999"); err == nil || errors.Is(err, context.Canceled) {
		t.Error("no error")
	}
}
