package carve

import "fmt"

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
