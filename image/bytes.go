package image

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/bits"
	"unicode/utf16"
)

var (
	le = binary.LittleEndian
	be = binary.BigEndian
)

// fetch reads the n bytes at off, or what there is of them; nil where that is
// nothing. A range that can't be read counts as not there.
func fetch(r io.ReaderAt, off int64, n int) []byte {
	if off < 0 || n <= 0 {
		return nil
	}
	b := make([]byte, n)
	got, _ := r.ReadAt(b, off)
	return b[:max(got, 0)]
}

// fetchAll reads the n bytes at off: all of them, or the error.
func fetchAll(r io.ReaderAt, off int64, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := r.ReadAt(b, off)
	if got == n {
		return b, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}

// mulOffset is count*unit as a byte offset; false if no offset can be that large.
func mulOffset(count uint64, unit int) (int64, bool) {
	hi, lo := bits.Mul64(count, uint64(unit))
	return int64(lo), hi == 0 && lo <= 1<<63-1
}

// cstring is the bytes of b up to the first NUL.
func cstring(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// utf16String decodes UTF-16 up to the first NUL.
func utf16String(b []byte, order binary.ByteOrder) string {
	var u []uint16
	for ; len(b) >= 2; b = b[2:] {
		c := order.Uint16(b)
		if c == 0 {
			break
		}
		u = append(u, c)
	}
	return string(utf16.Decode(u))
}

// uuidString writes 16 bytes as a UUID; "" if all are zero.
func uuidString(b []byte) string {
	if len(b) < 16 || allZero(b[:16]) {
		return ""
	}
	h := hex.EncodeToString(b[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// guidString writes 16 bytes as a GUID whose first three fields are
// little-endian, as EFI and Microsoft store them. It keeps the zero GUID.
func guidString(b []byte) string {
	g := []byte{
		b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6],
		b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15],
	}
	if s := uuidString(g); s != "" {
		return s
	}
	return "00000000-0000-0000-0000-000000000000"
}

func allZero(b []byte) bool {
	for len(b) >= 8 {
		if le.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
