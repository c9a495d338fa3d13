package host

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// Free gives the bytes that the caller may still write to the file system of dir.
func Free(dir string) (uint64, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, &os.PathError{Op: "GetDiskFreeSpaceEx", Path: dir, Err: err}
	}
	return free, nil
}

// Gone reports whether an error says that nothing more can be written: the file system
// is full, or went away.
func Gone(err error) bool {
	for _, e := range []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_WRITE_PROTECT, windows.ERROR_NOT_READY, windows.ERROR_DISK_QUOTA_EXCEEDED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// SetXattr sets an extended attribute of an open file, on other systems.
func SetXattr(*os.File, string, []byte) error { return ErrUnsupported }
