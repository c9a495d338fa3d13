package history

import "errors"

// A blockFate says what became of a block that a file had.
type blockFate uint8

const (
	fateUnknown blockFate = iota
	fateFree              // it is free, and was never taken again
	fateReused            // it is in use, or was for a time
)

// A bitmapHistory follows blocks through the block bitmaps from one transaction on.
type bitmapHistory struct {
	l      *Log
	from   int
	groups map[uint32]*groupBits
	left   int // states that may still be read: groups of their own have no more than the log
}

func (l *Log) newBitmapHistory(from int) *bitmapHistory {
	return &bitmapHistory{l: l, from: from, groups: map[uint32]*groupBits{}, left: l.copies}
}

// maxGroupBits bounds the groups that are kept.
const maxGroupBits = 1 << 12

// groupBits are what the states of one group's block bitmap, that of today the last,
// tell of each bit.
type groupBits struct {
	free   []byte // clear in some state
	reused []byte // set in a state after that
	err    error
}

// add takes the next state.
func (b *groupBits) add(state []byte) {
	if b.free == nil {
		b.free, b.reused = make([]byte, len(state)), make([]byte, len(state))
	}
	for i := range min(len(state), len(b.free)) {
		b.reused[i] |= b.free[i] & state[i]
		b.free[i] |= ^state[i]
	}
}

var errManyBitmaps = errors.New("groups share their bitmaps")

func (h *bitmapHistory) group(g uint32) *groupBits {
	if b := h.groups[g]; b != nil {
		return b
	}
	b := &groupBits{}
	if len(h.groups) >= maxGroupBits {
		clear(h.groups)
	}
	h.groups[g] = b
	h.l.EachBitmap(g, func(tx int, bitmap []byte) bool {
		if tx < h.from {
			return true
		}
		if h.left--; h.left < 0 {
			b.err = errManyBitmaps
			return false
		}
		b.add(bitmap)
		return true
	})
	if b.err != nil {
		return b
	}
	var now []byte
	if now, _, b.err = h.l.FS.BlockBitmap(g); b.err == nil {
		b.add(now)
	}
	return b
}

// fate follows a block that a file had, and has no more: it is free where it was
// freed and never taken again. A block that is set all along was freed and taken
// between two states.
func (h *bitmapHistory) fate(b Block) blockFate {
	f := h.l.FS
	if !f.InRange(b, 1) {
		return fateUnknown
	}
	g := f.GroupOfBlock(b)
	bits := h.group(g)
	bit := uint64(b-f.GroupStart(g)) / uint64(f.ClusterBlocks())
	at, mask := bit/8, byte(1)<<(bit%8)
	switch {
	case bits.err != nil || at >= uint64(len(bits.free)):
		return fateUnknown
	case bits.free[at]&mask == 0 || bits.reused[at]&mask != 0:
		return fateReused
	}
	return fateFree
}

// EachBitmap calls visit with the copies of a group's block bitmap, oldest first, until
// it gives false. The bitmap holds until visit returns.
func (l *Log) EachBitmap(group uint32, visit func(tx int, bitmap []byte) bool) {
	desc := l.FS.Group(group)
	if desc == nil {
		return
	}
	for tx, c := range l.Archive.States(desc.BlockBitmap) {
		if raw, err := l.readCopy(c); err == nil && !visit(tx, raw) {
			return
		}
	}
}
