package jbd2

import (
	"iter"

	"github.com/extscope/extscope/ext/layout"
)

const revokeHeaderSize = 16 // jbd2_journal_revoke_header_t

// Revokes decodes a revoke block, which lies at byte off: the numbers of blocks
// whose copies in this transaction and in those before it must not be replayed.
// The error, a *layout.CorruptError, says that the count runs past the block;
// nothing is given then, as the kernel takes nothing.
func (f Format) Revokes(b []byte, off int64) (iter.Seq[layout.Block], error) {
	size := min(len(b), f.BlockSize)
	if size < revokeHeaderSize {
		return func(func(layout.Block) bool) {}, &layout.CorruptError{Struct: "revoke block", Field: "length", Offset: off, Value: uint64(size)}
	}
	count := be.Uint32(b[0xc:]) // r_count, in bytes with the header
	if uint64(count) > uint64(size-f.tailSize()) {
		return func(func(layout.Block) bool) {}, &layout.CorruptError{Struct: "revoke block", Field: "r_count", Offset: off + 0xc, Value: uint64(count)}
	}
	return func(yield func(layout.Block) bool) {
		for at := revokeHeaderSize; at+f.recordSize() <= int(count); at += f.recordSize() {
			block := layout.Block(0)
			if f.Wide {
				block = layout.Block(be.Uint64(b[at:]))
			} else {
				block = layout.Block(be.Uint32(b[at:]))
			}
			if !yield(block) {
				return
			}
		}
	}, nil
}

// recordSize is the length of one number in a revoke block.
func (f Format) recordSize() int {
	if f.Wide {
		return 8
	}
	return 4
}
