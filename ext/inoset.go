package ext

// An inoSet is a set of inode numbers that takes memory where they lie only.
type inoSet struct {
	pages map[uint32]*[inoPage / 64]uint64
}

const inoPage = 1 << 15 // numbers a page

func (s *inoSet) has(ino Ino) bool {
	p := s.pages[uint32(ino)/inoPage]
	return p != nil && p[uint32(ino)%inoPage/64]>>(ino%64)&1 != 0
}

func (s *inoSet) add(ino Ino) {
	if s.pages == nil {
		s.pages = map[uint32]*[inoPage / 64]uint64{}
	}
	p := s.pages[uint32(ino)/inoPage]
	if p == nil {
		p = new([inoPage / 64]uint64)
		s.pages[uint32(ino)/inoPage] = p
	}
	p[uint32(ino)%inoPage/64] |= 1 << (ino % 64)
}
