package image

import (
	"io/fs"
	"os"
	"sync/atomic"
)

// probeRaw takes a regular file as the bytes it holds.
func probeRaw(f *os.File, info fs.FileInfo, name string, _ Options) (*Image, error) {
	im := single(f, name, "raw", info.Size())
	if hasHoles(info) {
		im.data = &holedFile{File: f, size: info.Size()}
	}
	return im, nil
}

// A holedFile is a raw image with holes.
type holedFile struct {
	*os.File
	size int64
	last atomic.Pointer[fileRange] // for what asks piece by piece: the system looks through all of a range each time
}

// A fileRange is a stretch of a file that is all data or all hole.
type fileRange struct {
	kind     RangeKind
	from, to int64
}

func (s *holedFile) Size() int64 { return s.size }

// Map tells data from holes, which read as zeros.
func (s *holedFile) Map(off int64) (RangeKind, int64) {
	m := s.last.Load()
	if m == nil || off < m.from || off >= m.to {
		m = s.look(off)
		s.last.Store(m)
	}
	return m.kind, m.to - off
}

// look asks the system for the range that begins at off.
func (s *holedFile) look(off int64) *fileRange {
	data, ok := s.nextData(off)
	switch {
	case !ok:
		return &fileRange{Data, off, s.size}
	case data > off:
		return &fileRange{Zero, off, min(data, s.size)}
	}
	hole, ok := s.nextHole(off)
	if !ok || hole <= off {
		hole = s.size
	}
	return &fileRange{Data, off, min(hole, s.size)}
}
