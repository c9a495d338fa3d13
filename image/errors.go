package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

var errNegative = errors.New("negative offset")

// A FileTypeError reports evidence that is no regular file or block device.
type FileTypeError struct {
	Name string
	Mode fs.FileMode
}

func (e *FileTypeError) Error() string {
	kind := "special file"
	switch m := e.Mode; {
	case m.IsDir():
		kind = "directory"
	case m&fs.ModeNamedPipe != 0:
		kind = "named pipe"
	case m&fs.ModeSocket != 0:
		kind = "socket"
	case m&fs.ModeCharDevice != 0:
		kind = "character device"
	}
	return fmt.Sprintf("%s: is a %s, want a regular file or a block device", e.Name, kind)
}

// A SectorSizeError reports an Options.SectorSize no disk has.
type SectorSizeError struct{ Size int }

func (e *SectorSizeError) Error() string {
	return fmt.Sprintf("sector size %d: want 512, 1024, 2048 or 4096", e.Size)
}

// A MissingError reports a read of bytes that lie in a segment, or on a member
// of a volume, that is not there. Offset and Length, in bytes of the image or of
// the volume, are the part that was asked for and could not be had.
type MissingError struct {
	Name           string // the segment or member that should hold them
	Offset, Length int64
	Volume         string // the volume that Offset counts in; "": the image
}

func (e *MissingError) Error() string {
	if e.Volume != "" {
		return fmt.Sprintf("bytes %d to %d of %s: %s is missing", e.Offset, e.Offset+e.Length-1, e.Volume, e.Name)
	}
	return fmt.Sprintf("bytes %d to %d: segment %s is missing", e.Offset, e.Offset+e.Length-1, e.Name)
}

// A ReadError reports bytes of the image that the machine could not read.
type ReadError struct {
	Name           string // the file
	Offset, Length int64  // the unread range, in bytes of the image
	Err            error
}

func (e *ReadError) Error() string {
	return fmt.Sprintf("%s: %d bytes at byte %d: %v", e.Name, e.Length, e.Offset, e.Err)
}

func (e *ReadError) Unwrap() error { return e.Err }

// inRange gives err the range it is about, unless it has one. The file ending
// early is no io.EOF here: the image has not ended.
func inRange(err error, name string, off, length int64) error {
	var missing *MissingError
	var read *ReadError
	var damage *DamageError
	var absent *AbsentError
	if errors.As(err, &missing) || errors.As(err, &read) || errors.As(err, &damage) || errors.As(err, &absent) {
		return err
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &ReadError{Name: name, Offset: off, Length: length, Err: err}
}
