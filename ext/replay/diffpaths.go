package replay

import (
	"cmp"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// Paths spells the paths of what differs.
type paths struct {
	*differ
	home, after           map[ext.Ino][]byte // of directories
	lostByIno, freshByIno []int32

	reads *ext.DirBudget // blocks of directories that may still be read for paths
	bytes int            // held in home and after
}

const (
	maxPaths     = 1 << 16  // directories whose paths are kept
	maxPathBytes = 64 << 20 // and their bytes
	maxPathReads = 1 << 20  // blocks of directories that are read for paths
)

// index orders the names by inode.
func (p *paths) index() {
	order := func(list []nameChange) []int32 {
		out := make([]int32, len(list))
		for i := range out {
			out[i] = int32(i)
		}
		slices.SortStableFunc(out, func(a, b int32) int { return cmp.Compare(list[a].ino, list[b].ino) })
		return out
	}
	p.lostByIno, p.freshByIno = order(p.lost), order(p.fresh)
}

// dirPath is the path of a directory in a view, nil where it has none.
func (p *paths) dirPath(f *ext.FS, known map[ext.Ino][]byte, ino ext.Ino) []byte {
	if path, ok := known[ino]; ok {
		return path
	}
	var path []byte
	if in, err := f.Inode(ino); err == nil && in.IsDir() && in.Links > 0 {
		if found, err := f.PathWithin(in, p.reads); err == nil {
			path = found
		}
	}
	if len(known) < maxPaths && p.bytes < maxPathBytes {
		known[ino] = path
		p.bytes += len(path)
	}
	return path
}

// path is the path of a name in a view, nil where its directory has none.
func (p *paths) path(f *ext.FS, known map[ext.Ino][]byte, n nameChange) []byte {
	dir := p.dirPath(f, known, n.dir)
	if dir == nil {
		return nil
	}
	name := p.name(n)
	if in, err := f.Inode(n.dir); err == nil {
		namer := f.Namer(in)
		if namer.Encrypted() {
			name = namer.Name(&ext.Entry{Name: name, Ino: n.ino})
		}
	}
	if len(dir) == 1 {
		return append([]byte{'/'}, name...)
	}
	return append(append(slices.Clone(dir), '/'), name...)
}

// first is the path of the first name of an inode in a list.
func (p *paths) first(f *ext.FS, known map[ext.Ino][]byte, list []nameChange, order []int32, ino ext.Ino) []byte {
	i, found := slices.BinarySearchFunc(order, ino, func(k int32, ino ext.Ino) int { return cmp.Compare(list[k].ino, ino) })
	if !found {
		return nil
	}
	return p.path(f, known, list[order[i]])
}

func (p *paths) inodeChange(c inodeChange) Change {
	out := Change{Kind: c.kind, Ino: c.ino, Type: c.mode & layout.ModeMask, Fields: c.fields}
	if c.kind != Created {
		out.Home = p.first(p.v.Home, p.home, p.lost, p.lostByIno, c.ino)
	}
	if c.kind != Deleted {
		out.Replayed = p.first(p.v.FS, p.after, p.fresh, p.freshByIno, c.ino)
	}
	if out.Type == layout.ModeDir {
		if out.Home == nil && c.kind != Created {
			out.Home = p.dirPath(p.v.Home, p.home, c.ino)
		}
		if out.Replayed == nil && c.kind != Deleted {
			out.Replayed = p.dirPath(p.v.FS, p.after, c.ino)
		}
	}
	return out
}
