package history

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/extscope/extscope/ext"
)

const (
	maxFormer     = 1 << 20 // names in all
	maxFormerEach = 64      // of one inode
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
	var out []FormerName
	for k, tx := range newest {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		now, err := l.FS.Inode(k.ino)
		if err != nil {
			continue
		}
		if gen, ok := lines.gen(k.ino, tx); ok && gen != now.Generation {
			continue // it was another file's name
		}
		dir, err := l.FS.Inode(k.dir)
		there := err == nil && dir.Links > 0 && dir.IsDir() && (dir.Generation == k.gen || k.gen == 0)
		if there {
			if ino, err := l.FS.Lookup(dir, []byte(k.name)); err == nil && ino == k.ino {
				continue // it still has that name
			}
		}
		path := l.dirPath(dir, there, k.dir, k.gen, tx)
		if path == nil {
			continue
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

// A dirKey is a directory: one file, whatever number of that name there was.
type dirKey struct {
	ino Ino
	gen uint32
}

// maxPathPasts bounds how many moments are opened for the sake of paths.
const maxPathPasts = 4096

// dirPath gives the path of a directory: today's where it is there, else that of
// transaction tx; nil where neither is known. The caller may append to it.
func (l *Log) dirPath(dir *ext.Inode, there bool, ino Ino, gen uint32, tx int) []byte {
	key := dirKey{ino, gen}
	path, known := l.paths[key]
	if !known {
		if there {
			path, _ = l.FS.PathOf(dir)
		} else if l.pathPasts++; l.pathPasts <= maxPathPasts {
			path = l.pastPath(ino, tx)
		}
		l.paths[key] = path
	}
	return slices.Clone(path)
}

// pastPath gives the path that a directory had at the end of a transaction, or nil.
func (l *Log) pastPath(ino Ino, tx int) []byte {
	for _, i := range []int{tx, tx - 1} { // it may be the one that removed it
		if i < 0 || i >= len(l.effect) || !l.effect[i] {
			continue
		}
		p, err := l.At(i)
		if err != nil {
			continue
		}
		if dir, err := p.FS.Inode(ino); err == nil && dir.IsDir() && dir.Links > 0 {
			if path, err := p.FS.PathOf(dir); err == nil {
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
