package timeline

import (
	"math/bits"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// An Odd is something about a time that a kernel, left alone, does not do.
type Odd struct {
	Marks      Marks  // the times it is about
	Reason     string // in plain words
	Confidence string // "strong", "medium" or "weak"
}

// oddBits are the oddities of a subject, a bit each: see oddities.
type oddBits uint16

const (
	oddBornLater oddBits = 1 << iota
	oddBeforeMkfs
	oddAfterWrite
	oddWholeModified
	oddWholeAccessed
	oddBornAfterModified
	oddDeletionSet
	oddDeletionDiffers
	oddSetBack
	oddAfterCommit
	oddSecondsOnly
)

// oddities are in the order of the bits.
var oddities = [...]Odd{
	{Changed | Born, "created after its last change, which no call can set: a clock was stepped, or the inode edited", "strong"},
	{Changed | Born, "before the file system was made", "strong"},
	{Changed | Born, "after the file system's last write", "strong"},
	{Modified, "whole seconds, though the change has a fraction: set by a program such as touch, tar or cp -p", "medium"},
	{Accessed, "whole seconds, though the change has a fraction: set by a program such as touch, tar or cp -p", "medium"},
	{Modified | Born, "created after the last modification: a copy that kept its time", "weak"},
	{Deleted, "a deletion time on an inode in use", "strong"},
	{Deleted | Changed, "deletion time and change differ, which the kernel sets at once: not deleted by a kernel", "medium"},
	{Modified, "set back: an older state in the journal has a later modification time", "strong"},
	{Modified | Accessed | Changed | Born, "later than the commit that wrote it: a clock was stepped, or the inode edited", "strong"},
	{Modified | Accessed | Changed, "seconds differ from the journal's newest state and the nanoseconds do not: edited out of band", "strong"},
}

// of lists the oddities that are about one of some marks.
func (o oddBits) of(m Marks) (list []Odd) {
	for ; o != 0; o &= o - 1 {
		if odd := oddities[bits.TrailingZeros16(uint16(o))]; odd.Marks&m != 0 {
			list = append(list, odd)
		}
	}
	return list
}

// Rules judge times by what the superblock tells.
type rules struct {
	kernel bool // a kernel wrote here: tools that build images copy times as they are
	extra  bool // inodes have room for nanoseconds
	made   time.Time
	last   time.Time // of the last write; zero where that is not known
}

func newRules(f *ext.FS) *rules {
	s := f.Super
	r := &rules{kernel: s.MountCount > 0 || !s.MountTime.IsZero(), extra: f.InodeSize() > 128, made: s.MkfsTime}
	if s.State&layout.StateValid != 0 && s.Incompat&layout.IncompatRecover == 0 {
		r.last = s.WriteTime
	}
	return r
}

// live judges an inode in use.
func (r *rules) live(in *ext.Inode) (o oddBits) {
	if in.Dtime != 0 && in.Flags&layout.FlagEAInode == 0 {
		o |= oddDeletionSet
	}
	return o | r.times(in)
}

// deleted judges an inode that was deleted.
func (r *rules) deleted(in *ext.Inode) (o oddBits) {
	if in.Dtime != 0 && in.Links == 0 && !in.Ctime.IsZero() && uint32(in.Ctime.Unix()) != in.Dtime && r.kernel {
		o |= oddDeletionDiffers
	}
	return o | r.times(in)
}

func (r *rules) times(in *ext.Inode) (o oddBits) {
	if !r.kernel {
		return 0
	}
	born := !in.Crtime.IsZero()
	if born && in.Crtime.Nanosecond() != 0 && in.Ctime.Before(in.Crtime) {
		o |= oddBornLater
	}
	if !r.made.IsZero() && in.Ctime.Unix() < r.made.Unix() {
		o |= oddBeforeMkfs
	}
	if !r.last.IsZero() && max(in.Ctime.Unix(), in.Crtime.Unix()) > r.last.Unix()+1 {
		o |= oddAfterWrite
	}
	if r.extra && in.Ctime.Nanosecond() != 0 {
		if in.Mtime.Nanosecond() == 0 {
			o |= oddWholeModified
		}
		if in.Atime.Nanosecond() == 0 {
			o |= oddWholeAccessed
		}
	}
	if born && in.Crtime.After(in.Mtime) && in.Crtime.Unix() > in.Mtime.Unix() {
		o |= oddBornAfterModified
	}
	return o
}

// clockSlack is what the coarse clock of inodes and that of commits may differ.
const clockSlack = time.Second

// version judges a state out of the journal by the one before and by its commit.
func (r *rules) version(in, before *ext.Inode, commit time.Time) (o oddBits) {
	if !commit.IsZero() && r.kernel {
		for _, t := range []time.Time{in.Ctime, in.Crtime} {
			if t.After(commit.Add(clockSlack)) {
				o |= oddAfterCommit
			}
		}
	}
	if before != nil && before.Generation == in.Generation && in.Links > 0 && before.Links > 0 && before.Size() == in.Size() && before.Block == in.Block &&
		in.Mtime.Before(before.Mtime) && in.Ctime.After(before.Ctime) {
		o |= oddSetBack
	}
	return o
}

// since judges the inode of today by a state in the journal of the same file.
func (r *rules) since(in *ext.Inode, now *subject) (o oddBits) {
	was := subjectOf(in)
	for i := range 3 {
		a, b := was.times[i], now.times[i]
		if a != 0 && b != 0 && a.nsec() == b.nsec() && a.nsec() != 0 && a != b {
			return oddSecondsOnly
		}
	}
	if was.size == now.size && now.times[0] < was.times[0] && now.times[2] > was.times[2] {
		return oddSetBack
	}
	return 0
}
