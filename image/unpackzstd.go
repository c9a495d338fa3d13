package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/bits"

	"github.com/klauspost/compress/zstd"
)

const (
	zstdMagic     = 0xfd2fb528
	zstdSkippable = 0x184d2a50 // to …5f
	zstdBlock     = 128 << 10  // bytes that a block unpacks to at most
	zstdMaxWindow = 128 << 20  // what zstd itself takes unless told otherwise
)

// A zstdHeader is the header of a frame (RFC 8878, 3.1.1.1).
type zstdHeader struct {
	length   int   // bytes
	window   int64 // bytes; that of a single segment is its content
	content  int64 // bytes it unpacks to, -1 for not known
	single   bool
	checksum bool
}

var errNoFrame = errors.New("no frame header")

// decodeZstdHeader decodes a frame header, which takes up to 18 bytes.
func decodeZstdHeader(b []byte) (zstdHeader, error) {
	if len(b) < 5 {
		return zstdHeader{}, io.ErrUnexpectedEOF
	}
	if le.Uint32(b) != zstdMagic {
		return zstdHeader{}, errNoFrame
	}
	fhd := b[4]
	h := zstdHeader{length: 5, content: -1, single: fhd&0x20 != 0, checksum: fhd&4 != 0}
	if fhd&8 != 0 {
		return h, errors.New("a reserved bit is set")
	}
	ids, sizes := [4]int{0, 1, 2, 4}, [4]int{0, 2, 4, 8}
	if h.single {
		sizes[0] = 1
	}
	at := 5
	if !h.single {
		at++
	}
	id, size := ids[fhd&3], sizes[fhd>>6]
	if h.length = at + id + size; h.length > len(b) {
		return h, io.ErrUnexpectedEOF
	}
	if !h.single {
		base := int64(1) << (10 + b[5]>>3)
		h.window = base + base/8*int64(b[5]&7)
	}
	var field [8]byte
	copy(field[:], b[at+id:][:size])
	switch v := le.Uint64(field[:]); {
	case size == 0:
	case size == 2:
		h.content = int64(v) + 256
	case v > 1<<62:
		return h, fmt.Errorf("a content of %d bytes", v)
	default:
		h.content = int64(v)
	}
	if h.single {
		h.window = h.content
	}
	return h, nil
}

func isSkippable(magic uint32) bool { return magic&^0xf == zstdSkippable }

// isZstd reports whether b begins with a frame. Of files that begin with a skippable one
// only those whose next is near are told: other formats have such frames as well.
func isZstd(b []byte) bool {
	for len(b) >= 8 && isSkippable(le.Uint32(b)) {
		b = b[min(8+int64(le.Uint32(b[4:])), int64(len(b))):]
	}
	return len(b) >= 4 && le.Uint32(b) == zstdMagic
}

// zstdParts are the frames of a file. Their blocks say how long they are, so that all
// frames are found without unpacking any.
func zstdParts(p *packed) iter.Seq[part] {
	return func(yield func(part) bool) {
		look := peeker{r: p.src}
		unchecked := false
		for at := int64(0); at < p.size; {
			head := look.get(at, 18)
			if len(head) >= 8 && isSkippable(le.Uint32(head)) {
				next := at + 8 + int64(le.Uint32(head[4:]))
				if next > p.size {
					p.fault(part{what: "skippable frame", at: at, size: -1}, p.off, 0, 0, io.ErrUnexpectedEOF)
				}
				at = next
				continue
			}
			frame := part{what: "frame", at: at, size: -1}
			h, err := decodeZstdHeader(head)
			if errors.Is(err, errNoFrame) && at > 0 {
				p.behind(at, p.size-at)
				return
			}
			if err != nil {
				frame.err = err
				yield(frame)
				return
			}
			head = bytes.Clone(head[:h.length])
			end, most, err := zstdBlocks(&look, at, h, p.size)
			if err == nil && !h.checksum && zstdUnflagged(&look, end, p.size) {
				// The decoder is told what it lacks the flag for.
				head[4] |= 4
				h.checksum, end = true, end+4
				warnf(&p.warnings, "zstd: the frame at byte %d has a checksum that its header does not know of", at)
			}
			if !h.checksum && !unchecked {
				unchecked = true
				warnf(&p.warnings, "zstd: the frame at byte %d has no checksum", at)
			}
			frame.told = h.content >= 0
			if frame.size = h.content; err == nil && h.content > most {
				frame.size = -1 // cannot be: unpacking tells
			}
			window := min(h.window, most)
			body := at + int64(h.length)
			alone := at == 0 && end >= p.size || frame.size < 0
			frame.large = window > 32<<20
			frame.open = func() (io.ReadCloser, error) {
				switch {
				case h.window > zstdMaxWindow && window > zstdMaxWindow:
					return nil, fmt.Errorf("a window of %d bytes is more than %d", h.window, zstdMaxWindow)
				case h.single && h.content > most:
					return nil, fmt.Errorf("a content of %d bytes, and its blocks hold %d at most", h.content, most)
				}
				if !h.single && len(head) > 5 {
					// The decoder makes room for all the window: ask for no more than can be filled.
					head[5] = min(head[5], windowByte(window))
				}
				threads := 1
				if alone {
					threads = 0 // as many as there are cores
				}
				return newZstdReader(func(also ...zstd.DOption) (*zstd.Decoder, error) {
					return zstd.NewReader(io.MultiReader(bytes.NewReader(head), p.section(body, end-body)),
						append(also, zstd.WithDecoderConcurrency(threads), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(2*zstdMaxWindow), zstd.WithDecodeBuffersBelow(0))...)
				})
			}
			if !yield(frame) || err != nil {
				return
			}
			at = end
		}
	}
}

// zstdUnflagged tells whether a frame without a checksum, whose blocks end at byte at, has
// one nevertheless: 4 bytes that are no frame, and behind them one or the end of the file.
func zstdUnflagged(look *peeker, at, size int64) bool {
	frame := func(at int64) bool {
		b := look.get(at, 4)
		return len(b) == 4 && (le.Uint32(b) == zstdMagic || isSkippable(le.Uint32(b)))
	}
	return at+4 <= size && !frame(at) && (at+4 == size || frame(at+4))
}

// A zstdReader unpacks one frame. Its decoder keeps the last of it back if the checksum is
// wrong: that comes out all the same, and then the error.
type zstdReader struct {
	open   func(also ...zstd.DOption) (*zstd.Decoder, error)
	z      *zstd.Decoder
	n      int64 // bytes that came out
	failed error // the checksum's, once it was found wrong
}

func newZstdReader(open func(also ...zstd.DOption) (*zstd.Decoder, error)) (io.ReadCloser, error) {
	z, err := open()
	if err != nil {
		return nil, err
	}
	return &zstdReader{open: open, z: z}, nil
}

func (r *zstdReader) Read(b []byte) (int, error) {
	n, err := r.z.Read(b)
	r.n += int64(n)
	switch {
	case r.failed != nil && errors.Is(err, io.EOF):
		return n, r.failed
	case r.failed != nil || !errors.Is(err, zstd.ErrCRCMismatch):
		return n, err
	}
	r.failed = err
	r.z.Close()
	if r.z, err = r.open(zstd.IgnoreChecksum(true)); err != nil {
		return n, err
	}
	if _, err := io.CopyN(io.Discard, r.z, r.n); err != nil {
		return n, r.failed
	}
	return n, nil
}

func (r *zstdReader) Close() error {
	if r.z != nil {
		r.z.Close()
	}
	return nil
}

// zstdBlocks goes through the blocks of the frame at byte at: where it ends, and the most
// that it can unpack to. The error says that the end could not be found.
func zstdBlocks(look *peeker, at int64, h zstdHeader, size int64) (end, most int64, err error) {
	at += int64(h.length)
	for {
		b := look.get(at, 3)
		if len(b) < 3 {
			return size, most, io.ErrUnexpectedEOF
		}
		v := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
		n := int64(v >> 3)
		at += 3
		switch v >> 1 & 3 { // Block_Type
		case 0:
			at, most = at+n, most+n
		case 1:
			at, most = at+1, most+n
		case 2:
			at, most = at+n, most+zstdBlock
		default:
			return size, most, errors.New("a block of a reserved type")
		}
		if v&1 != 0 {
			break
		}
	}
	if h.checksum {
		at += 4
	}
	if at > size {
		return size, most, io.ErrUnexpectedEOF
	}
	return at, most, nil
}

// windowByte is the smallest Window_Descriptor for a window of n bytes, and of a block.
func windowByte(n int64) byte {
	return byte(bits.Len64(uint64(max(n, zstdBlock)-1))-10) << 3
}
