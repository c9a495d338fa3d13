package replay_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/replay"
)

// openCrash opens a crash case.
func openCrash(t testing.TB, name string, o replay.Options) *replay.View {
	t.Helper()
	image, device := exttest.CrashBytes(t, name)
	if device != nil {
		o.External, o.ExternalSize = bytes.NewReader(device), int64(len(device))
	}
	return openBytes(t, image, o)
}

func openBytes(t testing.TB, image []byte, o replay.Options) *replay.View {
	t.Helper()
	v, err := replay.Open(bytes.NewReader(image), int64(len(image)), o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestTruth holds the replayed view of every crash case against what a kernel mount
// of a copy showed, and the home view against a mount without replay.
func TestTruth(t *testing.T) {
	for _, name := range exttest.Some(6, exttest.CrashCases(t)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := openCrash(t, name, replay.Options{})
			for _, w := range v.Warnings {
				t.Errorf("warning at %d: %s", w.Offset, w.Text)
			}
			if !v.Applied || v.Transactions == 0 {
				t.Errorf("%d transactions, applied: %t", v.Transactions, v.Applied)
			}
			compareTree(t, v.FS, exttest.Truth(t, name), fastTouched(v))
			if home, ok := exttest.HomeTruth(t, name); ok {
				off := openCrash(t, name, replay.Options{Off: true})
				if off.Applied || off.FS != off.Home || off.Transactions != v.Transactions || off.FastCommits != v.FastCommits {
					t.Errorf("home view: applied %t, %d transactions, %d fast commits", off.Applied, off.Transactions, off.FastCommits)
				}
				compareTree(t, off.FS, home, nil)
			}
		})
	}
}

// times are those of inodes that the kernel changed at the moment of replay.
type times map[ext.Ino]bool

// fastTouched gives the inodes whose names fast commits change.
func fastTouched(v *replay.View) times {
	if v.FastCommits == 0 {
		return nil
	}
	m := times{}
	for _, fc := range v.Journal.FastCommits() {
		for _, r := range fc.Records {
			if r.Parent != 0 {
				m[r.Parent], m[r.Ino] = true, true
			}
		}
	}
	return m
}

func compareTree(t *testing.T, f *ext.FS, truth []exttest.Object, touched times) {
	t.Helper()
	seen := map[string]*ext.Inode{}
	root, err := f.Inode(layout.RootIno)
	if err != nil {
		t.Fatal(err)
	}
	seen["/"] = root
	for e, err := range f.Walk(context.Background(), root, []byte("/"), ext.WalkOptions{}) {
		if err != nil {
			t.Errorf("walk: %v", err)
			continue
		}
		in, err := f.Inode(e.Ino)
		if err != nil {
			t.Errorf("%q: %v", e.Path, err)
			continue
		}
		if _, again := seen[string(e.Path)]; again {
			t.Errorf("%q is there twice", e.Path)
		}
		seen[string(e.Path)] = in
	}
	for i := range truth {
		o := &truth[i]
		in, ok := seen[string(o.Path)]
		if !ok {
			t.Errorf("%q is missing", o.Path)
			continue
		}
		delete(seen, string(o.Path))
		compare(t, f, in, o, touched)
	}
	for path := range seen {
		t.Errorf("%q is there, and the kernel does not show it", path)
	}
}

func compare(t *testing.T, f *ext.FS, in *ext.Inode, o *exttest.Object, touched times) {
	t.Helper()
	check := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q (inode %d): %s is %v, want %v", o.Path, in.Ino, what, got, want)
		}
	}
	stamp := func(what string, got time.Time, s exttest.Time) {
		t.Helper()
		want := time.Unix(s.Sec, int64(s.Nsec)).UTC()
		if touched[in.Ino] && !got.After(want) && (what == "mtime" && in.IsDir() || what == "ctime") {
			return // the moment of replay
		}
		if s.IsZero() && in.IsDir() {
			return // not recorded
		}
		check(what, got.Format(time.RFC3339Nano), want.Format(time.RFC3339Nano))
	}
	check("inode", in.Ino, o.Ino)
	check("type", typeWord(in), o.Type)
	check("mode", in.Mode&0o7777, o.Mode)
	check("uid", in.UID, o.UID)
	check("gid", in.GID, o.GID)
	check("size", in.Size(), o.Size)
	check("links", in.Links, o.Links)
	blocks := f.Blocks512(in)
	if in.HasInline() && in.IsRegular() {
		blocks += (in.Size() + 511) / 512 // ext4_file_getattr
	}
	check("blocks", blocks, o.Blocks512)
	stamp("atime", in.Atime, o.Atime)
	stamp("mtime", in.Mtime, o.Mtime)
	stamp("ctime", in.Ctime, o.Ctime)
	if !o.Btime.IsZero() {
		stamp("crtime", in.Crtime, o.Btime)
	}
	if !in.ChecksumOK {
		t.Errorf("%q: the inode's checksum does not hold", o.Path)
	}
	switch o.Type {
	case "file":
		if o.Unreadable != "" {
			return // home blocks that contradict each other
		}
		file := f.File(in)
		sum, err := exttest.Digest(file, file.Size())
		if err = firstError(err, file.Err()); err != nil || sum != o.SHA256 {
			t.Errorf("%q: content is %s (%v), want %s", o.Path, sum, err, o.SHA256)
		}
		check("generation", in.Generation, o.Generation)
	case "symlink":
		target, err := f.Readlink(in)
		check("readlink", err, nil)
		check("target", string(target), string(o.Target))
	case "chardev", "blockdev":
		major, minor := in.Device()
		check("device", uint64(major)<<32|uint64(minor), o.Rdev)
	}
	extents(t, f, in, o)
	list, err := f.Xattrs(in)
	check("reading xattrs", err, nil)
	for _, x := range list {
		if string(o.Xattrs[x.Name]) != string(x.Value) {
			t.Errorf("%q: xattr %q is %q, want %q", o.Path, x.Name, x.Value, o.Xattrs[x.Name])
		}
	}
	check("xattrs", len(list), len(o.Xattrs))
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// extents holds the map against FIEMAP.
func extents(t *testing.T, f *ext.FS, in *ext.Inode, o *exttest.Object) {
	t.Helper()
	if in.HasInline() || o.Type != "file" && o.Type != "directory" {
		return
	}
	bs := int64(f.BlockSize())
	var got []exttest.Extent
	for r, err := range f.Runs(in) {
		if err != nil {
			t.Errorf("%q: %v", o.Path, err)
		}
		flags := uint32(0)
		switch r.Kind {
		case ext.Hole:
			continue
		case ext.Unwritten:
			flags = exttest.ExtentUnwritten
		}
		got = append(got, exttest.Extent{Logical: int64(r.Logical) * bs, Physical: int64(r.Physical) * bs, Length: int64(r.Len) * bs, Flags: flags})
	}
	if want, ok := o.SameExtents(got); !ok {
		t.Errorf("%q: runs are %v, FIEMAP gives %v", o.Path, got, want)
	}
}

func typeWord(in *ext.Inode) string {
	return map[uint16]string{
		layout.ModeRegular: "file", layout.ModeDir: "directory", layout.ModeSymlink: "symlink", layout.ModeChar: "chardev",
		layout.ModeBlock: "blockdev", layout.ModeFIFO: "fifo", layout.ModeSocket: "socket",
	}[in.Type()]
}
