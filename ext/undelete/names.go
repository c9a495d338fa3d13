package undelete

import (
	"bytes"
	"cmp"
	"context"
	"hash/maphash"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/layout"
)

// A nameRef is a name that a directory held at some time.
type nameRef struct {
	dir    Ino
	dirGen uint32
	ino    Ino
	tx     moment // the newest transaction that tells; -1 where a gap or a freed block does, of which the time is not known
	typ    uint8
	name   []byte
	source string // in words
	there  bool   // it is there today
	kept   bool   // name is the name's own copy
	old    bool   // from before all that the log holds, where it is of a block that the log wrote over since
}

const maxNames = 1 << 22

// A nameIndex finds names by a hash under a seed that no image can know.
type nameIndex struct {
	seed maphash.Seed
	at   map[uint64]int32 // into finder.names
}

func (x *nameIndex) key(dir Ino, l *life, name []byte) uint64 {
	return maphash.Bytes(x.seed, name) ^ uint64(dir)*0x9e3779b97f4a7c15 ^ uint64(l.ino)*0xc2b2ae3d27d4eb4f ^ uint64(l.gen)*0x165667b19e3779f9
}

// gatherNames takes the names of incarnations from gaps in directories that are there,
// from copies of directories in the log, and from blocks of directories that were
// deleted.
func (f *finder) gatherNames(ctx context.Context) error {
	f.index = nameIndex{f.now.seed, map[uint64]int32{}}
	gaps, err := f.directories(ctx)
	if err != nil {
		return err
	}
	for _, n := range gaps {
		f.addName(n)
	}
	f.bindNames(false)
	if f.log != nil {
		err := f.log.EachName(ctx, func(n *history.Name) {
			f.addName(nameRef{dir: n.Dir, dirGen: n.DirGen, ino: n.Ino, tx: after(n.Tx, n.Fast), typ: n.Type, name: n.Bytes, source: "a copy of its directory in the journal"})
		})
		if err != nil {
			return err
		}
	}
	return f.deletedDirs(ctx)
}

// addName keeps a name of an incarnation; the newest that tells of it counts.
func (f *finder) addName(n nameRef) {
	if f.byIno[n.ino] == nil && !f.renamed(&n) {
		return
	}
	l := f.owner(&n)
	if l == nil {
		return
	}
	k := f.index.key(n.dir, l, n.name)
	if i, known := f.index.at[k]; known {
		if old := &f.names[i]; n.tx > old.tx {
			old.tx, old.source, old.dirGen = n.tx, n.source, n.dirGen
		}
		return
	}
	if len(f.names) >= maxNames {
		return
	}
	if !n.kept {
		n.name = bytes.Clone(n.name)
	}
	n.there = l.live && f.now.has(n.dir, n.ino, n.name)
	f.index.at[k] = int32(len(f.names))
	l.names = append(l.names, len(f.names))
	f.names = append(f.names, n)
}

// owner finds the incarnation that a name was of.
func (f *finder) owner(n *nameRef) *life {
	list := f.byIno[n.ino]
	fits := func(l *life) bool {
		t := l.typ()
		return n.typ == layout.FTUnknown || t == 0 || layout.FTOfMode(t) == n.typ
	}
	if n.old {
		return ownerBefore(list, fits)
	}
	if n.tx < 0 {
		// Of a name without a time the newest that fits, of those that are gone.
		for i := len(list) - 1; i >= 0; i-- {
			if !list[i].live && fits(list[i]) {
				return list[i]
			}
		}
		if f.o.Former != nil { // its directory is lost, and the name was there
			for _, l := range list {
				if fits(l) {
					return l
				}
			}
		}
		return nil
	}
	var found *life
	for _, l := range list {
		if l.first <= n.tx && fits(l) && (l.gone == 0 || l.gone >= n.tx || found == nil) {
			found = l
		}
	}
	if found == nil {
		for _, l := range list { // known from before the first copy of its inode
			if fits(l) {
				return l
			}
		}
	}
	return found
}

// ownerBefore finds the incarnation that a name was of before all that the log holds:
// one that is known from then, or the only one that is known at all.
func ownerBefore(list []*life, fits func(*life) bool) (found *life) {
	count := 0
	for _, l := range list {
		if fits(l) {
			count++
			if found == nil || l.first < found.first {
				found = l
			}
		}
	}
	if found == nil || found.live || count > 1 && found.first > strayUncovered {
		return nil
	}
	return found
}

// typ is the file type of an incarnation, 0 where it is not known.
func (l *life) typ() uint16 {
	switch {
	case l.best != nil:
		return l.best.in.Type()
	case l.home != nil:
		return l.home.Type()
	}
	return l.mode & layout.ModeMask
}

// deletedDirs takes the names in blocks of deleted directories, where those are still
// as they were.
func (f *finder) deletedDirs(ctx context.Context) error {
	for _, l := range f.sorted() {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := l.best
		if l.live || l.typ() != layout.ModeDir {
			continue
		}
		if s == nil && l.home != nil {
			s = &state{in: l.home, tx: latest}
		}
		if s == nil {
			continue
		}
		if s.in.HasInline() {
			for e, err := range f.fs.Entries(s.in, false) {
				if err == nil && !e.IsDot() {
					f.addName(nameRef{dir: l.ino, dirGen: l.gen, ino: e.Ino, tx: s.tx, typ: e.Type, name: e.Name, source: "its directory, kept in an inode"})
				}
			}
			continue
		}
		m := f.newMapper(s.in, s.tx)
		if m.read(); len(m.runs) == 0 {
			m.leftover()
		}
		tx := s.tx
		if tx == latest {
			tx = -1
		}
		f.dirNames(m, l, tx)
	}
	return nil
}

// dirNames takes the names in the blocks of a deleted directory.
func (f *finder) dirNames(m *mapper, l *life, tx moment) {
	dir := &ext.Inode{Ino: l.ino}
	dir.Flags = m.in.Flags
	budget := 1 << 16
	for _, r := range m.runs {
		for i := range r.Len {
			if budget--; budget < 0 {
				return
			}
			b := r.Physical + Block(i)
			m.sources(b, func(buf []byte) bool {
				if f.csum && !dirChecksum(buf, m.seed) {
					return false
				}
				if !f.csum && r.Logical+i == 0 && dotOf(buf) != l.ino {
					return false
				}
				v := ext.DirBlockView{Dir: dir, Logical: r.Logical + i, Bytes: buf}
				return f.fs.BlockEntries(v, false, func(e ext.Entry, err error) bool {
					if err == nil && !e.IsDot() {
						f.addName(nameRef{dir: l.ino, dirGen: l.gen, ino: e.Ino, tx: tx, typ: e.Type, name: e.Name, source: "a freed block of its directory"})
					}
					return err == nil
				})
			})
		}
	}
}

// dirChecksum reports whether a block of a directory has the right checksum: that of a
// leaf, or of a node of an index.
func dirChecksum(b []byte, seed uint32) bool {
	for _, at := range []int{0x20, 0x8} { // dx_root, dx_node
		if stored, computed, there := layout.DxChecksum(b, seed, at); there && stored == computed {
			return true
		}
	}
	stored, tail := layout.DirTail(b)
	return tail && layout.DirChecksum(b, seed) == stored
}

func dotOf(b []byte) Ino {
	if len(b) < 12 || b[6] != 1 || b[8] != '.' {
		return 0
	}
	return Ino(le.Uint32(b))
}

// sorted gives all incarnations, by number and then generation.
func (f *finder) sorted() []*life {
	out := make([]*life, 0, len(f.lives))
	for _, l := range f.lives {
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b *life) int {
		if a.ino != b.ino {
			return cmp.Compare(a.ino, b.ino)
		}
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.gen, b.gen))
	})
	return out
}
