package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
)

// DefaultUnpackLimit is how many bytes a compressed file may unpack to unless told
// otherwise.
const DefaultUnpackLimit = 64 << 30

// maxPacked is how often compressed files lie in each other.
const maxPacked = 3

// A packing is a form of compressed file.
type packing struct {
	name string // "gzip"
	tool string // what else unpacks it
	is   func(head []byte) bool
	// parts tells what the file consists of, in order. Where a part does not say how long
	// it is, the next is asked for when it has been read to its end.
	parts func(p *packed) iter.Seq[part]
}

var packings = []packing{
	{"gzip", "gzip -dc", func(b []byte) bool { return len(b) > 3 && string(b[:3]) == gzipMagic && b[3]&0xe0 == 0 }, gzipParts},
	{"xz", "xz -dc", func(b []byte) bool { return bytes.HasPrefix(b, []byte(xzMagic)) }, xzParts},
	{"zstd", "zstd -dc", isZstd, zstdParts},
	{"bzip2", "bzip2 -dc", isBzip2, bzip2Parts},
}

// A part of a compressed file has checksums of its own: a member of gzip, a block of xz,
// a frame of zstd.
type part struct {
	what  string // "frame"
	at    int64  // byte of the file where it begins
	size  int64  // bytes it unpacks to, -1 where only unpacking it tells
	sure  bool   // a checksum stands for the size
	told  bool   // the size is told apart from the data: where these come to it, it is right
	large bool   // takes much memory: not more than one at a time
	open  func() (io.ReadCloser, error)
	err   error // why nothing can be read of it, and nothing behind it
}

// A packed is a compressed file that is being unpacked.
type packed struct {
	packing
	src      io.ReaderAt
	size     int64 // bytes
	name     string
	limit    int64
	accept   bool // Options.AcceptDamage
	step     func(done, total int64) error
	dst      *scratch
	off      int64 // of the next part in the image
	warnings []string

	mu     sync.Mutex
	read   int64 // bytes of the file
	fatal  error
	faults []error
	unsure []*DamageError // of them: those that may have put what follows in a wrong place
	lost   lostRanges
}

// unpacked gives the image of what compressed evidence unpacks to; any other image as it
// is. The bytes go to a temporary copy that has no name any more where the system allows
// that, and is sparse; its contents are probed for containers again.
func unpacked(im *Image, name string, o Options) (*Image, error) {
	if im.format != "raw" && im.format != "split raw" {
		return im, nil
	}
	head := fetch(im, 0, 64)
	i := slices.IndexFunc(packings, func(p packing) bool { return p.is(head) })
	if i < 0 {
		return im, nil
	}
	defer im.Close()
	p := &packed{packing: packings[i], src: im, size: im.size, name: name, limit: o.UnpackLimit, accept: o.AcceptDamage, step: o.Unpacking}
	if p.limit == 0 {
		p.limit = DefaultUnpackLimit
	}
	switch {
	case p.limit < 0:
		return nil, p.errorf("is not to be unpacked")
	case o.unpacked >= maxPacked:
		return nil, p.errorf("compressed more than %d times", maxPacked)
	}
	var err error
	if p.dst, err = newScratch(); err != nil {
		return nil, fmt.Errorf("%s: no temporary copy to unpack to: %w", name, err)
	}
	if err := p.unpack(); err != nil {
		p.dst.Close()
		return nil, err
	}
	o.unpacked++
	inner, err := p.image(o)
	if err != nil {
		p.dst.Close()
		return nil, err
	}
	inner.warnings = slices.Concat(im.warnings, p.warnings, inner.warnings)
	inner.faults = slices.Concat(im.faults, p.faults, inner.faults)
	inner.format += " in " + p.packing.name
	segments := slices.Clone(im.segments)
	if len(segments) == 1 {
		segments[0].Offset = 0
	}
	for _, s := range inner.segments {
		if s.Name != p.innerName() {
			segments = append(segments, s)
		}
	}
	inner.segments = segments
	return inner, nil
}

// innerName stands for the temporary copy: no name of a segment, so that it is not taken
// for one.
func (p *packed) innerName() string { return p.name + " (unpacked)" }

func (p *packed) errorf(format string, args ...any) error {
	return &FormatError{p.name, p.packing.name, -1, fmt.Sprintf(format, args...), fmt.Sprintf("unpack with: %s IN > OUT", p.tool)}
}

// unpack writes all parts to the temporary copy.
func (p *packed) unpack() error {
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for part := range p.parts(p) {
		if p.failed() != nil {
			break
		}
		if part.err != nil {
			p.fault(part, p.off, 0, 0, part.err)
			break
		}
		if part.size < 0 || part.large {
			wg.Wait()
		}
		if part.size < 0 {
			n, ends := p.part(part, p.off)
			if p.off += n; !ends {
				break // where the next one belongs is not known
			}
			continue
		}
		if part.size > p.limit-p.off {
			p.fail(p.tooLarge())
			break
		}
		off := p.off
		p.off += part.size
		if part.large {
			p.part(part, off)
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			p.part(part, off)
			<-slots
		})
	}
	wg.Wait()
	if err := p.failed(); err != nil {
		return err
	}
	none := p.lost.bytes() == p.off
	p.judge()
	if none && len(p.faults) > 0 {
		return p.errorf("%v", p.faults[0])
	}
	if err := p.dst.file.Truncate(p.off); err != nil {
		return err
	}
	warnf(&p.warnings, "%s was unpacked to a temporary copy of %d bytes in %s, %d of them written",
		filepath.Base(p.name), p.off, p.dst.dir, p.dst.used())
	return nil
}

func (p *packed) tooLarge() error {
	return p.errorf("unpacks to more than %d bytes, which --unpack-limit sets", p.limit)
}

func (p *packed) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fatal == nil {
		p.fatal = err
	}
}

func (p *packed) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fatal
}

// image probes what was unpacked. A container would take lost ranges inside for zeros,
// and damaged ones for what they hold, so it gets what lies before the first.
func (p *packed) image(o Options) (*Image, error) {
	size := p.off
	var first error // why not all of it is looked at
	if len(p.lost) > 0 {
		inside := signatures{r: p.dst.file, size: size}
		what, ok := inside.container()
		if !ok {
			return p.raw(size, o)
		}
		first = p.lost[0].error(p.lost[0].off, p.lost[0].n)
		if size = p.lost[0].off; size == 0 {
			return nil, p.errorf("a %s lies inside; %v", what.Type, first)
		}
		p.lost = nil
		p.faults = append(p.faults, fmt.Errorf("%s: a %s lies inside, and is looked at as far as byte %d", p.packing.name, what.Type, size))
		if err := p.dst.file.Truncate(size); err != nil {
			return nil, err
		}
	}
	info, err := p.dst.file.Stat()
	if err != nil {
		return nil, err
	}
	im, err := probeForm(p.dst.file, info, p.innerName(), o)
	if err != nil {
		if first != nil {
			err = p.errorf("%v; it is damaged: %v", err, first)
		}
		return nil, err
	}
	if im.data == io.ReaderAt(p.dst.file) {
		return p.raw(size, o)
	}
	im.closer = both{im.closer, p.dst}
	return im, nil
}

// raw takes the temporary copy as the bytes it holds, unless they are compressed again.
func (p *packed) raw(size int64, o Options) (*Image, error) {
	u := &unpackedRaw{p.dst, p.innerName(), size, p.lost}
	return unpacked(contain(u, p.innerName(), "raw", size), p.innerName(), o)
}

// both closes two things.
type both [2]io.Closer

func (b both) Close() error { return errors.Join(b[0].Close(), b[1].Close()) }
