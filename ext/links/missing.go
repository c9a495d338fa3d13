package links

import (
	"cmp"
	"hash/maphash"
	"slices"
)

// missing implements Missing: names by their hashes, sorted, and beside each the
// directory. Most names are none of them, which the filter tells at once.
type missing struct {
	seed   maphash.Seed
	filter []uint64 // a power of two long
	hashes []uint64
	dirs   []Ino
	in     Set
}

// missing lists what was asked for and is not there.
func (l *lookups) missing() *missing {
	var list []query
	for _, q := range l.asked {
		if ino, _ := l.answers.get(q.key()); !q.fold && ino == 0 {
			list = append(list, q)
		}
	}
	slices.SortFunc(list, func(a, b query) int {
		if a.hash != b.hash {
			return cmp.Compare(a.hash, b.hash)
		}
		return cmp.Compare(a.dir, b.dir)
	})
	list = slices.Compact(list)
	words := 1
	for words*8 < len(list) { // eight bits a name
		words *= 2
	}
	m := &missing{seed: l.t.seed, filter: make([]uint64, words), in: l.t.NewSet()}
	for _, q := range list {
		word, bit := m.place(q.hash)
		m.filter[word] |= bit
		m.hashes, m.dirs = append(m.hashes, q.hash), append(m.dirs, q.dir)
		m.in.Add(q.dir)
	}
	return m
}

func (m *missing) place(hash uint64) (word int, bit uint64) {
	return int(hash >> 6 & uint64(len(m.filter)-1)), 1 << (hash & 63)
}

func (m *missing) Dirs(name []byte) []Ino {
	hash := maphash.Bytes(m.seed, name)
	if word, bit := m.place(hash); m.filter[word]&bit == 0 {
		return nil
	}
	from, found := slices.BinarySearch(m.hashes, hash)
	if !found {
		return nil
	}
	to := from + 1
	for to < len(m.hashes) && m.hashes[to] == hash {
		to++
	}
	return m.dirs[from:to]
}

func (m *missing) Any(dir Ino) bool { return m.in.Has(dir) }
