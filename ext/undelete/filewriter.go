package undelete

import (
	"context"
	"hash"
	"os"
	"sync/atomic"
)

// A fileWriter writes a file with holes and sums it up. What Write is given stays its own
// until next gives it again.
type fileWriter struct {
	ctx      context.Context
	f        *os.File
	sum      hash.Hash   // nil without one
	crew     *crew       // sums up beside
	beside   func() bool // whether it is to be asked
	idle     func() bool // whether there are cores for writing beside reading, too
	progress func(int64)
	at       int64 // written so far, holes included
	end      int64 // of what was really written
	err      error

	piece  *[copyPiece]byte // that next gives, while nothing is summed up beside
	stream *stream          // what is summed up beside, once that was begun

	todo    chan draft    // what is written beside, once that was begun, and summed up then
	written chan struct{} // closed when all is
	failed  atomic.Pointer[error]
}

// A draft is what to write at some place, or a hole.
type draft struct {
	bytes []byte
	at    int64
	hole  int64
}

// A piecer is a writer that says where what it is given next is to be read to: a slice of
// copyPiece bytes.
type piecer interface{ next() []byte }

func (w *fileWriter) next() []byte {
	if w.stream != nil {
		return <-w.stream.free
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
	if w.sum != nil && w.stream == nil && len(p) >= apart && w.beside() {
		w.stream = w.crew.join(w.sum)
		if w.idle() {
			w.todo, w.written = make(chan draft, ahead), make(chan struct{})
			go w.work()
		}
	}
	if w.todo != nil {
		w.todo <- draft{bytes: p, at: w.at}
		w.at += int64(len(p))
		w.end = w.at
		if err := w.failed.Load(); err != nil {
			return 0, *err
		}
		return len(p), nil
	}
	switch {
	case w.sum == nil:
	case w.stream == nil:
		w.sum.Write(p)
	default:
		w.stream.add(summand{p, true})
	}
	n, err := w.put(p, w.at)
	w.at += int64(n)
	w.end = w.at
	if err != nil {
		w.err = err
	}
	return n, err
}

func (w *fileWriter) put(p []byte, at int64) (int, error) {
	n, err := w.f.WriteAt(p, at)
	if w.progress != nil {
		w.progress(int64(n))
	}
	return n, err
}

// work writes beside reading. After an error nothing more is written.
func (w *fileWriter) work() {
	defer close(w.written)
	for x := range w.todo {
		if x.bytes == nil {
			_ = w.sumZeros(x.hole) // the error is ctx's
			continue
		}
		if w.failed.Load() == nil {
			if _, err := w.put(x.bytes, x.at); err != nil {
				w.failed.Store(&err)
			}
		}
		w.stream.add(summand{x.bytes, true})
	}
}

var zeros = make([]byte, 1<<16)

// Hole leaves n bytes out: they read as zeros.
func (w *fileWriter) Hole(n int64) error {
	w.at += n
	switch {
	case w.sum == nil:
		return nil
	case w.todo != nil:
		w.todo <- draft{hole: n}
		return w.ctx.Err()
	}
	return w.sumZeros(n)
}

func (w *fileWriter) sumZeros(n int64) error {
	for n > 0 {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		k := min(n, int64(len(zeros)))
		if w.stream != nil {
			w.stream.add(summand{zeros[:k], false})
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
	if w.err != nil || w.at == w.end {
		return w.err
	}
	return w.f.Truncate(w.at)
}

// stop ends what runs beside; called again it does nothing.
func (w *fileWriter) stop() {
	if w.todo != nil {
		close(w.todo)
		<-w.written
		w.todo = nil
		if err := w.failed.Load(); err != nil {
			w.err = *err
		}
	}
	if w.stream != nil {
		w.stream.end()
		w.stream = nil
	}
	if w.piece != nil {
		pieces.Put(w.piece)
		w.piece = nil
	}
}
