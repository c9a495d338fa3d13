package image

import (
	"errors"
	"hash/adler32"
	"io"
	"sync"
)

// Deflate streams of containers are short, and there from first to last: decoded from one
// slice into another they take less than half the time of readers that keep a window. The
// form is that of RFC 1951, in a zlib stream that of RFC 1950.

var (
	errDeflate  = errors.New("deflate stream cannot be right")
	errTooLong  = errors.New("deflate stream holds more than it should")
	errTooShort = errors.New("deflate stream holds less than it should")
)

// inflateZlib fills dst from the zlib stream that src begins with, whose Adler-32 must
// hold. The stream may hold more than dst has room for, up to longest bytes.
func inflateZlib(dst, src []byte, longest int) error {
	if len(src) < 2 || src[0]&15 != 8 || src[1]&0x20 != 0 || (int(src[0])<<8|int(src[1]))%31 != 0 {
		return errors.New("no zlib header")
	}
	all := dst
	n, used, err := inflate(dst, src[2:])
	if err == errTooLong && longest > len(dst) {
		all = make([]byte, longest)
		n, used, err = inflate(all, src[2:])
	}
	switch {
	case err != nil:
		return err
	case n < len(dst):
		return errTooShort
	case len(src) < 2+used+4:
		return io.ErrUnexpectedEOF
	case be.Uint32(src[2+used:]) != adler32.Checksum(all[:n]):
		return errors.New("Adler-32 does not match")
	}
	if len(all) > len(dst) {
		copy(dst, all)
	}
	return nil
}

// An inflater is the tables of one deflate stream, and its input.
type inflater struct {
	src []byte
	at  int    // of src, the byte to take next
	buf uint64 // bits taken from src, the next one lowest
	n   int    // how many of them count; less than 0 once more were used than there are

	lengths     [288 + 32]uint8
	codes       [1 << 7]uint32
	literals    [1<<literalBits + 1024]uint32
	distances   [1<<distanceBits + 1024]uint32
	blockTables // what the block at hand uses
}

type blockTables struct{ literal, distance []uint32 }

// An entry of a table has the bits to take in its low 8 bits, how many extra bits follow
// in the next 8, and above them a value: a literal, the base of a length or distance, or
// where the table goes on, which the extra bits then index. 0 is no code.
const (
	isLiteral = 1 << 31
	isEnd     = 1 << 30
	isMore    = 1 << 29
	valueBits = 1<<13 - 1 // of a literal, a length or where a table goes on

	literalBits  = 10
	distanceBits = 8
)

var inflaters = sync.Pool{New: func() any { return &inflater{} }}

// inflate decodes the deflate stream that src begins with: n bytes of dst, from used
// bytes of src. A stream that has more than dst has room for is errTooLong. With an error
// none of dst is to be used: what was read last may be made up.
func inflate(dst, src []byte) (n, used int, err error) {
	z := inflaters.Get().(*inflater)
	defer inflaters.Put(z)
	z.src, z.at, z.buf, z.n = src, 0, 0, 0
	defer func() { z.src = nil }()
	for last := false; !last; {
		head := z.bits(3)
		last = head&1 != 0
		switch head >> 1 {
		case 0:
			n, err = z.stored(dst, n)
		case 1:
			z.blockTables = fixedTables()
			n, err = z.block(dst, n)
		case 2:
			if err = z.dynamic(); err == nil {
				n, err = z.block(dst, n)
			}
		default:
			err = errDeflate
		}
		if z.n < 0 {
			return 0, 0, io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return n, z.at - z.n>>3, nil
}

// fill takes bits until there are at least 56, or no more.
func (z *inflater) fill() {
	if z.n >= 0 && z.at+8 <= len(z.src) {
		z.buf |= le.Uint64(z.src[z.at:]) << (z.n & 63)
		z.at += (63 - z.n) >> 3
		z.n |= 56
		return
	}
	for z.n >= 0 && z.n <= 56 && z.at < len(z.src) {
		z.buf |= uint64(z.src[z.at]) << z.n
		z.at++
		z.n += 8
	}
}

// bits takes up to 32 bits.
func (z *inflater) bits(k int) int {
	z.fill()
	v := z.buf & (1<<k - 1)
	z.buf >>= k
	z.n -= k
	return int(v)
}

// stored copies a block that is not compressed.
func (z *inflater) stored(dst []byte, pos int) (int, error) {
	if z.n < 0 {
		return pos, io.ErrUnexpectedEOF
	}
	z.at -= z.n >> 3
	z.buf, z.n = 0, 0
	if z.at+4 > len(z.src) {
		return pos, io.ErrUnexpectedEOF
	}
	length := int(le.Uint16(z.src[z.at:]))
	if length != int(^le.Uint16(z.src[z.at+2:])) {
		return pos, errDeflate
	}
	z.at += 4
	n := copy(dst[pos:], z.src[z.at:min(z.at+length, len(z.src))])
	z.at += n
	switch {
	case n == length:
		return pos + n, nil
	case pos+n == len(dst):
		return pos + n, errTooLong
	}
	return pos + n, io.ErrUnexpectedEOF
}

// block decodes a compressed block to dst from pos on, and gives where it ends there.
func (z *inflater) block(dst []byte, pos int) (int, error) {
	src, at, buf, n := z.src, z.at, z.buf, z.n // here, so that they can be in registers
	literal, distance := z.literal, z.distance
	_, _ = literal[1<<literalBits-1], distance[1<<distanceBits-1]
	var err error
	for {
		if n < 48 { // a length and a distance take no more
			if at+8 <= len(src) && n >= 0 {
				buf |= le.Uint64(src[at:]) << (n & 63)
				at += (63 - n) >> 3
				n |= 56
			} else {
				for ; n >= 0 && n <= 56 && at < len(src); n += 8 {
					buf |= uint64(src[at]) << (n & 63)
					at++
				}
				if n < 0 {
					err = io.ErrUnexpectedEOF
					break
				}
			}
		}
		e := literal[buf&(1<<literalBits-1)]
		if e&isMore != 0 {
			e = literal[uint64(e>>16&valueBits)+buf>>literalBits&(1<<(e>>8&15)-1)]
		}
		buf >>= e & 31
		n -= int(e & 31)
		if e&isLiteral != 0 {
			if pos >= len(dst) {
				err = errTooLong
				break
			}
			dst[pos] = byte(e >> 16)
			pos++
			continue
		}
		if e&isEnd != 0 {
			break
		}
		extra := e >> 8 & 31
		length := int(e>>16&valueBits) + int(buf&(1<<extra-1))
		buf >>= extra
		n -= int(extra)
		d := distance[buf&(1<<distanceBits-1)]
		if d&isLiteral != 0 { // which for distances means isMore
			d = distance[uint64(d>>16&valueBits)+buf>>distanceBits&(1<<(d>>8&15)-1)]
		}
		buf >>= d & 31
		n -= int(d & 31)
		extra = d >> 8 & 31
		back := int(d>>16) + int(buf&(1<<extra-1))
		buf >>= extra
		n -= int(extra)
		if e == 0 || d == 0 || back > pos {
			err = errDeflate
			break
		}
		if length > len(dst)-pos {
			err = errTooLong
			break
		}
		if back >= 8 && length <= len(dst)-pos-8 {
			from, to := dst[pos-back:][:length+8], dst[pos:][:length+8]
			for i := 0; i < length; i += 8 {
				le.PutUint64(to[i:], le.Uint64(from[i:]))
			}
		} else {
			repeat(dst[pos-back:pos+length], back)
		}
		pos += length
	}
	z.at, z.buf, z.n = at, buf, n
	return pos, err
}

// repeat fills b with its first n bytes over and over.
func repeat(b []byte, n int) {
	for n < len(b) {
		n += copy(b[n:], b[:n])
	}
}
