package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sort"
)

// An ewf is an image in the Expert Witness Compression Format, version 1, as EnCase, FTK
// Imager, SMART and ewfacquire write it: chunks of a fixed length, each deflated or
// stored with its Adler-32, in segment files that are chains of sections. The format is
// described in libewf's "Expert Witness Compression Format (EWF)".
type ewf struct {
	size   int64 // bytes of the image
	spans  []ewfSpan
	files  []*os.File // one a segment
	chunks *chunks
}

// An ewfSpan is chunks in a row: those of one table, or those that cannot be had.
type ewfSpan struct {
	first, count int64 // chunks of the image
	table        *ewfTable
	gap          *ewfGap // nil where there is a table
}

// An ewfGap is why chunks cannot be had.
type ewfGap struct {
	name    string // the segment file
	upTo    string // the last of several that are missing
	missing bool   // it is not there; else
	at      int64  // the byte of it where what is damaged lies
	err     error
}

const (
	formatE01 = "E01"
	formatS01 = "S01"
	ewfMagic  = "EVF\x09\x0d\x0a\xff\x00"
)

// maxEwfChunk bounds the length of a chunk; EnCase's largest is 16 MiB.
const maxEwfChunk = 16 << 20

// probeEwf opens an E01 or S01 image by any of its segments.
func probeEwf(f *os.File, info fs.FileInfo, name string, _ Options) (*Image, error) {
	im := &Image{}
	number, ok := ewfNumber(f, filepath.Base(name), &im.warnings)
	if !ok || !info.Mode().IsRegular() {
		return nil, errWrongType
	}
	set, err := openEwfSet(f, info, name, number, &im.warnings)
	if err != nil {
		return nil, err
	}
	c, err := newEwf(set, im)
	if err != nil {
		set.closeBut(f)
		return nil, err
	}
	im.size, im.data, im.closer = c.size, c, c
	return im, nil
}

// newEwf puts the chunks of a set in their places.
func newEwf(set *ewfSet, im *Image) (*ewf, error) {
	v, err := set.volume(&im.warnings)
	if err != nil {
		return nil, err
	}
	im.format = formatE01
	if v.smart {
		im.format = formatS01
	}
	bad := func(what string, args ...any) (*ewf, error) {
		return nil, &FormatError{Name: v.name, Format: im.format, Offset: v.at, What: fmt.Sprintf(what, args...), Hint: byEwf}
	}
	length := int64(v.chunkSectors) * int64(v.sectorSize) // of two uint32 below 2^31
	if v.chunkSectors > maxEwfChunk || v.sectorSize > maxEwfChunk || length == 0 || length > maxEwfChunk {
		return bad("chunks of %d sectors of %d bytes", v.chunkSectors, v.sectorSize)
	}
	size, ok := mulOffset(v.sectors, int(v.sectorSize))
	if !ok || size > math.MaxInt64-length {
		return bad("%d sectors of %d bytes", v.sectors, v.sectorSize)
	}
	total := (size + length - 1) / length
	if total > math.MaxUint32 {
		return bad("%d chunks", total)
	}
	if total != int64(v.chunks) {
		warnf(&im.warnings, "%s: counts %d chunks, and has sectors for %d", filepath.Base(v.name), v.chunks, total)
	}
	c := &ewf{size: size, spans: set.place(total, &im.warnings)}
	for _, s := range set.segments {
		c.files = append(c.files, s.file)
	}
	c.chunks = newChunks(size, int(length), c.decode)
	set.tell(c, v, im)
	return c, nil
}

// tell notes what the examiner should know: details, digests, and what is not there.
func (set *ewfSet) tell(c *ewf, v ewfVolume, im *Image) {
	im.details, im.digests = set.details(v, &im.warnings), set.digests(&im.warnings)
	length := int64(c.chunks.length)
	held := map[string]*Segment{}
	for _, s := range set.segments {
		im.segments = append(im.segments, Segment{Name: s.name})
	}
	for _, s := range c.spans {
		off, n := s.first*length, min(s.count*length, c.size-s.first*length)
		if s.gap != nil {
			if s.gap.missing {
				im.segments = append(im.segments, Segment{Name: s.gap.name, Offset: off, Size: n, Missing: true})
				which := fmt.Sprintf("segment %s is", filepath.Base(s.gap.name))
				if s.gap.upTo != "" {
					which = fmt.Sprintf("segments %s to %s are", filepath.Base(s.gap.name), filepath.Base(s.gap.upTo))
				}
				warnf(&im.warnings, "%s missing: %d bytes from byte %d on cannot be read", which, n, off)
			} else {
				warnf(&im.warnings, "%s: %v at byte %d: %d bytes of the image, from byte %d on, cannot be read", filepath.Base(s.gap.name), s.gap.err, s.gap.at, n, off)
			}
			continue
		}
		if held[s.table.name] == nil {
			for i := range im.segments {
				if im.segments[i].Name == s.table.name {
					im.segments[i].Offset, held[s.table.name] = off, &im.segments[i]
				}
			}
		}
		held[s.table.name].Size = off + n - held[s.table.name].Offset
	}
	sort.SliceStable(im.segments, func(i, k int) bool { return im.segments[i].Offset < im.segments[k].Offset })
}

func (c *ewf) Size() int64 { return c.size }

// Map says that all is data: which chunks are zeros is not recorded, and those that are
// missing are to be met by whoever scans.
func (c *ewf) Map(off int64) (RangeKind, int64) { return Data, c.size - off }

func (c *ewf) Close() error {
	var errs []error
	for _, f := range c.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// span finds the span of chunk i: they cover the image from first to last.
func (c *ewf) span(i int64) *ewfSpan {
	return &c.spans[sort.Search(len(c.spans), func(k int) bool { return i < c.spans[k].first+c.spans[k].count })]
}

// ReadAt reads a range inside of the image.
func (c *ewf) ReadAt(p []byte, off int64) (int, error) {
	length := int64(c.chunks.length)
	for done := 0; done < len(p); {
		at := off + int64(done)
		s := c.span(at / length)
		n := int(min((s.first+s.count)*length-at, int64(len(p)-done)))
		if s.gap != nil {
			return done, s.gap.error(at, int64(n))
		}
		got, err := c.chunks.ReadAt(p[done:done+n], at)
		if done += got; err != nil {
			return done, err
		}
	}
	return len(p), nil
}

func (g *ewfGap) error(off, n int64) error {
	if g.missing {
		return &MissingError{Name: g.name, Offset: off, Length: n}
	}
	return &DamageError{Name: g.name, Part: "table", At: g.at, Offset: off, Length: n, Err: g.err}
}

// decode is for chunks: it fills dst with chunk i.
func (c *ewf) decode(dst []byte, i int64) error {
	s := c.span(i)
	off := i * int64(c.chunks.length)
	if s.gap != nil { // read ahead of a gap
		return s.gap.error(off, int64(len(dst)))
	}
	at, err := s.table.decode(dst, int(i-s.first), c.chunks.length)
	var io *ioError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &io):
		return &ReadError{Name: s.table.name, Offset: off, Length: int64(len(dst)), Err: io.err}
	}
	return &DamageError{Name: s.table.name, Part: fmt.Sprintf("chunk %d", i), At: at, Offset: off, Length: int64(len(dst)), Err: err}
}

// An ioError is one of the machine, not of what the file holds.
type ioError struct{ err error }

func (e *ioError) Error() string { return e.err.Error() }

// readFull fills b from f; the file's end before that is io.ErrUnexpectedEOF, another
// failure an *ioError.
func readFull(f io.ReaderAt, b []byte, at int64) error {
	n, err := f.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return &ioError{err}
}
