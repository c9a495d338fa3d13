package image

import (
	"errors"
	"fmt"
	"hash/adler32"
)

// Lengths in bytes.
const (
	ewfHeaderLen  = 13
	ewfSectionLen = 76 // a section's descriptor
)

// decodeEwfHeader decodes what a segment file begins with, and gives its number, which
// counts from 1.
func decodeEwfHeader(b []byte) (number int, ok bool) {
	if len(b) < ewfHeaderLen || string(b[:8]) != ewfMagic {
		return 0, false
	}
	return int(le.Uint16(b[9:])), true // after a 0x01, and followed by two zeros
}

// An ewfSection is a section's descriptor.
type ewfSection struct {
	kind string // "table", "done"
	at   int64  // byte of the segment file where the descriptor lies
	next int64  // where the next one does; its own place in the last
	size int64  // of the section with its descriptor; may be 0 for not set
}

var (
	errEwfSum  = errors.New("checksum does not match")
	errNoTable = errors.New("no table has the chunks")
)

// decodeEwfSection decodes the descriptor at byte at.
func decodeEwfSection(b []byte, at int64) (ewfSection, error) {
	if len(b) < ewfSectionLen {
		return ewfSection{}, errors.New("section descriptor is cut off")
	}
	s := ewfSection{
		kind: cstring(b[:16]),
		at:   at,
		next: int64(le.Uint64(b[16:])),
		size: int64(le.Uint64(b[24:])),
	}
	if !ewfSumHolds(b, 72) {
		return s, fmt.Errorf("section descriptor: %w", errEwfSum)
	}
	return s, nil
}

// ewfSumHolds compares the first n bytes of b with the Adler-32 that follows them.
func ewfSumHolds(b []byte, n int) bool {
	return len(b) >= n+4 && adler32.Checksum(b[:n]) == le.Uint32(b[n:])
}

// An ewfVolume is the volume, disk or data section: what the image is.
type ewfVolume struct {
	media        byte
	chunks       uint32
	chunkSectors uint32
	sectorSize   uint32 // bytes
	sectors      uint64
	flags        byte
	compression  byte
	granularity  uint32 // sectors that were given up together where one could not be read
	set          [16]byte
	short        bool // the form of the first specification, which has the first five only
	smart        bool // written by SMART

	name string // of the segment file
	at   int64  // of the section
	err  error  // why none of this can be believed
}

const (
	ewfVolumeLen      = 1052
	ewfVolumeShortLen = 94
)

// decodeEwfVolume decodes the data of such a section.
func decodeEwfVolume(b []byte) (ewfVolume, error) {
	v := ewfVolume{short: len(b) < ewfVolumeLen}
	n := ewfVolumeLen
	if v.short {
		n = ewfVolumeShortLen
	}
	if len(b) < n {
		return v, fmt.Errorf("%d bytes of it, want %d", len(b), n)
	}
	v.chunks = le.Uint32(b[4:])
	v.chunkSectors = le.Uint32(b[8:])
	v.sectorSize = le.Uint32(b[12:])
	if v.short {
		v.sectors = uint64(le.Uint32(b[16:]))
		v.smart = string(b[85:90]) == "SMART"
	} else {
		v.media = b[0]
		v.sectors = le.Uint64(b[16:])
		v.flags = b[36]
		v.compression = b[52]
		v.granularity = le.Uint32(b[56:])
		v.set = [16]byte(b[64:80])
	}
	if !ewfSumHolds(b, n-4) {
		return v, errEwfSum
	}
	return v, nil
}

// sameSet tells whether v and w are of one acquisition: by the identifier, where both
// have one, or by what they say of the image.
func (v *ewfVolume) sameSet(w *ewfVolume) bool {
	if none := [16]byte{}; v.set != none && w.set != none {
		return v.set == w.set
	}
	return v.chunkSectors == w.chunkSectors && v.sectorSize == w.sectorSize && v.sectors == w.sectors
}

// decodeEwfDigests decodes a hash section (MD5) or a digest section (MD5 and SHA-1). A
// digest of zeros was not made.
func decodeEwfDigests(kind string, b []byte) ([]Digest, error) {
	n, ends := 32, []int{16}
	if kind == "digest" {
		n, ends = 76, []int{16, 36}
	}
	if !ewfSumHolds(b, n) {
		return nil, errEwfSum
	}
	var list []Digest
	start := 0
	for i, end := range ends {
		if !allZero(b[start:end]) {
			list = append(list, Digest{[]string{"md5", "sha1"}[i], fmt.Sprintf("%x", b[start:end])})
		}
		start = end
	}
	return list, nil
}

// An ewfRange is sectors in a row: in an error2 section those that could not be read when
// the image was made, in a session section a track, which goes on to the next.
type ewfRange struct {
	first, count uint32 // count is the track's flags
}

// decodeEwfRanges decodes the data of an error2 or session section.
func decodeEwfRanges(kind string, b []byte) ([]ewfRange, error) {
	head, entry := 520, 8
	if kind == "session" {
		head, entry = 36, 32
	}
	if !ewfSumHolds(b, head-4) {
		return nil, errEwfSum
	}
	n := int64(le.Uint32(b))
	b = b[head:]
	if n*int64(entry) > int64(len(b)) || !ewfSumHolds(b, int(n)*entry) {
		return nil, fmt.Errorf("%d entries: %w", n, errEwfSum)
	}
	list := make([]ewfRange, n)
	for i := range list {
		e := b[i*entry:]
		list[i] = ewfRange{le.Uint32(e), le.Uint32(e[4:])}
		if kind == "session" {
			list[i].first, list[i].count = list[i].count, list[i].first // flags come first
		}
	}
	return list, nil
}
