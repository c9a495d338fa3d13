package report

import "io"

// sinkSize is how much output gathers before it is written.
const sinkSize = 64 << 10

// A sink gathers output for w. Formats append to buf and call spill after each
// row; an error of w comes back from there, and from every call after it.
type sink struct {
	w   io.Writer
	buf []byte
	err error
}

func newSink(w io.Writer) *sink { return &sink{w: w, buf: make([]byte, 0, sinkSize+sinkSize/4)} }

// spill writes the buffer out if there is enough in it.
func (s *sink) spill() error {
	if len(s.buf) < sinkSize {
		return s.err
	}
	return s.flush()
}

func (s *sink) flush() error {
	if s.err != nil || len(s.buf) == 0 {
		return s.err
	}
	n, err := s.w.Write(s.buf)
	if err == nil && n < len(s.buf) {
		err = io.ErrShortWrite
	}
	s.buf, s.err = s.buf[:0], err
	return err
}

// Write makes a sink an io.Writer, for a Report's Text and for tablewriter.
func (s *sink) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	s.buf = append(s.buf, p...)
	if err := s.spill(); err != nil {
		return 0, err
	}
	return len(p), nil
}
