package host

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Nameless makes a file in a folder that has no name yet: what is not given one is gone
// when it is closed, or when this program ends. The error is ErrUnsupported where the
// file system has no such files.
func Nameless(dir *os.File) (*os.File, error) {
	for {
		fd, err := unix.Openat(int(dir.Fd()), ".", unix.O_WRONLY|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), dir.Name()), nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENOENT), errors.Is(err, unix.EINVAL):
			return nil, ErrUnsupported // in all the ways that kernels say so
		default:
			return nil, &os.PathError{Op: "openat", Path: dir.Name(), Err: err}
		}
	}
}

// proc is the name that an open file has by its number.
func proc(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// LinkNew gives a nameless file a name in a folder. It never replaces one: an error is
// fs.ErrExist then, and ErrUnsupported where such a file can't be named.
func LinkNew(f, dir *os.File, to string) error {
	// Not all may name a file by its number.
	err := unix.Linkat(int(f.Fd()), "", int(dir.Fd()), to, unix.AT_EMPTY_PATH)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) {
		err = unix.Linkat(unix.AT_FDCWD, proc(f), int(dir.Fd()), to, unix.AT_SYMLINK_FOLLOW)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPERM), errors.Is(err, unix.EXDEV), errors.Is(err, unix.EOPNOTSUPP):
		return ErrUnsupported
	}
	return &os.LinkError{Op: "linkat", Old: f.Name(), New: to, Err: err}
}

// RenameNew gives a file in a folder another name there. It never replaces one: an error
// is fs.ErrExist then, and ErrUnsupported where the file system can't tell.
func RenameNew(dir *os.File, from, to string) error {
	fd := int(dir.Fd())
	err := unix.Renameat2(fd, from, fd, to, unix.RENAME_NOREPLACE)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		return ErrUnsupported
	}
	return &os.LinkError{Op: "renameat2", Old: from, New: to, Err: err}
}

// timespecs are times as the system takes them.
func timespecs(name string, atime, mtime time.Time) (ts [2]unix.Timespec, err error) {
	for i, t := range []time.Time{atime, mtime} {
		if ts[i], err = unix.TimeToTimespec(t); err != nil {
			return ts, &os.PathError{Op: "utimensat", Path: name, Err: err}
		}
	}
	return ts, nil
}

// SetTimes sets the times of what has a name in a folder; those of a link are its own.
func SetTimes(dir *os.File, name string, atime, mtime time.Time) error {
	ts, err := timespecs(name, atime, mtime)
	if err != nil {
		return err
	}
	if err := unix.UtimesNanoAt(int(dir.Fd()), name, ts[:], unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "utimensat", Path: name, Err: err}
	}
	return nil
}

// SetFileTimes sets the times of an open file.
func SetFileTimes(f *os.File, atime, mtime time.Time) error {
	ts, err := timespecs(f.Name(), atime, mtime)
	if err != nil {
		return err
	}
	err = unix.UtimesNanoAt(int(f.Fd()), "", ts[:], unix.AT_EMPTY_PATH)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) { // before Linux 5.8
		err = unix.UtimesNanoAt(unix.AT_FDCWD, proc(f), ts[:], 0)
	}
	if err != nil {
		return &os.PathError{Op: "utimensat", Path: f.Name(), Err: err}
	}
	return nil
}

// Allocate gives a file so many bytes of room, of which it is as long.
func Allocate(f *os.File, size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL):
			return ErrUnsupported
		default:
			return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
		}
	}
}
