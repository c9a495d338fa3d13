//go:build !linux

package host

import (
	"os"
	"time"
)

// RenameNew gives a file in a folder another name there that nothing has. It is not to
// be had on this system.
func RenameNew(*os.File, string, string) error { return ErrUnsupported }

// Nameless makes a file in a folder that has no name yet. It is not to be had on this
// system.
func Nameless(*os.File) (*os.File, error) { return nil, ErrUnsupported }

// LinkNew gives a nameless file a name in a folder. It is not to be had on this system.
func LinkNew(f, dir *os.File, to string) error { return ErrUnsupported }

// SetTimes sets the times of what has a name in a folder; those of a link are its own.
// It is not to be had on this system.
func SetTimes(*os.File, string, time.Time, time.Time) error { return ErrUnsupported }

// SetFileTimes sets the times of an open file. It is not to be had on this system.
func SetFileTimes(*os.File, time.Time, time.Time) error { return ErrUnsupported }

// Allocate gives a file so many bytes of room. It is not to be had on this system.
func Allocate(*os.File, int64) error { return ErrUnsupported }
