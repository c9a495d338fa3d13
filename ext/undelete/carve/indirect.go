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
}

// direct is how many blocks of a file the inode itself names: EXT4_NDIR_BLOCKS.
const direct = 12

// maxIndirect is how many indirect blocks are remembered.
const maxIndirect = 1 << 18

func (c *carver) findIndirect(ctx context.Context, progress func(int64)) error {
	ind := &indirect{uint64(c.space.blockSize / 4), make(map[uint64]uint64)}
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
			names, _ := c.space.index(layout.Block(le.Uint32(data[i*c.space.blockSize:])))
			if _, twice := ind.where[names]; !twice {
				ind.where[names] = first + uint64(i)
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
		var out []span
		for n := 0; n < len(b); n += 4 {
			v := le.Uint32(b[n:])
			if v == 0 {
				break
			}
			to, ok := c.space.index(layout.Block(v))
			if !ok || c.claimed.has(to) {
				return nil, false
			}
			if l := len(out) - 1; l >= 0 && out[l].at+out[l].n == to && c.space.adjacent(to) {
				out[l].n++
			} else {
				out = append(out, span{to, 1})
			}
		}
		return out, len(out) > 0
	}
	return nil, false
}
