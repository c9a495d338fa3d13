package ext_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

// open opens a case.
func open(t testing.TB, name string) *ext.FS {
	t.Helper()
	f, size := exttest.Open(t, name)
	fsys, err := ext.Open(f, size, ext.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return fsys
}

// TestTruth holds everything that the reader says of every object in every
// stored image against what the kernel showed of it.
func TestTruth(t *testing.T) {
	for _, name := range exttest.Some(6, exttest.Cases(t, "")) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, name)
			for _, w := range f.Warnings() {
				t.Errorf("warning: %s", w.Text)
			}
			truth := exttest.Truth(t, name)
			seen := tree(t, f)
			for i := range truth {
				o := &truth[i]
				in, ok := seen[string(o.Path)]
				if !ok {
					t.Errorf("%q is missing", o.Path)
					continue
				}
				delete(seen, string(o.Path))
				compare(t, f, in, o)
			}
			for path := range seen {
				if !(len(truth) > 0 && truth[0].Partial && strings.HasPrefix(path, "/lost+found")) && !unrecorded(truth, path, seen[path]) {
					t.Errorf("%q is there, and the kernel does not show it", path)
				}
			}
		})
	}
}

// unrecorded reports whether a truth taken from a staging tree leaves out an
// object: sockets are not copied.
func unrecorded(truth []exttest.Object, path string, in *ext.Inode) bool {
	return slices.ContainsFunc(truth, func(o exttest.Object) bool { return o.Partial }) && in.Type() == layout.ModeSocket
}

// tree walks a file system and gives the inode of every path.
func tree(t *testing.T, f *ext.FS) map[string]*ext.Inode {
	all := map[string]*ext.Inode{}
	var walk func(path string, ino ext.Ino, depth int)
	walk = func(path string, ino ext.Ino, depth int) {
		in, err := f.Inode(ino)
		if err != nil {
			t.Errorf("%q: %v", path, err)
			return
		}
		all[path] = in
		if !in.IsDir() || depth > 100 {
			return
		}
		namer := f.Namer(in)
		for e, err := range f.Entries(in, false) {
			if err != nil {
				t.Errorf("%q: %v", path, err)
				continue
			}
			if !e.IsDot() {
				walk(strings.TrimSuffix(path, "/")+"/"+string(namer.Name(&e)), e.Ino, depth+1)
			}
		}
	}
	walk("/", layout.RootIno, 0)
	return all
}

func compare(t *testing.T, f *ext.FS, in *ext.Inode, o *exttest.Object) {
	check := func(what string, got, want any) {
		// Helper only then: it costs more than all the rest.
		if got != want && fmt.Sprint(got) != fmt.Sprint(want) {
			t.Helper()
			t.Errorf("%q: %s is %v, want %v", o.Path, what, got, want)
		}
	}
	stamp := func(s exttest.Time) string {
		return time.Unix(s.Sec, int64(s.Nsec)).UTC().Format(time.RFC3339Nano)
	}
	text := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Format(time.RFC3339Nano)
	}
	check("type", typeWord(in), o.Type)
	check("mode", in.Mode&0o7777, o.Mode)
	check("uid", in.UID, o.UID)
	check("gid", in.GID, o.GID)
	if !in.ChecksumOK {
		t.Errorf("%q: the inode's checksum does not hold", o.Path)
	}
	switch {
	case o.Partial && in.IsDir():
	case in.IsSymlink() && in.Flags&layout.FlagEncrypt != 0:
		// The kernel shows the length of the spelled target
		// (fscrypt_symlink_getattr, fs/crypto/hooks.c).
		check("size of the target", len(o.Target), o.Size)
	default:
		check("size", in.Size(), o.Size)
	}
	if !o.Partial {
		check("inode", in.Ino, o.Ino)
		check("links", in.Links, o.Links)
		blocks := f.Blocks512(in)
		if in.HasInline() && in.IsRegular() {
			// The kernel shows at least a sector for contents that have none
			// (ext4_file_getattr, fs/ext4/inode.c).
			blocks += (in.Size() + 511) / 512
		}
		check("blocks", blocks, o.Blocks512)
		check("atime", text(in.Atime), stamp(o.Atime))
		check("mtime", text(in.Mtime), stamp(o.Mtime))
		check("ctime", text(in.Ctime), stamp(o.Ctime))
		if o.Btime != (exttest.Time{}) || !in.Crtime.IsZero() {
			check("crtime", text(in.Crtime), stamp(o.Btime))
		}
		if o.Flags != 0 || o.Generation != 0 {
			check("generation", in.Generation, o.Generation)
			check("flags", uint32(in.Flags)&userFlags, o.Flags&userFlags)
		}
		check("project", in.ProjID, o.Project)
	} else if o.Mtime.Sec < 1<<31-1 && string(o.Path) != "/" {
		// mke2fs writes the low 32 bits of later times, and no epoch; and it
		// touches the root once more to put lost+found there.
		check("mtime", in.Mtime.Unix(), o.Mtime.Sec)
	}
	switch o.Type {
	case "chardev", "blockdev":
		major, minor := in.Device()
		check("device", uint64(major)<<32|uint64(minor), o.Rdev)
	case "symlink":
		target, err := f.Readlink(in)
		check("readlink", err, nil)
		check("target", string(target), string(o.Target))
	case "file":
		content(t, f, in, o)
	}
	if !o.Partial && (o.Type == "file" || o.Type == "directory") && o.Unreadable == "" {
		extents(t, f, in, o)
	}
	xattrs(t, f, in, o)
}

// userFlags are the inode flags that FS_IOC_GETFLAGS shows (EXT4_FL_USER_VISIBLE).
const userFlags = 0x725bdfff

func typeWord(in *ext.Inode) string {
	return map[uint16]string{
		layout.ModeRegular: "file", layout.ModeDir: "directory", layout.ModeSymlink: "symlink", layout.ModeChar: "chardev",
		layout.ModeBlock: "blockdev", layout.ModeFIFO: "fifo", layout.ModeSocket: "socket",
	}[in.Type()]
}

func content(t *testing.T, f *ext.FS, in *ext.Inode, o *exttest.Object) {
	t.Helper()
	if o.Unreadable != "" {
		return
	}
	file := f.File(in)
	if err := file.Err(); err != nil {
		t.Errorf("%q: %v", o.Path, err)
	}
	var data []exttest.Range
	if in.Size() > 64<<20 {
		for r, err := range f.Runs(in) {
			if err == nil && r.Kind == ext.Data {
				data = append(data, exttest.Range{Offset: int64(r.Logical) * int64(f.BlockSize()), Length: int64(r.Len) * int64(f.BlockSize())})
			}
		}
	}
	sum, err := exttest.Digest(file, file.Size(), data...)
	if err != nil || sum != o.SHA256 {
		t.Errorf("%q: content is %s (%v), want %s", o.Path, sum, err, o.SHA256)
	}
	if in.Size() <= 1<<20 {
		var b bytes.Buffer
		n, err := f.Copy(&b, in)
		sum, _ := exttest.Digest(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil || n != o.Size || sum != o.SHA256 {
			t.Errorf("%q: Copy writes %d bytes (%v) that give %s, want %d and %s", o.Path, n, err, sum, o.Size, o.SHA256)
		}
	}
}

// extents holds the mapped runs against FIEMAP.
func extents(t *testing.T, f *ext.FS, in *ext.Inode, o *exttest.Object) {
	t.Helper()
	if in.HasInline() {
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

func xattrs(t *testing.T, f *ext.FS, in *ext.Inode, o *exttest.Object) {
	t.Helper()
	list, err := f.Xattrs(in)
	if err != nil {
		t.Errorf("%q: xattrs: %v", o.Path, err)
	}
	got := map[string]string{}
	for _, x := range list {
		switch x.Index {
		case layout.XattrEncryption, layout.XattrVerity:
			continue // shown by no kernel
		case layout.XattrACLAccess, layout.XattrACLDefault:
			got[x.Name] = string(syscallACL(t, x.Value))
		default:
			got[x.Name] = string(x.Value)
		}
	}
	for name, value := range o.Xattrs {
		if g, ok := got[name]; !ok || g != string(value) {
			t.Errorf("%q: xattr %q is %q (%v), want %q", o.Path, name, g, ok, value)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%q: xattr %q is there, and the kernel does not show it", o.Path, name)
	}
}

// syscallACL turns an ACL as ext4 stores it into the form of getxattr(2):
// struct posix_acl_xattr_header and its entries.
func syscallACL(t *testing.T, stored []byte) []byte {
	acl, err := layout.DecodeACL(stored)
	if err != nil {
		t.Error(err)
	}
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range acl {
		id := uint32(0xffffffff)
		if e.Tag == layout.ACLUser || e.Tag == layout.ACLGroup {
			id = e.ID
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(e.Tag))
		b = binary.LittleEndian.AppendUint16(b, uint16(e.Perm))
		b = binary.LittleEndian.AppendUint32(b, id)
	}
	return b
}
