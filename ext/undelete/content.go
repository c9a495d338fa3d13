package undelete

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/extscope/extscope/ext"
)

// readBlock reads one block of a candidate's contents.
func (f *finder) readBlock(p []byte, c *Candidate, b Block) error {
	if f.log != nil {
		if copied, ok := f.log.Archive.CopyAt(b, f.until(c)); ok {
			return f.log.Journal.ReadCopy(p, copied)
		}
	}
	return f.fs.ReadBlock(p, b)
}

// until is the last transaction that can hold contents of a candidate.
func (f *finder) until(c *Candidate) int { return min(c.tx.tx(), len(f.log.Transactions())-1) }

// trim sets the size of a file whose size is not known to the end of what is not zero
// in its last block.
func (f *finder) trim(c *Candidate) {
	bs := uint64(f.fs.BlockSize())
	buf := make([]byte, bs)
	for i := len(c.Runs) - 1; i >= 0; i-- {
		r := c.Runs[i]
		if r.Kind != ext.Data {
			continue
		}
		if f.readBlock(buf, c, r.Physical+Block(r.Len-1)) != nil {
			return
		}
		n := len(buf)
		for n > 0 && buf[n-1] == 0 {
			n--
		}
		c.Size = (r.Logical+r.Len-1)*bs + uint64(n)
		return
	}
}

// Copy writes the contents of a candidate to w, in order; to an ext.HoleWriter what is
// not mapped as holes. What cannot be read comes as zeros, and is told in the error; an
// error of w or of ctx ends it.
func (r *Result) Copy(ctx context.Context, w io.Writer, c *Candidate) error {
	return r.f.copyTo(ctx, w, c)
}

func (f *finder) copyTo(ctx context.Context, w io.Writer, c *Candidate) error {
	if c.Inline != nil {
		_, err := w.Write(c.Inline)
		return err
	}
	holes, _ := w.(ext.HoleWriter)
	bs := uint64(f.fs.BlockSize())
	zeros := make([]byte, 64<<10)
	skip := func(n uint64) error {
		if holes != nil {
			return holes.Hole(int64(n))
		}
		for n > 0 {
			k := min(n, uint64(len(zeros)))
			if _, err := w.Write(zeros[:k]); err != nil {
				return err
			}
			n -= k
		}
		return nil
	}
	var errs []error
	at := uint64(0)
	buf := make([]byte, max(bs, 256<<10))
	for _, r := range c.Runs {
		from := r.Logical * bs
		if r.Kind != ext.Data || from >= c.Size {
			continue
		}
		if from > at {
			if err := skip(from - at); err != nil {
				return err
			}
			at = from
		}
		left := min(r.Len*bs, c.Size-from)
		for b := r.Physical; left > 0; {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(left, uint64(len(buf)))
			p := buf[:n]
			if err := f.readRun(p, c, b); err != nil {
				errs = append(errs, fmt.Errorf("block %d: %w", b, err))
			}
			if _, err := w.Write(p); err != nil {
				return err
			}
			left -= n
			at += n
			b += Block((n + bs - 1) / bs)
		}
	}
	if at < c.Size {
		if err := skip(c.Size - at); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// readRun reads contents that begin with block b; what cannot be read is zeros.
func (f *finder) readRun(p []byte, c *Candidate, b Block) error {
	bs := f.fs.BlockSize()
	if f.log == nil || len(f.log.Archive.BlocksIn(b, uint64((len(p)+bs-1)/bs))) == 0 {
		n, err := f.fs.ReadAt(p, f.fs.BlockOffset(b))
		if n < len(p) {
			clear(p[n:])
			return err
		}
		return nil
	}
	one := make([]byte, bs)
	var errs []error
	for len(p) > 0 {
		if err := f.readBlock(one, c, b); err != nil {
			clear(one)
			errs = append(errs, err)
		}
		p = p[copy(p, one):]
		b++
	}
	return errors.Join(errs...)
}
