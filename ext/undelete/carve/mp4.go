package carve

import "fmt"

func startsMP4(b []byte) bool {
	n := be.Uint32(b)
	return string(b[4:8]) == "ftyp" && n >= 12 && n <= 512 && n%4 == 0 && printable(b[8:12])
}

// atoms are those at the top of an MP4 or QuickTime file.
var atoms = map[string]bool{
	"ftyp": true, "moov": true, "mdat": true, "free": true, "skip": true, "wide": true, "pnot": true, "uuid": true, "meta": true,
	"moof": true, "mfra": true, "sidx": true, "styp": true, "emsg": true, "prft": true, "PICT": true, "idat": true, "ssix": true, "pdin": true,
}

// walkMP4 goes from atom to atom; nothing marks the end but the last one's.
func walkMP4(s *stream) verdict {
	h := s.at(0, 12)
	if h == nil {
		return verdict{}
	}
	brand := string(h[8:12])
	off, n, movie, data := int64(0), 0, false, false
	for {
		b := s.at(off, 16)
		if b == nil {
			b = s.at(off, 8)
		}
		if b == nil || !atoms[string(b[4:8])] {
			break
		}
		size := int64(be.Uint32(b))
		if size == 1 && len(b) == 16 {
			size = int64(be.Uint64(b[8:]) & (1<<62 - 1))
		}
		if size < 8 || size > 1<<42 || off+size > int64(s.c.space.bytes()) {
			break
		}
		kind := string(b[4:8])
		movie = movie || kind == "moov" || kind == "meta"
		data = data || kind == "mdat" || kind == "idat"
		off += size
		n++
	}
	if !movie || !data {
		return verdict{}
	}
	v := verdict{size: off, why: fmt.Sprintf("%d atoms up to the last", n)}
	switch brand {
	case "qt  ":
		v.typ, v.ext = "video/quicktime", ".mov"
	case "M4A ", "M4B ":
		v.typ, v.ext = "audio/mp4", ".m4a"
	case "heic", "heix", "mif1":
		v.typ, v.ext = "image/heic", ".heic"
	case "avif":
		v.typ, v.ext = "image/avif", ".avif"
	}
	return v
}
