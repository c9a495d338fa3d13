package image

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"

	"github.com/klauspost/compress/gzip"
)

const gzipMagic = "\x1f\x8b\x08"

// gzipParts are the members of a gzip file (RFC 1952). Only at the end of one is it known
// where the next begins.
func gzipParts(p *packed) iter.Seq[part] {
	return func(yield func(part) bool) {
		in := bufio.NewReaderSize(p.section(0, p.size), 256<<10)
		at := func() int64 {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.read - int64(in.Buffered())
		}
		var z *gzip.Reader
		for {
			here := at()
			if next, _ := in.Peek(len(gzipMagic)); here > 0 && string(next) != gzipMagic {
				if rest := p.size - here; rest > 0 {
					p.behind(here, rest)
				}
				return
			}
			member := part{what: "member", at: here, size: -1}
			member.open = func() (io.ReadCloser, error) {
				var err error
				if z == nil {
					z, err = gzip.NewReader(in)
				} else {
					err = z.Reset(in)
				}
				if err != nil {
					return nil, err
				}
				z.Multistream(false)
				return &gzipReader{r: z, src: p.src, at: at}, nil
			}
			if !yield(member) {
				return
			}
		}
	}
}

// A gzipReader unpacks one member. It sums up again what comes out, to say which of the
// two things that the member ends in does not hold.
type gzipReader struct {
	r     io.Reader
	src   io.ReaderAt
	at    func() int64 // byte of the file that is next
	n     int64        // bytes that came out
	sum   uint32
	right int64 // checked
	ends  bool
}

func (z *gzipReader) Read(b []byte) (int, error) {
	n, err := z.r.Read(b)
	z.n += int64(n)
	z.sum = crc32.Update(z.sum, crc32.IEEETable, b[:n])
	if !errors.Is(err, gzip.ErrChecksum) {
		return n, err
	}
	tail := fetch(z.src, z.at()-8, 8)
	if len(tail) < 8 {
		return n, io.ErrUnexpectedEOF
	}
	sum, size := le.Uint32(tail), le.Uint32(tail[4:]) // CRC32, ISIZE
	z.ends = sum == z.sum || size == uint32(z.n)
	if sum == z.sum {
		z.right = z.n
		return n, fmt.Errorf("its length is %d, and %d is stored, though its checksum agrees", uint32(z.n), size)
	}
	return n, fmt.Errorf("its checksum is %#08x, and %#08x is stored", z.sum, sum)
}

// checked implements partReader.
func (z *gzipReader) checked() (int64, bool) { return z.right, z.ends }

func (z *gzipReader) Close() error { return nil }
