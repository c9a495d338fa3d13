package undelete

import (
	"context"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/layout"
)

// gatherNames takes the names of incarnations from gaps in directories that are there,
// from copies of directories in the log, and from blocks of directories that were
// deleted.
func (f *finder) gatherNames(ctx context.Context) error {
	gaps, err := f.directories(ctx)
	if err != nil {
		return err
	}
	gaps.each(func(n *nameRef) { f.addName(*n) })
	f.bindNames(false)
	if f.log != nil {
		err := f.log.EachName(ctx, func(n *history.Name) {
			f.addName(nameRef{dir: n.Dir, dirGen: n.DirGen, ino: n.Ino, tx: after(n.Tx, n.Fast), typ: n.Type, name: n.Bytes, source: fromCopy})
		})
		if err != nil {
			return err
		}
	}
	return f.deletedDirs(ctx)
}

// addName keeps a name of an incarnation; the newest that tells of it counts.
func (f *finder) addName(n nameRef) {
	if f.lives.first(n.ino) == nil && !f.renamed(&n) {
		return
	}
	l := f.owner(&n)
	if l == nil {
		return
	}
	if old := f.names.find(n.dir, l, n.name); old != nil {
		if n.tx > old.tx {
			old.tx, old.source, old.dirGen = n.tx, n.source, n.dirGen
		}
		return
	}
	n.there = l.live && f.now.has(n.dir, n.ino, n.name)
	if !f.names.put(&n, l) {
		f.limitNames()
	}
}

func (f *finder) limitNames() {
	f.limit("more than %d names of deleted files: those beyond are left out", maxNames)
}

// owner finds the incarnation that a name was of.
func (f *finder) owner(n *nameRef) *life {
	first := f.lives.first(n.ino)
	fits := func(l *life) bool {
		t := l.typ()
		return n.typ == layout.FTUnknown || t == 0 || layout.FTOfMode(t) == n.typ
	}
	if n.old {
		return f.ownerBefore(first, fits)
	}
	var found, any *life // any of them, the first
	for l := first; l != nil; l = f.lives.next(l) {
		switch {
		case !fits(l):
			continue
		case n.tx < 0:
			// Of a name without a time the newest that fits, of those that are gone.
			if !l.live {
				found = l
			}
		case l.first <= n.tx && (l.gone == 0 || l.gone >= n.tx || found == nil):
			found = l
		}
		if any == nil {
			any = l
		}
	}
	if found == nil && (n.tx >= 0 || f.o.Former != nil) {
		// Known from before the first copy of its inode; or its directory is lost, and
		// the name was there.
		return any
	}
	return found
}

// ownerBefore finds the incarnation that a name was of before all that the log holds:
// one that is known from then, or the only one that is known at all.
func (f *finder) ownerBefore(first *life, fits func(*life) bool) (found *life) {
	count := 0
	for l := first; l != nil; l = f.lives.next(l) {
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
	if l.best.known() {
		return l.best.typ()
	}
	return l.mode & layout.ModeMask
}

// deletedDirs takes the names in blocks of deleted directories, where those are still
// as they were.
func (f *finder) deletedDirs(ctx context.Context) error {
	for l := range f.lives.sorted() {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := &l.best
		if l.live || l.typ() != layout.ModeDir {
			continue
		}
		if !s.known() {
			if !l.home {
				continue
			}
			s = l.today()
		}
		in := f.inode(l.ino, s)
		if in.HasInline() {
			for e, err := range f.fs.Entries(in, false) {
				if err == nil && !e.IsDot() {
					f.addName(nameRef{dir: l.ino, dirGen: l.gen, ino: e.Ino, tx: s.tx, typ: e.Type, name: e.Name, source: fromInline})
				}
			}
			continue
		}
		m := f.newMapper(in, s.tx)
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
						f.addName(nameRef{dir: l.ino, dirGen: l.gen, ino: e.Ino, tx: tx, typ: e.Type, name: e.Name, source: fromFreed})
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
