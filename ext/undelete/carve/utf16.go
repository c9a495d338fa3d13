package carve

func startsUTF16(b []byte) bool {
	return b[0] == 0xff && b[1] == 0xfe && isUTF16(b[2:64]) || b[0] == 0xfe && b[1] == 0xff && isUTF16(swapped(b[2:64]))
}

func swapped(b []byte) []byte {
	out := make([]byte, len(b)&^1)
	for i := range out {
		out[i] = b[i^1]
	}
	return out
}

// isUTF16 reports whether b is text of UTF-16, lowest byte first, up to its zeros.
func isUTF16(b []byte) bool {
	n := 0
	for ; len(b) >= 2; b = b[2:] {
		switch v := le.Uint16(b); {
		case v == 0:
			return n > 0 && zeroTail(b) == len(b)
		case v < 0x80 && textBytes[v] == 0, v >= 0xfff0:
			return false
		}
		n++
	}
	return n > 0
}

// walkUTF16 is as walkText, for text of two bytes a unit behind a byte order mark.
func walkUTF16(s *stream) verdict {
	v := verdict{why: "text up to the zeros that end its last block"}
	b := s.at(0, 2)
	if b == nil {
		return verdict{}
	}
	big := b[0] == 0xfe
	if big {
		v.typ, v.ext = "text/plain; charset=utf-16be", ".txt"
	}
	for off := int64(0); ; off += s.size {
		b := s.at(off, int(s.size))
		if b == nil {
			return verdict{}
		}
		if big {
			b = swapped(b)
		}
		if !isUTF16(b) {
			return verdict{}
		}
		if tail := zeroTail(b) &^ 1; tail > 0 {
			v.size = off + int64(len(b)-tail)
			return v
		}
	}
}
