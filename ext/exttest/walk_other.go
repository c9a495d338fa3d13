//go:build !linux

package exttest

import "errors"

// ReadTree needs the Linux kernel.
func ReadTree(root string) ([]Object, error) { return nil, errors.ErrUnsupported }

// A Mounted is an image mounted by the kernel.
type Mounted struct{ Dir string }

// MountImage needs the Linux kernel.
func MountImage(image, options string) (*Mounted, error) { return nil, errors.ErrUnsupported }

// Close unmounts the image.
func (m *Mounted) Close() error { return errors.ErrUnsupported }
