package host

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

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

// SetTimes sets the times of what has a name in a folder; those of a link are its own.
func SetTimes(dir *os.File, name string, atime, mtime time.Time) error {
	var ts [2]unix.Timespec
	for i, t := range []time.Time{atime, mtime} {
		var err error
		if ts[i], err = unix.TimeToTimespec(t); err != nil {
			return &os.PathError{Op: "utimensat", Path: name, Err: err}
		}
	}
	if err := unix.UtimesNanoAt(int(dir.Fd()), name, ts[:], unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "utimensat", Path: name, Err: err}
	}
	return nil
}
