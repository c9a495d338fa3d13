package undelete

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"math"
	"slices"
)

// A nameRef is a name that a directory held at some time.
type nameRef struct {
	dir    Ino
	dirGen uint32
	ino    Ino
	tx     moment // the newest transaction that tells; -1 where a gap or a freed block does, of which the time is not known
	typ    uint8
	source nameSource
	there  bool // it is there today
	old    bool // from before all that the log holds, where it is of a block that the log wrote over since
	name   []byte
}

// A nameSource is where a name was found.
type nameSource uint8

const (
	fromGap nameSource = iota
	fromCopy
	fromDir
	fromInline
	fromFreed
	fromStray
	fromSelfNamed
	fromHashes
	fromHashesTied
	fromHomeless
)

func (s nameSource) String() string {
	return [...]string{
		fromGap: "a removed entry in its directory", fromCopy: "a copy of its directory in the journal", fromDir: "its directory",
		fromInline: "its directory, kept in an inode", fromFreed: "a freed block of its directory",
		fromStray:      "a stray block of its directory, known by its checksum",
		fromSelfNamed:  "a freed block of its directory, which names itself",
		fromHashes:     "a freed block of its directory, by the hashes of its names",
		fromHashesTied: "a freed block of its directory, by the hashes of its names, which fit another as well",
		fromHomeless:   "a freed block of a directory that is not known",
	}[s]
}

const maxNames = 1 << 22

// A keptName is a nameRef as it is kept. There may be millions, so it has no pointers.
type keptName struct {
	tx     moment
	dir    Ino
	dirGen uint32
	at     uint32 // where the name is kept
	life   int32  // whose it is
	next   int32  // another name of the same, plus one
	length uint16
	source nameSource
	there  bool
}

// names are those of incarnations, each once in a directory.
type names struct {
	table[keptName]
	seed  maphash.Seed
	bytes store
	index slots
}

// A nameKey is a name by its hash. Numbers go through the seed as well: an image chooses
// them.
type nameKey struct {
	name uint64
	dir  Ino
	life int32
}

func (t *names) hash(dir Ino, life int32, name []byte) uint64 {
	return maphash.Comparable(t.seed, nameKey{maphash.Bytes(t.seed, name), dir, life})
}

func (t *names) text(k *keptName) []byte { return t.bytes.from(k.at)[:k.length:k.length] }

// get gives a name by its place.
func (t *names) get(n int32) nameRef {
	k := t.nth(n)
	return nameRef{dir: k.dir, dirGen: k.dirGen, tx: k.tx, source: k.source, there: k.there, name: t.text(k)}
}

// find gives a name of an incarnation in a directory, nil where it is not known.
func (t *names) find(dir Ino, l *life, name []byte) *keptName {
	n := t.index.find(t.hash(dir, l.n, name), func(n int32) bool {
		k := t.nth(n)
		return k.dir == dir && k.life == l.n && string(t.text(k)) == string(name)
	})
	if n < 0 {
		return nil
	}
	return t.nth(n)
}

// put adds a name of an incarnation; it gives false where there are too many.
func (t *names) put(r *nameRef, l *life) bool {
	if t.count >= maxNames || len(r.name) > math.MaxUint16 {
		return false
	}
	at, ok := t.bytes.put(r.name)
	if !ok {
		return false
	}
	n, k := t.add()
	*k = keptName{tx: r.tx, dir: r.dir, dirGen: r.dirGen, at: at, life: l.n, next: l.names, length: uint16(len(r.name)), source: r.source, there: r.there}
	l.names = n + 1
	t.index.add(n, func(n int32) uint64 {
		k := t.nth(n)
		return t.hash(k.dir, k.life, t.text(k))
	})
	return true
}

// A heldName is a nameRef that waits to be given to its file.
type heldName struct {
	dir, ino Ino
	dirGen   uint32
	at       uint32 // where the name is kept
	length   uint16
	typ      uint8
	source   nameSource
	today    bool // it was there last; else its time is not known
}

// heldNames are such names, in order.
type heldNames struct {
	list  table[heldName]
	bytes store
}

// add adds a name; it gives false where there are too many.
func (t *heldNames) add(r *nameRef) bool {
	if t.list.count >= maxNames || len(r.name) > math.MaxUint16 {
		return false
	}
	at, ok := t.bytes.put(r.name)
	if ok {
		_, h := t.list.add()
		*h = heldName{dir: r.dir, ino: r.ino, dirGen: r.dirGen, at: at, length: uint16(len(r.name)), typ: r.typ, source: r.source, today: r.tx == latest}
	}
	return ok
}

func (t *heldNames) text(h *heldName) []byte { return t.bytes.from(h.at)[:h.length:h.length] }

// each goes through them by directory, name and inode.
func (t *heldNames) each(visit func(n *nameRef)) {
	order := make([]int32, t.list.count)
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		x, y := t.list.nth(a), t.list.nth(b)
		if x.dir != y.dir {
			return cmp.Compare(x.dir, y.dir)
		}
		return cmp.Or(bytes.Compare(t.text(x), t.text(y)), cmp.Compare(x.ino, y.ino))
	})
	for _, i := range order {
		h := t.list.nth(i)
		n := nameRef{dir: h.dir, dirGen: h.dirGen, ino: h.ino, tx: -1, typ: h.typ, source: h.source, name: t.text(h)}
		if h.today {
			n.tx = latest
		}
		visit(&n)
	}
}
