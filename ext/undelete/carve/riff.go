package carve

import "fmt"

func startsRIFF(b []byte) bool {
	if string(b[:4]) != "RIFF" {
		return false
	}
	_, ok := riffKinds[string(b[8:12])]
	return ok
}

var riffKinds = map[string][2]string{
	"WAVE": {"audio/wav", ".wav"},
	"AVI ": {"video/x-msvideo", ".avi"},
	"WEBP": {"image/webp", ".webp"},
	"ACON": {"application/x-navi-animation", ".ani"},
	"RMID": {"audio/midi", ".rmi"},
	"sfbk": {"audio/x-sfbk", ".sf2"},
}

// walkRIFF goes over the chunks, which have to fill what the header says.
func walkRIFF(s *stream) verdict {
	h := s.at(0, 12)
	if h == nil {
		return verdict{}
	}
	end := 8 + int64(le.Uint32(h[4:]))
	kind, ok := riffKinds[string(h[8:])]
	if !ok {
		return verdict{}
	}
	chunks := 0
	for off := int64(12); off < end; chunks++ {
		b := s.at(off, 8)
		if b == nil || !printable(b[:4]) {
			return verdict{}
		}
		off += 8 + int64(le.Uint32(b[4:]))
		off += off % 2
		if off > end+1 {
			return verdict{}
		}
	}
	if chunks == 0 {
		return verdict{}
	}
	return verdict{size: end, typ: kind[0], ext: kind[1], why: fmt.Sprintf("%d chunks fill the length of the header", chunks)}
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
