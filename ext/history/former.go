package history

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/extscope/extscope/ext"
)

const (
	maxFormer     = 1 << 20 // names in all
	maxFormerEach = 64      // of one inode

	maxFormerBytes = 256 << 20 // of paths
)

// A FormerName is a path that an inode had, and has no more.
type FormerName struct {
	Ino      Ino
	Path     []byte
	Sequence uint32 // the last transaction that tells of it
}

// Former gives the paths that inodes which are there today had in the log and have no
// more, by inode and path. A directory on the way that is gone is spelled as it was.
func (l *Log) Former(ctx context.Context, want func(ino Ino) bool) ([]FormerName, error) {
	type key struct {
		dir, ino Ino
		gen      uint32 // of the directory
		name     string
	}
	newest, count := map[key]int{}, map[Ino]int{}
	err := l.EachName(ctx, func(n *Name) {
		if !want(n.Ino) {
			return
		}
		k := key{n.Dir, n.Ino, n.DirGen, string(n.Bytes)}
		if _, known := newest[k]; !known && (len(newest) >= maxFormer || count[n.Ino] >= maxFormerEach) {
			return
		} else if !known {
			count[n.Ino]++
		}
		newest[k] = n.Tx
	})
	if err != nil {
		return nil, err
	}
	inodes := map[Ino]bool{}
	for k := range newest {
		inodes[k.ino] = true
	}
	lines, err := l.timelines(ctx, inodes)
	if err != nil {
		return nil, err
	}
	dirs := map[Ino]*formerDir{}
	for k := range newest {
		if d := dirs[k.dir]; d == nil {
			dirs[k.dir] = &formerDir{names: map[string]Ino{}}
		}
		dirs[k.dir].names[k.name] = 0
	}
	reads := l.FS.NewDirBudget()
	for _, ino := range slices.Sorted(maps.Keys(dirs)) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		dirs[ino].read(l.FS, ino, reads)
	}
	var out []FormerName
	room := maxFormerBytes
	order := slices.SortedFunc(maps.Keys(newest), func(a, b key) int { // what is left out is the same each time
		return cmp.Or(cmp.Compare(a.ino, b.ino), cmp.Compare(a.dir, b.dir), cmp.Compare(a.gen, b.gen), cmp.Compare(a.name, b.name))
	})
	for _, k := range order {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		tx := newest[k]
		now, err := l.FS.Inode(k.ino)
		if err != nil {
			continue
		}
		if gen, ok := lines.gen(k.ino, tx); ok && gen != now.Generation {
			continue // it was another file's name
		}
		d := dirs[k.dir]
		there := d.there && (d.in.Generation == k.gen || k.gen == 0)
		if there && (d.cut || d.names[k.name] == k.ino) {
			continue // it still has that name, or nobody knows
		}
		path := l.dirPath(d.in, there, k.dir, k.gen, tx)
		if path == nil {
			continue
		}
		if room -= len(path) + len(k.name); room < 0 {
			break
		}
		if !bytes.HasSuffix(path, []byte("/")) {
			path = append(path, '/')
		}
		out = append(out, FormerName{k.ino, append(path, k.name...), l.Archive.Transactions[tx].Sequence})
	}
	slices.SortFunc(out, func(a, b FormerName) int {
		return cmp.Or(cmp.Compare(a.Ino, b.Ino), bytes.Compare(a.Path, b.Path))
	})
	return slices.CompactFunc(out, func(a, b FormerName) bool { return a.Ino == b.Ino && bytes.Equal(a.Path, b.Path) }), nil
}

// A formerDir is a directory as it is today, and what those names are in it, as stored,
// that the log has of it.
type formerDir struct {
	in    *ext.Inode
	there bool // it is one
	cut   bool // not all of it was read
	names map[string]Ino
}

// read goes through the directory once, whatever number of names are asked for.
func (d *formerDir) read(f *ext.FS, ino Ino, reads *ext.DirBudget) {
	in, err := f.Inode(ino)
	if err != nil {
		return
	}
	if d.in, d.there = in, in.Links > 0 && in.IsDir(); !d.there {
		return
	}
	for e, err := range f.EntriesWithin(in, false, reads) {
		if errors.Is(err, ext.ErrDirBudget) {
			d.cut = true
		}
		if err != nil {
			continue
		}
		if at, asked := d.names[string(e.Name)]; asked && at == 0 {
			d.names[string(e.Name)] = e.Ino
		}
	}
}

// A dirKey is a directory: one file, whatever number of that name there was.
type dirKey struct {
	ino Ino
	gen uint32
}

const (
	maxPathPasts = 4096     // moments that are looked at for the sake of paths
	maxPathReads = 1 << 20  // blocks of directories that are read for them
	maxPathBytes = 64 << 20 // and bytes that are kept
)

// dirPath gives the path of a directory: today's where it is there, else that of
// transaction tx; nil where neither is known. The caller may append to it.
func (l *Log) dirPath(dir *ext.Inode, there bool, ino Ino, gen uint32, tx int) []byte {
	key := dirKey{ino, gen}
	path, known := l.paths[key]
	if !known && l.pathBytes < maxPathBytes {
		if there {
			path, _ = l.FS.PathWithin(dir, l.pathReads)
		} else if l.pathPasts++; l.pathPasts <= maxPathPasts {
			path = l.pastPath(ino, tx)
		}
		l.paths[key] = path
		l.pathBytes += len(path) + 64
	}
	return slices.Clone(path)
}

// pastPath gives the path that a directory had at the end of a transaction, or nil.
func (l *Log) pastPath(ino Ino, tx int) []byte {
	for _, i := range []int{tx, tx - 1} { // it may be the one that removed it
		if i < 0 || i >= len(l.effect) || !l.effect[i] {
			continue
		}
		p, err := l.glance(i)
		if err != nil {
			continue
		}
		if dir, err := p.FS.Inode(ino); err == nil && dir.IsDir() && dir.Links > 0 {
			if path, err := p.FS.PathWithin(dir, l.pathReads); err == nil {
				return path
			}
		}
	}
	return nil
}

// DirPath gives the path of the directory that a use is a block of: today's, or that
// of the time.
func (l *Log) DirPath(u Use, tx int) []byte {
	dir, err := l.FS.Inode(u.Owner)
	there := err == nil && dir.Links > 0 && dir.IsDir() && dir.Generation == u.Gen
	return l.dirPath(dir, there, u.Owner, u.Gen, tx)
}
