package undelete

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/extscope/extscope/ext"
)

// A Result is what was found. There may be millions of candidates: they are kept packed,
// and made when they are asked for.
type Result struct {
	Warnings  []error // what could not be read, and the bounds that were met
	Unscanned uint64  // bytes of free space that Options.ScanLimit left out

	f    *finder
	pack packer
	list []uint32 // places in pack; unkept where a candidate has none yet
}

// unkept stands for a candidate that was promised and is not there.
const unkept = ^uint32(0)

// Len is the number of candidates.
func (r *Result) Len() int { return len(r.list) }

// At makes candidate i of those from 0 on, which are ordered by path, those without one by
// inode. Several goroutines may call it.
func (r *Result) At(i int) *Candidate {
	c := r.Outline(i)
	if c.from.known() {
		in, err := r.f.load(c.Ino, &c.from)
		if err != nil {
			c.Evidence = append(c.Evidence, fmt.Sprintf("its inode cannot be read again: %v", err))
		}
		c.In = in
	}
	return c
}

// Outline is At without reading from the evidence: In is nil.
func (r *Result) Outline(i int) *Candidate { return r.pack.unpack(r.list[i]) }

// All makes all candidates, in order and ahead of the loop, which must not change them.
func (r *Result) All() iter.Seq[*Candidate] { return r.each(r.At) }

// Outlines is All without reading from the evidence: In is nil.
func (r *Result) Outlines() iter.Seq[*Candidate] { return r.each(r.Outline) }

func (r *Result) each(one func(i int) *Candidate) iter.Seq[*Candidate] {
	return func(yield func(*Candidate) bool) {
		for _, c := range ext.InOrder(len(r.list), func(i int) *Candidate {
			if r.list[i] == unkept {
				return nil
			}
			return one(i)
		}) {
			if c != nil && !yield(c) {
				return
			}
		}
	}
}

// add adds a candidate.
func (r *Result) add(c *Candidate) { r.keep(int(r.promise()), c) }

// promise gives a candidate a place before it is made.
func (r *Result) promise() (i int32) {
	r.list = append(r.list, unkept)
	return int32(len(r.list) - 1)
}

// keep puts a candidate in its place, that of its earlier self if there is one.
func (r *Result) keep(i int, c *Candidate) {
	at, ok := r.pack.pack(c)
	if !ok {
		r.f.limit("the candidates take more than %d bytes: those beyond are left out", int64(maxPacked))
		return
	}
	r.list[i] = at
}

// drop takes candidates away.
func (r *Result) drop(gone func(i int) bool) {
	kept := r.list[:0]
	for i, at := range r.list {
		if at != unkept && !gone(i) {
			kept = append(kept, at)
		}
	}
	r.list = kept
}

// sort orders the candidates: by path, those without one by inode.
func (r *Result) sort() {
	r.drop(func(int) bool { return false })
	type entry struct {
		at  uint32
		dir int32 // of its path, in pack.dirs; -1 without a path
	}
	order := make([]entry, len(r.list))
	for i, at := range r.list {
		order[i] = entry{at, r.pack.dirOf(at)}
	}
	slices.SortFunc(order, func(a, b entry) int {
		switch {
		case a.dir < 0 || b.dir < 0:
			if c := cmp.Compare(min(b.dir, 0), min(a.dir, 0)); c != 0 {
				return c
			}
		case a.dir == b.dir:
			if c := bytes.Compare(r.pack.baseOf(a.at), r.pack.baseOf(b.at)); c != 0 {
				return c
			}
		default:
			if c := compareJoined(r.pack.dirs.list[a.dir], r.pack.dirs.list[b.dir], func() ([]byte, []byte) { return r.pack.baseOf(a.at), r.pack.baseOf(b.at) }); c != 0 {
				return c
			}
		}
		x, y := r.pack.ageOf(a.at), r.pack.ageOf(b.at)
		return cmp.Or(cmp.Compare(x.ino, y.ino), cmp.Compare(x.gen, y.gen), cmp.Compare(x.tx, y.tx))
	})
	for i := range order {
		r.list[i] = order[i].at
	}
}

// compareJoined compares two byte strings whose ends are asked for only where they count.
func compareJoined(a, b string, ends func() (a, b []byte)) int {
	n := min(len(a), len(b))
	if c := cmp.Compare(a[:n], b[:n]); c != 0 {
		return c
	}
	x, y := ends()
	switch {
	case len(a) > n:
		return compareTail(a[n:], x, y)
	case len(b) > n:
		return -compareTail(b[n:], y, x)
	}
	return bytes.Compare(x, y)
}

// compareTail compares head and tail, one behind the other, with another.
func compareTail(head string, tail, other []byte) int {
	n := min(len(head), len(other))
	if c := cmp.Compare(head[:n], string(other[:n])); c != 0 {
		return c
	}
	if len(other) < len(head) {
		return 1
	}
	return bytes.Compare(tail, other[n:])
}
