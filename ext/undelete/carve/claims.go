package carve

import (
	"slices"
	"sort"
)

// claims are the blocks that pieces hold: sorted, disjoint, joined.
type claims []span

// A span is n blocks of free space from one on.
type span struct{ at, n uint64 }

func (c claims) find(at uint64) int {
	return sort.Search(len(c), func(i int) bool { return c[i].at+c[i].n > at })
}

func (c claims) has(at uint64) bool {
	i := c.find(at)
	return i < len(c) && c[i].at <= at
}

// free gives the first block from one on that is not claimed, and how many
// there are of them.
func (c claims) free(at uint64) (from, n uint64) {
	i := c.find(at)
	for i < len(c) && c[i].at <= at {
		at = c[i].at + c[i].n
		i++
	}
	if i == len(c) {
		return at, ^uint64(0) - at
	}
	return at, c[i].at - at
}

func (c *claims) add(at, n uint64) {
	i := c.find(at)
	if i > 0 && (*c)[i-1].at+(*c)[i-1].n == at {
		(*c)[i-1].n += n
		return
	}
	*c = slices.Insert(*c, i, span{at, n})
}

// cover adds blocks of which some may be in already.
func (c *claims) cover(at, n uint64) {
	for end := at + n; at < end; {
		from, k := c.free(at)
		if from >= end {
			return
		}
		k = min(k, end-from)
		c.add(from, k)
		at = from + k
	}
}
