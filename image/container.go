package image

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A RangeKind says what a range of an image is.
type RangeKind uint8

const (
	Data   RangeKind = iota // bytes that the evidence holds
	Zero                    // zeros that are stored nowhere: a hole
	Absent                  // not in the evidence, as contents of files in a metadata dump: reading is an *AbsentError
)

// A container holds the bytes of an image in a form of its own. It is read from any
// number of goroutines. An error of ReadAt other than io.EOF carries the range of the
// image that it is about: a *DamageError, *MissingError, *AbsentError or *ReadError; what
// lies before it is returned.
type container interface {
	io.ReaderAt
	io.Closer
	Size() int64 // bytes of the image
	// Map tells what the byte at off is, and how many from there on are the same: at
	// least 1, and none beyond the end. It reads the container's tables at most.
	Map(off int64) (kind RangeKind, n int64)
}

// Map tells what the byte at off is, and how many from there on are the same, so that
// scans can leave out what holds nothing. Off lies inside of the image. What is told of
// fewer bytes than there are is no less true.
func (im *Image) Map(off int64) (kind RangeKind, n int64) {
	if c, ok := im.data.(container); ok {
		return c.Map(off)
	}
	return Data, im.size - off
}

// A Detail is a fact that a container records beside the bytes: who acquired them, say.
type Detail struct{ Key, Value string } // Key is as in JSON: "examiner", "case_number"

// Details lists what the container records of the evidence, in a fixed order.
func (im *Image) Details() []Detail { return append([]Detail(nil), im.details...) }

// A Digest is a digest of all bytes of the image that the container stores.
type Digest struct{ Algorithm, Hex string } // "md5", "sha1", "sha256"; lower-case digits

// Digests lists what digests the container stores.
func (im *Image) Digests() []Digest { return append([]Digest(nil), im.digests...) }

// contain makes the image of a container, whose one file is name.
func contain(c container, name, format string, fileSize int64) *Image {
	return &Image{format: format, size: c.Size(), data: c, closer: c, segments: []Segment{{Name: name, Size: fileSize}}}
}

// A DamageError reports bytes of the image whose form in the container cannot be right.
type DamageError struct {
	Name           string // the file
	Part           string // of it: "chunk 12"
	At             int64  // byte of the file where that lies, -1 where none is to blame
	Offset, Length int64  // in bytes of the image
	Err            error
}

func (e *DamageError) Error() string {
	where := ""
	if e.At >= 0 {
		where = fmt.Sprintf(" at byte %d of %s", e.At, filepath.Base(e.Name))
	}
	return fmt.Sprintf("bytes %d to %d: %s%s: %v", e.Offset, e.Offset+e.Length-1, e.Part, where, e.Err)
}

func (e *DamageError) Unwrap() error { return e.Err }

// An AbsentError reports a read of bytes that the evidence was made without.
type AbsentError struct {
	Name           string
	Offset, Length int64 // in bytes of the image
}

func (e *AbsentError) Error() string {
	return fmt.Sprintf("bytes %d to %d: not in %s, which holds metadata only", e.Offset, e.Offset+e.Length-1, filepath.Base(e.Name))
}

// A FormatError reports a container that cannot be opened: damaged where everything else
// depends on it, or of a kind that is not read.
type FormatError struct {
	Name   string
	Format string // "qcow2", "E01"
	Offset int64  // byte of the file that is to blame, -1 for none
	What   string // "header checksum …", or what is not supported
	Hint   string // what could convert it, or ""
}

func (e *FormatError) Error() string {
	s := fmt.Sprintf("%s: %s: %s", e.Name, e.Format, e.What)
	if e.Offset >= 0 {
		s += fmt.Sprintf(" (byte %d)", e.Offset)
	}
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// A ReferenceError reports a file that the evidence refers to and that is not opened: it
// is not in the evidence's folder, or is a symlink, or not there.
type ReferenceError struct {
	Name string // the evidence
	Role string // "backing file", "parent", "segment"
	Path string // as it is recorded there
	Err  error
}

func (e *ReferenceError) Error() string {
	return fmt.Sprintf("%s: %s %q: %v", e.Name, e.Role, e.Path, e.Err)
}

func (e *ReferenceError) Unwrap() error { return e.Err }

// beside opens a file that evidence called name refers to by a recorded path: the file of
// that path below the evidence's own folder, or else the one with its last element in
// the folder. Nothing else is ever opened, and no symlink: where evidence leads to is not
// for it to say. Paths may be those of Windows.
func beside(name, role, recorded string) (f *os.File, info fs.FileInfo, path string, err error) {
	bad := func(err error) (*os.File, fs.FileInfo, string, error) {
		return nil, nil, "", &ReferenceError{name, role, recorded, err}
	}
	dir := filepath.Dir(name)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return bad(err)
	}
	defer root.Close()
	slashed := strings.ReplaceAll(recorded, `\`, "/")
	tries := []string{slashed[strings.LastIndexByte(slashed, '/')+1:]}
	if local := filepath.FromSlash(slashed); filepath.IsLocal(local) && local != tries[0] {
		tries = append([]string{local}, tries...)
	}
	for _, try := range tries {
		if !filepath.IsLocal(try) {
			err = fs.ErrInvalid
			continue
		}
		if info, err = root.Lstat(try); err != nil {
			continue
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return bad(fmt.Errorf("is a symlink, which is not followed"))
		}
		if !info.Mode().IsRegular() {
			return bad(&FileTypeError{try, info.Mode()})
		}
		if f, err = root.Open(try); err != nil {
			continue
		}
		opened, serr := f.Stat()
		if serr != nil || !os.SameFile(info, opened) {
			f.Close()
			return bad(fmt.Errorf("changed while it was opened"))
		}
		return f, opened, filepath.Join(dir, try), nil
	}
	return bad(err)
}
