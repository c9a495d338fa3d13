package image

import (
	"io"
	"sync/atomic"
)

// sectorBitmaps tell which sectors of a block of a virtual disk are in its file. Those
// used last are kept.
type sectorBitmaps struct {
	sector int64 // bytes of the disk that a bit is for
	length int   // bytes of a block's bitmap
	high   bool  // the first sector is the highest bit of a byte, not the lowest
	// find tells where the bitmap of block i is; false where all sectors are in the file.
	find func(i int64) (at int64, ok bool)
	kept []atomic.Pointer[sectorBitmap]
}

type sectorBitmap struct {
	block int64
	at    int64 // in the file
	bits  []byte
	full  bool
}

const bitmapMemory = 4 << 20 // bytes of bitmaps that are kept

func newSectorBitmaps(block, sector int64, high bool, find func(i int64) (int64, bool)) *sectorBitmaps {
	length := int((block/sector + 7) / 8)
	return &sectorBitmaps{
		sector: sector, length: length, high: high, find: find,
		kept: make([]atomic.Pointer[sectorBitmap], min(max(bitmapMemory/length, 16), 4096)),
	}
}

// of gives the bitmap of block i, and where it is even if it can't be read.
func (s *sectorBitmaps) of(file io.ReaderAt, i int64) (*sectorBitmap, error) {
	slot := &s.kept[i%int64(len(s.kept))]
	if m := slot.Load(); m != nil && m.block == i {
		return m, nil
	}
	m := &sectorBitmap{block: i, at: -1, full: true}
	if at, ok := s.find(i); ok {
		m.at = at
		var err error
		if m.bits, err = fetchAll(file, at, s.length); err != nil {
			return m, err
		}
		for _, b := range m.bits {
			m.full = m.full && b == 0xff
		}
	}
	slot.Store(m)
	return m, nil
}

// run tells whether the sector at byte off of the block is in the file, and how many of
// the next most bytes are like it.
func (s *sectorBitmaps) run(m *sectorBitmap, off, most int64) (here bool, n int64) {
	k := off / s.sector
	here = s.bit(m, k)
	end := k + 1
	for end*s.sector < off+most {
		if b := m.bits[end/8]; end%8 == 0 && (here && b == 0xff || !here && b == 0) {
			end += 8
		} else if s.bit(m, end) == here {
			end++
		} else {
			break
		}
	}
	return here, min(end*s.sector-off, most)
}

func (s *sectorBitmaps) bit(m *sectorBitmap, k int64) bool {
	if s.high {
		return m.bits[k/8]>>(7-k%8)&1 == 1
	}
	return m.bits[k/8]>>(k%8)&1 == 1
}
