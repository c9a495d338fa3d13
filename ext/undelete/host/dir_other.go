//go:build !linux

package host

import (
	"os"
	"time"
)

// RenameNew gives a file in a folder another name there that nothing has. It is not to
// be had on this system.
func RenameNew(*os.File, string, string) error { return ErrUnsupported }

// SetTimes sets the times of what has a name in a folder; those of a link are its own.
// It is not to be had on this system.
func SetTimes(*os.File, string, time.Time, time.Time) error { return ErrUnsupported }
