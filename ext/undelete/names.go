package undelete

import (
	"bytes"
	"cmp"
	"context"
	"hash/maphash"
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
	tx     moment // the newest transaction that tells; -1 where a gap or a freed block does, of which the time is not known
	typ    uint8
	name   []byte
	source string // in words
	there  bool   // it is there today
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

// gatherNames takes the names of incarnations from copies of directories in the log,
// from gaps in directories that are there, and from blocks of directories that were
// deleted. It notes which of them are there today.
func (f *finder) gatherNames(ctx context.Context) error {
	f.index = nameIndex{maphash.MakeSeed(), map[uint64]int32{}}
	if f.log != nil {
		err := f.log.EachName(ctx, func(n *history.Name) {
			f.addName(nameRef{dir: n.Dir, dirGen: n.DirGen, ino: n.Ino, tx: after(n.Tx, n.Fast), typ: n.Type, name: n.Bytes, source: "a copy of its directory in the journal"})
		})
		if err != nil {
			return err
		}
	}
	if err := f.deletedDirs(ctx); err != nil {
		return err
	}
	if err := f.directories(ctx); err != nil {
		return err
	}
	return nil
}

// addName keeps a name of an incarnation; the newest that tells of it counts.
func (f *finder) addName(n nameRef) {
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
	n.name = bytes.Clone(n.name)
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

// directories goes through all directories that are there: for names that are left in
// gaps, where kernels before 5.13, libext2fs, and splits of indexed directories leave
// them; and for which of the names known are there today.
func (f *finder) directories(ctx context.Context) error {
	var mu sync.Mutex
	var blocks []ext.DirBlock
	var inline []*ext.Inode
	type dirFacts struct {
		gen   uint32
		flags layout.InodeFlags
	}
	dirs := map[Ino]dirFacts{}
	nodes := f.fs.NewNodeBudget()
	limit := int(min(f.fs.Super.BlocksCount, 1<<26))
	err := f.fs.ScanInodes(ctx, func(_ int, in *ext.Inode) {
		if in.Links == 0 || !in.IsDir() {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if in.HasInline() {
			inline = append(inline, f.fs.DecodeInode(bytes.Clone(in.Raw), in.Ino, in.Offset))
			return
		}
		dirs[in.Ino] = dirFacts{in.Generation, in.Flags}
		blocks = f.fs.DirBlocks(blocks, in, limit, nodes, func(error) {})
	}, func(Ino, uint32, error) {})
	if err != nil {
		return err
	}
	const gap = "a removed entry in its directory"
	for _, dir := range inline {
		for e, err := range f.fs.Entries(dir, true) {
			if err == nil && e.Removed {
				f.addName(nameRef{dir: dir.Ino, dirGen: dir.Generation, ino: e.Ino, tx: -1, typ: e.Type, name: e.Name, source: gap})
			} else if err == nil {
				f.there(dir.Ino, e.Ino, e.Name)
			}
		}
	}
	return f.fs.ScanDirs(ctx, blocks, func(_ int, d ext.DirBlock, b []byte, err error) {
		if err != nil {
			return
		}
		facts := dirs[d.Dir]
		v := ext.DirBlockView{Logical: uint64(d.Logical), Bytes: b, Offset: f.fs.BlockOffset(d.Physical)}
		mu.Lock()
		defer mu.Unlock()
		f.fs.RemovedRecords(v, facts.flags, false, func(e *layout.Dirent) {
			f.addName(nameRef{dir: d.Dir, dirGen: facts.gen, ino: e.Ino, tx: -1, typ: e.Type, name: e.Name, source: gap})
		})
		records := f.fs.DirRecords(b, v.Offset, facts.flags)
		var e layout.Dirent
		for records.Next(&e) {
			if e.Ino != 0 && len(f.byIno[e.Ino]) > 0 {
				f.there(d.Dir, e.Ino, e.Name)
			}
		}
	})
}

// there notes that a name is there today.
func (f *finder) there(dir, ino Ino, name []byte) {
	for _, l := range f.byIno[ino] {
		if !l.live {
			continue
		}
		if i, known := f.index.at[f.index.key(dir, l, name)]; known {
			f.names[i].there = true
		}
	}
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
		return cmp.Or(cmp.Compare(a.ino, b.ino), cmp.Compare(a.first, b.first), cmp.Compare(a.gen, b.gen))
	})
	return out
}
