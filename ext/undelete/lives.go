package undelete

import (
	"cmp"
	"context"
	"hash/maphash"
	"iter"
	"slices"

	"github.com/extscope/extscope/ext"
)

// A lifeKey is an incarnation: a file, by its inode number and generation.
type lifeKey struct {
	ino Ino
	gen uint32
}

// A life is what is known of an incarnation. There may be millions, so it is small and
// has no pointers; places are those in tables of the finder, plus one, 0 for none.
type life struct {
	lifeKey
	first moment // the first transaction that has it in use
	last  moment // the last one
	gone  moment // the first one behind that has not; latest where only the inode itself tells, 0 unknown
	end   uint64 // i_version once it was deleted, which counts the changes before
	best  state  // the newest that holds contents
	dtime uint32

	n       int32 // its own place
	next    int32 // the next incarnation of the same number
	written int32 // what is known of its last writes
	names   int32 // one of its names; each leads to the next
	slot    int32 // its candidate, where that was promised a place

	mode  uint16 // its type, where best does not tell
	home  bool   // the inode is still this incarnation's
	live  bool   // it is in use today
	ended bool   // end is known
	old   bool   // home, where best is none, is a regular file with indirect blocks
	over  bool   // its map is left out: files would map more blocks than there are
}

// lives are all incarnations.
type lives struct {
	table[life]
	seed  maphash.Seed
	byKey slots
	byIno slots // the first of each number
}

func (t *lives) hashKey(k lifeKey) uint64 { return maphash.Comparable(t.seed, k) }
func (t *lives) hashIno(ino Ino) uint64   { return maphash.Comparable(t.seed, ino) }

// of gives an incarnation, nil where it is not known.
func (t *lives) of(k lifeKey) *life {
	n := t.byKey.find(t.hashKey(k), func(n int32) bool { return t.nth(n).lifeKey == k })
	if n < 0 {
		return nil
	}
	return t.nth(n)
}

// first gives the first incarnation of a number, nil without one.
func (t *lives) first(ino Ino) *life {
	n := t.byIno.find(t.hashIno(ino), func(n int32) bool { return t.nth(n).ino == ino })
	if n < 0 {
		return nil
	}
	return t.nth(n)
}

// next gives the next one of the same number.
func (t *lives) next(l *life) *life {
	if l.next == 0 {
		return nil
	}
	return t.nth(l.next - 1)
}

// make makes an incarnation that is not known yet.
func (t *lives) make(k lifeKey) *life {
	n, l := t.add()
	*l = life{lifeKey: k, first: latest, last: -1, n: n}
	t.byKey.add(n, func(n int32) uint64 { return t.hashKey(t.nth(n).lifeKey) })
	if first := t.first(k.ino); first == nil {
		t.byIno.add(n, func(n int32) uint64 { return t.hashIno(t.nth(n).ino) })
	} else {
		l.next, first.next = first.next, n+1
	}
	return l
}

// all goes through them in no order that means anything.
func (t *lives) all() iter.Seq[*life] {
	return func(yield func(*life) bool) {
		for n := range int32(t.count) {
			if !yield(t.nth(n)) {
				return
			}
		}
	}
}

// sorted gives all incarnations, by number and then age.
func (t *lives) sorted() iter.Seq[*life] {
	order := make([]int32, t.count)
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		x, y := t.nth(a), t.nth(b)
		if x.ino != y.ino {
			return cmp.Compare(x.ino, y.ino)
		}
		return cmp.Or(cmp.Compare(x.first, y.first), cmp.Compare(x.gen, y.gen))
	})
	return func(yield func(*life) bool) {
		for _, n := range order {
			if !yield(t.nth(n)) {
				return
			}
		}
	}
}

// settle orders those of each number by age.
func (t *lives) settle(ctx context.Context) error {
	var list []*life
	for n := range int32(t.count) {
		if n%tableRows == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		head := t.nth(n)
		if head.next == 0 || t.first(head.ino) != head {
			continue
		}
		list = list[:0]
		for l := head; l != nil; l = t.next(l) {
			list = append(list, l)
		}
		slices.SortFunc(list, func(a, b *life) int {
			return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last), cmp.Compare(a.gen, b.gen))
		})
		for i, l := range list {
			if l.next = 0; i+1 < len(list) {
				l.next = list[i+1].n + 1
			}
		}
		t.byIno.exchange(t.hashIno(head.ino), n, list[0].n)
	}
	return nil
}

// maxLives bounds the incarnations that are kept.
const maxLives = 1 << 22

// newLife makes an incarnation, nil where there are too many.
func (f *finder) newLife(k lifeKey, mode uint16) *life {
	if f.lives.count >= maxLives {
		f.limitLives()
		return nil
	}
	l := f.lives.make(k)
	l.mode = mode
	return l
}

func (f *finder) limitLives() {
	f.limit("more than %d inodes that were deleted or are in question: those beyond are left out", maxLives)
}

func (f *finder) life(in *ext.Inode) *life {
	k := lifeKey{in.Ino, in.Generation}
	if l := f.lives.of(k); l != nil {
		return l
	}
	return f.newLife(k, in.Type())
}
