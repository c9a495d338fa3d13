package history

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
)

// NameChange is a name that a directory gained or lost between two versions.
type NameChange struct {
	Name    []byte
	Ino     Ino
	Removed bool
}

const (
	// maxNameChanges bounds the names of a directory that are compared.
	maxNameChanges = 1 << 20
	// maxNameSteps bounds the blocks of directories that are compared by their place,
	// over all versions.
	maxNameSteps = 1 << 25
	// Beyond the copies in the log, so many bytes may be read for names.
	moreNameBytes = 16 << 20
)

// A nameWork bounds what comparing names may cost, which hostile directories could make
// the product of versions and blocks.
type nameWork struct {
	steps int
	reads *ext.DirBudget
	from  []placedBlock
	to    []placedBlock
}

// A placedBlock is a block of a directory, and where it is read from.
type placedBlock struct {
	physical Block
	logical  uint32
	log      uint32 // block of the log; 0: none, it is as at home
	skip     bool   // the other version has the same
}

// NameChanges lists the names that a directory gained and lost from version a to
// version b of it, by name; known is false where the log does not have all of its
// blocks of both times. Blocks that both versions have in common are not read.
func (l *Log) NameChanges(a, b *InodeVersion) (list []NameChange, known bool) {
	if !a.In.IsDir() || !b.In.IsDir() || a.In.Generation != b.In.Generation {
		return nil, false
	}
	if b.Source == FromFast {
		return l.fastChanges(b), true
	}
	w := &l.names
	if w.reads == nil {
		w.reads = ext.DirBlocksBudget(uint64(4*l.copies + moreNameBytes/l.FS.BlockSize()))
	}
	old, known := l.dirState(a)
	now, knownNow := l.dirState(b)
	if old == nil || now == nil {
		return nil, false
	}
	w.from, w.to = old.place(w, w.from[:0]), now.place(w, w.to[:0])
	if !old.latest && !now.latest {
		common(w.from, w.to)
	}
	from, to := old.names(w, w.from), now.names(w, w.to)
	if w.steps > maxNameSteps || w.reads.Spent() {
		return nil, false
	}
	return compareNames(from, to), known && knownNow && !old.damaged && !now.damaged
}

// compareNames lists what is in one list only; both are by name.
func compareNames(from, to []NameChange) (list []NameChange) {
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
	return list
}

// A dirState is a directory as of one version of it.
type dirState struct {
	fs      *ext.FS
	past    *Past // nil for today
	dir     *ext.Inode
	latest  bool // it is that of today, whose blocks may differ from any copy
	damaged bool
}

// dirState gives the directory of a version, nil where there is no moment to see it at;
// known as of NameChanges.
func (l *Log) dirState(v *InodeVersion) (s *dirState, known bool) {
	if v.Source == FromNow {
		return &dirState{fs: l.FS, dir: v.In, latest: true}, true
	}
	p, err := l.glance(max(v.tx, 0))
	if err != nil {
		return nil, false
	}
	return &dirState{fs: p.FS, past: p, dir: v.In}, len(p.DirUnknown(v.In)) == 0
}

// place lists the blocks of a directory in the order of its map, with their places.
func (s *dirState) place(w *nameWork, list []placedBlock) []placedBlock {
	if s.dir.Links == 0 || !s.fs.HasMap(s.dir) {
		return list
	}
	bs := uint64(s.fs.BlockSize())
	end := (s.dir.Size() + bs - 1) / bs
	for r, err := range s.fs.Map(s.dir) {
		if err != nil {
			s.damaged = true
		}
		if w.steps += 8; w.steps > maxNameSteps {
			return list
		}
		if err != nil || r.Kind != ext.Data {
			continue
		}
		for i := range r.Len {
			if r.Logical+i >= end {
				break
			}
			if w.steps++; w.steps > maxNameSteps || len(list) >= maxNameChanges {
				s.damaged = true
				return list
			}
			b := placedBlock{physical: r.Physical + Block(i), logical: uint32(r.Logical + i)}
			if s.past != nil {
				if c, _, ok := s.past.moment.Find(b.physical); ok {
					b.log = c.Log
				}
			}
			list = append(list, b)
		}
	}
	return list
}

// common marks the blocks that two lists have in common. Maps are in the order of the
// directory's blocks; where one is not, less is found.
func common(from, to []placedBlock) {
	for i, j := 0, 0; i < len(from) && j < len(to); {
		switch c := cmp.Compare(from[i].logical, to[j].logical); {
		case c < 0:
			i++
		case c > 0:
			j++
		default:
			same := from[i].log == to[j].log && from[i].physical == to[j].physical
			from[i].skip, to[j].skip = same, same
			i++
			j++
		}
	}
}

// names reads the names in blocks that are not marked, or all of an inline directory,
// by name.
func (s *dirState) names(w *nameWork, blocks []placedBlock) (list []NameChange) {
	if s.dir.Links == 0 {
		return nil
	}
	add := func(e ext.Entry, err error) bool {
		if err != nil {
			s.damaged = true
			return true
		}
		if !e.IsDot() && len(list) < maxNameChanges {
			list = append(list, NameChange{bytes.Clone(e.Name), e.Ino, false})
		}
		return true
	}
	if !s.fs.HasMap(s.dir) {
		for e, err := range s.fs.EntriesWithin(s.dir, false, w.reads) {
			add(e, err)
		}
	}
	buf := make([]byte, s.fs.BlockSize())
	for _, b := range blocks {
		if b.skip {
			continue
		}
		if !w.reads.Take() {
			return nil
		}
		if err := s.fs.ReadBlock(buf, b.physical); err != nil {
			s.damaged = true
			continue
		}
		s.fs.BlockEntries(ext.DirBlockView{Dir: s.dir, Logical: uint64(b.logical), Bytes: buf}, false, add)
	}
	slices.SortFunc(list, func(a, b NameChange) int { return bytes.Compare(a.Name, b.Name) })
	return list
}

// fastChanges are the names that a fast commit changed in a directory.
func (l *Log) fastChanges(v *InodeVersion) (list []NameChange) {
	i, found := slices.BinarySearchFunc(l.fast, v.Log, func(fc jbd2.FastCommit, n uint32) int { return cmp.Compare(fc.LogBlock, n) })
	if !found {
		return nil
	}
	for _, r := range l.fast[i].Records {
		if r.Parent == v.In.Ino {
			list = append(list, NameChange{r.Name, r.Ino, r.Tag == jbd2.FCUnlink})
		}
	}
	return list
}
