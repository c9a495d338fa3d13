package carve

import (
	"context"

	"github.com/extscope/extscope/ext/layout"
)

// An indirect block maps the file's blocks behind the first twelve, a block full
// of numbers at a time. It may lie anywhere, but it names the blocks that it maps,
// and so the one behind the twelfth, which mostly lies right behind that, tells
// which indirect block it is.
type indirect struct {
	per   uint64            // numbers in an indirect block
	where map[uint64]uint64 // from the first block that one names to where it lies
	named claims            // all blocks that they name: no file starts with one
}

// direct is how many blocks of a file the inode itself names: EXT4_NDIR_BLOCKS.
const direct = 12

// maxIndirect is how many indirect blocks are remembered.
const maxIndirect = 1 << 18

func (c *carver) findIndirect(ctx context.Context, progress func(int64)) error {
	ind := &indirect{per: uint64(c.space.blockSize / 4), where: make(map[uint64]uint64)}
	found := func(b []byte, sp *space) fact {
		if v := le.Uint32(b); v != 0 && isIndirect(b, sp) {
			return fact{kind: metaBlock}
		}
		return fact{}
	}
	err := c.space.scan(ctx, found, func(first uint64, data []byte, facts []fact) error {
		for i, f := range facts {
			if f.kind != metaBlock || len(ind.where) == maxIndirect {
				continue
			}
			names := c.space.named(data[i*c.space.blockSize:][:c.space.blockSize])
			if _, twice := ind.where[names[0].at]; !twice {
				ind.where[names[0].at] = first + uint64(i)
			}
			for _, sp := range names {
				if len(ind.named) < maxSpans {
					ind.named.cover(sp.at, sp.n)
				}
			}
		}
		progress(int64(first) * int64(c.space.blockSize))
		return nil
	})
	c.ind = ind
	return err
}

// boundary reports whether a block of a file is the first that an indirect block
// maps.
func (ind *indirect) boundary(logical uint64) bool {
	return logical >= direct && (logical-direct)%ind.per == 0
}

// until says how many blocks from one of a file on there are to the next boundary.
func (ind *indirect) until(logical uint64) uint64 {
	if logical < direct {
		return direct - logical
	}
	return ind.per - (logical-direct)%ind.per
}

// follow gives the blocks behind a boundary, where next is the one behind the
// last. Up to three indirect blocks may lie in between: of the file's next
// level, and those above it.
func (ind *indirect) follow(c *carver, next uint64) ([]span, bool) {
	for skip := uint64(0); skip <= 3; skip++ {
		at, ok := ind.where[next+skip]
		if !ok || c.claimed.has(at) {
			continue
		}
		b := make([]byte, c.space.blockSize)
		if c.space.read(b, at) != nil {
			return nil, false
		}
		out := c.space.named(b)
		for _, sp := range out {
			if _, n := c.claimed.free(sp.at); c.claimed.has(sp.at) || n < sp.n {
				return nil, false
			}
		}
		return out, len(out) > 0
	}
	return nil, false
}

// maps reports whether an indirect block names a block: then no file starts there.
func (ind *indirect) maps(at uint64) bool { return ind != nil && ind.named.has(at) }

// named gives the blocks that an indirect block names, which isIndirect has seen.
func (sp *space) named(b []byte) []span {
	var out []span
	for ; len(b) >= 4; b = b[4:] {
		at, ok := sp.index(layout.Block(le.Uint32(b)))
		if !ok {
			break
		}
		if l := len(out) - 1; l >= 0 && out[l].at+out[l].n == at && sp.adjacent(at) {
			out[l].n++
		} else {
			out = append(out, span{at, 1})
		}
	}
	return out
}
