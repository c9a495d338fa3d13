package carve

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"hash"
)

func startsGit(b []byte) bool {
	v := be.Uint32(b[4:])
	return string(b[:4]) == "PACK" && (v == 2 || v == 3) && be.Uint32(b[8:]) > 0 || string(b[:4]) == "DIRC" && v >= 2 && v <= 4
}

// walkGit goes over the objects of a pack, or the entries of an index, to the
// SHA-1 behind them.
func walkGit(s *stream) verdict {
	h := s.at(0, 12)
	if h == nil {
		return verdict{}
	}
	n := be.Uint32(h[8:])
	if string(h[:4]) == "DIRC" {
		return s.gitIndex()
	}
	off := int64(12)
	for range n {
		b := s.at(off, 1)
		if b == nil || s.spent() {
			return verdict{}
		}
		kind := b[0] >> 4 & 7
		for b[0]&0x80 != 0 {
			off++
			if b = s.at(off, 1); b == nil {
				return verdict{}
			}
		}
		off++
		switch kind {
		case 6:
			for {
				b := s.at(off, 1)
				if b == nil {
					return verdict{}
				}
				off++
				if b[0]&0x80 == 0 {
					break
				}
			}
		case 7:
			off += sha1.Size
		case 0, 5:
			return verdict{}
		}
		end, _, ok := s.zlib(off)
		if !ok {
			return verdict{}
		}
		off = end
	}
	if !s.hashed(off, sha1.New()) {
		return verdict{}
	}
	return verdict{size: off + sha1.Size, sure: true, why: fmt.Sprintf("SHA-1 over %d objects holds", n)}
}

// gitIndex looks for the end of an index: the hash of all before it, with zeros
// behind it.
func (s *stream) gitIndex() verdict {
	sum := sha1.New()
	for off := int64(0); off < 64<<20; off += s.size {
		b := s.at(off, int(s.size))
		if b == nil {
			return verdict{}
		}
		tail := zeroTail(b)
		if tail > 0 && tail < len(b)-sha1.Size {
			b = bytes.Clone(b)
			for end := len(b) - tail; end <= min(len(b)-tail+2, len(b)); end++ { // the hash may end in zeros
				s2, err := sum.(interface{ Clone() (hash.Cloner, error) }).Clone()
				if err != nil {
					return verdict{}
				}
				s2.Write(b[:end-sha1.Size])
				if bytes.Equal(s2.Sum(nil), b[end-sha1.Size:end]) {
					return verdict{size: off + int64(end), sure: true, typ: "application/x-git-index", ext: ".idx", why: "SHA-1 over all before it holds"}
				}
			}
			if tail >= minTail {
				return verdict{}
			}
		}
		sum.Write(b)
	}
	return verdict{}
}

// hashed reports whether what lies at an offset is the hash of all before it.
func (s *stream) hashed(off int64, sum hash.Hash) bool {
	for at := int64(0); at < off; {
		b := s.some(at)
		if b == nil {
			return false
		}
		b = b[:min(int64(len(b)), off-at)]
		sum.Write(b)
		at += int64(len(b))
	}
	b := s.at(off, sum.Size())
	return b != nil && bytes.Equal(b, sum.Sum(nil))
}

func startsGitIndex(b []byte) bool {
	return string(b[:8]) == "\xfftOc\x00\x00\x00\x02"
}

// walkGitIndex takes the length from the count of objects, and from how many of
// their offsets do not fit in 31 bits; the hash at the end covers it all.
func walkGitIndex(s *stream) verdict {
	h := s.at(8, 1024)
	if h == nil {
		return verdict{}
	}
	n := int64(be.Uint32(h[1020:]))
	at := 8 + 1024 + n*(sha1.Size+4)
	large := int64(0)
	for i := range n {
		b := s.at(at+i*4, 4)
		if b == nil {
			return verdict{}
		}
		large += int64(b[0] >> 7)
	}
	end := at + n*4 + large*8 + sha1.Size
	if !s.hashed(end, sha1.New()) {
		return verdict{}
	}
	return verdict{size: end + sha1.Size, sure: true, why: fmt.Sprintf("SHA-1 over %d entries holds", n)}
}
