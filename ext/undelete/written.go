package undelete

import (
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// Writeback is how long a write to blocks that a file has already may take to reach the
// disk: dirty_expire_centisecs and dirty_writeback_centisecs, 30 and 5 seconds. Only
// the data of new blocks is written before the commit (data=ordered).
const writeback = 35 * time.Second

// A written is the state of a file when the blocks that it has were new: with the commit
// of that state their contents are on the disk. What was written to them later need
// not be.
type written struct {
	known   bool
	first   [12]byte // where the first of the blocks is
	mtime   time.Time
	size    uint64
	version uint64
}

// see takes the states of a file in order.
func (w *written) see(in *ext.Inode) {
	first := firstPointer(in)
	if w.known && w.first == first && first != [12]byte{} {
		return
	}
	*w = written{true, first, in.Mtime, in.Size(), in.Version}
}

// firstPointer is the part of i_block that says where the contents begin: the first
// record of the root of an extent tree, but for its length, or the first pointer.
func firstPointer(in *ext.Inode) (p [12]byte) {
	if in.Flags&layout.FlagExtents != 0 {
		copy(p[:], in.Block[12:24])
		p[4], p[5] = 0, 0 // ee_len
		if in.Block[6] != 0 || in.Block[7] != 0 {
			// An index record: its block number lies where the length would be.
			copy(p[:], in.Block[12:24])
		}
		return p
	}
	copy(p[:4], in.Block[:4])
	return p
}

// unsettled reports whether a state of the file, which was deleted at some time, holds
// writes that may never have reached the disk. The times of small inodes are in whole
// seconds, and there any change counts.
func (w *written) unsettled(in *ext.Inode, deleted time.Time) bool {
	if !w.known || w.first != firstPointer(in) {
		return false
	}
	same := w.mtime.Equal(in.Mtime) && w.size == in.Size() && (in.ExtraIsize > 0 || w.version == in.Version)
	return !same && (deleted.IsZero() || deleted.Sub(in.Mtime) < writeback)
}
