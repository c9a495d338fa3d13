package undelete

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/layout"
)

// A nameRef is a name that a directory held at some time.
type nameRef struct {
	dir    Ino
	dirGen uint32
	ino    Ino
	tx     int // the newest transaction that tells; -1 where a gap or a freed block does, of which the time is not known
	typ    uint8
	name   []byte
	source string // in words
	old    bool   // from before all that the log holds, where it is of a block that the log wrote over since
}

const maxNames = 1 << 22

// gatherNames takes the names of incarnations from copies of directories in the log,
// from gaps in directories that are there, and from blocks of directories that were
// deleted.
func (f *finder) gatherNames(ctx context.Context) error {
	f.nameIndex = map[nameKey]int{}
	if f.log != nil {
		err := f.log.EachName(ctx, func(n *history.Name) {
			f.addName(nameRef{dir: n.Dir, dirGen: n.DirGen, ino: n.Ino, tx: n.Tx, typ: n.Type, name: n.Bytes, source: "a copy of its directory in the journal"})
		})
		if err != nil {
			return err
		}
	}
	if err := f.gaps(ctx, f.addName); err != nil {
		return err
	}
	if err := f.deletedDirs(ctx, f.addName); err != nil {
		return err
	}
	f.ownNames(0)
	return nil
}

// A nameKey is a name of an inode in a directory.
type nameKey struct {
	dir, ino Ino
	gen      uint32
	name     string
}

// addName keeps a name; of one that is known already when it was last there.
func (f *finder) addName(n nameRef) {
	if f.byIno[n.ino] == nil || len(f.names) >= maxNames || f.encrypted(n.dir) {
		return
	}
	k := nameKey{n.dir, n.ino, n.dirGen, string(n.name)}
	if i, known := f.nameIndex[k]; known {
		if n.tx > f.names[i].tx {
			f.names[i].tx, f.names[i].source = n.tx, n.source
		}
		return
	}
	n.name = bytes.Clone(n.name)
	f.nameIndex[k] = len(f.names)
	f.names = append(f.names, n)
}

// ownNames gives the names from number from on to the incarnations that they were of.
func (f *finder) ownNames(from int) {
	for i := from; i < len(f.names); i++ {
		n := &f.names[i]
		tx := n.tx
		if tx < 0 {
			tx = latest
		}
		if l := f.owner(n, tx); l != nil {
			l.names = append(l.names, i)
		}
	}
}

// encrypted reports whether names of a directory are ciphertext, which joins to
// nothing readable.
func (f *finder) encrypted(Ino) bool { return false }

// owner finds the incarnation that a name was of.
func (f *finder) owner(n *nameRef, tx int) *life {
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
		return nil
	}
	var found *life
	for _, l := range list {
		if l.first <= tx && fits(l) && (l.gone == 0 || l.gone >= tx || found == nil) {
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
	return l.mode
}

// gaps takes the names that are left in gaps of directories that are there: kernels
// before 5.13, libext2fs, and splits of indexed directories leave them.
func (f *finder) gaps(ctx context.Context, add func(nameRef)) error {
	var mu sync.Mutex
	var blocks []ext.DirBlock
	type dirFacts struct {
		gen   uint32
		flags layout.InodeFlags
	}
	dirs := map[Ino]dirFacts{}
	nodes := f.fs.NewNodeBudget()
	limit := int(min(f.fs.Super.BlocksCount, 1<<26))
	err := f.fs.ScanInodes(ctx, func(_ int, in *ext.Inode) {
		if in.Links == 0 || !in.IsDir() || in.HasInline() {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		dirs[in.Ino] = dirFacts{in.Generation, in.Flags}
		blocks = f.fs.DirBlocks(blocks, in, limit, nodes, func(error) {})
	}, func(Ino, uint32, error) {})
	if err != nil {
		return err
	}
	return f.fs.ScanDirs(ctx, blocks, func(_ int, d ext.DirBlock, b []byte, err error) {
		if err != nil {
			return
		}
		facts := dirs[d.Dir]
		v := ext.DirBlockView{Logical: uint64(d.Logical), Bytes: b, Offset: f.fs.BlockOffset(d.Physical)}
		f.fs.RemovedRecords(v, facts.flags, false, func(e *layout.Dirent) {
			mu.Lock()
			defer mu.Unlock()
			add(nameRef{dir: d.Dir, dirGen: facts.gen, ino: e.Ino, tx: -1, typ: e.Type, name: e.Name, source: "a removed entry in its directory"})
		})
	})
}

// deletedDirs takes the names in blocks of deleted directories, where those are still
// as they were.
func (f *finder) deletedDirs(ctx context.Context, add func(nameRef)) error {
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
					add(nameRef{dir: l.ino, dirGen: l.gen, ino: e.Ino, tx: s.tx, typ: e.Type, name: e.Name, source: "its directory, kept in an inode"})
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
		f.dirNames(m, l, tx, add)
	}
	return nil
}

// dirNames takes the names in the blocks of a deleted directory.
func (f *finder) dirNames(m *mapper, l *life, tx int, add func(nameRef)) {
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
						add(nameRef{dir: l.ino, dirGen: l.gen, ino: e.Ino, tx: tx, typ: e.Type, name: e.Name, source: "a freed block of its directory"})
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
		return cmp.Or(cmp.Compare(a.ino, b.ino), cmp.Compare(a.first, b.first), cmp.Compare(a.gen, b.gen))
	})
	return out
}
