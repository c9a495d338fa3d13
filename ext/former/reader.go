package former

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"sort"

	"github.com/extscope/extscope/ext/layout"
)

// A Span is a range of bytes of the volume.
type Span struct{ From, To int64 }

// Spans are ranges that do not meet, in order.
type Spans []Span

// merge puts ranges in order and joins those that touch.
func merge(s Spans) Spans {
	slices.SortFunc(s, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	out := s[:0]
	for _, x := range s {
		switch n := len(out); {
		case x.To <= x.From:
		case n > 0 && x.From <= out[n-1].To:
			out[n-1].To = max(out[n-1].To, x.To)
		default:
			out = append(out, x)
		}
	}
	return out
}

// After gives the first of the ranges that ends behind byte off.
func (s Spans) after(off int64) int {
	return sort.Search(len(s), func(i int) bool { return s[i].To > off })
}

// Meets reports whether one of the ranges has one of n bytes from off on.
func (s Spans) Meets(off, n int64) bool {
	i := s.after(off)
	return i < len(s) && s[i].From < off+n
}

// without leaves out of ranges what others have.
func (s Spans) without(others Spans) (out Spans) {
	for _, x := range s {
		for i := others.after(x.From); i < len(others) && others[i].From < x.To; i++ {
			if x.From < others[i].From {
				out = append(out, Span{x.From, others[i].From})
			}
			x.From = others[i].To
		}
		if x.From < x.To {
			out = append(out, x)
		}
	}
	return out
}

// A patch is what is read in place of what is there.
type patch struct {
	off  int64
	b    []byte
	lost bool // it differs from what is there
}

// A reader reads a volume as the former file system left it: what another wrote since
// reads as zeros, and what is gone and known from elsewhere reads as it was.
type reader struct {
	r       io.ReaderAt
	hide    Spans
	patches []patch // by place; they do not meet
}

func (r *reader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.r.ReadAt(p, off)
	end := off + int64(n)
	for i := r.hide.after(off); i < len(r.hide) && r.hide[i].From < end; i++ {
		clear(p[max(r.hide[i].From, off)-off : min(r.hide[i].To, end)-off])
	}
	i := sort.Search(len(r.patches), func(i int) bool { return r.patches[i].off+int64(len(r.patches[i].b)) > off })
	for ; i < len(r.patches) && r.patches[i].off < end; i++ {
		x := &r.patches[i]
		from, to := max(x.off, off), min(x.off+int64(len(x.b)), end)
		copy(p[from-off:to-off], x.b[from-x.off:to-x.off])
	}
	return n, err
}

// put adds patches; a later one counts where two begin at the same place.
func (r *reader) put(list ...patch) {
	for _, x := range list {
		x.lost = r.differs(&x)
		i, there := slices.BinarySearchFunc(r.patches, x.off, func(p patch, off int64) int { return cmp.Compare(p.off, off) })
		if there {
			r.patches[i] = x
		} else {
			r.patches = slices.Insert(r.patches, i, x)
		}
	}
}

// differs reports whether what a patch stands for is lost in its place. Of a superblock
// other copies are as good.
func (r *reader) differs(x *patch) bool {
	b := make([]byte, len(x.b))
	if n, _ := r.r.ReadAt(b, x.off); n < len(b) {
		return true
	}
	if x.off == layout.SuperblockOffset {
		_, ok := readSuper(b, x.off)
		return !ok
	}
	return !bytes.Equal(b, x.b)
}

// Lost reports whether some of n bytes from byte off on are lost, and read as they are
// known from elsewhere.
func (v *Volume) Lost(off, n int64) bool {
	list := v.r.patches
	i := sort.Search(len(list), func(i int) bool { return list[i].off+int64(len(list[i].b)) > off })
	for ; i < len(list) && list[i].off < off+n; i++ {
		if list[i].lost {
			return true
		}
	}
	return false
}

// Blank reports whether n bytes are zeros on the volume, whatever is read in their place.
func (v *Volume) Blank(off, n int64) bool {
	b := make([]byte, n)
	k, _ := v.r.r.ReadAt(b, off)
	return isZero(b[:k])
}
