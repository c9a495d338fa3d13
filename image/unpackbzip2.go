package image

import (
	"bufio"
	"compress/bzip2"
	"io"
	"iter"
)

const (
	bzip2Block = "\x31\x41\x59\x26\x53\x59" // what a block begins with, at any bit
	bzip2End   = "\x17\x72\x45\x38\x50\x90" // and the end of a stream
)

func isBzip2(b []byte) bool {
	return len(b) >= 10 && string(b[:3]) == "BZh" && b[3] >= '1' && b[3] <= '9' &&
		(string(b[4:10]) == bzip2Block || string(b[4:10]) == bzip2End)
}

// bzip2Parts is a bzip2 file as one part: its blocks do not begin at whole bytes, nor do
// they say how long they are.
func bzip2Parts(p *packed) iter.Seq[part] {
	return func(yield func(part) bool) {
		yield(part{what: "stream", at: 0, size: -1, open: func() (io.ReadCloser, error) {
			in := &bzip2Input{r: bufio.NewReaderSize(p.section(0, p.size), 256<<10)}
			return &bzip2Reader{r: bzip2.NewReader(in), in: in}, nil
		}})
	}
}

// A bzip2Reader unpacks all streams of a file, and tells its blocks from each other by
// when their bytes are taken from it: all of a block before the first of it comes out,
// and none of the next before the last has and its checksum held.
type bzip2Reader struct {
	r             io.Reader
	in            *bzip2Input
	n             int64 // bytes that came out
	block, stream int64 // of them, those before the present block, and before its stream
	failed        error
}

func (z *bzip2Reader) Read(b []byte) (int, error) {
	z.in.taken, z.in.first = 0, z.in.first[:0]
	n, err := z.r.Read(b)
	if z.in.taken > 0 {
		z.block = z.n
		if z.in.newStream() {
			z.stream = z.n
		}
	}
	z.n += int64(n)
	z.failed = err
	return n, err
}

// checked implements partReader: blocks have checksums, and of these the stream has one.
func (z *bzip2Reader) checked() (int64, bool) {
	if z.failed == errBzip2Stream {
		return z.stream, false
	}
	return z.block, false
}

// errBzip2Stream is how package bzip2 tells of the checksum at the end of a stream.
var errBzip2Stream error = bzip2.StructuralError("file checksum mismatch")

func (z *bzip2Reader) Close() error { return nil }

// bzip2Input is what a decoder takes byte by byte, so that it is known what it has taken.
type bzip2Input struct {
	r     *bufio.Reader
	taken int    // bytes since the last output
	first []byte // of them
}

// newStream tells whether a stream begins in the bytes taken: behind the end of the one
// before it, which has 10 bytes and some bits, or at once.
func (b *bzip2Input) newStream() bool {
	for i := range b.first {
		if isBzip2(b.first[i:]) {
			return true
		}
	}
	return false
}

func (b *bzip2Input) ReadByte() (byte, error) {
	c, err := b.r.ReadByte()
	if err == nil {
		b.taken++
		if len(b.first) < 24 {
			b.first = append(b.first, c)
		}
	}
	return c, err
}

func (b *bzip2Input) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.taken += n
	return n, err
}
