//go:build linux || darwin

package host

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Free gives the bytes that the caller may still write to the file system of dir.
func Free(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil
}

// Gone reports whether an error says that nothing more can be written: the file system
// is full, or went away.
func Gone(err error) bool {
	for _, e := range []error{unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.EIO, unix.ENODEV, unix.ENXIO, unix.ESTALE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// SetXattr sets an extended attribute of an open file.
func SetXattr(f *os.File, name string, value []byte) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	if err := c.Control(func(fd uintptr) { set = unix.Fsetxattr(int(fd), name, value, 0) }); err != nil {
		return err
	}
	return set
}
