package image

import "io"

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
