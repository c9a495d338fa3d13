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
		newest[k] = n.tx
	})
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
		if v, _ := l.InodeAt(k.ino, tx); v != nil && v.In.Generation != now.Generation {
			continue // it was another file's name
		}
		dir, err := l.FS.Inode(k.dir)
		there := err == nil && dir.Links > 0 && dir.IsDir() && (dir.Generation == k.gen || k.gen == 0)
		if there {
			if ino, err := l.FS.Lookup(dir, []byte(k.name)); err == nil && ino == k.ino {
				continue // it still has that name
			}
		}
		path := l.dirPath(dir, there, k.dir, tx)
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

// dirPath gives the path of a directory: today's where it is there, else that of
// transaction tx; nil where neither is known. The caller may append to it.
func (l *Log) dirPath(dir *ext.Inode, there bool, ino Ino, tx int) []byte {
	if there {
		if path, err := l.FS.PathOf(dir); err == nil {
			return slices.Clone(path)
		}
	}
	p, err := l.At(tx)
	if err != nil {
		return nil
	}
	if dir, err = p.FS.Inode(ino); err != nil || !dir.IsDir() {
		return nil
	}
	path, err := p.FS.PathOf(dir)
	if err != nil {
		return nil
	}
	return slices.Clone(path)
}

// DirPath gives the path of the directory that a use is a block of: today's, or that
// of the time.
func (l *Log) DirPath(u Use, tx int) []byte {
	dir, err := l.FS.Inode(u.Owner)
	there := err == nil && dir.Links > 0 && dir.IsDir() && dir.Generation == u.Gen
	return l.dirPath(dir, there, u.Owner, tx)
}
