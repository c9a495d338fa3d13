package history

import (
	"bytes"
	"slices"

	"github.com/extscope/extscope/ext/jbd2"
)

// NameChange is a name that a directory gained or lost between two versions.
type NameChange struct {
	Name    []byte
	Ino     Ino
	Removed bool
}

// maxNameChanges bounds the names of a directory that are compared.
const maxNameChanges = 1 << 20

// NameChanges lists the names that a directory gained and lost from version a to
// version b of it, by name; known is false where the log does not have all of its
// blocks of both times.
func (l *Log) NameChanges(a, b *InodeVersion) (list []NameChange, known bool) {
	if !a.In.IsDir() || !b.In.IsDir() || a.In.Generation != b.In.Generation {
		return nil, false
	}
	if b.Source == FromFast {
		return l.fastChanges(b), true
	}
	from, known := l.dirNames(a)
	to, knownTo := l.dirNames(b)
	i, j := 0, 0
	for i < len(from) || j < len(to) {
		c := 0
		switch {
		case i == len(from):
			c = 1
		case j == len(to):
			c = -1
		default:
			c = bytes.Compare(from[i].Name, to[j].Name)
		}
		if c <= 0 && (c < 0 || from[i].Ino != to[j].Ino) {
			list = append(list, NameChange{from[i].Name, from[i].Ino, true})
		}
		if c >= 0 && (c > 0 || from[i].Ino != to[j].Ino) {
			list = append(list, NameChange{to[j].Name, to[j].Ino, false})
		}
		if c <= 0 {
			i++
		}
		if c >= 0 {
			j++
		}
	}
	return list, known && knownTo
}

// dirNames are the names that a directory held in a version of it, by name.
func (l *Log) dirNames(v *InodeVersion) (list []NameChange, known bool) {
	f, known := l.FS, true
	dir := v.In
	if v.Source != FromNow {
		p, err := l.At(max(v.tx, 0))
		if err != nil {
			return nil, false
		}
		f = p.FS
		known = len(p.DirUnknown(dir)) == 0
	}
	if dir.Links == 0 {
		return nil, known
	}
	for e, err := range f.Entries(dir, false) {
		if err != nil {
			known = false
			continue
		}
		if !e.IsDot() && len(list) < maxNameChanges {
			list = append(list, NameChange{slices.Clone(e.Name), e.Ino, false})
		}
	}
	slices.SortFunc(list, func(a, b NameChange) int { return bytes.Compare(a.Name, b.Name) })
	return list, known
}

// fastChanges are the names that a fast commit changed in a directory.
func (l *Log) fastChanges(v *InodeVersion) (list []NameChange) {
	for i := range l.fast {
		fc := &l.fast[i]
		if fc.TID != v.Sequence || fc.LogBlock != v.Log {
			continue
		}
		for _, r := range fc.Records {
			if r.Parent == v.In.Ino {
				list = append(list, NameChange{r.Name, r.Ino, r.Tag == jbd2.FCUnlink})
			}
		}
	}
	return list
}
