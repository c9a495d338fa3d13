package carve

import (
	"context"
	"slices"
)

// A file that is neither in one run nor told about by an indirect block mostly
// has few breaks, and these lie where the allocator began a new chunk: at a
// multiple of 64 KiB in the file, and often at one on disk. Formats that can
// prove themselves find their way: a wrong turn ends the walk soon, the right
// one lets it go on. What is accepted has been proven to its end.

const (
	maxTurns    = 64      // in one file
	maxBreaks   = 2       // that are tried before the place where a walk ended
	maxHeads    = 256     // that are tried for each
	minGain     = 8 << 10 // that a turn has to bring, in bytes
	fileShare   = 8 << 20 // what a search for one file may do, in bytes
	searchShare = 4       // a search may do this part of the work of one pass
)

// chunkStart reports whether a block lies where the allocator begins chunks.
func (sp *space) chunkStart(at uint64) bool {
	b, _ := sp.locate(at)
	return int64(b)*int64(sp.blockSize)%chunkSize == 0
}

// search looks for the rest of files whose walks failed.
func (c *carver) search(ctx context.Context, starts []uint64) {
	work := c.work
	c.work = min(work, c.space.bytes()/searchShare+chunkSize*maxHeads)
	before := c.work
	for _, at := range starts {
		if ctx.Err() != nil || c.work < 0 {
			break
		}
		b := make([]byte, c.space.blockSize)
		if c.claimed.has(at) || c.space.read(b, at) != nil {
			continue
		}
		if id := sniff(b); id != 0 && formats[id].searched {
			rest := c.work - fileShare
			c.work = min(c.work, fileShare)
			c.searchOne(ctx, at, &formats[id])
			c.work += max(rest, 0)
		}
	}
	c.work = work - (before - c.work)
}

// searchOne adds turn after turn to one file, each the one that leads farthest.
func (c *carver) searchOne(ctx context.Context, at uint64, f *format) {
	var turns []turn
	_, reach := c.walkTo(at, f, turns, nil)
	for len(turns) < maxTurns && reach > chunkSize/2 {
		best, ok := c.bestTurn(ctx, at, f, turns, reach)
		if !ok {
			return
		}
		turns = append(turns, best)
		s := newStream(c, at)
		s.take(turns)
		done := c.keep(s, f)
		r := s.reach()
		s.close()
		if done || r <= reach {
			return
		}
		reach = r
	}
}

// bestTurn gives the turn that ends a walk well, or else leads farthest.
func (c *carver) bestTurn(ctx context.Context, at uint64, f *format, turns []turn, reach int64) (best turn, ok bool) {
	farthest := reach
	for _, b := range c.breaks(at, turns, reach) {
		off := int64(b) * int64(c.space.blockSize)
		var mark *jpegMark
		if f.continues != nil {
			mark = &jpegMark{off: off}
			c.walkTo(at, f, turns, mark)
		}
		for _, h := range c.near(at, turns) {
			if ctx.Err() != nil || c.work < 0 {
				return turn{}, false
			}
			t := turn{b, h}
			done, r := c.tryTurn(at, f, append(slices.Clip(turns), t), mark)
			if done {
				return t, true
			}
			if r > farthest && r > off+minGain { // a wrong turn, too, goes on for a bit
				best, farthest, ok = t, r, true
			}
		}
	}
	return best, ok
}

// tryTurn reports whether a walk with a turn comes to an end, and how far it comes.
func (c *carver) tryTurn(at uint64, f *format, turns []turn, mark *jpegMark) (done bool, reach int64) {
	if mark == nil || !mark.ok {
		return c.walkTo(at, f, turns, nil)
	}
	b := make([]byte, c.space.blockSize)
	c.work -= int64(len(b))
	if c.space.read(b, turns[len(turns)-1].at) != nil || !f.continues(b) {
		return false, 0
	}
	s := newStream(c, at)
	defer s.close()
	s.take(turns)
	s.most = chunkSize / 4
	done = mark.resume(s)
	return done, s.reach()
}

// walkTo reports whether a walk comes to an end, and how far it comes.
func (c *carver) walkTo(at uint64, f *format, turns []turn, mark *jpegMark) (done bool, reach int64) {
	s := newStream(c, at)
	defer s.close()
	s.take(turns)
	s.most, s.mark = chunkSize/4, mark
	v := f.walk(s)
	return v.size > 0 && v.sure, s.reach()
}

// take has a new stream go by turns.
func (s *stream) take(turns []turn) {
	s.turns = turns
	if len(turns) > 0 && len(s.m) > 0 && turns[0].logical < s.m[0].n {
		s.m[0].n = turns[0].logical
		s.blocks = turns[0].logical
	}
}

// breaks gives the blocks of a file at which it may have gone on elsewhere, for a
// walk that came as far as reach.
func (c *carver) breaks(at uint64, taken []turn, reach int64) []uint64 {
	size := int64(c.space.blockSize)
	chunk, first := max(chunkSize/size, 1), int64(1)
	if n := len(taken); n > 0 {
		first = int64(taken[n-1].logical) + 1
	}
	end := c.runEnd(at, taken)
	var out []uint64
	for b := reach / size; b >= first && len(out) < maxBreaks; b-- {
		if b%chunk == 0 || b == end {
			out = append(out, uint64(b))
		}
	}
	return out
}

// near gives the heads nearest to the last turn.
func (c *carver) near(at uint64, taken []turn) []uint64 {
	from := at
	if n := len(taken); n > 0 {
		from = taken[n-1].at
	}
	i, _ := slices.BinarySearch(c.heads, from)
	var out []uint64
	for lo, hi := i-1, i; len(out) < maxHeads && (lo >= 0 || hi < len(c.heads)); {
		h := uint64(0)
		if hi == len(c.heads) || lo >= 0 && from-c.heads[lo] < c.heads[hi]-from {
			h = c.heads[lo]
			lo--
		} else {
			h = c.heads[hi]
			hi++
		}
		if !c.claimed.has(h) && h != at && !slices.ContainsFunc(taken, func(t turn) bool { return t.at == h }) {
			out = append(out, h)
		}
	}
	return out
}

// runEnd gives the block of the file at which the run of blocks that it is in
// so far ends.
func (c *carver) runEnd(at uint64, taken []turn) int64 {
	logical := uint64(0)
	if n := len(taken); n > 0 {
		at, logical = taken[n-1].at, taken[n-1].logical
	}
	_, n := c.space.locate(at)
	_, free := c.claimed.free(at)
	return int64(logical + min(n, free))
}
