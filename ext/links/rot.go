package links

import (
	"context"
	"fmt"

	"github.com/extscope/extscope/ext/layout"
)

// Why a symlink rots.
const (
	CauseDeleted = "deleted" // the name was there, and its inode is gone
	CauseRenamed = "renamed" // the name was there, and its inode has another now
	CauseUnknown = "unknown" // nothing is left of the name
)

// whereabouts gives the names that inodes have now whose removed entries were
// asked for.
func (l *lookups) whereabouts(ctx context.Context) (*Names, error) {
	want := l.t.NewSet()
	for _, list := range l.lost {
		for _, n := range list {
			want.Add(n.ino)
		}
	}
	return l.t.Names(ctx, want)
}

// causes finds out, for every rotten link, what became of the missing name:
// removed directory entries name the inode that it had.
func (l *lookups) causes(results []Symlink, now *Names) {
	for i := range results {
		s := &results[i]
		if s.State != StateRotten {
			continue
		}
		s.Cause = CauseUnknown
		if s.NotDir || !l.t.Known(s.inDir) {
			continue
		}
		ino, found := l.t.fate(s.inDir, l.lost[l.key(s.inDir, s.Missing)])
		if !found {
			continue
		}
		s.Cause = CauseDeleted
		if ino != 0 {
			// Without a name it is as good as gone, link count or not.
			if s.MovedTo = now.First(ino); s.MovedTo != nil {
				s.Cause = CauseRenamed
			}
		}
	}
}

// fate tells what became of a name that was removed from a directory: the
// inode that has another name now, or 0 for one that is gone. A number that was
// given to a new inode since, of another type or born after the directory's last
// change, is gone. So is one that the records do not agree on.
func (t *Tree) fate(dir Ino, list []lostName) (ino Ino, found bool) {
	if list == nil {
		return 0, false
	}
	in, err := t.FS.Inode(dir)
	if err != nil {
		return 0, true
	}
	for _, l := range list {
		if !t.InUse(l.ino) || l.kind != layout.FTUnknown && l.kind != layout.FTOfMode(t.Type(l.ino)) {
			continue
		}
		if now, err := t.FS.Inode(l.ino); err != nil || now.Crtime.After(in.Mtime) {
			continue
		}
		if ino != 0 && ino != l.ino {
			return 0, true
		}
		ino = l.ino
	}
	return ino, true
}

// Why says in words why a rotten symlink leads nowhere. Names in it are escaped
// as quoted strings.
func (s *Symlink) Why() string {
	why := fmt.Sprintf("leads to %q: ", s.Target)
	switch {
	case len(s.Target) == 0:
		return "has an empty target"
	case s.NotDir:
		why += fmt.Sprintf("%q lies behind something that is no directory", s.Missing)
	case s.In != nil:
		why += fmt.Sprintf("%q is not in %q", s.Missing, s.In)
	default:
		why += fmt.Sprintf("%q is not there", s.Missing)
	}
	switch s.Cause {
	case CauseDeleted:
		why += "; it was deleted"
	case CauseRenamed:
		why += fmt.Sprintf("; it was renamed to %q", s.MovedTo)
	}
	return why
}
