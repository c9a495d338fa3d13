package image

import (
	"bufio"
	"compress/bzip2"
	"fmt"
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
			member := part{what: fmt.Sprintf("member at byte %d", here), size: -1}
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
				return z, nil
			}
			if !yield(member) {
				return
			}
		}
	}
}

// behind tells of bytes that belong to no part. Tapes and some tools fill up with zeros.
func (p *packed) behind(at, n int64) {
	warnf(&p.warnings, "%d bytes follow the %s data, from byte %d of the file on", n, p.packing.name, at)
}

func isBzip2(b []byte) bool {
	return len(b) >= 10 && string(b[:3]) == "BZh" && b[3] >= '1' && b[3] <= '9' &&
		(string(b[4:10]) == "\x31\x41\x59\x26\x53\x59" || string(b[4:10]) == "\x17\x72\x45\x38\x50\x90")
}

// bzip2Parts is a bzip2 file as one part: its blocks do not begin at whole bytes.
func bzip2Parts(p *packed) iter.Seq[part] {
	return func(yield func(part) bool) {
		yield(part{what: "stream", size: -1, open: func() (io.ReadCloser, error) {
			return io.NopCloser(bzip2.NewReader(bufio.NewReaderSize(p.section(0, p.size), 256<<10))), nil
		}})
	}
}

// A peeker looks at short headers in a file, which mostly lie close to each other or far
// apart.
type peeker struct {
	r  io.ReaderAt
	at int64
	b  []byte
}

// get is the n bytes at off, or what there is of them.
func (p *peeker) get(off int64, n int) []byte {
	if off < p.at || off+int64(n) > p.at+int64(len(p.b)) {
		p.at, p.b = off, fetch(p.r, off, max(n, 4096))
	}
	if off-p.at >= int64(len(p.b)) {
		return nil
	}
	b := p.b[off-p.at:]
	return b[:min(n, len(b))]
}
