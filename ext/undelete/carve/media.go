package carve

import (
	"bytes"
	"fmt"
)

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

// oggTable is that of the checksum of Ogg: CRC-32 from the highest bit down,
// nothing inverted.
var oggTable = func() (t [256]uint32) {
	for i := range t {
		v := uint32(i) << 24
		for range 8 {
			if v&(1<<31) != 0 {
				v = v<<1 ^ 0x04c11db7
			} else {
				v <<= 1
			}
		}
		t[i] = v
	}
	return t
}()

// walkOgg goes from page to page, each with its checksum, while there are any.
func walkOgg(s *stream) verdict {
	off, pages, last := int64(0), 0, false
	for {
		h := s.at(off, 27)
		if h == nil || string(h[:5]) != "OggS\x00" {
			break
		}
		want, segments := le.Uint32(h[22:]), int(h[26])
		ends := h[5]&4 != 0
		h = s.at(off, 27+segments)
		if h == nil {
			return verdict{}
		}
		n := 27 + segments
		for _, l := range h[27:] {
			n += int(l)
		}
		sum, at := uint32(0), 0
		for at < n {
			b := s.at(off+int64(at), min(n-at, 4096))
			if b == nil {
				return verdict{}
			}
			for i, c := range b {
				if at+i >= 22 && at+i < 26 {
					c = 0
				}
				sum = sum<<8 ^ oggTable[byte(sum>>24)^c]
			}
			at += len(b)
		}
		if sum != want {
			return verdict{}
		}
		off += int64(n)
		pages++
		last = ends
	}
	if pages < 2 || !last {
		return verdict{}
	}
	return verdict{size: off, sure: true, why: fmt.Sprintf("checksums of all %d pages hold, up to the last of the stream", pages)}
}

func startsMP3(b []byte) bool {
	if string(b[:3]) == "ID3" {
		return b[3] >= 2 && b[3] <= 4 && b[6]|b[7]|b[8]|b[9] < 0x80
	}
	n := mp3Frame(b)
	return n > 0 && n+4 <= len(b) && mp3Frame(b[n:]) > 0
}

var (
	mp3Rates1 = [16]int{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0}
	mp3Rates2 = [16]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0}
	mp3Hertz  = [4]int{44100, 48000, 32000, 0}
)

// mp3Frame gives the length of the frame of layer III that b starts with, or 0.
func mp3Frame(b []byte) int {
	if b[0] != 0xff || b[1]&0xe6 != 0xe2 { // sync and layer
		return 0
	}
	version := b[1] >> 3 & 3
	hertz := mp3Hertz[b[2]>>2&3]
	rate, samples := mp3Rates2[b[2]>>4], 72
	switch version {
	case 3:
		rate, samples = mp3Rates1[b[2]>>4], 144
	case 2:
		hertz /= 2
	case 0:
		hertz /= 4
	default:
		return 0
	}
	if hertz == 0 || rate == 0 {
		return 0
	}
	return samples*rate*1000/hertz + int(b[2]>>1&1)
}

// walkMP3 goes from frame to frame behind the tag in front, and takes the tag
// behind along.
func walkMP3(s *stream) verdict {
	off := int64(0)
	if h := s.at(0, 10); h != nil && string(h[:3]) == "ID3" {
		off = 10 + int64(h[6])<<21 + int64(h[7])<<14 + int64(h[8])<<7 + int64(h[9])
		if h[5]&0x10 != 0 {
			off += 10
		}
		for pad := 0; pad < 1<<16; pad++ { // some taggers leave zeros behind the tag
			b := s.at(off, 1)
			if b == nil || b[0] != 0 {
				break
			}
			off++
		}
	}
	frames := 0
	for {
		b := s.at(off, 4)
		if b == nil {
			break
		}
		n := mp3Frame(b)
		if n == 0 {
			break
		}
		off += int64(n)
		frames++
	}
	if b := s.at(off, 128); b != nil && string(b[:3]) == "TAG" {
		off += 128
	}
	if frames < 8 {
		return verdict{}
	}
	return verdict{size: off, why: fmt.Sprintf("%d frames without a gap", frames)}
}

// flacSums are the tables of the two checksums of FLAC: CRC-8 and CRC-16 from the
// highest bit down.
var flac8, flac16 = func() (a [256]uint8, b [256]uint16) {
	for i := range 256 {
		v, w := uint8(i), uint16(i)<<8
		for range 8 {
			if v&0x80 != 0 {
				v = v<<1 ^ 7
			} else {
				v <<= 1
			}
			if w&0x8000 != 0 {
				w = w<<1 ^ 0x8005
			} else {
				w <<= 1
			}
		}
		a[i], b[i] = v, w
	}
	return a, b
}()

// walkFLAC goes over the metadata and then from frame to frame. A frame does not
// say how long it is: it ends where its checksum holds and another begins, or
// zeros do.
func walkFLAC(s *stream) verdict {
	off := int64(4)
	for last := false; !last; {
		h := s.at(off, 4)
		if h == nil || h[0]&0x7f > 6 {
			return verdict{}
		}
		last = h[0]&0x80 != 0
		off += 4 + int64(be.Uint32(h)&0xffffff)
	}
	frames := 0
	for {
		if h := s.at(off, 16); h == nil || !flacFrame(h) {
			break
		}
		n := s.flacEnd(off)
		if n == 0 {
			return verdict{}
		}
		off += n
		frames++
	}
	if frames == 0 {
		return verdict{}
	}
	return verdict{size: off, sure: true, why: fmt.Sprintf("checksums of all %d frames hold", frames)}
}

// flacFrame reports whether b starts with the header of a frame.
func flacFrame(b []byte) bool {
	if len(b) < 16 || b[0] != 0xff || b[1]&0xfe != 0xf8 || b[2]>>4 == 0 || b[2]&15 == 15 || b[3]&1 != 0 {
		return false
	}
	n := 5 // the number of the frame, coded like a character of UTF-8
	for c := b[4]; c&0xc0 == 0xc0 && n < 11; c <<= 1 {
		n++
	}
	switch b[2] >> 4 {
	case 6:
		n++
	case 7:
		n += 2
	}
	switch b[2] & 15 {
	case 12:
		n++
	case 13, 14:
		n += 2
	}
	if n >= len(b) {
		return false
	}
	sum := uint8(0)
	for _, c := range b[:n] {
		sum = flac8[sum^c]
	}
	return sum == b[n]
}

// maxFLACFrame bounds a frame: it holds at most 64 Ki samples of 8 channels.
const maxFLACFrame = 4 << 20

// flacEnd gives the length of a frame.
func (s *stream) flacEnd(off int64) int64 {
	sum := uint16(0)
	for n := int64(0); n < maxFLACFrame; {
		b := s.some(off + n)
		if b == nil {
			return 0
		}
		b = b[:min(len(b), 4096)]
		for i, c := range b {
			sum = sum<<8 ^ flac16[byte(sum>>8)^c]
			if sum != 0 || n+int64(i) < 10 {
				continue
			}
			end := n + int64(i) + 1 // the frame and its checksum: none is left over
			next := s.at(off+end, 16)
			if next == nil || flacFrame(next) || s.endsAt(off+end) {
				return end
			}
			b = nil // look on from here
			n = end
			break
		}
		n += int64(len(b))
	}
	return 0
}

// endsAt reports whether nothing but zeros follow in an offset's block.
func (s *stream) endsAt(off int64) bool {
	if off%s.size == 0 {
		return false
	}
	b := s.at(off, int(s.size-off%s.size))
	return b != nil && zeroTail(b) == len(b)
}

func startsBMP(b []byte) bool {
	return b[0] == 'B' && b[1] == 'M' && le.Uint32(b[6:]) == 0 && le.Uint16(b[26:]) == 1 &&
		bytes.IndexByte([]byte{40, 52, 56, 64, 108, 124}, b[14]) >= 0 && le.Uint32(b[14:]) < 256 && le.Uint32(b[10:]) < 2048
}

// walkBMP takes the size from the header where it agrees with the picture's.
func walkBMP(s *stream) verdict {
	h := s.at(0, 54)
	if h == nil {
		return verdict{}
	}
	size, at := int64(le.Uint32(h[2:])), int64(le.Uint32(h[10:]))
	width, height, bits := int64(int32(le.Uint32(h[18:]))), int64(int32(le.Uint32(h[22:]))), int64(le.Uint16(h[28:]))
	height = max(height, -height)
	if width <= 0 || width > 1<<20 || height == 0 || height > 1<<20 || bits > 32 || le.Uint32(h[30:]) > 3 {
		return verdict{}
	}
	picture := (width*bits + 31) / 32 * 4 * height
	if packed := le.Uint32(h[30:]); packed == 1 || packed == 2 {
		picture = int64(le.Uint32(h[34:]))
	}
	if size < at+picture || size > at+picture+4096 {
		return verdict{}
	}
	return verdict{size: size, why: "length of the header agrees with the picture's measures"}
}
