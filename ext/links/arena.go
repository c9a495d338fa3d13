package links

// arenaChunk is how many bytes of an arena are allocated at once.
const arenaChunk = 64 << 10

// An arena keeps short byte strings one behind the other, without an allocation
// each and without ever moving them. The zero value is empty.
type arena struct {
	chunks [][]byte
}

// put copies b, of at most arenaChunk bytes, and gives a handle to it; ok is
// false when no handle is left.
func (a *arena) put(b []byte) (handle uint32, ok bool) {
	last := len(a.chunks) - 1
	if last < 0 || len(a.chunks[last])+len(b) > arenaChunk {
		if last+1 == 1<<32/arenaChunk || len(b) > arenaChunk {
			return 0, false
		}
		last++
		a.chunks = append(a.chunks, make([]byte, 0, arenaChunk))
	}
	at := len(a.chunks[last])
	a.chunks[last] = append(a.chunks[last], b...)
	return uint32(last*arenaChunk + at), true
}

// get gives the n bytes behind a handle; they are not to be changed.
func (a *arena) get(handle uint32, n int) []byte {
	at := handle % arenaChunk
	return a.chunks[handle/arenaChunk][at:][:n:n]
}

// size is how many bytes the arena takes.
func (a *arena) size() int { return len(a.chunks) * arenaChunk }
