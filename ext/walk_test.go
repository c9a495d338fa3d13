package ext

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

func openCase(t testing.TB, name string) *FS {
	t.Helper()
	r, size := exttest.Open(t, name)
	f, err := Open(r, size, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func rootOf(t testing.TB, f *FS) *Inode {
	t.Helper()
	root, err := f.Inode(layout.RootIno)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// byParts orders paths as a walk gives them.
func byParts(a, b string) int {
	return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
}

// walkAll gives "path inode type" of every name, and what was wrong.
func walkAll(f *FS, start *Inode, o WalkOptions) (names []string, errs []error) {
	for e, err := range f.Walk(context.Background(), start, []byte("/"), o) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		names = append(names, fmt.Sprint(string(e.Path), " ", e.Ino, " ", e.Type))
	}
	return names, errs
}

var typeHints = map[string]uint8{"file": layout.FTRegular, "directory": layout.FTDir, "symlink": layout.FTSymlink,
	"chardev": layout.FTChar, "blockdev": layout.FTBlock, "fifo": layout.FTFIFO, "socket": layout.FTSocket}

// A walk gives the names that the kernel lists, with their inodes, once each
// and in order.
func TestWalkKernel(t *testing.T) {
	for _, name := range exttest.Some(16, exttest.Cases(t, "matrix")) {
		t.Run(name, func(t *testing.T) {
			f := openCase(t, name)
			var want []string
			objs := exttest.Truth(t, name)
			slices.SortFunc(objs, func(a, b exttest.Object) int { return byParts(string(a.Path), string(b.Path)) })
			for _, o := range objs {
				if string(o.Path) == "/" {
					continue
				}
				ino := fmt.Sprint(o.Ino)
				if o.Partial {
					ino = "?"
				}
				want = append(want, fmt.Sprint(string(o.Path), " ", ino, " ", typeHints[o.Type]))
			}
			partial := objs[0].Partial
			for _, o := range []WalkOptions{{}, {Inodes: true}} {
				got, errs := walkAll(f, rootOf(t, f), o)
				if len(errs) > 0 {
					t.Errorf("%+v: %v", o, errs)
				}
				if partial { // of the tree that went in, which has no lost+found
					got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "/lost+found ") })
					for i, s := range got {
						w := strings.Split(s, " ")
						w[len(w)-2] = "?"
						got[i] = strings.Join(w, " ")
					}
				}
				if i := firstDiff(got, want); i >= 0 {
					t.Errorf("%+v: name %d of %d and %d: got %q, want %q", o, i, len(got), len(want), at(got, i), at(want, i))
				}
			}
		})
	}
}

func firstDiff(a, b []string) int {
	for i := range max(len(a), len(b)) {
		if at(a, i) != at(b, i) {
			return i
		}
	}
	return -1
}

func at(s []string, i int) string {
	if i < len(s) {
		return s[i]
	}
	return "(none)"
}

// WalkDirs gives the same names as Walk, and its directories in the same order.
func TestWalkDirs(t *testing.T) {
	f := openCase(t, "matrix/ext4-1k")
	root := rootOf(t, f)
	want, _ := walkAll(f, root, WalkOptions{})
	var dirs, got []string
	for d, err := range f.WalkDirs(context.Background(), root, []byte("/"), WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, string(d.Path))
		n, last := 0, 0
		for e := range d.Entries() {
			n++
			if e.Last {
				last++
			}
			if e.Depth != d.Depth+1 {
				t.Errorf("%s: depth %d in a directory of depth %d", e.Path, e.Depth, d.Depth)
			}
			got = append(got, fmt.Sprint(string(e.Path), " ", e.Ino, " ", e.Type))
		}
		if n != d.Len() || n > 0 && last != 1 {
			t.Errorf("%s: %d entries of %d, %d last ones", d.Path, n, d.Len(), last)
		}
	}
	if !slices.IsSortedFunc(dirs, byParts) {
		t.Error("directories are not in order")
	}
	slices.SortFunc(got, byParts)
	slices.SortFunc(want, byParts)
	if i := firstDiff(got, want); i >= 0 {
		t.Errorf("got %q, want %q", at(got, i), at(want, i))
	}
}

func TestWalkOptions(t *testing.T) {
	f := openCase(t, "demo.img")
	root := rootOf(t, f)
	list := func(path string, o WalkOptions) string {
		in, err := f.Resolve(path, false)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for e, err := range f.Walk(context.Background(), in, []byte(path), o) {
			if err != nil {
				t.Fatal(err)
			}
			name := string(e.Path)
			if e.Removed {
				name += "!"
			}
			names = append(names, name)
		}
		return strings.Join(names, " ")
	}
	for _, tt := range []struct {
		path string
		o    WalkOptions
		want string
	}{
		{"/home", WalkOptions{MaxDepth: 1}, "/home/ana"},
		{"/home", WalkOptions{MaxDepth: 1, Removed: true}, "/home/ana /home/bob!"},
		{"/etc", WalkOptions{Dots: true}, "/etc/. /etc/.. /etc/app.conf /etc/localtime"},
		{"/usr", WalkOptions{DirsOnly: true, MaxDepth: 2}, "/usr/share /usr/share/doc /usr/share/zoneinfo"},
		{"/srv/", WalkOptions{}, "/srv/data.bin"},
	} {
		if got := list(tt.path, tt.o); got != tt.want {
			t.Errorf("%s %+v: got %s, want %s", tt.path, tt.o, got, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	var last error
	for _, err := range f.Walk(ctx, root, []byte("/"), WalkOptions{}) {
		cancel()
		n, last = n+1, err
	}
	if n > 20 || !errors.Is(last, context.Canceled) {
		t.Errorf("a cancelled walk gave %d things more, the last %v", n, last)
	}
	for range f.Walk(context.Background(), root, []byte("/"), WalkOptions{Inodes: true}) {
		break
	}
}

// A walk ends on any image, and tells what is wrong.
func TestWalkHostile(t *testing.T) {
	const met = "a directory that was met before"
	wrong := map[string]string{
		"directory-cycle":      met,
		"directory-cycle-root": met,
		"directory-cycle-self": met,
		"directory-type-wrong": errNotDir.Error(),
		"directory-rec-len-0":  "rec_len",
	}
	for _, name := range exttest.HostileNames() {
		image := exttest.HostileImage(t, name)
		f, err := Open(bytes.NewReader(image), int64(len(image)), Options{})
		if err != nil {
			continue
		}
		root, err := f.Inode(layout.RootIno)
		if err != nil {
			continue
		}
		names, errs := walkAll(f, root, WalkOptions{Removed: true, Dots: true})
		if len(names) > 1<<16 {
			t.Errorf("%s: %d names", name, len(names))
		}
		if want := wrong[name]; want != "" && !strings.Contains(errors.Join(errs...).Error(), want) {
			t.Errorf("%s: got %v, want %s", name, errs, want)
		}
		delete(wrong, name)
		again, _ := walkAll(f, root, WalkOptions{Removed: true, Dots: true, Inodes: true})
		if len(again) < len(names) && !strings.Contains(name, "type") {
			t.Logf("%s: %d names, and %d with inodes", name, len(names), len(again))
		}
	}
	for name := range wrong {
		t.Errorf("there is no case %s", name)
	}
}

// Damage elsewhere in the image does not make a walk panic or go on for ever.
func FuzzWalk(f *testing.F) {
	images := map[byte][]byte{}
	for i, name := range []string{"small", "small-ext2", "small-inline"} {
		images[byte(i)] = exttest.Bytes(f, name)
		f.Add(byte(i), []byte{0, 4, 0, 0xff})
	}
	f.Add(byte(0), []byte{0, 16, 0x28, 2, 1, 16, 0x84, 9})
	f.Fuzz(func(t *testing.T, which byte, patch []byte) {
		image := bytes.Clone(images[which%3])
		// Two bytes of block, one of place in it divided by four, one of value.
		for ; len(patch) >= 4; patch = patch[4:] {
			off := (int(patch[0])<<8|int(patch[1]))*1024 + int(patch[2])*4
			image[off%len(image)] = patch[3]
		}
		fs, err := Open(bytes.NewReader(image), int64(len(image)), Options{})
		if err != nil {
			return
		}
		root, err := fs.Inode(layout.RootIno)
		if err != nil {
			return
		}
		a, aErrs := walkAll(fs, root, WalkOptions{Removed: true, Dots: true})
		b, bErrs := walkAll(fs, root, WalkOptions{Removed: true, Dots: true})
		if !slices.Equal(a, b) || len(aErrs) != len(bErrs) {
			t.Errorf("two walks differ: %d names and %d errors, then %d and %d", len(a), len(aErrs), len(b), len(bErrs))
		}
	})
}

// A wide tree, larger than what is read ahead, stays in order when its reader is
// slow or stops early.
func TestWalkSlow(t *testing.T) {
	f := openCase(t, "matrix/many-groups")
	root := rootOf(t, f)
	all, _ := walkAll(f, root, WalkOptions{})
	for stop := 0; stop < len(all); stop += len(all)/50 + 1 {
		n := 0
		for e, err := range f.Walk(context.Background(), root, []byte("/"), WalkOptions{Inodes: stop%2 == 0}) {
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(string(e.Path), " ", e.Ino, " ", e.Type); got != all[n] {
				t.Fatalf("got %s, want %s", got, all[n])
			}
			if n++; n > stop {
				break
			}
		}
	}
}
