package image

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
)

// xzCheckLen is how long a block's check is, by its type.
var xzCheckLen = [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

// xzCheck makes what computes a check; nil for a type that only has a length.
func xzCheck(typ byte) hash.Hash {
	switch typ {
	case 1:
		return crc32.NewIEEE()
	case 4:
		return crc64.New(crc64.MakeTable(crc64.ECMA))
	case 10:
		return sha256.New()
	}
	return nil
}

// An xzBlock is the header of a block.
type xzBlock struct {
	length int   // bytes of the header
	dict   int64 // bytes of the dictionary
	packed int64 // bytes of compressed data, -1 where the header does not say
	size   int64 // bytes that it unpacks to, likewise
}

var errXzFilter = errors.New("has a filter other than LZMA2, which is not read: unpack with: xz -dc IN > OUT")

// decodeXzBlock decodes a block header, which takes up to 1024 bytes.
func decodeXzBlock(b []byte) (xzBlock, error) {
	h := xzBlock{packed: -1, size: -1}
	if len(b) == 0 {
		return h, io.ErrUnexpectedEOF
	}
	if h.length = (int(b[0]) + 1) * 4; b[0] == 0 || h.length > len(b) {
		return h, io.ErrUnexpectedEOF
	}
	body, sum := b[1:h.length-4], le.Uint32(b[h.length-4:])
	if got := crc32.ChecksumIEEE(b[:h.length-4]); got != sum {
		return h, fmt.Errorf("block header: its checksum is %#08x, and %#08x is stored", got, sum)
	}
	flags := body[0]
	body = body[1:]
	if flags&0x40 != 0 {
		h.packed, body = xzNumber(body)
	}
	if flags&0x80 != 0 {
		h.size, body = xzNumber(body)
	}
	id, body := xzNumber(body)
	props, body := xzNumber(body)
	switch {
	case flags&0x3f != 0 || id != xzLZMA2:
		return h, errXzFilter
	case props != 1 || len(body) < 1 || body[0] > 40:
		return h, errors.New("block header: no dictionary size")
	case body[0] == 40:
		h.dict = 1<<32 - 1
	default:
		h.dict = (2 | int64(body[0]&1)) << (body[0]/2 + 11)
	}
	return h, nil
}

// xzNumber reads a number of seven bits a byte; -1 where there is none.
func xzNumber(b []byte) (int64, []byte) {
	var v int64
	for i := 0; i < 9 && i < len(b); i++ {
		v |= int64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return v, b[i+1:]
		}
	}
	return -1, nil
}

func appendXzNumber(b []byte, v int64) []byte {
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

// An xzReader unpacks one block and compares its check.
type xzReader struct {
	r     io.Reader
	p     *packed
	at    int64 // where the padding before the check begins
	check byte
	sum   hash.Hash // nil for none
}

func (x *xzReader) Read(b []byte) (int, error) {
	n, err := x.r.Read(b)
	if x.sum == nil {
		return n, err
	}
	x.sum.Write(b[:n])
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	pad := int(-x.at & 3)
	stored := fetch(x.p.src, x.at, pad+xzCheckLen[x.check])
	got := x.sum.Sum(nil)
	if x.check != 10 { // CRCs are stored the other way round
		for i, j := 0, len(got)-1; i < j; i, j = i+1, j-1 {
			got[i], got[j] = got[j], got[i]
		}
	}
	switch {
	case len(stored) < pad+len(got):
		return n, io.ErrUnexpectedEOF
	case !allZero(stored[:pad]) || !bytes.Equal(stored[pad:], got):
		return n, fmt.Errorf("its check is %x, and %x is stored", got, stored[pad:])
	}
	return n, err
}

func (x *xzReader) Close() error { return nil }
