package undelete

import (
	"context"
	"hash"
	"os"
)

// A fileWriter writes a file with holes and sums it up.
type fileWriter struct {
	ctx      context.Context
	f        *os.File
	sum      hash.Hash   // nil without one
	beside   func() bool // whether to sum up and write at the same time
	progress func(int64)
	at       int64 // written so far, holes included
	end      int64 // of what was really written
	err      error
}

// apart is how many bytes have to be written at once to be summed up beside that: of
// fewer the hand-over takes longer.
const apart = 64 << 10

func (w *fileWriter) Write(p []byte) (int, error) {
	var summed chan struct{}
	switch {
	case w.sum == nil:
	case len(p) < apart || !w.beside():
		w.sum.Write(p)
	default:
		summed = make(chan struct{})
		go func() { w.sum.Write(p); close(summed) }()
	}
	n, err := w.f.WriteAt(p, w.at)
	if summed != nil {
		<-summed
	}
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
		w.sum.Write(zeros[:k])
		n -= k
	}
	return nil
}

// finish makes the file as long as it is to be.
func (w *fileWriter) finish() error {
	if w.at == w.end {
		return nil
	}
	return w.f.Truncate(w.at)
}
