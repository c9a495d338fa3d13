package links

import (
	"bytes"
	"context"
	"hash/maphash"
	"iter"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// Aims are the names that targets of symlinks are made of. The survey, which knows them
// before it comes to the directories, keeps what has one of them, in any directory: then
// judging symlinks takes no second pass. Methods with a worker may be called by several.
type aims struct {
	t      *Tree
	filter []uint64 // two bits a name, so that now and then it has one that is none; a power of two long
	full   atomic.Bool
	names  *collector
	gone   []map[uint64][]lostName // by worker: removed records, by nameKey
	kept   []int                   // likewise: how many
}

const (
	maxAims     = 1 << 22 // components of targets
	maxAimed    = 1 << 20 // names that a worker keeps, and as many removed records
	aimsPerName = 8       // bits of the filter, names that come again counted
	aimsPerBit  = 8       // bits of the filter for each that is set, at least
)

// newAims gathers the components of the targets that were kept; nil where there are none,
// or too many.
func (t *Tree) newAims(ctx context.Context) *aims {
	n := 0
	for _, k := range t.steps {
		n += k
	}
	if n == 0 || n > maxAims {
		return nil
	}
	a := &aims{t: t, names: newCollector(t, 0), filter: make([]uint64, 1<<bits.Len(uint(n*aimsPerName/64)))}
	const page = 4096 / 8
	for i := 0; i < len(a.filter); i += page {
		a.filter[i] = 0 // written, or else it has to be found twice: add reads first
	}
	fold := t.FS.Super.Incompat&layout.IncompatCasefold != 0
	// The error is ctx's, which ends the survey too.
	_ = t.eachBatch(ctx, t.symlinks, func(int) func(int, []symlinkRef) {
		return func(_ int, refs []symlinkRef) {
			for i := range refs {
				for name := range components(t.keptTarget(&refs[i])) {
					a.add(name)
					if fold {
						a.add(ext.FoldName(name))
					}
				}
			}
		}
	})
	a.shrink()
	for range a.names.parts {
		a.gone = append(a.gone, map[uint64][]lostName{})
	}
	a.kept = make([]int, len(a.gone))
	return a
}

// components yields the names that a target is made of.
func components(target []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(target) > 0 {
			n := bytes.IndexByte(target, '/')
			if n < 0 {
				n = len(target)
			}
			if name := target[:n]; n > 0 && !isDot(name) && !yield(name) {
				return
			}
			target = target[min(n+1, len(target)):]
		}
	}
}

// keptTarget is the target of a symlink, where the survey kept it.
func (t *Tree) keptTarget(ref *symlinkRef) []byte {
	if ref.length == 0 {
		return nil
	}
	return t.targets[ref.arena].get(ref.at, int(ref.length))
}

// place gives the word of a name, by its hash, and its bits in it: one word, since a filter of this
// size costs what it takes to fetch from memory.
func (a *aims) place(hash uint64) (word, bits uint64) {
	return hash >> 12 & uint64(len(a.filter)-1), 1<<(hash&63) | 1<<(hash>>6&63)
}

func (a *aims) add(name []byte) {
	i, bits := a.place(maphash.Bytes(a.t.seed, name))
	if atomic.LoadUint64(&a.filter[i])&bits != bits { // most names come often
		atomic.OrUint64(&a.filter[i], bits)
	}
}

// shrink folds the filter as far as it remains sparse: a small one is near at hand.
func (a *aims) shrink() {
	set := 0
	for _, word := range a.filter {
		set += bits.OnesCount64(word)
	}
	for half := len(a.filter) / 2; half > 0 && half*64 >= set*aimsPerBit; half /= 2 {
		for i, word := range a.filter[half:] {
			a.filter[i] |= word
		}
		a.filter = a.filter[:half]
	}
	a.filter = slices.Clone(a.filter)
}

func (a *aims) has(name []byte) bool { return a.hasHash(maphash.Bytes(a.t.seed, name)) }

func (a *aims) hasHash(hash uint64) bool {
	i, bits := a.place(hash)
	return a.filter[i]&bits == bits
}

// decides reports whether a name that the survey did not keep is in no directory.
func (a *aims) decides(name []byte) bool { return a != nil && !a.full.Load() && a.has(name) }

// record keeps one record of a directory, if it is aimed at. hash is of the name as it
// is stored.
func (a *aims) record(w int, b *Block, e *layout.Dirent, hash uint64) {
	if b.Flags&layout.FlagEncrypt != 0 {
		hash = maphash.Bytes(a.t.seed, a.names.spell(w, b.Dir, e))
	}
	if !a.hasHash(hash) && !(b.Flags&layout.FlagCasefold != 0 && a.t.folds(b.Dir) && a.has(ext.FoldName(e.Name))) {
		return
	}
	if len(a.names.parts[w]) == maxAimed {
		a.full.Store(true)
		return
	}
	a.names.add(w, b.Dir, e)
}

// removed keeps the removed records behind a record of a directory block that are aimed
// at.
func (a *aims) removed(w int, b *Block, e *layout.Dirent) {
	a.t.FS.RemovedBehind(b.Bytes, b.Flags, b.Logical, e, func(e *layout.Dirent) {
		if !a.has(e.Name) {
			return
		}
		if a.kept[w] == maxAimed {
			a.full.Store(true)
		} else if addLost(a.gone[w], nameKey(a.t.seed, b.Dir, e.Name), e) {
			a.kept[w]++
		}
	})
}

// A lostName is a record of a name that a directory once held.
type lostName struct {
	ino  Ino
	kind uint8 // the file type it says
}

// maxLost bounds how many removed records of one name are kept.
const maxLost = 64

// addLost adds a removed record, if it is new.
func addLost(lost map[uint64][]lostName, key uint64, e *layout.Dirent) bool {
	n := lostName{e.Ino, e.Type}
	if len(lost[key]) >= maxLost || slices.Contains(lost[key], n) {
		return false
	}
	lost[key] = append(lost[key], n)
	return true
}

// nameKey is the key of a name in a directory, under a seed that no image can know. No
// key is 0.
func nameKey(seed maphash.Seed, dir Ino, name []byte) uint64 {
	return hashKey(dir, maphash.Bytes(seed, name))
}

// hashKey is nameKey by the hash of the name.
func hashKey(dir Ino, hash uint64) uint64 {
	return max(hash^uint64(dir)*0x9e3779b97f4a7c15, 1)
}
