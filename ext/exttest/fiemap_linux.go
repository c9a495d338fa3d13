package exttest

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests of include/uapi/linux/fs.h that x/sys/unix has no name for, and are
// the same on every 64-bit architecture.
const (
	fsIocFiemap     = 0xc020660b // _IOWR('f', 11, struct fiemap)
	fsIocGetVersion = 0x80087601 // _IOR('v', 1, long)
	fsIocFsGetXattr = 0x801c581f // _IOR('X', 31, struct fsxattr)
)

const fiemapBatch = 256

// fiemap is struct fiemap with room for a batch of struct fiemap_extent.
type fiemap struct {
	start         uint64
	length        uint64
	flags         uint32
	mappedExtents uint32
	extentCount   uint32
	_             uint32
	extents       [fiemapBatch]fiemapExtent
}

type fiemapExtent struct {
	logical, physical, length uint64
	_                         [2]uint64
	flags                     uint32
	_                         [3]uint32
}

// readFiemap lists a file's extents without asking for a sync first: on a
// read-only mount there is nothing to write.
func readFiemap(f *os.File) ([]Extent, error) {
	var list []Extent
	m := new(fiemap)
	for start := uint64(0); ; {
		*m = fiemap{start: start, length: ^uint64(0) - start, extentCount: fiemapBatch}
		if err := ioctl(f, fsIocFiemap, unsafe.Pointer(m)); err != nil {
			return nil, err
		}
		for _, e := range m.extents[:min(m.mappedExtents, fiemapBatch)] {
			list = append(list, Extent{int64(e.logical), int64(e.physical), int64(e.length), e.flags})
			start = e.logical + e.length
			if e.flags&ExtentLast != 0 {
				return list, nil
			}
		}
		if m.mappedExtents == 0 {
			return list, nil
		}
	}
}

// Generation gives the generation of an open file's inode.
func Generation(f *os.File) (uint32, error) {
	var version uint64
	if err := ioctl(f, fsIocGetVersion, unsafe.Pointer(&version)); err != nil {
		return 0, err
	}
	return uint32(version), nil
}

// readAttrs gives the inode's flags, generation and project id, each 0 where
// the file system doesn't tell.
func readAttrs(f *os.File) (flags, generation, project uint32) {
	if n, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS); err == nil {
		flags = uint32(n)
	}
	generation, _ = Generation(f)
	var xattr struct { // struct fsxattr
		xflags, extsize, nextents, projid, cowextsize uint32
		_                                             [8]byte
	}
	if ioctl(f, fsIocFsGetXattr, unsafe.Pointer(&xattr)) == nil {
		project = xattr.projid
	}
	return flags, generation, project
}

func ioctl(f *os.File, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
