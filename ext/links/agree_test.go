package links_test

import (
	"bytes"
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/links"
)

func openCase(t *testing.T, name string) *ext.FS {
	t.Helper()
	file, size := exttest.Open(t, name)
	f, err := ext.Open(file, size, ext.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The survey's verdict on every symlink of every stored image is that of package
// ext, which looks each name up on its own.
func TestSymlinksAgree(t *testing.T) {
	for _, name := range exttest.Cases(t, "") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := openCase(t, name)
			n := 0
			aimed := judged(t, f, links.Hooks{Symlinks: true})
			for i, s := range judged(t, f, links.Hooks{}) {
				if i >= len(aimed) || !reflect.DeepEqual(s, aimed[i]) {
					t.Errorf("%q differs where the survey was aimed at targets", s.Path)
				}
				n++
				if s.State == links.StateExternal || s.State == links.StateUnreadable {
					continue
				}
				path, in, err := f.Canonical(string(s.Path))
				switch {
				case err == nil && (s.State != links.StateOK || s.To != in.Ino || !bytes.Equal(s.Resolved, path)):
					t.Errorf("%q is %s and leads to %q (inode %d), by its path to %q (inode %d)", s.Path, s.State, s.Resolved, s.To, path, in.Ino)
				case errors.Is(err, ext.ErrLoop) != (s.State == links.StateLoop):
					t.Errorf("%q is %s, by its path: %v", s.Path, s.State, err)
				case errors.Is(err, fs.ErrNotExist) && s.State != links.StateRotten, err != nil && s.State == links.StateOK:
					t.Errorf("%q is %s, by its path: %v", s.Path, s.State, err)
				}
			}
			want := 0
			for _, o := range exttest.Truth(t, name) {
				if o.Type == "symlink" {
					want++
				}
			}
			if n != want || n != len(aimed) {
				t.Errorf("%d symlinks, the kernel shows %d", n, want)
			}
		})
	}
}

// judged judges all symlinks after a survey.
func judged(t *testing.T, f *ext.FS, h links.Hooks) []links.Symlink {
	tree, err := links.Survey(t.Context(), f, h)
	if err != nil {
		t.Fatal(err)
	}
	all, err := tree.Symlinks(t.Context(), links.SymlinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(all)
}

// The names of an inode are those that the kernel shows, whatever else is asked for with
// them: directories are read only where they are known to name what is asked for.
func TestNamesAgree(t *testing.T) {
	for _, name := range exttest.Cases(t, "") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := openCase(t, name)
			tree, err := links.Survey(t.Context(), f, links.Hooks{})
			if err != nil {
				t.Fatal(err)
			}
			want := map[links.Ino][]string{}
			for _, o := range exttest.Truth(t, name) {
				if o.Ino != 0 { // else the truth is the recipe's, which knows no numbers
					want[links.Ino(o.Ino)] = append(want[links.Ino(o.Ino)], string(o.Path))
				}
			}
			for ino, paths := range want {
				set := tree.NewSet()
				set.Add(ino)
				names, err := tree.Names(t.Context(), set)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, p := range names.Paths(ino) {
					got = append(got, string(p))
				}
				slices.Sort(paths)
				if !slices.Equal(got, paths) {
					t.Errorf("inode %d has the names %q, want %q", ino, got, paths)
				}
			}
		})
	}
}
