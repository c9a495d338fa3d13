package links

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// lookups answers "what does this name in this directory lead to". Directories
// and symlinks it knows from the survey; other names are asked for first, all
// of them, and answered by one pass over the directories. Names are kept as
// 64-bit hashes under a seed that no image can know.
type lookups struct {
	t    *Tree
	seed maphash.Seed

	known table // of directories and symlinks

	mu       sync.Mutex
	asked    []query
	answered bool
	answers  table
	lost     map[uint64][]lostName // removed names that were asked for
	past     map[uint64]*LostName  // those that a journal knows of
}

// A query is a name asked for.
type query struct {
	key uint64
	dir Ino
}

// A table is a hash table with open addressing, from keys to inode numbers. It
// is a power of two long, and at most half full.
type table struct {
	slots []slot
}

type slot struct {
	key uint64
	ino uint32
}

func newTable(n int) table {
	size := 4
	for size < 2*n {
		size *= 2
	}
	return table{slots: make([]slot, size)}
}

// at is the slot of a key, or the empty one where it would go. No key is 0.
func (t *table) at(key uint64) *slot {
	mask := uint64(len(t.slots) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		if s := &t.slots[i]; s.key == key || s.key == 0 {
			return s
		}
	}
}

func (t *Tree) newLookups() *lookups {
	l := &lookups{t: t, seed: maphash.MakeSeed(), lost: map[uint64][]lostName{}, past: map[uint64]*LostName{}}
	records := t.base.records
	entries := len(records)
	for i := range records {
		if l.folds(records[i].dir) {
			entries++
		}
	}
	l.known = newTable(entries)
	for i := range records {
		r := &records[i]
		s := l.known.at(l.key(r.dir, t.base.bytes(r)))
		if s.key == 0 { // of a name that is there twice, either will do
			s.key, s.ino = l.key(r.dir, t.base.bytes(r)), uint32(r.ino)
		}
		if l.folds(r.dir) {
			key := l.foldKey(r.dir, t.base.bytes(r))
			if s := l.known.at(key); s.key == 0 {
				s.key, s.ino = key, uint32(r.ino)
			}
		}
	}
	return l
}

func (l *lookups) key(dir Ino, name []byte) uint64 {
	return max(maphash.Bytes(l.seed, name)^uint64(dir)*0x9e3779b97f4a7c15, 1)
}

// find gives the inode that a name in a directory leads to, 0 for none. known
// is false where the name has to be asked for.
func (l *lookups) find(dir Ino, name []byte) (ino Ino, known bool) {
	key := l.key(dir, name)
	if s := l.known.at(key); s.key != 0 {
		return Ino(s.ino), true
	}
	folds := l.folds(dir)
	if folds {
		if s := l.known.at(l.foldKey(dir, name)); s.key != 0 {
			return Ino(s.ino), true
		}
	}
	if !l.answered {
		return 0, false
	}
	s := l.answers.at(key)
	if s.ino == 0 && folds {
		s = l.answers.at(l.foldKey(dir, name))
	}
	return Ino(s.ino), s.key != 0
}

// folds reports whether a directory takes other cases of a name when there is
// no exact one: not so where names cannot be read.
func (l *lookups) folds(dir Ino) bool {
	return l.t.state[dir]&(stateCasefold|stateEncrypt) == stateCasefold
}

// foldKey is the key of all cases of a name.
func (l *lookups) foldKey(dir Ino, name []byte) uint64 {
	return max(l.key(dir, ext.FoldName(name))^1<<63, 1)
}

// queries asks for a name.
func (l *lookups) queries(dir Ino, name []byte) []query {
	q := []query{{key: l.key(dir, name), dir: dir}}
	if l.folds(dir) {
		q = append(q, query{key: l.foldKey(dir, name), dir: dir})
	}
	return q
}

// ask adds to what is to be looked up, and empties q.
func (l *lookups) ask(q *[]query) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, *q...)
	*q = (*q)[:0]
}

// answer looks up everything that was asked for, removed names as well.
func (l *lookups) answer(ctx context.Context) error {
	t := l.t
	l.answered = true
	l.answers = newTable(len(l.asked))
	dirs := t.NewSet()
	for _, q := range l.asked {
		l.answers.at(q.key).key = q.key
		dirs.Add(q.dir)
	}
	if len(l.asked) == 0 {
		return nil
	}
	l.asked = nil
	c := newCollector(t) // for its spelling of encrypted names
	return t.EachBlock(ctx, func(w int, b Block) {
		if !dirs.Has(b.Dir) {
			return
		}
		_ = t.eachRecord(&b, func(e *layout.Dirent) {
			if s := l.answers.at(l.key(b.Dir, c.spell(w, b.Dir, e))); s.key != 0 {
				atomic.StoreUint32(&s.ino, uint32(e.Ino))
			}
			if !l.folds(b.Dir) {
				return
			}
			if s := l.answers.at(l.foldKey(b.Dir, e.Name)); s.key != 0 {
				atomic.StoreUint32(&s.ino, uint32(e.Ino))
			}
		})
		t.FS.RemovedRecords(ext.DirBlockView{Logical: uint64(b.Logical), Bytes: b.Bytes, Offset: b.Offset}, b.Flags, b.Inline, func(e *layout.Dirent) {
			key := l.key(b.Dir, e.Name)
			if s := l.answers.at(key); s.key != 0 {
				l.removed(key, e)
			}
		})
	})
}

// maxLost bounds how many removed records of one name are kept.
const maxLost = 64

// A lostName is a record of a name that a directory once held.
type lostName struct {
	ino  Ino
	kind uint8 // the file type it says
}

func (l *lookups) removed(key uint64, e *layout.Dirent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := (lostName{e.Ino, e.Type}); len(l.lost[key]) < maxLost && !slices.Contains(l.lost[key], n) {
		l.lost[key] = append(l.lost[key], n)
	}
}
