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
	crew     *crew       // sums up beside
	beside   func() bool // whether it is to be asked
	progress func(int64)
	at       int64 // written so far, holes included
	end      int64 // of what was really written
	err      error

	piece  *[copyPiece]byte // that next gives, while nothing is summed up beside
	stream *stream          // what is summed up beside, once that was begun
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
	}
	switch {
	case w.sum == nil:
	case w.stream == nil:
		w.sum.Write(p)
	default:
		w.stream.add(summand{p, true})
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
	if w.at == w.end {
		return nil
	}
	return w.f.Truncate(w.at)
}

// stop ends what runs beside; called again it does nothing.
func (w *fileWriter) stop() {
	if w.stream != nil {
		w.stream.end()
		w.stream = nil
	}
	if w.piece != nil {
		pieces.Put(w.piece)
		w.piece = nil
	}
}
