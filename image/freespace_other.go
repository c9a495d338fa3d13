//go:build !linux && !darwin && !windows

package image

import "errors"

// freeSpace is not known on other systems.
func freeSpace(string) (uint64, error) { return 0, errors.ErrUnsupported }
