// Package image opens evidence as an io.ReaderAt: raw files, block devices, split raw
// sets, E01, and virtual disks as vhd, vhdx and vdi. It finds the partitions on it and
// names what each of them holds, ext or not. What an ext file system holds is left to package ext.
//
// Nothing here writes, and nothing opens a file other than for reading.
package image

import (
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
	details  []Detail
	digests  []Digest

	table     *Table // of Partitions, once it was asked for
	tableErr  error
	tableOnce sync.Once
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
	if o.SectorSize == 0 {
		o.SectorSize = im.options.SectorSize // what the container says, if it does
	}
	im.name, im.options = name, o
	return im, nil
}

// ReadAt reads as io.ReaderAt says, and is safe for concurrent use. An error
// other than io.EOF carries the byte range it is about: a *MissingError or a
// *ReadError.
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
func (im *Image) Close() error { return im.closer.Close() }

// Name is the name the evidence was opened by.
func (im *Image) Name() string { return im.name }

// Format is what holds the bytes: "raw", "split raw", "block device", "vhd", "vhdx", "vdi", "E01", "S01".
func (im *Image) Format() string { return im.format }

// Segments lists the files of the evidence in the order of their bytes.
func (im *Image) Segments() []Segment { return append([]Segment(nil), im.segments...) }

// Warnings say what is odd about the evidence as files; Table.Warnings is
// about what is on it.
func (im *Image) Warnings() []string { return append([]string(nil), im.warnings...) }

// SectorSize is the logical sector size in bytes: as asked for, or as the
// partition table shows, or 512.
func (im *Image) SectorSize() int {
	if im.options.SectorSize != 0 {
		return im.options.SectorSize
	}
	if t, err := im.Partitions(); err == nil {
		return t.SectorSize
	}
	return defaultSector
}

// Section is the part of p that the image holds: Available bytes, not Length.
func (im *Image) Section(p Partition) *io.SectionReader {
	return io.NewSectionReader(im, p.Start, p.Available)
}

// SectionAt is the image from byte off to its end. Beyond the end it is empty.
func (im *Image) SectionAt(off int64) *io.SectionReader {
	return io.NewSectionReader(im, off, max(im.size-off, 0))
}

func warnf(list *[]string, format string, args ...any) {
	*list = append(*list, fmt.Sprintf(format, args...))
}
