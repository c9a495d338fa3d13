package ext

import (
	"errors"
	"io"

	"github.com/extscope/extscope/ext/layout"
)

// A Sparse is a reader that knows where it holds nothing, so that scans need not read it.
type Sparse interface {
	io.ReaderAt
	// Hole is how many bytes from off on are stored nowhere, 0 where the byte at off is:
	// absent ones are not in the evidence, others are zeros.
	Hole(off int64) (n int64, absent bool)
	// MetadataOnly tells a dump of metadata. It lacks contents, and blocks of zeros.
	MetadataOnly() bool
	// ReadMetadata is ReadAt where what is absent is zeros, as it is of metadata.
	ReadMetadata(p []byte, off int64) (int, error)
}

// ErrAbsent is the cause of a ReadError where a dump of metadata should have contents.
var ErrAbsent = errors.New("not in the image: it has holes for the contents of all files, as a dump of metadata")

// Metadata gives r as metadata is to be read of it.
func Metadata(r io.ReaderAt) io.ReaderAt {
	if s, ok := r.(Sparse); ok && s.MetadataOnly() {
		return metadata{s}
	}
	return r
}

type metadata struct{ Sparse }

func (m metadata) ReadAt(p []byte, off int64) (int, error) { return m.ReadMetadata(p, off) }

// A rawDump is a dump of metadata in which zeros stand for contents.
type rawDump struct{ Sparse }

func (d rawDump) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		if hole, _ := d.Hole(off + int64(n)); hole > 0 {
			return n, ErrAbsent
		}
		// A block at a time: holes are longer than what is missing, or shorter.
		got, err := d.Sparse.ReadAt(p[n:][:min(len(p)-n, layout.SuperblockSize)], off+int64(n))
		if got > 0 && layout.AllZero(p[n:][:got]) {
			return n, ErrAbsent
		}
		if n += got; got == 0 {
			return n, err
		}
	}
	return n, nil
}

// How many files have to lack their contents for an image to count as a dump that does not
// say so, and how many are looked at at most.
const (
	dumpFiles  = 16
	dumpSample = 64
)

// contentReader is what the contents of files are read from. Nothing tells a raw dump but
// that all files have zeros and holes in place of contents, nor a dump that was made with
// contents but that files have some.
func (f *FS) contentReader() io.ReaderAt {
	f.contentOnce.Do(func() {
		f.content = f.raw
		s, ok := f.raw.(Sparse)
		if !ok {
			return
		}
		files, stored, holes := f.sample(s)
		switch {
		case s.MetadataOnly() && stored > files/2:
			f.content = f.r
		case !s.MetadataOnly() && files >= dumpFiles && stored == 0 && holes > files/2:
			f.content = rawDump{s}
		}
	})
	return f.content
}

// sample counts regular files that map blocks: all, those of which something is there that
// is not zero, and those that begin in a hole.
func (f *FS) sample(s Sparse) (files, stored, holes int) {
	b := make([]byte, f.blockSize)
	looked := 0
	for g := range f.Groups() {
		for i := range f.UsedInodes(g) {
			if looked++; looked > 1<<14 || files == dumpSample || stored > 0 && !s.MetadataOnly() {
				return files, stored, holes
			}
			in, err := f.Inode(f.FirstInode(g) + Ino(i))
			if err != nil || in.Links == 0 || !in.IsRegular() || !f.hasMap(in) || f.Reserved(in.Ino) {
				continue
			}
			runs := 0
			for r, err := range f.Runs(in) {
				if err != nil || runs == 16 {
					break
				}
				if r.Kind != Data {
					continue
				}
				if runs++; runs == 1 {
					files++
					if n, _ := s.Hole(f.bytes(r.Physical)); n > 0 {
						holes++
					}
				}
				if n, _ := f.r.ReadAt(b, f.bytes(r.Physical)); !layout.AllZero(b[:n]) {
					stored++
					break
				}
			}
		}
	}
	return files, stored, holes
}

// Hole is how many bytes from off on are stored nowhere.
func (f *FS) Hole(off int64) (n int64, absent bool) {
	if s, ok := f.raw.(Sparse); ok {
		return s.Hole(off)
	}
	return 0, false
}

// MetadataOnly tells a dump of metadata that says so.
func (f *FS) MetadataOnly() bool {
	s, ok := f.raw.(Sparse)
	return ok && s.MetadataOnly()
}
