package replay_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/replay"
)

// TestDiff holds the differences between the two views against those between what
// the kernel showed with replay and without.
func TestDiff(t *testing.T) {
	for _, name := range exttest.CrashCases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home, ok := exttest.HomeTruth(t, name)
			if !ok {
				t.Skip("the kernel could not walk the home blocks")
			}
			v := openCrash(t, name, replay.Options{})
			want := expect(home, exttest.Truth(t, name))
			got := map[string]bool{}
			for c, err := range replay.Diff(context.Background(), v) {
				if err != nil {
					t.Errorf("%v", err)
					continue
				}
				for _, line := range lines(c) {
					if got[line] {
						t.Errorf("twice: %s", line)
					}
					got[line] = true
				}
			}
			for _, line := range slices.Sorted(maps.Keys(want)) {
				if !got[line] {
					t.Errorf("missing: %s", line)
				}
			}
			for _, line := range slices.Sorted(maps.Keys(got)) {
				if !want[line] && !unnamed(line, home) {
					t.Errorf("not what the kernel shows: %s", line)
				}
			}
			t.Logf("%d differences", len(got))
		})
	}
}

// unnamed reports whether a line is about an inode that no path leads to.
func unnamed(line string, home []exttest.Object) bool {
	var ino uint64
	if _, err := fmt.Sscanf(line, "inode %d", &ino); err != nil {
		return false
	}
	return !slices.ContainsFunc(home, func(o exttest.Object) bool { return o.Ino == ino })
}

// lines puts a change into words; what no walk of names shows is left out.
func lines(c replay.Change) []string {
	switch c.Kind {
	case replay.NameAdded:
		return []string{fmt.Sprintf("added %s, inode %d", c.Replayed, c.Ino)}
	case replay.NameRemoved:
		return []string{fmt.Sprintf("removed %s, inode %d", c.Home, c.Ino)}
	case replay.NameMoved:
		return []string{fmt.Sprintf("removed %s, inode %d", c.Home, c.Ino), fmt.Sprintf("added %s, inode %d", c.Replayed, c.Ino)}
	case replay.Changed:
		if f := c.Fields & shown; f != 0 {
			return []string{fmt.Sprintf("inode %d: changed %v", c.Ino, f.Names())}
		}
		return nil
	case replay.Replaced:
		return []string{fmt.Sprintf("inode %d: replaced", c.Ino)}
	}
	return []string{fmt.Sprintf("inode %d: %s", c.Ino, c.Kind)}
}

const shown = ext.FieldMode | ext.FieldOwner | ext.FieldSize | ext.FieldLinks | ext.FieldXattrs

// expect gives the lines that two walks call for.
func expect(home, after []exttest.Object) map[string]bool {
	want := map[string]bool{}
	type key struct {
		dir  uint64
		name string
	}
	index := func(list []exttest.Object) (names map[key]*exttest.Object, inodes map[uint64]*exttest.Object) {
		names, inodes = map[key]*exttest.Object{}, map[uint64]*exttest.Object{}
		dirs := map[string]uint64{}
		for i := range list {
			o := &list[i]
			dirs[string(o.Path)] = o.Ino
			inodes[o.Ino] = o
		}
		for i := range list {
			if o := &list[i]; string(o.Path) != "/" {
				names[key{dirs[path.Dir(string(o.Path))], path.Base(string(o.Path))}] = o
			}
		}
		return names, inodes
	}
	a, from := index(home)
	b, to := index(after)
	for k, o := range a {
		if p := b[k]; p == nil || p.Ino != o.Ino {
			want[fmt.Sprintf("removed %s, inode %d", o.Path, o.Ino)] = true
		}
	}
	for k, o := range b {
		if p := a[k]; p == nil || p.Ino != o.Ino {
			want[fmt.Sprintf("added %s, inode %d", o.Path, o.Ino)] = true
		}
	}
	for ino, o := range from {
		p := to[ino]
		if p == nil {
			want[fmt.Sprintf("inode %d: deleted", ino)] = true
			continue
		}
		// Only files and directories show their generation; a symlink doesn't change.
		if o.Generation != p.Generation || o.Type != p.Type || !bytes.Equal(o.Target, p.Target) {
			want[fmt.Sprintf("inode %d: replaced", ino)] = true
			continue
		}
		var f ext.Fields
		set := func(differ bool, field ext.Fields) {
			if differ {
				f |= field
			}
		}
		set(o.Mode != p.Mode, ext.FieldMode)
		set(o.UID != p.UID || o.GID != p.GID, ext.FieldOwner)
		set(o.Size != p.Size, ext.FieldSize)
		set(o.Links != p.Links, ext.FieldLinks)
		set(!maps.EqualFunc(o.Xattrs, p.Xattrs, bytes.Equal), ext.FieldXattrs)
		if f != 0 {
			want[fmt.Sprintf("inode %d: changed %v", ino, f.Names())] = true
		}
	}
	for ino := range to {
		if from[ino] == nil {
			want[fmt.Sprintf("inode %d: created", ino)] = true
		}
	}
	return want
}

// TestDiffNothing has nothing to compare.
func TestDiffNothing(t *testing.T) {
	v := openCrash(t, "journal/ext4", replay.Options{Off: true})
	for c, err := range replay.Diff(context.Background(), v) {
		t.Errorf("%+v, %v", c, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	n := 0
	for _, err := range replay.Diff(ctx, openCrash(t, "journal/ext4", replay.Options{})) {
		if n++; err == nil {
			t.Error("an ended context is no error")
		}
	}
	if n != 1 {
		t.Errorf("%d times", n)
	}
}
