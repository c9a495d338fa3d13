//go:build !linux && !darwin && !windows

package host

import (
	"errors"
	"os"
	"syscall"
)

// Free gives the bytes that may still be written, on other systems.
func Free(string) (uint64, error) { return 0, ErrUnsupported }

// Gone reports whether an error says that nothing more can be written.
func Gone(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EIO) }

// SetXattr sets an extended attribute of an open file, on other systems.
func SetXattr(*os.File, string, []byte) error { return ErrUnsupported }
