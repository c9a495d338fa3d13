package image

import (
	"io/fs"
	"os"
)

// probeRaw takes a regular file as the bytes it holds.
func probeRaw(f *os.File, info fs.FileInfo, name string, _ Options) (*Image, error) {
	im := single(f, name, "raw", info.Size())
	if hasHoles(info) {
		im.data = &holedFile{f, info.Size()}
	}
	return im, nil
}

// A holedFile is a raw image with holes.
type holedFile struct {
	*os.File
	size int64
}

func (s *holedFile) Size() int64 { return s.size }

// Map tells data from holes, which read as zeros.
func (s *holedFile) Map(off int64) (RangeKind, int64) {
	data, ok := s.nextData(off)
	switch {
	case !ok:
		return Data, s.size - off
	case data > off:
		return Zero, min(data, s.size) - off
	}
	hole, ok := s.nextHole(off)
	if !ok || hole <= off {
		return Data, s.size - off
	}
	return Data, min(hole, s.size) - off
}
