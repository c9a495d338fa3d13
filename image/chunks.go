package image

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Chunks are parts of an image that have to be decoded as a whole, all of the same
// length but for the last. What was decoded is kept for a while, in shards so that many
// goroutines get at it; a chunk that several ask for at once is decoded once.
type chunks struct {
	size   int64 // of the image, in bytes
	length int   // of a chunk
	// decode fills dst, which is as long as chunk i, or tells why it cannot. It may be
	// called from any number of goroutines.
	decode func(dst []byte, i int64) error

	shards []chunkShard
	ahead  chan struct{} // one token a goroutine that may decode ahead

	mu   sync.Mutex
	next int64 // the chunk that goes on where the last read ended
}

const (
	chunkShards = 16       // at most: fewer where chunks are so long that each has two
	chunkMemory = 32 << 20 // bytes of decoded chunks that are kept, or two chunks
)

type chunkShard struct {
	mu   sync.Mutex
	kept map[int64]*chunk
	ring []int64 // of those kept, the oldest at turn
	turn int
}

type chunk struct {
	done chan struct{} // closed when data and err are set
	data []byte
	err  error
}

func newChunks(size int64, length int, decode func(dst []byte, i int64) error) *chunks {
	c := &chunks{size: size, length: length, decode: decode, ahead: make(chan struct{}, runtime.GOMAXPROCS(0))}
	c.shards = make([]chunkShard, min(max(chunkMemory/2/length, 1), chunkShards))
	for i := range c.shards {
		c.shards[i].kept = map[int64]*chunk{}
		c.shards[i].ring = make([]int64, max(chunkMemory/length/len(c.shards), 2))
		for k := range c.shards[i].ring {
			c.shards[i].ring[k] = -1
		}
	}
	return c
}

// chunkLen is how long chunk i is.
func (c *chunks) chunkLen(i int64) int { return int(min(int64(c.length), c.size-i*int64(c.length))) }

// get gives chunk i, which is not to be changed.
func (c *chunks) get(i int64) ([]byte, error) {
	s := &c.shards[i%int64(len(c.shards))]
	s.mu.Lock()
	k, ok := s.kept[i]
	if !ok {
		k = &chunk{done: make(chan struct{})}
		s.kept[i] = k
		delete(s.kept, s.ring[s.turn])
		s.ring[s.turn] = i
		s.turn = (s.turn + 1) % len(s.ring)
	}
	s.mu.Unlock()
	if !ok {
		data := make([]byte, c.chunkLen(i))
		if k.err = c.decode(data, i); k.err == nil {
			k.data = data
		}
		close(k.done)
	}
	<-k.done
	return k.data, k.err
}

// ReadAt reads as io.ReaderAt says a range that lies inside of the image. Of several
// chunks as many are decoded at once as there are cores; where reads follow each other,
// the chunks behind are decoded before they are asked for.
func (c *chunks) ReadAt(p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	length := int64(c.length)
	first, last := off/length, (off+int64(len(p))-1)/length
	c.readAhead(first, last)
	errs := make([]error, last-first+1)
	var next atomic.Int64
	work := func() {
		for {
			i := first + next.Add(1) - 1
			if i > last {
				return
			}
			errs[i-first] = c.part(p, off, i)
		}
	}
	var wg sync.WaitGroup
	for range min(int64(runtime.GOMAXPROCS(0)), last-first+1) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	for k, err := range errs {
		if err != nil {
			return int(max((first+int64(k))*length-off, 0)), err
		}
	}
	return len(p), nil
}

// part fills what p, which lies at off, has of chunk i.
func (c *chunks) part(p []byte, off, i int64) error {
	start := i * int64(c.length)
	n := int64(c.chunkLen(i))
	if start >= off && start+n <= off+int64(len(p)) && !c.has(i) {
		return c.decode(p[start-off:][:n], i) // all of it: no need to keep it
	}
	data, err := c.get(i)
	if err != nil {
		return err
	}
	if start < off {
		copy(p, data[off-start:])
	} else {
		copy(p[start-off:], data)
	}
	return nil
}

func (c *chunks) has(i int64) bool {
	s := &c.shards[i%int64(len(c.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[i] != nil
}

// readAhead starts on the chunks behind last where the read goes on where the one before
// ended.
func (c *chunks) readAhead(first, last int64) {
	c.mu.Lock()
	follows := first == c.next || first+1 == c.next
	c.next = last + 1
	c.mu.Unlock()
	if !follows {
		return
	}
	for i := last + 1; i <= last+int64(cap(c.ahead)) && i*int64(c.length) < c.size; i++ {
		if c.has(i) {
			continue
		}
		select {
		case c.ahead <- struct{}{}:
			go func() {
				_, _ = c.get(i)
				<-c.ahead
			}()
		default:
			return
		}
	}
}
