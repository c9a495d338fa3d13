package ext

import (
	"errors"
	"io"
	"math"
	"sort"

	"github.com/extscope/extscope/ext/layout"
)

// A File reads the contents of one inode. Holes and unwritten extents read as
// zeros, and so does what a damaged map no longer maps: Err tells of that. It is
// safe for concurrent use.
type File struct {
	fs     *FS
	in     *Inode
	runs   []Run
	inline []byte
	err    error
}

// File opens an inode's contents.
func (f *FS) File(in *Inode) *File {
	file := &File{fs: f, in: in}
	if !f.hasMap(in) {
		file.inline, file.err = f.inlineContent(in)
		return file
	}
	var errs errorList
	for r, err := range f.Runs(in) {
		if err != nil {
			errs.add(err)
		} else if r.Kind == Data {
			file.runs = append(file.runs, r)
		}
	}
	if in.size > f.MaxSize(in) {
		errs.add(corrupt("inode", "i_size", in.Offset+4, in.size))
	}
	file.err = errs.join()
	return file
}

// Err is what was wrong with the map: nil, or an error of the package's kinds.
func (r *File) Err() error { return r.err }

// Size is the file's size in bytes.
func (r *File) Size() int64 { return int64(min(r.in.size, math.MaxInt64)) }

// Place gives the byte of the file system where byte off of the file lies, 0 where it
// lies nowhere or in the inode.
func (r *File) Place(off int64) int64 {
	i := r.runAt(off)
	if i == len(r.runs) || off < int64(r.runs[i].Logical)<<r.fs.blockBits {
		return 0
	}
	return r.fs.bytes(r.runs[i].Physical) + off - int64(r.runs[i].Logical)<<r.fs.blockBits
}

// runAt finds the first run that ends behind byte off.
func (r *File) runAt(off int64) int {
	return sort.Search(len(r.runs), func(i int) bool {
		return int64(r.runs[i].Logical+r.runs[i].Len)<<r.fs.blockBits > off
	})
}

// ReadAt reads from byte off of the file, as io.ReaderAt.
func (r *File) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	size := r.Size()
	if off >= size {
		return 0, io.EOF
	}
	var end error
	if int64(len(p)) > size-off {
		p, end = p[:size-off], io.EOF
	}
	if r.runs == nil {
		n := 0
		if off < int64(len(r.inline)) {
			n = copy(p, r.inline[off:])
		}
		clear(p[n:])
		return len(p), end
	}
	bits := r.fs.blockBits
	i := r.runAt(off)
	for n := 0; n < len(p); {
		at := off + int64(n)
		if i == len(r.runs) {
			clear(p[n:])
			break
		}
		run := r.runs[i]
		start := int64(run.Logical) << bits
		if at < start {
			zeros := int(min(start-at, int64(len(p)-n)))
			clear(p[n : n+zeros])
			n += zeros
			continue
		}
		want := int(min(start+int64(run.Len)<<bits-at, int64(len(p)-n)))
		got, err := r.fs.ReadAt(p[n:n+want], r.fs.bytes(run.Physical)+at-start)
		n += got
		if err != nil {
			return n, err
		}
		i++
	}
	return len(p), end
}

// A HoleWriter is a writer that can skip n bytes of zeros.
type HoleWriter interface {
	io.Writer
	Hole(n int64) error
}

// Copy writes the contents of an inode to w, in order, in large pieces; to a
// HoleWriter the holes as holes. Bytes that cannot be read are written as zeros
// and reported in the error, together with damage of the map; the rest is
// written all the same. An error of w ends it.
//
// A size that no map of its kind can reach is not believed: what is mapped is
// written, and the rest is not.
func (f *FS) Copy(w io.Writer, in *Inode) (int64, error) {
	if !f.hasMap(in) {
		b, err := f.inlineContent(in)
		n, werr := w.Write(b)
		if rest := in.size - uint64(n); err == nil && werr == nil && in.HasInline() && rest > 0 {
			c := copier{w: w, written: int64(n)}
			c.holes, _ = w.(HoleWriter)
			werr = c.zeros(int64(rest))
			return c.written, werr
		}
		return int64(n), errors.Join(err, werr)
	}
	c := copier{fs: f, w: w, left: int64(min(in.size, math.MaxInt64))}
	c.holes, _ = w.(HoleWriter)
	if in.size > f.MaxSize(in) {
		c.errs.add(corrupt("inode", "i_size", in.Offset+4, in.size))
		c.left = int64(f.mappedEnd(in))
	}
	for r, err := range f.Runs(in) {
		if err != nil {
			c.errs.add(err)
			continue
		}
		if c.left <= 0 {
			break
		}
		n := c.left
		if r.Len <= uint64(n)>>f.blockBits {
			n = int64(r.Len) << f.blockBits
		}
		var werr error
		if r.Kind == Data {
			werr = c.data(f.bytes(r.Physical), n)
		} else {
			werr = c.zeros(n)
		}
		if werr != nil {
			return c.written, werr
		}
		c.left -= n
	}
	return c.written, c.errs.join()
}

// mappedEnd is the byte behind the last mapped block.
func (f *FS) mappedEnd(in *Inode) uint64 {
	end := uint64(0)
	for r, err := range f.Map(in) {
		if err == nil && r.Kind != Index {
			end = max(end, r.Logical+r.Len)
		}
	}
	return end << f.blockBits
}

// MaxSize is the largest size that the inode's kind of map can reach
// (ext4_max_size and ext4_max_bitmap_size, fs/ext4/super.c).
func (f *FS) MaxSize(in *Inode) uint64 {
	if in.Flags&layout.FlagExtents != 0 {
		return uint64(math.MaxUint32) << f.blockBits
	}
	per := uint64(f.blockSize / 4)
	return min(directSlots+per+per*per+per*per*per, maxFileBlocks) << f.blockBits
}

// copyStep is how many bytes are copied at once: what the processor's cache holds until
// they are written.
const copyStep = 256 << 10

type copier struct {
	fs      *FS
	w       io.Writer
	holes   HoleWriter
	buf     []byte
	left    int64
	written int64
	errs    errorList
}

func (c *copier) data(off, n int64) error {
	if c.buf == nil {
		c.buf = make([]byte, min(n, copyStep))
	}
	for n > 0 {
		if int64(len(c.buf)) < min(n, copyStep) {
			c.buf = make([]byte, min(n, copyStep))
		}
		b := c.buf[:min(n, int64(len(c.buf)))]
		if got, err := c.fs.ReadAt(b, off); err != nil {
			clear(b[got:])
			c.errs.add(err)
		}
		m, err := c.w.Write(b)
		c.written += int64(m)
		if err != nil {
			return err
		}
		off += int64(len(b))
		n -= int64(len(b))
	}
	return nil
}

var zeroBlock [64 << 10]byte

func (c *copier) zeros(n int64) error {
	if c.holes != nil {
		c.written += n
		return c.holes.Hole(n)
	}
	for n > 0 {
		m, err := c.w.Write(zeroBlock[:min(n, int64(len(zeroBlock)))])
		c.written += int64(m)
		if err != nil {
			return err
		}
		n -= int64(m)
	}
	return nil
}

// inlineContent is what i_block and the xattr system.data hold of a file whose
// contents are in its inode; a regular file may be larger, and ends in zeros then. Other
// inodes without a map have none.
func (f *FS) inlineContent(in *Inode) ([]byte, error) {
	if !in.HasInline() || !f.hasIncompat(layout.IncompatInlineData) {
		if in.FastSymlink() {
			return in.Block[:min(in.size, 60)], nil
		}
		if in.size > 0 {
			// A device with a size, or no type that has contents.
			return nil, corrupt("inode", "i_mode", in.Offset, uint64(in.Mode))
		}
		return nil, nil
	}
	tail, _, err := f.inlineTail(in)
	b := layout.InlineContent(in.Block[:], tail, int64(min(in.size, uint64(f.inodeSize))))
	// Of a file the rest reads as zeros: ext4_read_inline_folio (fs/ext4/inline.c).
	if err == nil && uint64(len(b)) < in.size && (!in.IsRegular() || in.size > f.MaxSize(in)) {
		err = corrupt("inline data", "i_size", in.Offset+4, in.size)
	}
	return b, err
}

// InlineContent is what an inode holds of a file whose contents are kept in it: i_block
// and the value of the xattr system.data.
func (f *FS) InlineContent(in *Inode) ([]byte, error) { return f.inlineContent(in) }

// inlineTail is the value of system.data, and where in the inode it lies.
func (f *FS) inlineTail(in *Inode) ([]byte, int, error) {
	body, at, err := f.xattrBody(in)
	if err != nil {
		return nil, 0, err
	}
	entries, err := layout.DecodeXattrBody(body, in.Offset+int64(at))
	for _, e := range entries {
		if v, ok := e.Value(body); ok && e.IsInlineTail() {
			return v, at + e.ValueOffset, err
		}
	}
	return nil, 0, err
}

// errorLimit bounds how many errors of one file are kept.
const errorLimit = 16

// An errorList gathers errors, the first errorLimit of them.
type errorList struct {
	errs []error
	more int
}

func (l *errorList) add(err error) {
	if len(l.errs) < errorLimit {
		l.errs = append(l.errs, err)
	} else {
		l.more++
	}
}

func (l *errorList) join() error { return errors.Join(l.errs...) }

// CheckSize reports a size that no map of the inode's kind can reach, nor a file whose
// contents are in the inode: a *layout.CorruptError, or nil.
func (f *FS) CheckSize(in *Inode) error {
	size := in.size
	if in.Type() == 0 {
		size |= uint64(in.SizeHigh) << 32 // which has another meaning with some types
	}
	if (f.hasMap(in) || in.HasInline() && in.IsRegular()) && size > f.MaxSize(in) {
		return corrupt("inode", "i_size", in.Offset+4, size)
	}
	return nil
}
