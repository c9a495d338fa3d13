package ext

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/extscope/extscope/ext/layout"
)

// A ReadError reports bytes that could not be had: past the end of a truncated
// image, or unreadable in the medium.
type ReadError struct {
	Offset int64 // in bytes from the start of the file system
	Len    int   // how many bytes are missing
	Err    error
}

func (e *ReadError) Error() string {
	if errors.Is(e.Err, io.EOF) || errors.Is(e.Err, io.ErrUnexpectedEOF) {
		return fmt.Sprintf("%d bytes at byte %d are past the end of the image", e.Len, e.Offset)
	}
	return fmt.Sprintf("%d bytes at byte %d: %v", e.Len, e.Offset, e.Err)
}

func (e *ReadError) Unwrap() error { return e.Err }

// An UnsupportedError reports something valid that is not read here.
type UnsupportedError struct {
	What string
}

func (e *UnsupportedError) Error() string { return e.What + " is not supported" }

// A NoInodeError reports an inode number that the file system does not have, or
// whose place in the inode table is not known. It is a fs.ErrNotExist.
type NoInodeError struct {
	Ino   Ino
	Count uint32 // s_inodes_count
}

func (e *NoInodeError) Error() string {
	if e.Ino == 0 || uint32(e.Ino) > e.Count {
		return fmt.Sprintf("inode %d does not exist: they are numbered 1 to %d", e.Ino, e.Count)
	}
	return fmt.Sprintf("inode %d: the inode table of its group is not known", e.Ino)
}

func (e *NoInodeError) Unwrap() error { return fs.ErrNotExist }

// IsDamage reports whether err is about the image: corrupt, unreadable or
// unsupported bytes, as opposed to a wrong argument.
func IsDamage(err error) bool {
	var c *layout.CorruptError
	var r *ReadError
	var u *UnsupportedError
	return errors.As(err, &c) || errors.As(err, &r) || errors.As(err, &u)
}

func corrupt(structure, field string, off int64, value uint64) error {
	return &layout.CorruptError{Struct: structure, Field: field, Offset: off, Value: value}
}
