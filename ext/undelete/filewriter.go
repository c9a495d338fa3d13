package undelete

import (
	"context"
	"hash"
	"os"
)

// A fileWriter writes a file with holes and sums it up. What Write is given stays its own
// until next gives it again.
type fileWriter struct {
	ctx      context.Context
	f        *os.File
	sum      hash.Hash   // nil without one
	beside   func() bool // whether there is a core to sum up on
	progress func(int64)
	at       int64 // written so far, holes included
	end      int64 // of what was really written
	err      error

	piece  *[copyPiece]byte // that next gives, while nothing is summed up beside
	summer *summer          // sums up beside, once that was begun
}

// A piecer is a writer that says where what it is given next is to be read to: a slice of
// copyPiece bytes.
type piecer interface{ next() []byte }

func (w *fileWriter) next() []byte {
	if w.summer != nil {
		return <-w.summer.free
	}
	if w.piece == nil {
		w.piece = pieces.Get().(*[copyPiece]byte)
	}
	return w.piece[:]
}

// apart is how many bytes have to be written at once for summing up beside to begin: of
// fewer the hand-over takes longer.
const apart = 64 << 10

func (w *fileWriter) Write(p []byte) (int, error) {
	if w.sum != nil && w.summer == nil && len(p) >= apart && w.beside() {
		w.summer = newSummer(w.sum)
	}
	switch {
	case w.sum == nil:
	case w.summer == nil:
		w.sum.Write(p)
	default:
		w.summer.todo <- summand{p, true}
	}
	n, err := w.f.WriteAt(p, w.at)
	w.at += int64(n)
	w.end = w.at
	if w.progress != nil {
		w.progress(int64(n))
	}
	if err != nil {
		w.err = err
	}
	return n, err
}

var zeros = make([]byte, 1<<16)

// Hole leaves n bytes out: they read as zeros.
func (w *fileWriter) Hole(n int64) error {
	w.at += n
	if w.sum == nil {
		return nil
	}
	for n > 0 {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		k := min(n, int64(len(zeros)))
		if w.summer != nil {
			w.summer.todo <- summand{zeros[:k], false}
		} else {
			w.sum.Write(zeros[:k])
		}
		n -= k
	}
	return nil
}

// finish makes the file as long as it is to be, and the sum whole.
func (w *fileWriter) finish() error {
	w.stop()
	if w.at == w.end {
		return nil
	}
	return w.f.Truncate(w.at)
}

// stop ends what runs beside; called again it does nothing.
func (w *fileWriter) stop() {
	if w.summer != nil {
		w.summer.stop()
		w.summer = nil
	}
	if w.piece != nil {
		pieces.Put(w.piece)
		w.piece = nil
	}
}

// A summer sums up what a file is made of while that is read and written: a core does
// either at about the same speed.
type summer struct {
	todo chan summand
	free chan []byte // pieces that are summed up
	done chan struct{}
	lent []*[copyPiece]byte
}

// A summand is what comes next; a piece is free again afterwards.
type summand struct {
	bytes []byte
	piece bool
}

// ahead is how many pieces there are beside that which the writer had.
const ahead = 3

func newSummer(sum hash.Hash) *summer {
	s := &summer{
		todo: make(chan summand, ahead+1),
		free: make(chan []byte, ahead+1),
		done: make(chan struct{}),
	}
	for range ahead {
		p := pieces.Get().(*[copyPiece]byte)
		s.lent = append(s.lent, p)
		s.free <- p[:]
	}
	go func() {
		defer close(s.done)
		for next := range s.todo {
			sum.Write(next.bytes)
			if next.piece {
				s.free <- next.bytes[:cap(next.bytes)]
			}
		}
	}()
	return s
}

func (s *summer) stop() {
	close(s.todo)
	<-s.done
	for _, p := range s.lent {
		pieces.Put(p)
	}
}
