package audit

import (
	"fmt"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// timeSlack is how far beyond the last write of the file system a time that
// users may set can lie before it is odd: clocks and time zones differ.
const timeSlack = 24 * time.Hour

// times judges the times of an inode in use.
func (w *worker) times(in *ext.Inode) {
	a := w.a
	if !a.oddTimes || in.Flags&layout.FlagEAInode != 0 {
		return // an ea_inode keeps a hash and a count in place of times
	}
	odd := func(format string, args ...any) {
		a.add(Finding{Kind: OddTime, Ino: in.Ino, Offset: in.Offset, Detail: fmt.Sprintf(format, args...)})
	}
	s := a.fs.Super
	if in.Dtime != 0 && s.LastOrphan == 0 {
		odd("deletion time %s is set on an inode in use", stamp(in.DtimeTime()))
	}
	if neverMounted(s) {
		return
	}
	// The same tools write a birth time without a fraction of a second.
	if in.Ctime.Before(in.Crtime) && !in.Crtime.IsZero() && in.Crtime.Nanosecond() != 0 {
		odd("changed %s, before it was created %s", stamp(in.Ctime), stamp(in.Crtime))
	}
	if !writesNoted(s) {
		return
	}
	if max(in.Ctime.Unix(), in.Crtime.Unix(), in.Mtime.Unix(), in.Atime.Unix()) <= s.WriteTime.Unix() {
		return // nearly always
	}
	end := s.WriteTime.Add(time.Second)
	switch {
	case in.Ctime.After(end):
		odd("changed %s, after the file system's last write %s", stamp(in.Ctime), stamp(s.WriteTime))
	case in.Crtime.After(end):
		odd("created %s, after the file system's last write %s", stamp(in.Crtime), stamp(s.WriteTime))
	case in.Mtime.After(end.Add(timeSlack)):
		odd("modified %s, after the file system's last write %s", stamp(in.Mtime), stamp(s.WriteTime))
	case in.Atime.After(end.Add(timeSlack)):
		odd("accessed %s, after the file system's last write %s", stamp(in.Atime), stamp(s.WriteTime))
	}
}

// neverMounted reports whether no kernel wrote here: tools that build images copy times
// as they are, in any order.
func neverMounted(s *layout.Superblock) bool { return s.MountCount == 0 && s.MountTime.IsZero() }

// writesNoted reports whether the superblock tells of the last write.
func writesNoted(s *layout.Superblock) bool {
	return !s.WriteTime.IsZero() && s.State&layout.StateValid != 0 && s.Incompat&layout.IncompatRecover == 0
}

func stamp(t time.Time) string { return t.Format("2006-01-02 15:04:05.999999999") }
