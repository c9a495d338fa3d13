package carve

import (
	"compress/bzip2"
	"compress/flate"
	"errors"
	"fmt"
	"hash"
	"hash/adler32"
	"hash/crc32"
	"io"
	"sync"
)

// inflaters are kept: each has tables of 40 KiB.
var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

// inflate decompresses a deflate stream into nothing but a checksum.
func (s *stream) inflate(off int64, sum hash.Hash32) (end, size int64, ok bool) {
	c := s.cursor(off)
	r := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(r)
	if r.(flate.Resetter).Reset(c, nil) != nil {
		return 0, 0, false
	}
	size, err := s.drain(r, sum)
	return c.off, size, err == nil
}

// drain reads all of r into a checksum. What it reads counts as work, so that no
// bomb goes on for long.
func (s *stream) drain(r io.Reader, sum hash.Hash32) (size int64, err error) {
	b := *buffers.Get().(*[]byte)
	defer buffers.Put(&b)
	for {
		n, err := r.Read(b)
		if sum != nil {
			sum.Write(b[:n])
		}
		size += int64(n)
		s.charge(n/4 + 1)
		switch {
		case err == io.EOF:
			return size, nil
		case err != nil:
			return size, err
		case s.spent():
			return size, io.ErrShortBuffer
		}
	}
}

func startsGzip(b []byte) bool {
	return b[0] == 0x1f && b[1] == 0x8b && b[2] == 8 && b[3]&0xe0 == 0 && (b[8] == 0 || b[8] == 2 || b[8] == 4)
}

// walkGzip inflates member after member and checks each against its trailer.
func walkGzip(s *stream) verdict {
	off, members := int64(0), 0
	for {
		h := s.at(off, 10)
		if h == nil || !startsGzip(h) {
			break
		}
		body := s.gzipHeader(off)
		sum := crc32.NewIEEE()
		end, size, ok := s.inflate(body, sum)
		if body == 0 || !ok {
			break
		}
		t := s.at(end, 8)
		if t == nil || le.Uint32(t) != sum.Sum32() || le.Uint32(t[4:]) != uint32(size) {
			break
		}
		off = end + 8
		members++
	}
	if members == 0 {
		return verdict{}
	}
	return verdict{size: off, sure: true, why: fmt.Sprintf("checksum and length of all %d members hold", members)}
}

// gzipHeader passes over the fields that the flags announce.
func (s *stream) gzipHeader(off int64) int64 {
	h := s.at(off, 10)
	flags := h[3]
	off += 10
	if flags&4 != 0 {
		b := s.at(off, 2)
		if b == nil {
			return 0
		}
		off += 2 + int64(le.Uint16(b))
	}
	for _, flag := range []byte{8, 16} { // name, comment
		for n := 0; flags&flag != 0; n++ {
			b := s.at(off, 1)
			if b == nil || n > 4096 {
				return 0
			}
			off++
			if b[0] == 0 {
				break
			}
		}
	}
	if flags&2 != 0 {
		off += 2
	}
	return off
}

func startsZlib(b []byte) bool {
	return b[0] == 0x78 && (b[1] == 0x01 || b[1] == 0x5e || b[1] == 0x9c || b[1] == 0xda) && b[2]&6 != 6
}

// walkZlib inflates a zlib stream, as Git keeps its objects.
func walkZlib(s *stream) verdict {
	end, size, ok := s.zlib(0)
	if !ok || size == 0 {
		return verdict{}
	}
	return verdict{size: end, sure: true, why: "checksum holds"}
}

func (s *stream) zlib(off int64) (end, size int64, ok bool) {
	h := s.at(off, 2)
	if h == nil || be.Uint16(h)%31 != 0 || h[0]&15 != 8 || h[1]&0x20 != 0 {
		return 0, 0, false
	}
	sum := adler32.New()
	end, size, ok = s.inflate(off+2, sum)
	t := s.at(end, 4)
	if !ok || t == nil || be.Uint32(t) != sum.Sum32() {
		return 0, 0, false
	}
	return end + 4, size, true
}

func startsBzip2(b []byte) bool {
	return string(b[:3]) == "BZh" && b[3] >= '1' && b[3] <= '9' && string(b[4:10]) == "1AY&SY"
}

// walkBzip2 decompresses stream after stream; each has its checksums.
func walkBzip2(s *stream) verdict {
	c := s.cursor(0)
	size, err := s.drain(bzip2.NewReader(c), nil)
	end := c.off
	var bad bzip2.StructuralError
	if errors.As(err, &bad) && bad == "bad magic value in continuation file" {
		end -= 2 // which are what it looked at
	} else if err != nil {
		return verdict{}
	}
	if size == 0 {
		return verdict{}
	}
	return verdict{size: end, sure: true, why: "checksums of all blocks hold"}
}
