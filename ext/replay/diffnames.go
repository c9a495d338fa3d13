package replay

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/extscope/extscope/ext"
)

// directory compares the names of one directory, in those of its blocks that differ
// or belong to it in one view only: the names of all others are the same.
func (d *differ) directory(ino ext.Ino) {
	a, b := d.open(d.v.Home, ino), d.open(d.v.FS, ino)
	if a == nil && b == nil {
		return
	}
	from, to := d.dirBlocks(d.v.Home, a), d.dirBlocks(d.v.FS, b)
	if a != nil && b != nil && !a.HasInline() && !b.HasInline() {
		from, to = d.only(from, to), d.only(to, from)
	} else if a != nil && b != nil && a.HasInline() && b.HasInline() && d.v.FS.Differ(a, b)&(ext.FieldContent|ext.FieldXattrs) == 0 {
		return
	}
	start := len(d.names)
	lost := d.read(nil, d.v.Home, a, from)
	fresh := d.read(nil, d.v.FS, b, to)
	order := func(x, y nameChange) int {
		return cmp.Or(bytes.Compare(d.name(x), d.name(y)), cmp.Compare(x.ino, y.ino))
	}
	slices.SortFunc(lost, order)
	slices.SortFunc(fresh, order)
	// Names that both have fall out.
	i, j, before := 0, 0, len(d.lost)+len(d.fresh)
	for i < len(lost) || j < len(fresh) {
		switch c := compareEnds(lost, fresh, i, j, order); {
		case c < 0:
			d.lost = append(d.lost, lost[i])
			i++
		case c > 0:
			d.fresh = append(d.fresh, fresh[j])
			j++
		default:
			i++
			j++
		}
	}
	if len(d.lost)+len(d.fresh) == before {
		d.names = d.names[:start]
	}
}

func compareEnds(a, b []nameChange, i, j int, order func(x, y nameChange) int) int {
	switch {
	case i == len(a):
		return 1
	case j == len(b):
		return -1
	}
	return order(a[i], b[j])
}

// open gives a directory of a view, nil where the inode is none there.
func (d *differ) open(f *ext.FS, ino ext.Ino) *ext.Inode {
	in, err := f.Inode(ino)
	if err != nil {
		d.fail(err)
		return nil
	}
	if in.Links == 0 || !in.IsDir() {
		return nil
	}
	return in
}

const (
	maxDirBlocks = 1 << 20 // of one directory that are held
	maxPlaces    = 1 << 25 // of all directories that are listed, where hostile ones share theirs
)

func (d *differ) dirBlocks(f *ext.FS, dir *ext.Inode) []ext.DirBlock {
	if dir == nil || !f.HasMap(dir) {
		return nil
	}
	list := f.DirBlocks(nil, dir, min(maxDirBlocks, max(d.places, 0)), d.nodes, d.fail)
	d.places -= len(list)
	slices.SortFunc(list, func(a, b ext.DirBlock) int { return cmp.Compare(a.Physical, b.Physical) })
	return list
}

// only gives the blocks of a list that differ, or are not in the other one.
func (d *differ) only(list, other []ext.DirBlock) []ext.DirBlock {
	var out []ext.DirBlock
	for _, b := range list {
		_, both := slices.BinarySearchFunc(other, b.Physical, func(x ext.DirBlock, p ext.Block) int { return cmp.Compare(x.Physical, p) })
		if !both || d.differs(b.Physical, 1) {
			out = append(out, b)
		}
	}
	return out
}

// read appends the names in blocks of a directory, or all of an inline one.
func (d *differ) read(list []nameChange, f *ext.FS, dir *ext.Inode, blocks []ext.DirBlock) []nameChange {
	if dir == nil {
		return list
	}
	add := func(e ext.Entry, err error) bool {
		if err != nil {
			d.fail(err)
			return true
		}
		if e.IsDot() || len(e.Name) > 255 || len(d.names)+len(e.Name) > 1<<31 {
			return true
		}
		list = append(list, nameChange{dir: dir.Ino, ino: e.Ino, at: uint32(len(d.names)), len: uint8(len(e.Name))})
		d.names = append(d.names, e.Name...)
		return true
	}
	if dir.HasInline() {
		for e, err := range f.Entries(dir, false) {
			add(e, err)
		}
		return list
	}
	buf := make([]byte, f.BlockSize())
	for _, b := range blocks {
		if !d.reads.Take() {
			break
		}
		if err := f.ReadBlock(buf, b.Physical); err != nil {
			d.fail(err)
			continue
		}
		f.BlockEntries(ext.DirBlockView{Dir: dir, Logical: uint64(b.Logical), Bytes: buf, Offset: f.BlockOffset(b.Physical)}, false, add)
	}
	return list
}

func (d *differ) name(n nameChange) []byte { return d.names[n.at:][:n.len] }

// pair finds names that moved: a lost and a fresh one of the same inode, which is
// the same file in both views.
func (d *differ) pair() {
	byIno := func(list []nameChange) []int32 {
		order := make([]int32, len(list))
		for i := range order {
			order[i] = int32(i)
		}
		slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(list[a].ino, list[b].ino) })
		return order
	}
	lost, fresh := byIno(d.lost), byIno(d.fresh)
	for i, j := 0, 0; i < len(lost) && j < len(fresh); {
		x, y := &d.lost[lost[i]], &d.fresh[fresh[j]]
		switch {
		case x.ino < y.ino:
			i++
		case x.ino > y.ino:
			j++
		default:
			if d.sameFile(x.ino) {
				x.moved, y.moved, x.to = true, true, fresh[j]
			}
			i++
			j++
		}
	}
}

// sameFile reports whether an inode is in use in both views, by the same file.
func (d *differ) sameFile(ino ext.Ino) bool {
	i, found := slices.BinarySearchFunc(d.inodes, ino, func(c inodeChange, ino ext.Ino) int { return cmp.Compare(c.ino, ino) })
	return !found || d.inodes[i].kind == Changed
}

// emit yields all changes.
func (d *differ) emit(ctx context.Context, yield func(Change, error) bool) {
	for _, err := range d.damage {
		if !yield(Change{}, err) {
			return
		}
	}
	p := &paths{differ: d, home: map[ext.Ino][]byte{}, after: map[ext.Ino][]byte{}, reads: ext.DirBlocksBudget(maxPathReads)}
	p.index()
	for _, c := range d.inodes {
		if err := ctx.Err(); err != nil {
			yield(Change{}, err)
			return
		}
		if !yield(p.inodeChange(c), nil) {
			return
		}
	}
	for i := range d.lost {
		n := &d.lost[i]
		c := Change{Kind: NameRemoved, Ino: n.ino, Dir: n.dir, Home: p.path(d.v.Home, p.home, *n)}
		if n.moved {
			to := d.fresh[n.to]
			c.Kind, c.Dir, c.Replayed = NameMoved, to.dir, p.path(d.v.FS, p.after, to)
		}
		c.Type = d.typeOf(d.v.Home, n.ino)
		if ctx.Err() != nil || !yield(c, ctx.Err()) {
			return
		}
	}
	for i := range d.fresh {
		n := &d.fresh[i]
		if n.moved {
			continue
		}
		c := Change{Kind: NameAdded, Ino: n.ino, Dir: n.dir, Replayed: p.path(d.v.FS, p.after, *n), Type: d.typeOf(d.v.FS, n.ino)}
		if ctx.Err() != nil || !yield(c, ctx.Err()) {
			return
		}
	}
}

func (d *differ) typeOf(f *ext.FS, ino ext.Ino) uint16 {
	in, err := f.Inode(ino)
	if err != nil {
		return 0
	}
	return in.Type()
}
