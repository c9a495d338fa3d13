package undelete

import (
	"context"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/undelete/carve"
)

// sized looks for the size of a file whose map is known and whose size is not: zeros
// at its end may be of the file or behind it, and most formats tell where they end. It
// reports whether the contents told.
func (f *finder) sized(ctx context.Context, c *Candidate) bool {
	if c.SizeKnown || !c.residue || c.Type != layout.ModeRegular || !c.Recoverable() || c.Runs[0].Logical != 0 {
		return false
	}
	bs := uint64(f.fs.BlockSize())
	blocks := f.reach(c) / bs
	pieces, err := carve.Find(ctx, &fileReader{f, c}, []carve.Run{{Len: blocks}}, carve.Options{BlockSize: int(bs)})
	if err != nil || len(pieces) == 0 {
		return false
	}
	p := &pieces[0]
	if !p.Complete || len(p.Runs) != 1 || p.Runs[0].Start != 0 || p.Size < int64(c.Size) || (uint64(p.Size)+bs-1)/bs != blocks {
		return false // something within the file
	}
	c.Size, c.Ext = uint64(p.Size), p.Ext
	c.Evidence = append(c.Evidence, "its size by its contents: "+p.Why)
	return true
}

// A fileReader reads the contents of a candidate as if they lay one block behind the
// other, from block 0 on.
type fileReader struct {
	f *finder
	c *Candidate
}

func (r *fileReader) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	bs := uint64(r.f.fs.BlockSize())
	from, end := uint64(off), uint64(off)+uint64(len(p))
	block := make([]byte, bs)
	for _, run := range r.c.Runs {
		if run.Kind != ext.Data {
			continue
		}
		first, last := max(run.Logical, from/bs), min(run.Logical+run.Len, (end+bs-1)/bs)
		for b := first; b < last; b++ {
			if err := r.f.readBlock(block, r.c, run.Physical+Block(b-run.Logical)); err != nil {
				return 0, err
			}
			if at := b * bs; at >= from {
				copy(p[at-from:], block)
			} else {
				copy(p, block[from-at:])
			}
		}
	}
	return len(p), nil
}
