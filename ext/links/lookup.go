package links

import (
	"context"
	"hash/maphash"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// lookups answers "what does this name in this directory lead to". Directories
// and symlinks it knows from the survey, and what that was aimed at; other names are
// asked for first, all of them, and answered by one pass over the directories. Names
// are kept as hashes, see nameKey.
type lookups struct {
	t     *Tree
	known table

	mu       sync.Mutex
	asked    []query
	open     atomic.Bool // what was asked for takes that pass
	answered bool
	answers  table
	lost     map[uint64][]lostName // removed names that were asked for
	past     map[uint64]*LostName  // those that a journal knows of
	prepare  func()                // the journal's Prepare, nil where there is none
	ahead    sync.WaitGroup        // for that
}

// A query is a name asked for.
type query struct {
	hash uint64 // of the name
	dir  Ino
	fold bool // in all its cases, of which the hash is
}

func (q *query) key() uint64 {
	key := hashKey(q.dir, q.hash)
	if q.fold {
		key = foldedKey(key)
	}
	return key
}

// A table is a hash table with open addressing, from keys to inode numbers. It
// is at most two thirds full.
type table struct {
	slots []slot
}

type slot struct {
	key uint64
	ino uint32
}

func newTable(n int) table { return table{slots: make([]slot, n+n/2+2)} }

// first is where a key goes if nothing is there: keys are hashes, so they spread.
func (t *table) first(key uint64) int {
	i, _ := bits.Mul64(key, uint64(len(t.slots)))
	return int(i)
}

// at is the slot of a key, or the empty one where it would go. No key is 0.
func (t *table) at(key uint64) *slot {
	for i := t.first(key); ; i++ {
		if i == len(t.slots) {
			i = 0
		}
		if s := &t.slots[i]; s.key == key || s.key == 0 {
			return s
		}
	}
}

// enter puts in a key; where it is there twice, the lowest number counts. Several
// goroutines may call it, while nobody looks anything up.
func (t *table) enter(key uint64, ino Ino) {
	for i := t.first(key); ; i++ {
		if i == len(t.slots) {
			i = 0
		}
		// Not looked at first: memory that was only read so far has to be found twice.
		s := &t.slots[i]
		if !atomic.CompareAndSwapUint64(&s.key, 0, key) && atomic.LoadUint64(&s.key) != key {
			continue
		}
		for {
			old := atomic.LoadUint32(&s.ino)
			if old != 0 && old <= uint32(ino) || atomic.CompareAndSwapUint32(&s.ino, old, uint32(ino)) {
				return
			}
		}
	}
}

func (t *Tree) newLookups() *lookups {
	l := &lookups{t: t, lost: map[uint64][]lostName{}, past: map[uint64]*LostName{}}
	lists, arenas := [][]nameRecord{t.base.records}, t.base.arenas
	if t.aims != nil {
		lists = append(lists, t.aims.names.parts...)
	}
	entries := 0
	for _, list := range lists {
		for i := range list {
			if entries++; t.folds(list[i].dir) {
				entries++
			}
		}
	}
	l.known = newTable(entries)
	var entering sync.WaitGroup
	for _, list := range lists {
		from := arenas
		for part := range slices.Chunk(list, len(list)/ext.Workers()+1) {
			entering.Go(func() {
				for i := range part {
					r := &part[i]
					name := from[r.arena].get(r.at, int(r.length))
					l.known.enter(l.key(r.dir, name), r.ino)
					if t.folds(r.dir) {
						l.known.enter(l.foldKey(r.dir, name), r.ino)
					}
				}
			})
		}
		if t.aims != nil {
			arenas = t.aims.names.arenas
		}
	}
	entering.Wait()
	return l
}

func (l *lookups) key(dir Ino, name []byte) uint64 { return nameKey(l.t.seed, dir, name) }

// find gives the inode that a name in a directory leads to, 0 for none. known
// is false where the name has to be asked for.
func (l *lookups) find(dir Ino, name []byte) (ino Ino, known bool) {
	key := l.key(dir, name)
	if s := l.known.at(key); s.key != 0 {
		return Ino(s.ino), true
	}
	folds := l.t.folds(dir)
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
func (t *Tree) folds(dir Ino) bool {
	return t.inodes.state(dir)&(stateCasefold|stateEncrypt) == stateCasefold
}

// foldKey is the key of all cases of a name.
func (l *lookups) foldKey(dir Ino, name []byte) uint64 {
	return foldedKey(l.key(dir, ext.FoldName(name)))
}

func foldedKey(key uint64) uint64 { return max(key^1<<63, 1) }

// queries asks for a name.
func (l *lookups) queries(dir Ino, name []byte) []query {
	if !l.t.aims.decides(name) {
		l.open.Store(true)
	}
	q := []query{{hash: maphash.Bytes(l.t.seed, name), dir: dir}}
	if l.t.folds(dir) {
		q = append(q, query{hash: maphash.Bytes(l.t.seed, ext.FoldName(name)), dir: dir, fold: true})
	}
	return q
}

// ask adds to what is to be looked up, and empties q.
func (l *lookups) ask(q *[]query) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(*q) > 0 && l.prepare != nil {
		l.ahead.Go(l.prepare) // names are missing: it will be asked
		l.prepare = nil
	}
	l.asked = append(l.asked, *q...)
	*q = (*q)[:0]
}

// answer looks up everything that was asked for, removed names as well. What the survey
// was aimed at and did not find is in no directory.
func (l *lookups) answer(ctx context.Context) error {
	t := l.t
	l.answered = true
	l.answers = newTable(len(l.asked))
	dirs := t.NewSet()
	for _, q := range l.asked {
		key := q.key()
		l.answers.at(key).key = key
		dirs.Add(q.dir)
	}
	if len(l.asked) == 0 {
		return nil
	}
	if !l.open.Load() {
		for _, q := range l.asked {
			key := q.key()
			for _, gone := range t.aims.gone {
				if list := gone[key]; list != nil {
					l.lost[key] = append(l.lost[key], list...)
				}
			}
		}
		return nil
	}
	c := newCollector(t, 0) // for its spelling of encrypted names
	return t.eachBlockOf(ctx, dirs, func(w int, b Block) {
		_ = t.eachRecord(&b, func(e *layout.Dirent) {
			if s := l.answers.at(l.key(b.Dir, c.spell(w, b.Dir, e))); s.key != 0 {
				atomic.StoreUint32(&s.ino, uint32(e.Ino))
			}
			if !t.folds(b.Dir) {
				return
			}
			if s := l.answers.at(l.foldKey(b.Dir, e.Name)); s.key != 0 {
				atomic.StoreUint32(&s.ino, uint32(e.Ino))
			}
		}, func(b *Block, e *layout.Dirent) {
			t.FS.RemovedBehind(b.Bytes, b.Flags, b.Logical, e, func(e *layout.Dirent) {
				key := l.key(b.Dir, e.Name)
				if s := l.answers.at(key); s.key != 0 {
					l.mu.Lock()
					defer l.mu.Unlock()
					addLost(l.lost, key, e)
				}
			})
		})
	})
}
