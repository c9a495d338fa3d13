package exttest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// A Mounted is an image mounted by the kernel.
type Mounted struct {
	Dir string // the mount point
}

// MountImage mounts an image through a loop device that the kernel frees by
// itself with the last user, so an interrupted run leaves no device behind. A
// read-only mount gets a read-only device: nothing can reach the file then.
func MountImage(image, options string) (*Mounted, error) { return MountAs("ext4", image, options) }

// MountAs is MountImage under the name of an older file system: "ext3" and "ext2" have
// other defaults.
func MountAs(fstype, image, options string) (*Mounted, error) {
	dir, err := os.MkdirTemp("", "exttest-")
	if err != nil {
		return nil, err
	}
	err = mountAs(fstype, image, options, dir)
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	return &Mounted{Dir: dir}, nil
}

// mountAs leaves the loop device to mount(8), which sets autoclear on it.
func mountAs(fstype, image, options, dir string) error {
	out, err := exec.Command("mount", "-t", fstype, "-o", "loop,"+options, image, dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mount %s -o %s: %w: %s", image, options, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Sync writes out what the kernel holds of the file system.
func (m *Mounted) Sync() error {
	f, err := os.Open(m.Dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}

// Close unmounts the image and removes the mount point. A mount that is still
// busy is detached, so that it ends with its last user.
func (m *Mounted) Close() error {
	err := unix.Unmount(m.Dir, 0)
	if err == unix.EBUSY {
		err = unix.Unmount(m.Dir, unix.MNT_DETACH)
	}
	if err != nil {
		return fmt.Errorf("umount %s: %w", m.Dir, err)
	}
	// Remove, never RemoveAll: were the mount still there, its files would go.
	return os.Remove(m.Dir)
}
