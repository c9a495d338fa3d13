package carve

import (
	"bytes"
	"fmt"
	"strconv"
)

// tarBlock is the unit of a tar archive, tarRecord what GNU tar pads it to.
const (
	tarBlock  = 512
	tarRecord = 20 * tarBlock
)

func startsTar(b []byte) bool { return tarHeader(b[:tarBlock]) }

// tarHeader reports whether b is a header: its checksum counts the bytes, with
// spaces in its own place.
func tarHeader(b []byte) bool {
	if string(b[257:262]) != "ustar" && (b[0] == 0 || b[99] != 0) {
		return false
	}
	want, ok := octal(b[148:156])
	if !ok {
		return false
	}
	sum := int64(8 * ' ')
	for i, c := range b {
		if i < 148 || i >= 156 {
			sum += int64(c)
		}
	}
	return sum == want && sum != 8*' '
}

// octal reads a number of a header.
func octal(b []byte) (int64, bool) {
	if b[0]&0x80 != 0 { // base 256
		v := int64(0)
		for _, c := range b[len(b)-8:] {
			v = v<<8 | int64(c)
		}
		return v, v >= 0
	}
	f := bytes.Trim(b, " \x00")
	if len(f) == 0 {
		return 0, true
	}
	v, err := strconv.ParseInt(string(f), 8, 62)
	return v, err == nil && v >= 0
}

// walkTar goes from header to header up to two blocks of zeros. Archives are
// filled up with zeros to a whole record; where the zeros are fewer, it ends
// behind those two.
func walkTar(s *stream) verdict {
	off, members, last := int64(0), 0, int64(0)
	for {
		h := s.at(off, tarBlock)
		if h == nil {
			return verdict{}
		}
		if zeroTail(h) == tarBlock {
			break
		}
		if !tarHeader(h) {
			return verdict{}
		}
		size, ok := octal(h[124:136])
		if !ok || size > 1<<40 {
			return verdict{}
		}
		if t := h[156]; t == '1' || t == '2' || t == '3' || t == '4' || t == '5' || t == '6' {
			size = 0
		}
		last = off
		off += tarBlock + (size+tarBlock-1)/tarBlock*tarBlock
		members++
	}
	short := off + 2*tarBlock
	full := (short + tarRecord - 1) / tarRecord * tarRecord
	v := verdict{size: short, why: fmt.Sprintf("checksums of all %d headers hold, zeros behind the last", members)}
	zeros := true
	for at := off; at < full && zeros; at += tarBlock {
		b := s.at(at, tarBlock)
		zeros = b != nil && zeroTail(b) == tarBlock
		if !zeros && at < short {
			return verdict{}
		}
	}
	if zeros {
		v.size = full
	}
	v.sure = !s.jumpsBehind(last)
	return v
}

// jumpsBehind reports whether a file goes on elsewhere behind an offset.
func (s *stream) jumpsBehind(off int64) bool {
	for _, m := range s.m[1:] {
		if m.jump && int64(m.logical)*s.size > off {
			return true
		}
	}
	return false
}

// walkAr goes from header to header; nothing marks the end but the last one's.
func walkAr(s *stream) verdict {
	off, members := int64(8), 0
	v := verdict{}
	for {
		h := s.at(off, 60)
		if h == nil || string(h[58:]) != "`\n" {
			break
		}
		size, err := strconv.ParseInt(string(bytes.TrimRight(h[48:58], " ")), 10, 40)
		if err != nil || size < 0 {
			break
		}
		if members == 0 && string(h[:13]) == "debian-binary" {
			v.typ, v.ext = "application/vnd.debian.binary-package", ".deb"
		}
		end := off + 60 + size
		off = end + end%2 // members are padded, also the last
		v.size = off
		members++
	}
	v.why = fmt.Sprintf("headers of %d members up to the last", members)
	return v
}
