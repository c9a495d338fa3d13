package undelete

// storeChunk is how many bytes of a store are allocated at once, and storeUnit what the
// places in it are counted in: 16 GiB can be told apart.
const (
	storeChunk = 64 << 10
	storeUnit  = 4
	maxChunks  = 1 << 32 * storeUnit / storeChunk
)

// A store keeps byte strings one behind the other, without an allocation and a header for
// each. What is in it stays where it is.
type store struct{ chunks [][]byte }

// put copies b, and gives its place; ok is false where the store is full.
func (s *store) put(b []byte) (at uint32, ok bool) {
	last := len(s.chunks) - 1
	if last < 0 || len(s.chunks[last])+len(b) > cap(s.chunks[last]) {
		n := max((len(b)+storeChunk-1)/storeChunk, 1)
		if len(s.chunks)+n > maxChunks {
			return 0, false
		}
		last++
		s.chunks = append(s.chunks, make([]byte, 0, n*storeChunk))
		s.chunks = append(s.chunks, make([][]byte, n-1)...) // reached by no place
	}
	chunk := s.chunks[last]
	at = uint32((last*storeChunk + len(chunk)) / storeUnit)
	chunk = append(chunk, b...)
	s.chunks[last] = chunk[:min((len(chunk)+storeUnit-1)&^(storeUnit-1), cap(chunk))]
	return at, true
}

// from gives what lies from a place on: a string that put took, and what came behind it.
func (s *store) from(at uint32) []byte {
	p := uint64(at) * storeUnit
	return s.chunks[p/storeChunk][p%storeChunk:]
}

const tableRows = 1 << 10

// A table is a list of many small things that stay where they are while it grows.
type table[T any] struct {
	chunks []*[tableRows]T
	count  int
}

// add adds a row of zeros, and gives its place.
func (t *table[T]) add() (n int32, row *T) {
	if t.count%tableRows == 0 {
		t.chunks = append(t.chunks, new([tableRows]T))
	}
	n = int32(t.count)
	t.count++
	return n, t.nth(n)
}

// nth gives a row by its place.
func (t *table[T]) nth(n int32) *T { return &t.chunks[n/tableRows][n%tableRows] }

// slots find numbers by hashes, at load factors below 3/4: what a map would do, in a
// fraction of the memory. Which number it is that a hash stands for the caller compares.
type slots struct {
	list []int32 // numbers plus one, 0 where there is none; a power of two long
	used int
}

// find gives the number with a hash for which same is true, or -1.
func (s *slots) find(hash uint64, same func(n int32) bool) int32 {
	if len(s.list) == 0 {
		return -1
	}
	mask := uint64(len(s.list) - 1)
	for i := hash & mask; s.list[i] != 0; i = (i + 1) & mask {
		if n := s.list[i] - 1; same(n) {
			return n
		}
	}
	return -1
}

// add adds a number that is not there yet; hash gives those of the numbers.
func (s *slots) add(n int32, hash func(n int32) uint64) {
	if s.used*4 >= len(s.list)*3 {
		old := s.list
		s.list = make([]int32, max(2*len(old), 64))
		for _, o := range old {
			if o != 0 {
				s.place(o, hash(o-1))
			}
		}
	}
	s.place(n+1, hash(n))
	s.used++
}

func (s *slots) place(o int32, hash uint64) {
	mask := uint64(len(s.list) - 1)
	i := hash & mask
	for s.list[i] != 0 {
		i = (i + 1) & mask
	}
	s.list[i] = o
}

// exchange puts a number in the place of another with the same hash.
func (s *slots) exchange(hash uint64, old, now int32) {
	mask := uint64(len(s.list) - 1)
	i := hash & mask
	for s.list[i] != old+1 {
		i = (i + 1) & mask
	}
	s.list[i] = now + 1
}
