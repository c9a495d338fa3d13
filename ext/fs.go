package ext

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/extscope/extscope/ext/layout"
)

// maxReadFile bounds what ReadFile puts into memory, in bytes.
const maxReadFile = 1 << 30

// IOFS is the file system as an io/fs.FS, which also implements fs.ReadDirFS,
// fs.StatFS, fs.ReadFileFS and fs.ReadLinkFS. Symlinks are followed inside the
// file system. FileInfo.Sys gives the *Inode.
//
// io/fs knows only names in UTF-8: bytes that are not are spelled \xNN.
func (f *FS) IOFS() fs.FS { return ioFS{f} }

type ioFS struct{ *FS }

var (
	_ fs.ReadDirFS  = ioFS{}
	_ fs.StatFS     = ioFS{}
	_ fs.ReadFileFS = ioFS{}
	_ fs.ReadLinkFS = ioFS{}
)

func (v ioFS) Open(name string) (fs.File, error) {
	in, err := v.find("open", name, true)
	if err != nil {
		return nil, err
	}
	info := fileInfo{v.FS, in, path.Base(name)}
	if in.IsDir() {
		return &ioDir{info: info, view: v}, nil
	}
	file := v.File(in)
	return &ioFile{io.NewSectionReader(file, 0, file.Size()), info, file.Err()}, nil
}

func (v ioFS) Stat(name string) (fs.FileInfo, error) {
	in, err := v.find("stat", name, true)
	if err != nil {
		return nil, err
	}
	return fileInfo{v.FS, in, path.Base(name)}, nil
}

func (v ioFS) Lstat(name string) (fs.FileInfo, error) {
	in, err := v.find("lstat", name, false)
	if err != nil {
		return nil, err
	}
	return fileInfo{v.FS, in, path.Base(name)}, nil
}

func (v ioFS) ReadLink(name string) (string, error) {
	in, err := v.find("readlink", name, false)
	if err != nil {
		return "", err
	}
	target, err := v.Readlink(in)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: errors.Join(fs.ErrInvalid, err)}
	}
	return string(target), nil
}

func (v ioFS) ReadFile(name string) ([]byte, error) {
	in, err := v.find("read", name, true)
	if err != nil {
		return nil, err
	}
	if in.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("is a directory")}
	}
	if in.size > maxReadFile {
		return nil, &fs.PathError{Op: "read", Path: name, Err: &UnsupportedError{fmt.Sprintf("reading %d bytes into memory", in.size)}}
	}
	var b strings.Builder
	_, err = v.Copy(&b, in)
	return []byte(b.String()), err
}

func (v ioFS) ReadDir(name string) ([]fs.DirEntry, error) {
	in, err := v.find("readdir", name, true)
	if err != nil {
		return nil, err
	}
	list, err := v.list(in)
	if err != nil {
		err = &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return list, err
}

// list gives the entries of a directory by name, with what could be read beside
// the error.
func (v ioFS) list(dir *Inode) ([]fs.DirEntry, error) {
	var list []fs.DirEntry
	var errs errorList
	namer := v.Namer(dir)
	for e, err := range v.Entries(dir, false) {
		if err != nil {
			errs.add(err)
			continue
		}
		name := viewName(namer.Name(&e))
		if e.IsDot() || !fs.ValidPath(name) || strings.Contains(name, "/") {
			continue
		}
		in, err := v.Inode(e.Ino)
		if err != nil {
			errs.add(err)
			continue
		}
		list = append(list, fs.FileInfoToDirEntry(fileInfo{v.FS, in, name}))
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, errs.join()
}

func (v ioFS) find(op, name string, follow bool) (*Inode, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	in, err := v.resolve(stored(name), follow)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return in, nil
}

// viewName spells bytes that are not UTF-8 as \xNN, stored undoes it.
func viewName(name []byte) string {
	if utf8.Valid(name) {
		return string(name)
	}
	var b strings.Builder
	for len(name) > 0 {
		r, n := utf8.DecodeRune(name)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, name[0])
		} else {
			b.Write(name[:n])
		}
		name = name[n:]
	}
	return b.String()
}

// stored turns \xNN back into bytes above 0x7f, the only ones that viewName
// spells so.
func stored(name string) string {
	if !strings.Contains(name, `\x`) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		var c byte
		if n, err := fmt.Sscanf(name[i:], `\x%02x`, &c); n == 1 && err == nil && c >= utf8.RuneSelf {
			b.WriteByte(c)
			i += 4
			continue
		}
		b.WriteByte(name[i])
		i++
	}
	return b.String()
}

// FileMode is the inode's mode in the terms of io/fs.
func (in *Inode) FileMode() fs.FileMode {
	m := fs.FileMode(in.Mode & 0o777)
	switch in.Type() {
	case layout.ModeRegular:
	case layout.ModeDir:
		m |= fs.ModeDir
	case layout.ModeSymlink:
		m |= fs.ModeSymlink
	case layout.ModeChar:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case layout.ModeBlock:
		m |= fs.ModeDevice
	case layout.ModeFIFO:
		m |= fs.ModeNamedPipe
	case layout.ModeSocket:
		m |= fs.ModeSocket
	default:
		m |= fs.ModeIrregular
	}
	if in.Mode&0o4000 != 0 {
		m |= fs.ModeSetuid
	}
	if in.Mode&0o2000 != 0 {
		m |= fs.ModeSetgid
	}
	if in.Mode&0o1000 != 0 {
		m |= fs.ModeSticky
	}
	return m
}

type fileInfo struct {
	fs   *FS
	in   *Inode
	name string
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return int64(i.in.size) }
func (i fileInfo) Mode() fs.FileMode  { return i.in.FileMode() }
func (i fileInfo) ModTime() time.Time { return i.in.Mtime }
func (i fileInfo) IsDir() bool        { return i.in.IsDir() }
func (i fileInfo) Sys() any           { return i.in }

type ioFile struct {
	*io.SectionReader
	info fileInfo
	err  error // of the map: told once the contents were read
}

func (f *ioFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *ioFile) Close() error               { return nil }

func (f *ioFile) Read(p []byte) (int, error) {
	n, err := f.SectionReader.Read(p)
	if err == io.EOF && f.err != nil {
		err = f.err
	}
	return n, err
}

type ioDir struct {
	info fileInfo
	view ioFS
	list []fs.DirEntry
	err  error
	read bool
}

func (d *ioDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *ioDir) Close() error               { return nil }

func (d *ioDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.name, Err: errors.New("is a directory")}
}

func (d *ioDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.read {
		d.list, d.err = d.view.list(d.info.in)
		d.read = true
	}
	if n <= 0 || len(d.list) <= n {
		list := d.list
		d.list = nil
		if n > 0 && len(list) == 0 && d.err == nil {
			return nil, io.EOF
		}
		return list, d.err
	}
	list := d.list[:n]
	d.list = d.list[n:]
	return list, nil
}
