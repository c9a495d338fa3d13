package image

import (
	"errors"
	"io"
)

// A sparse is a reader that knows where it holds nothing.
type sparse interface {
	// Hole is how many bytes from off on are stored nowhere, 0 where the byte at off is:
	// absent ones are not in the evidence, others are zeros.
	Hole(off int64) (n int64, absent bool)
	// MetadataOnly tells a dump of a file system's metadata: contents of files are absent,
	// and so are blocks of zeros.
	MetadataOnly() bool
	// ReadMetadata is ReadAt where what is absent is zeros, as it is of metadata.
	ReadMetadata(p []byte, off int64) (int, error)
}

// A Section is a range of an image, or of a volume.
type Section struct {
	*io.SectionReader
	r     io.ReaderAt
	start int64
}

func section(r io.ReaderAt, start, length int64) *Section {
	return &Section{io.NewSectionReader(r, start, length), r, start}
}

// SectionAt is the image from byte off to its end. Beyond the end it is empty.
func (im *Image) SectionAt(off int64) *Section { return section(im, off, max(im.size-off, 0)) }

// Hole is how many bytes from off of the section on are stored nowhere, 0 where the byte
// at off is. Those that are absent are not in the evidence, others are zeros.
func (s *Section) Hole(off int64) (n int64, absent bool) {
	r, ok := s.r.(sparse)
	if !ok || off < 0 || off >= s.Size() {
		return 0, false
	}
	n, absent = r.Hole(s.start + off)
	return min(n, s.Size()-off), absent
}

// MetadataOnly tells a dump of a file system's metadata.
func (s *Section) MetadataOnly() bool {
	r, ok := s.r.(sparse)
	return ok && r.MetadataOnly()
}

// ReadMetadata is ReadAt where what is absent is zeros, as it is of metadata.
func (s *Section) ReadMetadata(p []byte, off int64) (int, error) {
	r, ok := s.r.(sparse)
	if !ok || off < 0 || off >= s.Size() {
		return s.ReadAt(p, off)
	}
	whole := len(p)
	n, err := r.ReadMetadata(p[:min(int64(whole), s.Size()-off)], s.start+off)
	if err == nil && n < whole {
		err = io.EOF
	}
	return n, err
}

// ReadMetadata is ReadAt where what is absent is zeros, as it is of metadata.
func (im *Image) ReadMetadata(p []byte, off int64) (n int, err error) {
	for {
		var got int
		got, err = im.ReadAt(p[n:], off+int64(n))
		n += got
		var absent *AbsentError
		if n == len(p) || !errors.As(err, &absent) {
			return n, err
		}
		hole, _ := im.Hole(off + int64(n))
		if hole == 0 {
			return n, err
		}
		part := p[n:][:min(int64(len(p)-n), hole)]
		clear(part)
		if n += len(part); n == len(p) {
			return n, nil
		}
	}
}

// A metadataReader reads an image in which what is absent is zeros.
type metadataReader struct{ *Image }

func (r metadataReader) ReadAt(p []byte, off int64) (int, error) { return r.ReadMetadata(p, off) }

// Hole is how many bytes from off of the image on are stored nowhere, as of a Section.
func (im *Image) Hole(off int64) (n int64, absent bool) {
	if off < 0 || off >= im.size {
		return 0, false
	}
	kind, n := im.Map(off)
	if kind == Data {
		return 0, false
	}
	return n, kind == Absent
}

// MetadataOnly tells a dump of a file system's metadata: contents of files are absent, and
// so are blocks of zeros.
func (im *Image) MetadataOnly() bool { return im.metadataOnly }
