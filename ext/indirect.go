package ext

import (
	"encoding/binary"

	"github.com/extscope/extscope/ext/layout"
)

var le = binary.LittleEndian

// Slots of i_block in a block map (EXT4_NDIR_BLOCKS and on).
const (
	directSlots = 12
	mapSlots    = 15 // then the single, double and triple indirect block
)

// An indirectWalk yields the blocks of one inode with a block map, as runs as
// long as they come.
type indirectWalk struct {
	fs    *FS
	in    *Inode
	yield func(Run, error) bool
	seen  map[Block]struct{} // indirect blocks visited: a map holds each once
	run   Run                // the run being gathered; Len 0 for none
	bufs  [4][]byte          // one block a level
}

func (w *indirectWalk) root() {
	at := w.in.Offset + 0x28
	logical := uint64(0)
	for i := range mapSlots {
		b := Block(le.Uint32(w.in.Block[4*i:]))
		level := max(i-directSlots+1, 0)
		if b != 0 && !w.block(b, level, logical, at+int64(4*i)) {
			return
		}
		logical += w.span(level)
	}
	w.flush()
}

// span is how many file blocks a pointer of this level covers.
func (w *indirectWalk) span(level int) uint64 {
	return 1 << (uint(level) * (w.fs.blockBits - 2))
}

// block yields what pointer b, of this level of indirection, maps from file
// block logical on; at is where the pointer lies.
func (w *indirectWalk) block(b Block, level int, logical uint64, at int64) bool {
	if !w.fs.InRange(b, 1) {
		return w.flush() && w.yield(Run{}, corrupt("block map", pointerName(level), at, uint64(b)))
	}
	if level == 0 {
		if w.run.Len > 0 && logical == w.run.Logical+w.run.Len && b == w.run.Physical+Block(w.run.Len) {
			w.run.Len++
			return true
		}
		if !w.flush() {
			return false
		}
		w.run = Run{logical, b, 1, Data}
		return true
	}
	if !w.flush() {
		return false
	}
	if _, again := w.seen[b]; again {
		return w.yield(Run{}, corrupt("block map", pointerName(level)+" (a block met before)", at, uint64(b)))
	}
	if w.seen == nil {
		w.seen = make(map[Block]struct{})
	}
	w.seen[b] = struct{}{}
	if !w.yield(Run{logical, b, 1, Index}, nil) {
		return false
	}
	if w.bufs[level] == nil {
		w.bufs[level] = make([]byte, w.fs.blockSize)
	}
	buf := w.bufs[level]
	if err := w.fs.ReadBlock(buf, b); err != nil {
		return w.yield(Run{}, err)
	}
	step := w.span(level - 1)
	for i := 0; i < len(buf); i += 4 {
		for ; i+8 < len(buf) && le.Uint64(buf[i:]) == 0; i += 8 {
			logical += 2 * step // most of the last block of a map
		}
		if p := le.Uint32(buf[i:]); p != 0 && !w.block(Block(p), level-1, logical, w.fs.bytes(b)+int64(i)) {
			return false
		}
		logical += step
	}
	return true
}

func (w *indirectWalk) flush() bool {
	if w.run.Len == 0 {
		return true
	}
	r := w.run
	w.run.Len = 0
	return w.yield(r, nil)
}

func pointerName(level int) string {
	return [...]string{"block", "indirect block", "double indirect block", "triple indirect block"}[level]
}

// Storage names how an inode's contents are kept: "extents", "indirect" or
// "inline".
func (f *FS) Storage(in *Inode) string {
	switch {
	case !f.hasMap(in):
		return "inline"
	case in.Flags&layout.FlagExtents != 0:
		return "extents"
	}
	return "indirect"
}

// ShallowMap reports whether i_block maps all by itself, without nodes in blocks of
// their own.
func (f *FS) ShallowMap(in *Inode) bool {
	if in.Flags&layout.FlagExtents != 0 {
		depth, ok := f.ExtentDepth(in)
		return ok && depth == 0
	}
	for _, b := range in.Block[4*directSlots:] {
		if b != 0 {
			return false
		}
	}
	return true
}
