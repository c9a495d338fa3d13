package carve

import (
	"fmt"
)

// walkSQLite takes the size from the header and looks at each page: one that is
// neither of a tree nor of a chain has to be on the free list.
func walkSQLite(s *stream) verdict {
	h := s.at(0, 100)
	if h == nil {
		return verdict{}
	}
	page := int64(be.Uint16(h[16:]))
	if page == 1 {
		page = 1 << 16
	}
	pages, unused := int64(be.Uint32(h[28:])), int64(be.Uint32(h[36:]))
	if page < 512 || page&(page-1) != 0 || pages == 0 || h[21] != 64 || h[22] != 32 || h[23] != 32 || h[18] > 2 || h[19] > 2 {
		return verdict{}
	}
	if be.Uint32(h[24:]) != be.Uint32(h[92:]) { // else the count of pages does not hold
		return verdict{}
	}
	vacuum := be.Uint32(h[52:]) != 0
	odd, trees := int64(0), int64(0)
	for i := range pages {
		at := i * page
		head := int64(0)
		if i == 0 {
			head = 100
		}
		b := s.at(at, int(min(page, 512)))
		if b == nil {
			return verdict{}
		}
		switch {
		case isTreePage(b[head:], page):
			trees++
		case i == 0:
			return verdict{}
		case at <= 1<<30 && at+page > 1<<30: // the lock byte's page is empty
		case vacuum && (b[0] <= 5 && b[0] > 0): // pointer map
		case int64(be.Uint32(b)) <= pages: // chain of an overflow or of the free list
		default:
			odd++
		}
		if odd > unused {
			return verdict{}
		}
	}
	return verdict{size: pages * page, why: fmt.Sprintf("%d pages as the header says, %d of them in trees", pages, trees)}
}

// isTreePage looks at the header of a page of a tree: its kind, how many cells
// it has and where their contents start.
func isTreePage(b []byte, page int64) bool {
	k := b[0]
	if k != 2 && k != 5 && k != 10 && k != 13 {
		return false
	}
	cells, start := int64(be.Uint16(b[3:])), int64(be.Uint16(b[5:]))
	if start == 0 {
		start = 1 << 16
	}
	return 8+2*cells <= start && start <= page && b[7] <= 60
}
