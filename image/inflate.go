package image

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
)

var errTooLong = errors.New("unpacks to more than it may")

// The pools keep decoders of compressed streams, which are costly to make.
var zlibPool, flatePool sync.Pool

// inflateZlib fills dst from the zlib stream that src begins with, whose Adler-32 has to
// hold. The stream may go on behind dst, to longest bytes in all.
func inflateZlib(dst, src []byte, longest int) error {
	r := bytes.NewReader(src)
	z, _ := zlibPool.Get().(io.ReadCloser)
	var err error
	if z == nil {
		z, err = zlib.NewReader(r)
	} else {
		err = z.(zlib.Resetter).Reset(r, nil)
	}
	if err != nil {
		return err
	}
	defer zlibPool.Put(z)
	if err := fillFrom(z, dst); err != nil {
		return err
	}
	rest, err := io.Copy(io.Discard, io.LimitReader(z, int64(longest-len(dst))+1)) // to the checksum
	if err == nil && rest > int64(longest-len(dst)) {
		err = errTooLong
	}
	return err
}

// inflateRaw fills dst from the deflate stream that src begins with.
func inflateRaw(dst, src []byte) error {
	r := bytes.NewReader(src)
	z, _ := flatePool.Get().(io.ReadCloser)
	if z == nil {
		z = flate.NewReader(r)
	} else if err := z.(flate.Resetter).Reset(r, nil); err != nil {
		return err
	}
	defer flatePool.Put(z)
	return fillFrom(z, dst)
}

// fillFrom reads all of dst: a stream that has less cannot be right.
func fillFrom(r io.Reader, dst []byte) error {
	_, err := io.ReadFull(r, dst)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
