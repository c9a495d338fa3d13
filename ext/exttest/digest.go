package exttest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"sort"
)

// maxPlainDigest is the size up to which Digest is the plain SHA-256.
const maxPlainDigest = 64 << 20

const digestChunk = 4096

// A Range is a part of a file, in bytes.
type Range struct{ Offset, Length int64 }

// Digest identifies a file's content: the SHA-256 of all its bytes up to
// 64 MiB, the SparseDigest above. Both are in hex. Ranges mean what they mean
// for SparseDigest.
func Digest(r io.ReaderAt, size int64, data ...Range) (string, error) {
	if size > maxPlainDigest {
		return SparseDigest(r, size, data...)
	}
	h := sha256.New()
	// io.Copy's own buffer is larger than most files.
	buf := make([]byte, min(size+1, 32<<10))
	if _, err := io.CopyBuffer(h, io.NewSectionReader(r, 0, size), buf); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// SparseDigest is the SHA-256, in hex, of a file's chunks that aren't all zero.
// A chunk is 4096 bytes at a multiple of 4096 (the last one ends with the file)
// and goes in as its offset, 64 bits little-endian, then its bytes. So the value
// depends on the content only, not on where the file has holes.
//
// With no ranges the whole file is read. With ranges only the chunks they touch
// are; the rest is taken for zeros.
func SparseDigest(r io.ReaderAt, size int64, data ...Range) (string, error) {
	if len(data) == 0 {
		data = []Range{{0, size}}
	}
	sort.Slice(data, func(i, j int) bool { return data[i].Offset < data[j].Offset })
	var (
		h    = sha256.New()
		buf  = make([]byte, 256*digestChunk)
		done int64 // everything before this offset has been seen
	)
	for _, d := range data {
		off := max(done, d.Offset-d.Offset%digestChunk)
		end := min(size, (d.Offset+d.Length+digestChunk-1)/digestChunk*digestChunk)
		for off < end {
			b := buf[:min(int64(len(buf)), end-off)]
			// io.EOF with all bytes read is no failure.
			if n, err := r.ReadAt(b, off); n < len(b) {
				return "", err
			}
			hashChunks(h, b, off)
			off += int64(len(b))
		}
		done = max(done, end)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func hashChunks(h io.Writer, b []byte, off int64) {
	var zero [digestChunk]byte
	for len(b) > 0 {
		chunk := b[:min(digestChunk, len(b))]
		if !bytes.Equal(chunk, zero[:len(chunk)]) {
			h.Write(binary.LittleEndian.AppendUint64(nil, uint64(off)))
			h.Write(chunk)
		}
		b, off = b[len(chunk):], off+int64(len(chunk))
	}
}
