package replay

import (
	"cmp"
	"slices"

	"github.com/extscope/extscope/ext"
)

// Spans is a set of runs of blocks.
type spans struct {
	list   []span
	sorted int // so many of them are in order, and apart from each other
}

type span struct{ from, to ext.Block }

func (s *spans) add(from ext.Block, n uint32) {
	s.list = append(s.list, span{from, from + ext.Block(n)})
}

// settle sorts and joins what was added since.
func (s *spans) settle() {
	if s.sorted == len(s.list) {
		return
	}
	slices.SortFunc(s.list, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	out := s.list[:1]
	for _, x := range s.list[1:] {
		if last := &out[len(out)-1]; x.from <= last.to {
			last.to = max(last.to, x.to)
		} else {
			out = append(out, x)
		}
	}
	s.list, s.sorted = out, len(out)
}

// next gives the first block from b on that is in none of the runs.
func (s *spans) next(b ext.Block) ext.Block {
	s.settle()
	i, found := slices.BinarySearchFunc(s.list, b, func(x span, b ext.Block) int { return cmp.Compare(x.from, b) })
	if !found {
		i--
	}
	if i >= 0 && b < s.list[i].to {
		return s.list[i].to
	}
	return b
}
