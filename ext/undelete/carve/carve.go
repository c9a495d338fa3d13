// Package carve finds files by their contents, in space that nothing else
// claims. It knows blocks and bytes and the formats of files, and nothing of
// inodes: who owns a block, what a file was called and when it went is for
// others to say.
//
// What it counts on is how these file systems lay files out: a file starts at a
// block boundary, the kernel fills the rest of its last block with zeros, and
// most files are one run of blocks. So a file ends where its own structure ends,
// and only zeros may follow in that block. A header alone is never enough: a
// format is walked to its end, with whatever checksums it has, and text goes on
// to the block that zeros end.
//
// A file that goes on behind blocks in use, behind another's, or wherever an
// indirect block says, is followed there. Where nothing says, a piece in several
// runs is given only if checks of its format cover all of it.
package carve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/extscope/extscope/ext/layout"
)

// A Run is Len blocks from Start on.
type Run struct {
	Start layout.Block
	Len   uint64
}

// Options say how the file system lays blocks out.
type Options struct {
	BlockSize     int // in bytes, a power of two from 1024 to 65536
	ClusterBlocks int // blocks that are allocated together, 0 for one: files start at these
	// Indirect says that files are mapped by indirect blocks, as on ext2 and
	// ext3. Those that are left in free space then tell where a file goes on.
	Indirect bool
	Progress func(done, total int64) // in bytes; may be nil
}

// A Piece is what was found of one file.
type Piece struct {
	Runs []Run  // of the contents, in order
	Size int64  // in bytes, exact where Complete
	Type string // MIME type
	Ext  string // file name extension with its dot, "" where the type has none
	// Complete says that the contents told where they begin and end, and that
	// everything in between held.
	Complete bool
	Why      string // the evidence in words: "PNG: IEND chunk, 7 checksums hold"
}

// Find carves the free runs of r, which must be sorted and disjoint. Pieces come
// in the order of their first blocks and never overlap. Blocks that cannot be
// read end the files that they lie in; the first such error is given at the end,
// beside the pieces.
func Find(ctx context.Context, r io.ReaderAt, free []Run, o Options) ([]Piece, error) {
	sp, err := newSpace(r, free, o)
	if err != nil {
		return nil, err
	}
	c := &carver{space: sp, work: sp.bytes()*workFactor + workFloor}
	passes, pass := int64(1), int64(0)
	if o.Indirect {
		passes = 2
	}
	progress := func(done int64) {
		if o.Progress != nil {
			o.Progress((pass*sp.bytes()+done)/passes, sp.bytes())
		}
	}
	if o.Indirect {
		if err := c.findIndirect(ctx, progress); err != nil {
			return nil, err
		}
		pass++
	}
	if err := sp.scan(ctx, look, func(first uint64, data []byte, facts []fact) error {
		c.chunk, c.chunkAt = data, first
		for i := range facts {
			c.block(first+uint64(i), facts[i])
		}
		progress(int64(first)*int64(sp.blockSize) + int64(len(data)))
		return nil
	}); err != nil {
		return nil, err
	}
	c.chunk = nil
	c.again(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	slices.SortFunc(c.pieces, func(a, b Piece) int { return cmp.Compare(a.Runs[0].Start, b.Runs[0].Start) })
	return c.pieces, sp.firstError()
}

// Walks read what the scan has read already, and unlucky ones read in vain. All
// of them together may do workFactor times the work of one pass: hostile
// contents cost time in proportion to their size.
const (
	workFactor = 24
	workFloor  = 256 << 20
)

// maxAgain is how many walks that failed are tried again at the end.
const maxAgain = 1 << 16

// A carver takes the blocks of free space in order and makes pieces of them.
type carver struct {
	space   *space
	ind     *indirect // nil where there are no indirect blocks
	claimed claims
	pieces  []Piece
	failed  []uint64 // where a walk of a format that can prove itself came to no end
	unknown []uint64 // where a file of no known form may start
	heads   []uint64 // where a file may go on: the first blocks of stretches
	work    int64    // that walks may still do, in bytes

	chunk   []byte // what the scan has read last, from chunkAt on
	chunkAt uint64

	fresh    uint64 // where a text before broke off for sure
	prev     fact   // of the block before
	prevAt   uint64 // and which that was
	havePrev bool
}

// block looks at one block of free space: may a file start here?
func (c *carver) block(at uint64, f fact) {
	prev, adjacent := c.prev, c.havePrev && c.prevAt+1 == at && c.space.adjacent(at)
	c.prev, c.prevAt, c.havePrev = f, at, true
	if f.kind == zeroBlock || f.kind == metaBlock || c.claimed.has(at) {
		return
	}
	if f.kind == otherBlock && f.format == 0 && (!adjacent || prev.tail > 0 || c.claimed.has(at-1) || c.space.chunkStart(at)) && len(c.heads) < maxAgain {
		c.heads = append(c.heads, at)
	}
	if !c.space.mayStart(at) {
		return
	}
	if f.format != 0 {
		w := &formats[f.format]
		if c.try(at, w) {
			return
		}
		if w.proves && len(c.failed) < maxAgain {
			c.failed = append(c.failed, at)
		}
	}
	switch {
	case f.kind == textBlock && (f.anew || at == c.fresh || !c.ind.maps(at) && !(adjacent && prev.kind == textBlock && prev.tail == 0 && !c.claimed.has(at-1))):
		c.try(at, &textFormat)
	case f.kind == otherBlock && f.format == 0 && adjacent && prev.tail > 0 && len(c.unknown) < maxAgain && !c.ind.maps(at):
		c.unknown = append(c.unknown, at)
	}
}

// again tries the walks that failed once more, now that it is known which blocks
// belong to other files: a file may go on behind one of those. Last come those of
// no known form, which take what is left.
func (c *carver) again(ctx context.Context) {
	var left []uint64
	for _, at := range c.failed {
		if ctx.Err() != nil {
			return
		}
		if c.claimed.has(at) {
			continue
		}
		b := make([]byte, c.space.blockSize)
		if c.space.read(b, at) != nil {
			continue
		}
		if id := sniff(b); id != 0 && !c.try(at, &formats[id]) {
			left = append(left, at)
		}
	}
	c.search(ctx, left)
	for _, at := range c.unknown {
		if ctx.Err() == nil && c.claimed.has(at-1) && !c.claimed.has(at) {
			c.try(at, &unknownFormat)
		}
	}
}

// try walks one format from a block on and keeps the piece if it holds.
func (c *carver) try(at uint64, f *format) bool {
	s := newStream(c, at)
	defer s.close()
	return c.keep(s, f)
}

// keep walks a stream and makes a piece of it if the walk holds.
func (c *carver) keep(s *stream, f *format) bool {
	v := f.walk(s)
	if v.size <= 0 || s.spent() {
		return false
	}
	if !v.loose {
		size, ok := s.settle(v.size)
		if !ok {
			return false
		}
		v.size = size
	}
	if s.jumps(v.size) && !v.sure {
		return false // nothing says that the blocks on both sides belong together
	}
	spans := s.spans(v.size)
	if spans == nil {
		return false
	}
	p := Piece{Size: v.size, Type: f.typ, Ext: f.ext, Complete: !v.loose, Why: f.name + ": " + v.why}
	if v.typ != "" {
		p.Type, p.Ext = v.typ, v.ext
	}
	for _, sp := range spans {
		c.claimed.add(sp.at, sp.n)
		p.Runs = c.space.appendRuns(p.Runs, sp.at, sp.n)
	}
	c.pieces = append(c.pieces, p)
	return true
}

// read fills b with blocks from one on: most of them the scan has at hand.
func (c *carver) read(b []byte, at uint64) error {
	if at >= c.chunkAt {
		off := (at - c.chunkAt) * uint64(c.space.blockSize)
		if end := off + uint64(len(b)); end <= uint64(len(c.chunk)) && end > off {
			copy(b, c.chunk[off:end])
			return nil
		}
	}
	return c.space.read(b, at)
}

// meta reports whether a block is the file system's own, by its looks. Such a
// block may lie between two of a file.
func (c *carver) meta(at uint64) bool {
	if at >= c.space.total || c.work < 0 {
		return false
	}
	b := make([]byte, c.space.blockSize)
	c.work -= int64(len(b))
	return c.read(b, at) == nil && (isMeta(b) || c.ind != nil && isIndirect(b, c.space))
}

func checkOptions(o Options) error {
	if o.BlockSize < 1024 || o.BlockSize > 1<<16 || o.BlockSize&(o.BlockSize-1) != 0 {
		return fmt.Errorf("block size %d", o.BlockSize)
	}
	if o.ClusterBlocks < 0 {
		return errors.New("negative cluster size")
	}
	return nil
}
