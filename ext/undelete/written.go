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

// clockTick is how long times of inodes may stay the same: HZ is 100 or more.
const clockTick = 10 * time.Millisecond

// commitTakes is how long a commit may take: what is changed meanwhile is of the
// transaction behind it.
const commitTakes = 30 * time.Millisecond

// A written is the state of a file when the blocks that it has were new: with the commit
// of that state their contents are on the disk. What was written to them later need
// not be.
type written struct {
	known   bool
	older   bool     // than the log: what was written to the blocks since they were new is not known
	first   [12]byte // where the first of the blocks is
	mtime   time.Time
	size    uint64
	version uint64
}

// see takes the states of a file in order; born says that the first is of the
// transaction that made the file.
func (w *written) see(in *ext.Inode, born bool) {
	first := firstPointer(in)
	if w.known && w.first == first && first != [12]byte{} {
		return
	}
	*w = written{true, !w.known && !born, first, in.Mtime, in.Size(), in.Version}
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
	return w.older || !w.mtime.Equal(in.Mtime) || w.size != in.Size() || in.ExtraIsize == 0 && w.version != in.Version
}

// doubts notes what speaks against a state being what a file held when it was deleted.
func (f *finder) doubts(c *Candidate, l *life, s *state) {
	in := s.in
	if in.Type() != layout.ModeRegular {
		return
	}
	// What was deleted has a ctime of then; of others mtime alone can be set at will.
	last := in.Mtime
	if in.Links > 0 && in.Ctime.After(last) {
		last = in.Ctime
	}
	remounted := f.remounted(s.tx, c.DeletedAt)
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
	} else if s.tx != latest {
		c.unsettled = l.written.unsettled(in) || f.halfway(c) || again && in.ExtraIsize == 0
	}
}

// remounted reports whether the file system was mounted anew between a transaction and
// a deletion: what was to be written had been by then, or never was.
func (f *finder) remounted(tx moment, deleted time.Time) bool {
	t, mount := f.transaction(tx), f.fs.Super.MountTime.Unix()
	return t != nil && t.CommitTime.Unix() < mount && !deleted.IsZero() && mount <= deleted.Unix()
}

// unseen reports whether a file, which was last changed at some time, may have been
// changed again behind the transaction that has this state, without a trace in its
// times and in i_version: both stay as they are within a tick of the clock, or within
// a second where times are in seconds.
func (f *finder) unseen(in *ext.Inode, tx moment, last time.Time) bool {
	t := f.transaction(tx)
	tick := clockTick
	if in.ExtraIsize == 0 {
		tick = time.Second
	}
	return t != nil && t.CommitTime.Sub(last) < tick+commitTakes
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
