package links

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/extscope/extscope/ext/layout"
)

// Why a symlink rots.
const (
	CauseDeleted = "deleted" // the name was there, and its inode is gone
	CauseRenamed = "renamed" // the name was there, and its inode has another now
	CauseUnknown = "unknown" // nothing is left of the name
)

// A Past is what a journal remembers of names that are gone. Package history has one.
type Past interface {
	// Prepare does what of Lost takes no names: called before, if at all.
	Prepare(ctx context.Context, t *Tree)
	// Lost tells of names that are missing from directories of t what the newest that
	// the journal has of them named.
	Lost(ctx context.Context, t *Tree, missing Missing) ([]LostName, error)
}

// Missing are names that directories do not hold. Both methods are called from several
// goroutines.
type Missing interface {
	// Dirs lists, in order, the directories that a name is missing from.
	Dirs(name []byte) []Ino
	// Any reports whether there is one that is missing from a directory.
	Any(dir Ino) bool
}

// A LostName is a name that is missing from a directory, and what became of its inode.
type LostName struct {
	Dir        Ino
	Name       []byte
	Ino        Ino
	Generation uint32    // of the inode that had the name; 0 where that is not known
	Gone       bool      // that inode is no more: not in use, or another file's
	Deleted    time.Time // when it went, by the commit; zero where that is not known
	Sequence   uint32    // of that commit, or 0
	Beside     []Name    // other names that the inode had at the time: it was not renamed to those
}

// remember asks the journal for names that were asked for and are not there.
func (l *lookups) remember(ctx context.Context, past Past) error {
	if past == nil || len(l.asked) == 0 {
		return nil
	}
	missing := l.missing()
	l.ahead.Wait()
	list, err := past.Lost(ctx, l.t, missing)
	l.asked = nil
	for i := range list {
		n := &list[i]
		l.past[l.key(n.Dir, n.Name)] = n
	}
	return err
}

// whereabouts gives the names that inodes have now whose removed entries were
// asked for.
func (l *lookups) whereabouts(ctx context.Context) (*Names, error) {
	want := l.t.NewSet()
	for _, list := range l.lost {
		for _, n := range list {
			want.Add(n.ino)
		}
	}
	for _, n := range l.past {
		if !n.Gone {
			want.Add(n.Ino)
		}
	}
	return l.t.Names(ctx, want)
}

// causes finds out, for every rotten link, what became of the missing name: the
// journal, or else removed directory entries, name the inode that it had.
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
		ino, found := Ino(0), false
		var beside []Name
		if n := l.past[l.key(s.inDir, s.Missing)]; n != nil {
			found, s.MissingIno, s.Deleted, s.Sequence = true, n.Ino, n.Deleted, n.Sequence
			if !n.Gone {
				ino, beside = n.Ino, n.Beside
			}
		} else if ino, found = l.t.fate(s.inDir, l.lost[l.key(s.inDir, s.Missing)]); found {
			s.MissingIno = ino
		}
		if !found {
			continue
		}
		s.Cause = CauseDeleted
		if ino != 0 {
			// Without a name it is as good as gone, link count or not.
			if s.MovedTo = now.successor(ino, beside); s.MovedTo != nil {
				s.Cause = CauseRenamed
			}
		}
	}
}

// successor is the name that an inode was given in place of one that is gone: the
// first by path that it did not have beside it, or else the first of all.
func (n *Names) successor(ino Ino, beside []Name) []byte {
	var best []byte
	for _, name := range n.Of(ino) {
		had := slices.ContainsFunc(beside, func(b Name) bool { return b.Dir == name.Dir && bytes.Equal(b.Name, name.Name) })
		if had {
			continue
		}
		if p := n.Path(name); best == nil || bytes.Compare(p, best) < 0 {
			best = p
		}
	}
	if best == nil {
		return n.First(ino)
	}
	return best
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
	if len(s.Target) == 0 {
		return "has an empty target"
	}
	var room [256]byte
	b := appendQuote(append(room[:0], "leads to "...), s.Target)
	b = appendQuote(append(b, ": "...), s.Missing)
	switch {
	case s.NotDir:
		b = append(b, " lies behind something that is no directory"...)
	case s.In != nil:
		b = appendQuote(append(b, " is not in "...), s.In)
	default:
		b = append(b, " is not there"...)
	}
	switch s.Cause {
	case CauseDeleted:
		b = append(b, "; it was deleted"...)
		if !s.Deleted.IsZero() {
			b = s.Deleted.UTC().AppendFormat(b, " at 2006-01-02 15:04:05")
		}
	case CauseRenamed:
		b = appendQuote(append(b, "; it was renamed to "...), s.MovedTo)
	}
	return string(b)
}

// appendQuote is strconv.AppendQuote, faster for what most names are.
func appendQuote(b, text []byte) []byte {
	for _, c := range text {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return strconv.AppendQuote(b, string(text))
		}
	}
	return append(append(append(b, '"'), text...), '"')
}
