package undelete

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// goneNames lists the names that a file which lives has no more: it was renamed, or one
// of its hard links was removed.
func (f *finder) goneNames(l *life) {
	names := f.byAge(l)
	for _, n := range names {
		if n.there || f.o.Former != nil && f.pathNow(names) == nil {
			continue
		}
		c := Candidate{Ino: l.ino, Gen: l.gen, Type: l.typ(), Live: true, Technique: NameOnly, Grade: Listed, Name: n.name, Path: f.path(&n, 0)}
		c.MovedTo = f.pathNow(names)
		c.Evidence = []string{"a name that is gone, of a file that is there: " + n.source.String()}
		if t := f.transaction(n.tx); t != nil {
			c.Evidence = append(c.Evidence, fmt.Sprintf("last seen in transaction %d", t.Sequence))
		}
		f.result.add(&c)
	}
}

// pathNow gives a path that a living file has today, as far as names tell that were met.
func (f *finder) pathNow(names []nameRef) []byte {
	for _, n := range names {
		if n.there {
			return f.path(&n, 0)
		}
	}
	return nil
}

// maxVersions bounds the versions that are listed of one file.
const maxVersions = 1 << 12

// versions lists the earlier versions of a file that lives, each state of its contents
// once.
func (f *finder) versions(l *life) {
	now, err := f.fs.Inode(l.ino)
	if err != nil || !l.best.known() || now.Type() != layout.ModeRegular {
		return
	}
	states := append(slices.Clone(f.older[l.lifeKey]), l.best)
	if len(states) > maxVersions {
		f.limit("files have more than %d versions: those beyond are left out", maxVersions)
		states = states[:maxVersions+1]
	}
	var last *ext.Inode
	var w written
	coming := f.inode(l.ino, &states[0])
	for k := range states[:min(len(states), maxVersions)] {
		s, in := &states[k], coming
		f.see(&w, in, in.Mtime.Sub(in.Crtime).Abs() < f.tick(), s.tx)
		next, after := now, l.today()
		after.tx = s.tx
		if k+1 < len(states) {
			coming = f.inode(l.ino, &states[k+1])
			next, after = coming, &states[k+1]
		}
		until := after.tx
		if in.Size() == 0 || sameState(in, now) || last != nil && sameState(in, last) || sameChange(in, next) {
			continue
		}
		last = in
		c := Candidate{Ino: l.ino, Gen: l.gen, Live: true}
		f.fill(&c, s, in, until)
		c.Technique, c.gone = OldVersion, until
		c.Path = f.pathNow(f.byAge(l))
		if c.Path == nil {
			f.nameIt(&c, l)
		} else {
			c.Name = c.Path[bytes.LastIndexByte(c.Path, '/')+1:]
		}
		if t := f.transaction(s.tx); t != nil {
			c.Evidence = append(c.Evidence, fmt.Sprintf("as of transaction %d, committed %s; the file lives, changed since", t.Sequence, t.CommitTime.UTC().Format("2006-01-02 15:04:05")))
			c.DeletedAt = t.CommitTime
		}
		changed := f.lastCommit()
		if t := f.transaction(until); t != nil {
			changed = t.CommitTime
		}
		c.unsettled = !f.remounted(s.tx, until, changed) && justWritten(in.Ctime, changed) && (w.unsettled(in) || f.halfway(&c) || f.ticked(&w, in))
		// Not only by what ended this version, or by that in place.
		c.changed = next.Version > in.Version+1 || f.shares(&c, after, next)
		f.grade(&c)
		f.result.add(&c)
	}
}

// shares reports whether a later state of a file has blocks of an earlier one yet: what
// was changed in between may have been changed in them.
func (f *finder) shares(c *Candidate, later *state, in *ext.Inode) bool {
	var n Candidate
	if in.HasInline() || in.Size() == 0 {
		return false
	}
	f.fill(&n, later, in, 0)
	mapped := slices.SortedFunc(slices.Values(n.Runs), func(a, b ext.Run) int { return cmp.Compare(a.Physical, b.Physical) })
	for _, r := range c.Runs {
		k, _ := slices.BinarySearchFunc(mapped, r.Physical, func(m ext.Run, b Block) int { return cmp.Compare(m.Physical+Block(m.Len), b+1) })
		if k < len(mapped) && mapped[k].Physical < r.Physical+Block(r.Len) {
			return true
		}
	}
	return !n.complete
}

// sameChange reports whether a state of a file was on its way to the next one: nothing
// was changed in between, and only more of it had been written out.
func sameChange(a, b *ext.Inode) bool {
	return a.Mtime.Equal(b.Mtime) && a.Version == b.Version && a.Size() <= b.Size() && a.ExtraIsize > 0
}

// sameState reports whether two states of a file have the same contents, as far as
// the inode tells.
func sameState(a, b *ext.Inode) bool {
	return a.Size() == b.Size() && a.Block == b.Block && a.Mtime.Equal(b.Mtime)
}
