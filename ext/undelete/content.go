package undelete

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// readBlock reads one block of a candidate's contents.
func (f *finder) readBlock(p []byte, c *Candidate, b Block) error {
	if f.log != nil {
		if copied, ok := f.log.Archive.CopyAt(b, f.until(c)); ok {
			return f.log.Journal.ReadCopy(p, copied)
		}
	}
	// What waits to be replayed there is of later.
	_, err := f.view.Home.ReadAt(p, f.fs.BlockOffset(b))
	return err
}

// doubled reports whether the transaction of the copy that readBlock takes has another one
// of the block that differs: of a block that was freed and taken again in one transaction,
// where data is journaled, the kernel logs both, in any order.
func (f *finder) doubled(c *Candidate, b Block) bool {
	taken, ok := f.log.Archive.CopyAt(b, f.until(c))
	if !ok {
		return false
	}
	all := f.log.Archive.Versions(b)
	i := slices.IndexFunc(all, func(v jbd2.Version) bool { return v.Log == taken.Log })
	if i < 1 || all[i-1].Transaction != all[i].Transaction {
		return false
	}
	one, other := make([]byte, f.fs.BlockSize()), make([]byte, f.fs.BlockSize())
	return f.log.Journal.ReadCopy(one, all[i].Copy) != nil || f.log.Journal.ReadCopy(other, all[i-1].Copy) != nil || !bytes.Equal(one, other)
}

// unreplayed reports whether what has a block of a candidate by now wrote it to the log
// only: the home block still holds none of that.
func (f *finder) unreplayed(c *Candidate, b Block) bool {
	if !f.running || f.log == nil {
		return false
	}
	var home, copied []byte
	for tx, later := range f.log.Archive.States(b) {
		if tx <= f.until(c) {
			continue
		}
		if home == nil {
			home, copied = make([]byte, f.fs.BlockSize()), make([]byte, f.fs.BlockSize())
			if f.view.Home.ReadBlock(home, b) != nil {
				return false
			}
		}
		if f.log.Transactions()[tx].State != jbd2.Live || f.log.Journal.ReadCopy(copied, later) != nil || bytes.Equal(home, copied) {
			return false
		}
	}
	return home != nil
}

// until is the last transaction that can hold contents of a candidate: the last before it
// was gone, as what is written to blocks that it has need not change its inode.
func (f *finder) until(c *Candidate) int {
	last := c.tx
	if c.gone > last && (c.Technique != OldVersion || c.Live) { // else another state came first
		last = c.gone - 1
	}
	return min(last.tx(), len(f.log.Transactions())-1)
}

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

// lengthenByEnd makes a file longer of which a later write is lost: with fast commits the
// inode of a write that was synced goes into a record, and records are written over. What a
// block holds behind the end of a file is zeros, as the kernel writes them out; so where
// there is more in the last block of an earlier state, the file ended there.
func (f *finder) lengthenByEnd(c *Candidate) {
	bs := uint64(f.fs.BlockSize())
	from := c.Size % bs
	if f.fs.Super.Compat&layout.CompatFastCommit == 0 || c.Grade != Unproven || c.Technique != InodeJournal && c.Technique != InodeFast ||
		c.Type != layout.ModeRegular || !c.SizeKnown || from == 0 || c.Inline != nil {
		return
	}
	i := slices.IndexFunc(c.Runs, func(r ext.Run) bool {
		return r.Kind == ext.Data && r.Logical <= c.Size/bs && c.Size/bs < r.Logical+r.Len
	})
	if i < 0 {
		return
	}
	buf := make([]byte, bs)
	if f.readBlock(buf, c, c.Runs[i].Physical+Block(c.Size/bs-c.Runs[i].Logical)) != nil {
		return
	}
	n := bs
	for n > from && buf[n-1] == 0 {
		n--
	}
	if n == from {
		return
	}
	c.Evidence = append(c.Evidence, fmt.Sprintf("%d bytes long in this state; its last block goes on behind that for %d more, by a later write: the end is where zeros begin", c.Size, n-from))
	c.Size += n - from
}

// Contents are what is written of a candidate.
type Contents struct {
	Size uint64    // in bytes
	Runs []ext.Run // Data runs that are read; the rest is holes
	Data uint64    // bytes of them, up to Size
	Left uint64    // blocks left out, as something else uses them by now
	Same uint64    // blocks left out, as they are mapped at another place of the file already
	Cut  bool      // Size ends with the last block mapped: the file's own is not proved
}

// Contents works out what to write of a candidate. Blocks that something else has used
// since are left out unless reused is set: what they hold is another file's. A size
// beyond the last block that is mapped counts only where the grade says that the map is
// whole. It is not for several goroutines at once.
func (r *Result) Contents(c *Candidate, reused bool) Contents {
	if c.Inline != nil {
		return Contents{Size: uint64(len(c.Inline)), Data: uint64(len(c.Inline))}
	}
	bs := uint64(r.f.fs.BlockSize())
	out := Contents{Size: c.Size}
	if reach := r.f.reach(c); c.Grade != Intact && c.Grade != Unproven && reach < c.Size {
		out.Size, out.Cut = reach, true
	}
	end := (out.Size + bs - 1) / bs
	for _, run := range c.Runs {
		if run.Kind != ext.Data || run.Logical >= end {
			continue
		}
		run.Len = min(run.Len, end-run.Logical)
		if reused || c.Coverage.Reused == 0 {
			out.Runs = append(out.Runs, run)
			continue
		}
		for i := range run.Len {
			b := run.Physical + Block(i)
			switch last := len(out.Runs) - 1; {
			case !c.orphan && !r.f.logged(c, b) && r.f.fate(c, b) == fateReused:
				out.Left++
			case last >= 0 && out.Runs[last].Logical+out.Runs[last].Len == run.Logical+i && out.Runs[last].Physical+Block(out.Runs[last].Len) == b:
				out.Runs[last].Len++
			default:
				out.Runs = append(out.Runs, ext.Run{Logical: run.Logical + i, Physical: b, Len: 1, Kind: ext.Data})
			}
		}
	}
	if r.f.fs.Super.ROCompat&layout.ROCompatSharedBlocks == 0 {
		out.Runs, out.Same = once(out.Runs)
	}
	for _, run := range out.Runs {
		out.Data += min((run.Logical+run.Len)*bs, out.Size) - run.Logical*bs
	}
	return out
}

// once leaves blocks out that are mapped a second time, so that no map makes a file
// larger than the disk it lies on.
func once(runs []ext.Run) (out []ext.Run, same uint64) {
	order := slices.Clone(runs)
	slices.SortStableFunc(order, func(a, b ext.Run) int { return cmp.Compare(a.Physical, b.Physical) })
	end := Block(0)
	for _, r := range order {
		twice := uint64(0)
		if r.Physical < end {
			twice = min(uint64(end-r.Physical), r.Len)
		}
		end = max(end, r.Physical+Block(r.Len))
		if r.Logical, r.Physical, r.Len = r.Logical+twice, r.Physical+Block(twice), r.Len-twice; r.Len > 0 {
			out = append(out, r)
		}
		same += twice
	}
	if same == 0 {
		return runs, 0
	}
	slices.SortFunc(out, func(a, b ext.Run) int { return cmp.Compare(a.Logical, b.Logical) })
	return out, same
}

// Copy writes the contents of a candidate to w, in order; to an ext.HoleWriter what is
// not mapped as holes. What cannot be read comes as zeros, and is told in the error; an
// error of w or of ctx ends it.
func (r *Result) Copy(ctx context.Context, w io.Writer, c *Candidate) error {
	return r.CopyContents(ctx, w, c, Contents{Size: c.Size, Runs: c.Runs})
}

// CopyContents is Copy of what Contents gave. Several goroutines may call it.
func (r *Result) CopyContents(ctx context.Context, w io.Writer, c *Candidate, what Contents) error {
	if c.Inline != nil {
		_, err := w.Write(c.Inline)
		return err
	}
	return r.f.copyTo(ctx, w, c, what)
}

// copyPiece is how much is read and written at once: what a core's cache holds, so that
// it is summed up and written from there.
const copyPiece = 256 << 10

// pieces are buffers of that size, for copying many files.
var pieces = sync.Pool{New: func() any { return new([copyPiece]byte) }}

func (f *finder) copyTo(ctx context.Context, w io.Writer, c *Candidate, what Contents) error {
	skip := skipper(ctx, w)
	bs := uint64(f.fs.BlockSize())
	var errs []error
	var next func() []byte
	if lends, ok := w.(piecer); ok {
		next = lends.next
	} else {
		piece := pieces.Get().(*[copyPiece]byte)
		defer pieces.Put(piece)
		next = func() []byte { return piece[:] }
	}
	at := uint64(0)
	for _, r := range what.Runs {
		from := r.Logical * bs
		if r.Kind != ext.Data || from >= what.Size {
			continue
		}
		if from > at {
			if err := skip(from - at); err != nil {
				return err
			}
			at = from
		}
		left := min(r.Len*bs, what.Size-from)
		for b := r.Physical; left > 0; {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(left, copyPiece) // whole blocks but for the last: none is over 64 KiB
			p := next()[:n]
			if err := f.readRun(p, c, b); err != nil && len(errs) < 16 {
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
	if at < what.Size {
		if err := skip(what.Size - at); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// skipper gives what leaves zeros out of w, or writes them.
func skipper(ctx context.Context, w io.Writer) func(n uint64) error {
	if holes, ok := w.(ext.HoleWriter); ok {
		return func(n uint64) error { return holes.Hole(int64(n)) }
	}
	zeros := make([]byte, 64<<10)
	return func(n uint64) error {
		for n > 0 {
			k := min(n, uint64(len(zeros)))
			if err := ctx.Err(); err != nil {
				return err
			}
			if _, err := w.Write(zeros[:k]); err != nil {
				return err
			}
			n -= k
		}
		return nil
	}
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
