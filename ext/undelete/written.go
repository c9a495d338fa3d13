package undelete

import (
	"slices"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// Writeback is how long a write to blocks that a file has already may take to reach the
// disk: dirty_expire_centisecs and dirty_writeback_centisecs, 30 and 5 seconds. Only
// the data of new blocks is written before the commit (data=ordered).
const writeback = 35 * time.Second

// commitTakes is how long a commit may take: what is changed meanwhile is of the
// transaction behind it.
const commitTakes = 30 * time.Millisecond

// tick is how long times of inodes may stay the same: the longest tick, of those that
// HZ can be set to, which commits allow, as their times are of the same clock. Where
// none came close together it is the longest of all.
func (f *finder) tick() time.Duration {
	if f.clock == 0 {
		ticks := []time.Duration{10 * time.Millisecond, 4 * time.Millisecond, time.Second / 300, time.Millisecond}
		f.clock = ticks[0]
		if i := slices.IndexFunc(ticks, f.allows); i > 0 {
			f.clock = ticks[i]
		}
	}
	return f.clock
}

// bornAfter reports whether a file was made after a transaction was closed. The clock of
// commits is coarse: times of files may be of a finer one, and be ahead by a tick.
func (f *finder) bornAfter(in *ext.Inode, t *jbd2.Transaction) bool {
	return in.Crtime.Sub(t.CommitTime) > f.tick()
}

// allows reports whether all commits that came close together are a number of ticks apart.
func (f *finder) allows(tick time.Duration) bool {
	const near, off = 200 * time.Millisecond, 100 * time.Microsecond // clocks are slewed by 500 ppm at most
	if f.log == nil {
		return true
	}
	all := f.log.Transactions()
	for i := 1; i < len(all); i++ {
		if d := all[i].CommitTime.Sub(all[i-1].CommitTime); d > off && d < near && (d+off)%tick > 2*off {
			return false
		}
	}
	return true
}

// A written is the state of a file when the blocks that it has were new: with the commit
// of that state their contents are on the disk. What was written to them later need
// not be. Times are as time.Time.UnixNano gives them, which may wrap around: they are only
// compared for being the same.
type written struct {
	mtime   int64
	last    int64 // the newest mtime
	size    uint64
	version uint64
	since   moment   // the first transaction that has last
	first   [12]byte // where the first of the blocks is
	known   bool
	older   bool // than the log: what was written to the blocks since they were new is not known
	mixed   bool // the last write may have come behind the one that took the blocks
}

// writtenOf gives that of an incarnation.
func (f *finder) writtenOf(l *life) *written {
	if l.written == 0 {
		return &written{}
	}
	return f.writes.nth(l.written - 1)
}

// see takes the states of a file in order; born says that the first is of the
// transaction that made the file.
func (f *finder) see(w *written, in *ext.Inode, born bool, tx moment) {
	mtime := in.Mtime.UnixNano()
	fresh := !w.known || mtime != w.last
	if fresh {
		w.last, w.since = mtime, tx
	}
	first := firstPointer(in)
	if w.known && w.first == first && first != [12]byte{} {
		return
	}
	w.older = !w.known && !born
	w.mixed = fresh && f.mixed(in, tx)
	w.known, w.first, w.mtime, w.size, w.version = true, first, mtime, in.Size(), in.Version
}

// mixed reports whether a state of a file, whose mtime and blocks are both new in a
// transaction, may be of two writes: the mtime of one whose data waits yet, in memory as
// its size does (delalloc), and the blocks of one before, in an earlier transaction. What
// is older than the transaction was written before it took blocks, and what is no older
// than the file is of one write. A write behind the first one that ends in the last block
// makes the file longer at once, and its data waits: that block is no new one.
func (f *finder) mixed(in *ext.Inode, tx moment) bool {
	before := f.transaction(tx - after(1, 0))
	return (before == nil || before.CommitTime.Sub(in.Mtime) < f.tick()+commitTakes) && (in.ExtraIsize == 0 || in.Mtime.Sub(in.Crtime).Abs() >= f.tick())
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

// firstBlock is the part of firstPointer that is a block number, or its lower half.
func firstBlock(in *ext.Inode) uint32 {
	p := firstPointer(in)
	if in.Flags&layout.FlagExtents != 0 && (in.Block[6] == 0 && in.Block[7] == 0) {
		return le.Uint32(p[8:]) // ee_start_lo; ei_leaf_lo lies ahead of it
	}
	return le.Uint32(p[4:]) ^ le.Uint32(p[:])
}

// unsettled reports whether a state of the file holds writes that may never have
// reached the disk. The times of small inodes are in whole seconds, and there any
// change counts.
func (w *written) unsettled(in *ext.Inode) bool {
	if !w.known {
		return true
	}
	if w.first != firstPointer(in) {
		return false
	}
	return w.older || w.mixed || w.mtime != in.Mtime.UnixNano() || w.size != in.Size() || in.ExtraIsize == 0 && w.version != in.Version
}

// doubts notes what speaks against a state being what a file held when it was deleted.
func (f *finder) doubts(c *Candidate, l *life, s *state, in *ext.Inode) {
	if in.Type() != layout.ModeRegular {
		return
	}
	// What was deleted has a ctime of then; of others mtime alone can be set at will.
	last := in.Mtime
	if in.Links > 0 && in.Ctime.After(last) {
		last = in.Ctime
	}
	remounted := f.remounted(s.tx, l.gone, c.DeletedAt)
	again := !remounted && f.unseen(in, s.tx, last)
	if s.tx != latest && in.Links > 0 {
		c.changed = !l.ended || l.end != in.Version || again && (l.gone == 0 || l.gone.tx() == s.tx.tx()+1)
	}
	if remounted || !justWritten(last, c.DeletedAt) {
		return
	}
	if c.Inline != nil {
		// Contents that outgrow the inode leave it when they are written out.
		c.unsettled = in.Version > 1
	} else if w := f.writtenOf(l); s.tx != latest {
		c.unsettled = w.unsettled(in) || f.halfway(c) || f.ticked(w, in)
	}
}

// remounted reports whether the file system was mounted anew between a transaction and
// the one that deleted a file, at some time: what was to be written had been by then, or
// never was. Mount times are in seconds; and each mount leaves out a sequence number.
func (f *finder) remounted(tx, gone moment, deleted time.Time) bool {
	t, mount := f.transaction(tx), f.fs.Super.MountTime.Unix()
	if t == nil {
		return false
	}
	if all := f.log.Transactions(); f.mounts == nil {
		f.mounts = []int{}
		for i := 1; i < len(all); i++ {
			if all[i].Sequence-all[i-1].Sequence > 1 {
				f.mounts = append(f.mounts, i)
			}
		}
	}
	if i, _ := slices.BinarySearch(f.mounts, tx.tx()+1); i < len(f.mounts) && f.mounts[i] <= gone.tx() {
		return true
	}
	return t.CommitTime.Unix() < mount && mount < deleted.Unix()
}

// unseen reports whether a file, which was last changed at some time, may have been
// changed again behind the transaction that has this state, without a trace in its
// times and in i_version: both stay as they are within a tick of the clock, or within
// a second where times are in seconds. Who asks for a commit waits for it, so that it is
// not of before its own time.
func (f *finder) unseen(in *ext.Inode, tx moment, last time.Time) bool {
	t := f.transaction(tx)
	tick := f.tick()
	if in.ExtraIsize == 0 {
		tick = time.Second + commitTakes
	}
	return t != nil && t.CommitTime.Sub(last) < tick
}

// ticked reports whether what a state of a file holds may have been written to again
// within the same tick, with nothing to show for it.
func (f *finder) ticked(w *written, in *ext.Inode) bool {
	return w.last != in.Mtime.UnixNano() || f.unseen(in, w.since, in.Mtime)
}

// justWritten reports whether a file was written to so shortly before some time that
// the data may not have reached the disk by then.
func justWritten(last, then time.Time) bool { return then.IsZero() || then.Sub(last) < writeback }

// lastCommit is when the last transaction of the log was committed.
func (f *finder) lastCommit() (t time.Time) {
	if f.log != nil {
		if all := f.log.Transactions(); len(all) > 0 {
			t = all[len(all)-1].CommitTime
		}
	}
	return t
}

// halfway reports whether some of a file may have had to be written out yet: blocks are
// taken when their data is (delalloc), and are holes or unwritten until then.
func (f *finder) halfway(c *Candidate) bool {
	bs := uint64(f.fs.BlockSize())
	if c.Type != layout.ModeRegular || c.Inline != nil || c.Size == 0 {
		return false
	}
	end, data := (c.Size+bs-1)/bs, uint64(0)
	for _, r := range c.Runs {
		if r.Kind == ext.Data && r.Logical < end {
			data += min(r.Len, end-r.Logical)
		}
	}
	return data < end
}
