package image

import (
	"errors"
	"io/fs"
	"math"
	"syscall"
)

const (
	seekData = 3 // SEEK_DATA
	seekHole = 4 // SEEK_HOLE
)

// hasHoles tells whether a file takes less room than it has bytes.
func hasHoles(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode().IsRegular() && st.Blocks < (info.Size()+511)/512
}

// nextData is where data begins at or behind off; false where that cannot be told. The
// place that seeking leaves the file at is used by nothing.
func (s *holedFile) nextData(off int64) (int64, bool) {
	at, err := s.Seek(off, seekData)
	if errors.Is(err, syscall.ENXIO) {
		return math.MaxInt64, true
	}
	return at, err == nil && at >= off
}

// nextHole is where a hole begins at or behind off.
func (s *holedFile) nextHole(off int64) (int64, bool) {
	at, err := s.Seek(off, seekHole)
	return at, err == nil && at >= off
}
