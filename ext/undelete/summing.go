package undelete

import (
	"hash"
	"slices"
	"sync"

	"github.com/extscope/extscope/ext/digest"
)

// A crew sums up what files are made of while they are read and written, each of its
// summers two of them at once. The zero value is ready, for several goroutines.
type crew struct {
	mu      sync.Mutex // guards all of the crew
	summers []*summer  // at work
}

// A summer is a goroutine, while it has a stream.
type summer struct {
	crew    *crew
	streams [2]*stream
	more    sync.Cond // for one of them there is something to do
	pair    digest.Pair
}

// A stream is what one file is made of.
type stream struct {
	by   *summer
	sum  hash.Hash
	free chan []byte        // pieces that are summed up
	lent []*[copyPiece]byte // given to the file's writer, to have some more
	done chan struct{}      // closed when all is summed up

	todo  []summand
	ended bool
	room  sync.Cond // in todo
}

// A summand is what comes next; a piece is free again afterwards.
type summand struct {
	bytes []byte
	piece bool
}

// ahead is how many pieces there are beside that which the writer had: with half as many the
// two files of a summer are often not at hand at the same time.
const ahead = 6

// join begins to sum up a file.
func (c *crew) join(sum hash.Hash) *stream {
	s := &stream{sum: sum, free: make(chan []byte, ahead+1), done: make(chan struct{})}
	for range ahead {
		p := pieces.Get().(*[copyPiece]byte)
		s.lent = append(s.lent, p)
		s.free <- p[:]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.room.L = &c.mu
	for _, m := range c.summers {
		for i := range m.streams {
			if m.streams[i] == nil {
				m.streams[i], s.by = s, m
				return s
			}
		}
	}
	m := &summer{crew: c, streams: [2]*stream{s}}
	m.more.L, s.by = &c.mu, m
	c.summers = append(c.summers, m)
	go m.work()
	return s
}

// add has something summed up, once all before it is.
func (s *stream) add(x summand) {
	c := s.by.crew
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(s.todo) > ahead {
		s.room.Wait()
	}
	s.todo = append(s.todo, x)
	s.by.more.Signal()
}

// end waits until all is summed up.
func (s *stream) end() {
	c := s.by.crew
	c.mu.Lock()
	s.ended = true
	s.by.more.Signal()
	c.mu.Unlock()
	<-s.done
	for _, p := range s.lent {
		pieces.Put(p)
	}
}

func (m *summer) work() {
	c := m.crew
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for i, s := range m.streams {
			if s != nil && s.ended && len(s.todo) == 0 {
				close(s.done)
				m.streams[i] = nil
			}
		}
		if m.streams == [2]*stream{} {
			c.summers = slices.DeleteFunc(c.summers, func(x *summer) bool { return x == m })
			return
		}
		a, b := m.next()
		if a == nil {
			m.more.Wait()
			continue
		}
		x, y := a.take(), summand{}
		if b != nil {
			y = b.take()
		}
		c.mu.Unlock()
		if b == nil {
			a.sum.Write(x.bytes)
		} else {
			m.pair.Write(a.sum, b.sum, x.bytes, y.bytes)
			b.give(y)
		}
		a.give(x)
		c.mu.Lock()
	}
}

// next gives the streams to go on with: both, where both have something to do. One goes on
// alone where there is no other, or its writer would have to wait for the other's.
func (m *summer) next() (a, b *stream) {
	a, b = m.streams[0], m.streams[1]
	if a == nil || len(a.todo) == 0 {
		a, b = b, a
	}
	switch {
	case a == nil || len(a.todo) == 0:
		return nil, nil
	case b == nil:
		return a, nil
	case len(b.todo) > 0:
		return a, b
	case a.ended || len(a.todo) >= ahead:
		return a, nil
	}
	return nil, nil
}

func (s *stream) take() summand {
	x := s.todo[0]
	s.todo = s.todo[:copy(s.todo, s.todo[1:])]
	s.room.Signal()
	return x
}

// give gives a piece back to the writer.
func (s *stream) give(x summand) {
	if x.piece {
		s.free <- x.bytes[:cap(x.bytes)]
	}
}
