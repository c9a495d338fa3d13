package links

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/extscope/extscope/ext/layout"
)

// Why a symlink rots.
const (
	CauseDeleted = "deleted" // the name was there, and its inode is gone
	CauseRenamed = "renamed" // the name was there, and its inode has another now
	CauseUnknown = "unknown" // nothing is left of the name
)

// A lostName is a name that a directory once held.
type lostName struct {
	name []byte
	ino  Ino
	kind uint8
}

// maxLost bounds how many removed names of one directory are kept.
const maxLost = 1 << 16

// causes finds out, for every rotten link, what became of the missing name:
// removed directory entries name the inode that it had.
func (t *Tree) causes(ctx context.Context, results [][]Symlink, names *Names) error {
	lost := map[Ino][]lostName{}
	changed := map[Ino]time.Time{}
	type moved struct {
		s   *Symlink
		ino Ino
	}
	var renamed []moved
	want := t.NewSet()
	for _, r := range results {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := range r {
			s := &r[i]
			if s.State != StateRotten {
				continue
			}
			s.Cause = CauseUnknown
			if s.NotDir || !t.Known(s.inDir) || !t.isDir(s.inDir) {
				continue
			}
			list, ok := lost[s.inDir]
			if !ok {
				list, changed[s.inDir] = t.removedNames(s.inDir)
				lost[s.inDir] = list
			}
			ino, found := t.fate(list, s.Missing, changed[s.inDir])
			switch {
			case !found:
			case ino == 0:
				s.Cause = CauseDeleted
			default:
				s.Cause = CauseRenamed
				renamed = append(renamed, moved{s, ino})
				want.Add(ino)
			}
		}
	}
	if renamed == nil {
		return nil
	}
	now, err := t.Names(ctx, want)
	if err != nil {
		return err
	}
	for _, m := range renamed {
		if m.s.MovedTo = now.First(m.ino); m.s.MovedTo == nil {
			m.s.Cause = CauseDeleted // it has a link count, and no name
		}
	}
	return nil
}

// removedNames reads the removed entries of a directory, and when it was last
// changed.
func (t *Tree) removedNames(dir Ino) ([]lostName, time.Time) {
	in, err := t.FS.Inode(dir)
	if err != nil {
		return nil, time.Time{}
	}
	var list []lostName
	for e, err := range t.FS.Entries(in, true) {
		if err == nil && e.Removed && len(list) < maxLost {
			list = append(list, lostName{bytes.Clone(e.Name), e.Ino, e.Type})
		}
	}
	return list, in.Mtime
}

// fate tells what became of a name that was removed from a directory: the
// inode that has another name now, or 0 for one that is gone. A number that was
// given to a new inode since, of another type or born after the directory's last
// change, is gone.
func (t *Tree) fate(list []lostName, name []byte, changed time.Time) (ino Ino, found bool) {
	for _, l := range list {
		if !bytes.Equal(l.name, name) {
			continue
		}
		found = true
		if !t.InUse(l.ino) {
			continue
		}
		if l.kind != layout.FTUnknown && l.kind != layout.FTOfMode(t.Type(l.ino)) {
			continue
		}
		in, err := t.FS.Inode(l.ino)
		if err != nil || in.Crtime.After(changed) {
			continue
		}
		return l.ino, true
	}
	return 0, found
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
