// Package image opens evidence as an io.ReaderAt: raw files, block devices, split raw
// sets, E01, virtual disks (qcow2, vmdk, vhd, vhdx, vdi), Android sparse images, and files
// compressed by gzip, xz, zstd or bzip2. It finds the partitions on it, the volumes of
// LVM2, Linux RAID and LUKS in those, on one image or several, and names what each of them
// holds, ext or not. What an ext file system holds is left to package ext.
//
// Evidence is opened for reading only. The one thing written is the temporary copy that a
// compressed file is unpacked to, outside of the evidence.
package image

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// Options say how to open evidence. The zero value detects everything.
type Options struct {
	// SectorSize is the logical sector size partition tables count in: 512,
	// 1024, 2048 or 4096 bytes; 0 detects 512 or 4096.
	SectorSize int
	// Snapshot is the name or ID of a snapshot inside of the container to open; "" opens
	// its present state.
	Snapshot string
	// With names further evidence: the other disks of a volume group or RAID.
	With []string
	// Passphrase gives what opens an encrypted volume, named for people. It is asked
	// when a volume that is needed turns out to be locked; nil leaves all locked. What
	// it returns is overwritten once it was used.
	Passphrase func(volume string) ([]byte, error)
	// KDFMemory bounds the bytes of memory that a key slot may ask for, up to
	// MaxKDFMemory; 0 stands for DefaultKDFMemory.
	KDFMemory int64
	// UnpackLimit is how many bytes compressed evidence may unpack to; 0 stands for
	// DefaultUnpackLimit, and a negative number for none: then it is refused.
	UnpackLimit int64
	// AcceptDamage has ReadAt give bytes that a failed checksum covers, or that are left
	// without the checksum they had, of compressed evidence and of Android sparse images.
	// Image.Faults tells of them. Without it reading them is a *DamageError.
	AcceptDamage bool
	// Unpacking, unless nil, is told how many of the bytes of compressed evidence were
	// read. An error that it returns stops that, and is returned. Calls follow each other.
	Unpacking func(done, total int64) error

	unpacked int     // compressed files around this one
	chain    lineage // the files that what is opened stands behind
}

// A Segment is one file of the evidence and where its bytes lie in the image.
type Segment struct {
	Name    string
	Offset  int64 // bytes from the start of the image
	Size    int64 // bytes
	Missing bool  // the file is not there: reading its range is a *MissingError
}

// An Image is opened evidence: a fixed range of bytes that can be read from
// any number of goroutines.
type Image struct {
	name     string
	format   string
	options  Options
	size     int64
	data     io.ReaderAt
	closer   io.Closer
	segments []Segment
	warnings []string
	faults   []error
	details  []Detail
	digests  []Digest
	snapshot string // the one that was opened, "" for the present state

	metadataOnly bool

	further  []*Image // of Options.With
	stackMu  sync.Mutex
	stack    *stack // the volumes, once they were asked for
	stackErr error
}

// Open opens the evidence called name, read-only. A segment of a split raw
// image opens the whole set. What is no file with bytes to seek in is a
// *FileTypeError.
func Open(name string, o Options) (*Image, error) {
	switch o.SectorSize {
	case 0, 512, 1024, 2048, 4096:
	default:
		return nil, &SectorSizeError{o.SectorSize}
	}
	im, err := probe(name, o)
	if err != nil {
		return nil, err
	}
	each := o
	if o.Snapshot != im.snapshot {
		im.Close()
		return nil, &SnapshotError{Name: name, Want: o.Snapshot}
	}
	if o.SectorSize == 0 {
		o.SectorSize = im.options.SectorSize // what the container says, if it does
	}
	im.name, im.options = name, o
	each.With, each.Snapshot = nil, ""
	for _, w := range o.With {
		one, err := Open(w, each)
		if err != nil {
			im.Close()
			return nil, err
		}
		im.further = append(im.further, one)
	}
	return im, nil
}

// With lists the images that were opened along with this one, which closes them.
func (im *Image) With() []*Image { return append([]*Image(nil), im.further...) }

// ReadAt reads as io.ReaderAt says, and is safe for concurrent use. An error
// other than io.EOF carries the byte range it is about: a *MissingError, a
// *DamageError, an *AbsentError or a *ReadError.
func (im *Image) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, &ReadError{Name: im.name, Offset: off, Length: int64(len(p)), Err: errNegative}
	}
	if off >= im.size {
		return 0, io.EOF
	}
	atEnd := int64(len(p)) > im.size-off
	if atEnd {
		p = p[:im.size-off]
	}
	n, err := im.data.ReadAt(p, off)
	if n == len(p) {
		err = nil
		if atEnd {
			err = io.EOF
		}
		return n, err
	}
	return n, inRange(err, im.name, off+int64(n), int64(len(p)-n))
}

// Size is the length of the image in bytes.
func (im *Image) Size() int64 { return im.size }

// Close closes the files of the evidence.
func (im *Image) Close() error {
	err := im.closer.Close()
	for _, w := range im.further {
		err = errors.Join(err, w.Close())
	}
	return err
}

// Name is the name the evidence was opened by.
func (im *Image) Name() string { return im.name }

// Format is what holds the bytes: "raw", "split raw", "block device", "E01", "S01",
// "qcow2", "qcow", "e2image qcow2", "vmdk", "vhd", "vhdx", "vdi", "Android sparse"; of
// compressed evidence with the form of that: "raw in gzip".
func (im *Image) Format() string { return im.format }

// Segments lists the files of the evidence in the order of their bytes.
func (im *Image) Segments() []Segment { return append([]Segment(nil), im.segments...) }

// Warnings say what is odd about the evidence as files; Table.Warnings is
// about what is on it.
func (im *Image) Warnings() []string { return append([]string(nil), im.warnings...) }

// Faults are what opening found damaged. Bytes that cannot be had are errors of ReadAt,
// too, and so are those that a failed checksum covers, unless Options.AcceptDamage is set.
func (im *Image) Faults() []error { return append([]error(nil), im.faults...) }

// SectorSize is the logical sector size in bytes: as asked for, or as the
// partition table shows, or 512.
func (im *Image) SectorSize() int {
	if im.options.SectorSize != 0 {
		return im.options.SectorSize
	}
	im.stackMu.Lock()
	defer im.stackMu.Unlock()
	if t, err := im.volumes(false); err == nil {
		return t.SectorSize
	}
	return defaultSector
}

func warnf(list *[]string, format string, args ...any) {
	*list = append(*list, fmt.Sprintf(format, args...))
}
