package links

import (
	"math/bits"
	"sync/atomic"
)

// A table is a hash table with open addressing, from keys to inode numbers. It
// is at most two thirds full. No key is 0.
type table struct {
	keys []uint64
	inos []uint32
}

func newTable(n int) table {
	n += n/2 + 2
	return table{make([]uint64, n), make([]uint32, n)}
}

// first is where a key goes if nothing is there: keys are hashes, so they spread.
func (t *table) first(key uint64) int {
	i, _ := bits.Mul64(key, uint64(len(t.keys)))
	return int(i)
}

// find gives the place of a key, -1 if it is not there.
func (t *table) find(key uint64) int {
	for i := t.first(key); ; i++ {
		if i == len(t.keys) {
			i = 0
		}
		switch t.keys[i] {
		case key:
			return i
		case 0:
			return -1
		}
	}
}

// get gives what a key leads to.
func (t *table) get(key uint64) (ino Ino, ok bool) {
	i := t.find(key)
	if i < 0 {
		return 0, false
	}
	return Ino(t.inos[i]), true
}

// set makes a key that is there lead to ino. Several goroutines may call it.
func (t *table) set(key uint64, ino Ino) {
	if i := t.find(key); i >= 0 {
		atomic.StoreUint32(&t.inos[i], uint32(ino))
	}
}

// enter puts in a key; where it is there twice, the lowest number counts, which 0 is none
// of. Several goroutines may call it, while nobody looks anything up.
func (t *table) enter(key uint64, ino Ino) {
	for i := t.first(key); ; i++ {
		if i == len(t.keys) {
			i = 0
		}
		// Not looked at first: memory that was only read so far has to be found twice.
		k := &t.keys[i]
		if atomic.CompareAndSwapUint64(k, 0, key) || atomic.LoadUint64(k) == key {
			if !atomic.CompareAndSwapUint32(&t.inos[i], 0, uint32(ino)) {
				lower(&t.inos[i], uint32(ino))
			}
			return
		}
	}
}
