package exttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

// ReadTree walks a directory, which may be a mount point, and returns what the
// kernel shows of everything in it, ordered by path. Other file systems mounted
// below are not entered. Reading moves no times if the mount is read-only.
func ReadTree(root string) ([]Object, error) {
	w := treeWalker{root: strings.TrimSuffix(root, "/")}
	if err := w.visit("/"); err != nil {
		return nil, err
	}
	sort.Slice(w.objs, func(i, j int) bool { return bytes.Compare(w.objs[i].Path, w.objs[j].Path) < 0 })
	return w.objs, nil
}

type treeWalker struct {
	root string
	dev  [2]uint32
	objs []Object

	list  [64 << 10]byte // XATTR_LIST_MAX
	value [64 << 10]byte // XATTR_SIZE_MAX
}

// visit records one name and goes on below it.
func (w *treeWalker) visit(path string) error {
	host := w.root + path
	var st unix.Statx_t
	const flags = unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	if err := unix.Statx(unix.AT_FDCWD, host, flags, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st); err != nil {
		return fmt.Errorf("statx %q: %w", path, err)
	}
	dev := [2]uint32{st.Dev_major, st.Dev_minor}
	if path == "/" {
		w.dev = dev
	} else if dev != w.dev {
		return nil
	}
	o := objectOf(&st)
	o.Path = []byte(path)
	var err error
	switch o.Type {
	case "symlink":
		var target string
		if target, err = os.Readlink(host); err == nil {
			o.Target = []byte(target)
		}
	case "file", "directory":
		err = readFile(host, &o)
	}
	if err != nil {
		// os errors carry the host's path; the number's text is all that is stable.
		var no unix.Errno
		if !errors.As(err, &no) {
			return fmt.Errorf("%q: %w", path, err)
		}
		o.Unreadable = no.Error()
	}
	if o.Xattrs, err = w.readXattrs(host); err != nil {
		return fmt.Errorf("xattrs of %q: %w", path, err)
	}
	w.objs = append(w.objs, o)
	if o.Type != "directory" || o.Unreadable != "" {
		return nil
	}
	names, err := readNames(host)
	if err != nil {
		return fmt.Errorf("directory %q: %w", path, err)
	}
	for _, name := range names {
		if err := w.visit(strings.TrimSuffix(path, "/") + "/" + name); err != nil {
			return err
		}
	}
	return nil
}

func readNames(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

var typeNames = map[uint16]string{
	unix.S_IFREG: "file", unix.S_IFDIR: "directory", unix.S_IFLNK: "symlink",
	unix.S_IFCHR: "chardev", unix.S_IFBLK: "blockdev", unix.S_IFIFO: "fifo", unix.S_IFSOCK: "socket",
}

func objectOf(st *unix.Statx_t) Object {
	o := Object{
		Ino:   st.Ino,
		Type:  typeNames[st.Mode&unix.S_IFMT],
		Mode:  uint32(st.Mode) & 07777,
		UID:   st.Uid,
		GID:   st.Gid,
		Size:  int64(st.Size),
		Links: uint64(st.Nlink),

		Blocks512: int64(st.Blocks),
		Atime:     timeOfStatx(st.Atime),
		Mtime:     timeOfStatx(st.Mtime),
		Ctime:     timeOfStatx(st.Ctime),
	}
	if o.Type == "chardev" || o.Type == "blockdev" {
		o.Rdev = uint64(st.Rdev_major)<<32 | uint64(st.Rdev_minor)
	}
	if st.Mask&unix.STATX_BTIME != 0 {
		o.Btime = timeOfStatx(st.Btime)
	}
	return o
}

func timeOfStatx(t unix.StatxTimestamp) Time { return Time{t.Sec, t.Nsec} }

// readFile fills in what takes an open file: flags, extents, content.
func readFile(path string, o *Object) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NOATIME, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	o.Flags, o.Generation, o.Project = readAttrs(f)
	if o.Extents, err = readFiemap(f); err != nil {
		return err
	}
	if o.Type != "file" {
		return nil
	}
	var data []Range
	if o.Size > maxPlainDigest {
		if data, err = dataRanges(f, o.Size); err != nil {
			return err
		}
		if len(data) == 0 {
			data = []Range{{}} // all hole: nothing to read
		}
	}
	o.SHA256, err = Digest(f, o.Size, data...)
	return err
}

// dataRanges asks the kernel where a file has data (SEEK_DATA, SEEK_HOLE).
func dataRanges(f *os.File, size int64) ([]Range, error) {
	var ranges []Range
	for off := int64(0); off < size; {
		start, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
		if err == unix.ENXIO {
			break
		} else if err != nil {
			return nil, err
		}
		end, err := unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return nil, err
		}
		ranges = append(ranges, Range{start, end - start})
		off = end
	}
	_, err := f.Seek(0, io.SeekStart)
	return ranges, err
}

func (w *treeWalker) readXattrs(path string) (map[string][]byte, error) {
	n, err := unix.Llistxattr(path, w.list[:])
	if err != nil || n == 0 {
		return nil, err
	}
	xattrs := make(map[string][]byte)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(w.list[:n]), "\x00"), "\x00") {
		n, err := unix.Lgetxattr(path, name, w.value[:])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		xattrs[name] = bytes.Clone(w.value[:n])
	}
	return xattrs, nil
}
