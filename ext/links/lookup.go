package links

import (
	"context"
	"hash/maphash"
	"runtime"
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

// newLookups looks names up among those that the survey kept.
func (t *Tree) newLookups() *lookups {
	l := &lookups{t: t, known: t.known, lost: map[uint64][]lostName{}, past: map[uint64]*LostName{}}
	if t.aims == nil {
		l.known = t.knownNames(nil)
	}
	return l
}

// knownNames makes a table of the names that the survey kept, and of those that it met
// because it was aimed at them: aimed may be nil.
func (t *Tree) knownNames(aimed *collector) table {
	lists, arenas := [][]nameRecord{t.base.records}, [][]arena{t.base.arenas}
	if aimed != nil {
		for _, part := range aimed.parts {
			lists, arenas = append(lists, part), append(arenas, aimed.arenas)
		}
	}
	entries, fold := 0, t.casefold.Load()
	for _, list := range lists {
		entries += len(list)
		for i := 0; fold && i < len(list); i++ {
			if t.folds(list[i].dir) {
				entries++
			}
		}
	}
	known := newTable(entries)
	var entering sync.WaitGroup
	for i, list := range lists {
		for part := range slices.Chunk(list, len(list)/ext.Workers()+1) {
			entering.Go(func() {
				for j := range part {
					r := &part[j]
					name := arenas[i][r.arena].get(r.at, int(r.length))
					known.enter(nameKey(t.seed, r.dir, name), r.ino)
					if fold && t.folds(r.dir) {
						known.enter(t.foldKey(r.dir, name), r.ino)
					}
				}
			})
		}
	}
	entering.Wait()
	return known
}

func (l *lookups) key(dir Ino, name []byte) uint64 { return nameKey(l.t.seed, dir, name) }

// find gives the inode that a name in a directory leads to, 0 for none. known
// is false where the name has to be asked for.
func (l *lookups) find(dir Ino, name []byte) (ino Ino, known bool) {
	key := l.key(dir, name)
	if ino, ok := l.known.get(key); ok {
		return ino, true
	}
	folds := l.t.folds(dir)
	if folds {
		if ino, ok := l.known.get(l.t.foldKey(dir, name)); ok {
			return ino, true
		}
	}
	if !l.answered {
		return 0, false
	}
	ino, known = l.answers.get(key)
	if ino == 0 && folds {
		return l.answers.get(l.t.foldKey(dir, name))
	}
	return ino, known
}

// folds reports whether a directory takes other cases of a name when there is
// no exact one: not so where names cannot be read.
func (t *Tree) folds(dir Ino) bool {
	return t.inodes.state(dir)&(stateCasefold|stateEncrypt) == stateCasefold
}

// foldKey is the key of all cases of a name.
func (t *Tree) foldKey(dir Ino, name []byte) uint64 {
	return foldedKey(nameKey(t.seed, dir, ext.FoldName(name)))
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
	begin := l.prepare
	if len(*q) > 0 {
		l.prepare = nil
	} else {
		begin = nil
	}
	l.asked = append(l.asked, *q...)
	l.mu.Unlock()
	if *q = (*q)[:0]; begin != nil {
		l.ahead.Go(begin) // names are missing: it will be asked
		runtime.Gosched() // at once: part of it is work for one core
	}
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
		l.answers.enter(key, 0)
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
			l.answers.set(l.key(b.Dir, c.spell(w, b.Dir, e)), e.Ino)
			if t.folds(b.Dir) {
				l.answers.set(t.foldKey(b.Dir, e.Name), e.Ino)
			}
		}, func(b *Block, e *layout.Dirent) {
			t.FS.RemovedBehind(b.Bytes, b.Flags, b.Logical, e, func(e *layout.Dirent) {
				key := l.key(b.Dir, e.Name)
				if _, asked := l.answers.get(key); asked {
					l.mu.Lock()
					defer l.mu.Unlock()
					addLost(l.lost, key, e)
				}
			})
		})
	})
}
