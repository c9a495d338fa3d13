package image

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

// A scratch is a temporary file that has no name where the system lets an open file go
// without, and whose zeros take no space.
type scratch struct {
	file *os.File
	dir  string
	path string // to remove in the end; "" if that is done

	mu      sync.Mutex
	data    []uint64 // a bit for each scratchBlock: not all zeros
	written int64    // bytes
}

const (
	scratchBlock = 64 << 10
	scratchPiece = 32 << 10  // where all of it is zeros, it is not written
	scratchFree  = 128 << 20 // bytes that the file system keeps
)

func newScratch() (*scratch, error) {
	f, err := os.CreateTemp("", "extscope-*")
	if err != nil {
		return nil, err
	}
	s := &scratch{file: f, dir: os.TempDir(), path: f.Name()}
	if os.Remove(s.path) == nil {
		s.path = ""
	}
	return s, nil
}

// put writes b to byte off, which was not written before.
func (s *scratch) put(b []byte, off int64) error {
	for len(b) > 0 {
		n := min(int64(len(b)), scratchPiece-off%scratchPiece)
		if !allZero(b[:n]) {
			if err := s.count(off/scratchBlock, n); err != nil {
				return err
			}
			if _, err := s.file.WriteAt(b[:n], off); err != nil {
				return err
			}
		}
		b, off = b[n:], off+n
	}
	return nil
}

// count notes that a block holds data, and asks for room now and then.
func (s *scratch) count(block, n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if need := int(block/64) + 1; need > len(s.data) {
		s.data = append(s.data, make([]uint64, need-len(s.data))...)
	}
	s.data[block/64] |= 1 << (block % 64)
	const often = 32 << 20
	if s.written/often != (s.written+n)/often || s.written == 0 {
		if free, err := freeSpace(s.dir); err == nil && free < scratchFree {
			return fmt.Errorf("%d bytes are unpacked, and %d are left in %s: TMPDIR names another folder", s.written, free, s.dir)
		}
	}
	s.written += n
	return nil
}

func (s *scratch) used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written
}

// hole tells how many bytes from off on are zeros, or else how many are not.
func (s *scratch) hole(off, size int64) (bool, int64) {
	has := func(block int64) bool {
		i := block / 64
		return i < int64(len(s.data)) && s.data[i]>>(block%64)&1 != 0
	}
	block := off / scratchBlock
	first := has(block)
	end := block + 1
	for ; end*scratchBlock < size && has(end) == first; end++ {
		if i := end / 64; end%64 == 0 && !first && (i >= int64(len(s.data)) || s.data[i] == 0) {
			if i >= int64(len(s.data)) {
				return true, size - off
			}
			end += 63
		}
	}
	return !first, min(end*scratchBlock, size) - off
}

// Close lets the file go; it may be closed already.
func (s *scratch) Close() error {
	err := s.file.Close()
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	if s.path != "" {
		err = errors.Join(err, os.Remove(s.path))
		s.path = ""
	}
	return err
}
