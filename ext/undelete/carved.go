package undelete

import (
	"context"
	"maps"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/undelete/carve"
)

// carve looks through the free space that no authentic map leads to for contents that
// tell by themselves where they begin and end. Where such a piece and a weaker
// candidate meet, whose size nothing tells, the piece gives the size, or takes its place.
func (f *finder) carve(ctx context.Context) error {
	if !f.o.Carve || f.stray.free == nil {
		return nil
	}
	claimed := make(bitset, len(f.stray.free))
	weak := map[Block]int{} // by first block, into the candidates
	for i := range f.result.Len() {
		if f.result.list[i] == unkept {
			continue
		}
		c := f.result.Outline(i)
		switch {
		case !c.Recoverable() && c.Grade != Overwritten:
		case f.sized(ctx, c):
			f.result.keep(i, c)
			f.mark(claimed, c)
		case c.weak():
			weak[c.Runs[0].Physical] = i
		default:
			f.mark(claimed, c)
		}
	}
	pieces, err := carve.Find(ctx, f.fs, f.unclaimed(claimed), carve.Options{
		BlockSize: f.fs.BlockSize(), ClusterBlocks: int(f.fs.ClusterBlocks()), Indirect: f.mayHavePointers(),
		Progress: func(done, total int64) { f.progress("carve", int(done>>20), int(total>>20)) },
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.fail(err)
	taken := make(bitset, len(f.stray.free))
	var fresh []int
	for k := range pieces {
		p := &pieces[k]
		if !p.Complete || len(p.Runs) == 0 {
			continue
		}
		if i, ok := weak[p.Runs[0].Start]; ok {
			if c := f.result.Outline(i); c.from.known() {
				f.refine(c, p)
				f.result.keep(i, c)
				delete(weak, p.Runs[0].Start)
				f.mark(taken, c)
				continue
			}
		}
		c := carved(p)
		f.mark(taken, &c)
		fresh = append(fresh, k)
	}
	// What is left of the weak ones, where no whole piece lies in them.
	gone := map[int]bool{}
	for _, i := range slices.Sorted(maps.Values(weak)) {
		if c := f.result.Outline(i); !c.from.known() && f.meets(taken, c) {
			gone[i] = true
		} else {
			f.mark(taken, c)
		}
	}
	for k := range pieces {
		if p := &pieces[k]; !p.Complete && len(p.Runs) > 0 {
			if c := carved(p); !f.meets(taken, &c) {
				f.mark(taken, &c)
				fresh = append(fresh, k)
			}
		}
	}
	f.result.drop(func(i int) bool { return gone[i] })
	for _, k := range fresh {
		c := carved(&pieces[k])
		f.result.add(&c)
	}
	return nil
}

// weak reports whether nothing tells how long a candidate is: only its blocks are known.
func (c *Candidate) weak() bool {
	return !c.SizeKnown && len(c.Runs) > 0 && c.Type == layout.ModeRegular && (!c.from.known() || c.Technique == FreedSet)
}

// unclaimed gives the free runs that no candidate has.
func (f *finder) unclaimed(claimed bitset) []carve.Run {
	free := slices.Clone(f.stray.free)
	for i := range free {
		free[i] &^= claimed[i]
	}
	var runs []carve.Run
	end := Block(len(free)) * 64
	for b := free.next(0, end, true); b < end; {
		to := free.next(b, end, false)
		runs = append(runs, carve.Run{Start: b, Len: uint64(to - b)})
		b = free.next(to, end, true)
	}
	return runs
}

// meets reports whether a candidate has one of some blocks.
func (f *finder) meets(blocks bitset, c *Candidate) bool {
	for _, r := range c.Runs {
		if r.Kind == ext.Data && blocks.next(r.Physical, r.Physical+Block(r.Len), true) < r.Physical+Block(r.Len) {
			return true
		}
	}
	return false
}

// carved makes a candidate of a piece.
func carved(p *carve.Piece) Candidate {
	c := Candidate{Type: layout.ModeRegular, Size: uint64(max(p.Size, 0)), SizeKnown: p.Complete, Technique: Carving, Grade: Carved, Ext: p.Ext, complete: true, tx: latest,
		Evidence: []string{p.Type + ": " + p.Why}}
	at := uint64(0)
	for _, r := range p.Runs {
		c.Runs = append(c.Runs, ext.Run{Logical: at, Physical: r.Start, Len: r.Len})
		at += r.Len
	}
	c.Coverage.Loose = at
	return c
}

// refine gives a candidate of which only the blocks are known the size that its contents
// tell.
func (f *finder) refine(c *Candidate, p *carve.Piece) {
	one := carved(p)
	c.Runs, c.Size, c.Ext = one.Runs, one.Size, one.Ext
	c.Evidence = append(c.Evidence, "its size by its contents: "+p.Why)
}

func (f *finder) progress(what string, done, total int) {
	if f.o.Progress != nil {
		f.o.Progress(what, done, total)
	}
}
