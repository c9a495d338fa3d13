package undelete

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/extscope/extscope/ext/layout"
)

// maxDepth bounds how many deleted directories a path leads through, and maxPathBytes the
// paths of all directories.
const (
	maxDepth     = 256
	maxPathBytes = 256 << 20
)

// path spells a name with the path of its directory, nil where that is not known.
func (f *finder) path(n *nameRef, depth int) []byte {
	dir := f.dirPath(n.dir, n.dirGen, n.tx, depth)
	if dir == nil {
		return nil
	}
	p := append(make([]byte, 0, len(dir)+1+len(n.name)), dir...)
	if p[len(p)-1] != '/' {
		p = append(p, '/')
	}
	return append(p, n.name...)
}

// dirPath gives the path of a directory: today's where it is there, else the one that
// it had when it was deleted, through the names of what lay above it.
func (f *finder) dirPath(ino Ino, gen uint32, tx moment, depth int) []byte {
	if ino == layout.RootIno {
		return []byte("/")
	}
	key := lifeKey{ino, gen}
	if p, known := f.dirs[key]; known {
		return p
	}
	if depth > maxDepth {
		return nil
	}
	f.dirs[key] = nil           // a circle ends here
	former := f.o.Former != nil // what lies above may be lost: names alone tell
	if in, err := f.fs.Inode(ino); !former && err == nil && in.Links > 0 && in.IsDir() && (in.Generation == gen || gen == 0) {
		if p, err := f.fs.PathOf(in); err == nil {
			f.keepPath(key, p)
		}
		return f.dirs[key]
	}
	l := f.lives.of(key)
	if l == nil && (gen == 0 || former) {
		l = f.at(ino, tx)
	}
	if l == nil || l.live && !former {
		return nil
	}
	for _, n := range f.byAge(l) {
		if p := f.path(&n, depth+1); p != nil {
			f.keepPath(key, p)
			return f.dirs[key]
		}
	}
	return nil
}

// keepPath remembers the path of a directory, while there is room for it.
func (f *finder) keepPath(dir lifeKey, p []byte) {
	if f.pathBytes += len(p); f.pathBytes > maxPathBytes {
		f.limit("paths of directories take more than %d bytes: those beyond are left out", maxPathBytes)
		return
	}
	f.dirs[dir] = p
}

// newer orders names, the newest first; of those as new as each other by directory and
// bytes.
func newer(x, y *nameRef) int {
	return cmp.Or(cmp.Compare(y.tx, x.tx), cmp.Compare(x.dir, y.dir), bytes.Compare(x.name, y.name))
}

// newest gives the newest name of an incarnation; ok is false where it has none.
func (f *finder) newest(l *life) (first nameRef, ok bool) {
	for n := l.names; n != 0; n = f.names.nth(n - 1).next {
		if one := f.names.get(n - 1); !ok || newer(&one, &first) < 0 {
			first, ok = one, true
		}
	}
	return first, ok
}

// byAge gives the names of an incarnation, the newest first.
func (f *finder) byAge(l *life) []nameRef {
	var list []nameRef
	for n := l.names; n != 0; n = f.names.nth(n - 1).next {
		list = append(list, f.names.get(n-1))
	}
	slices.SortFunc(list, func(x, y nameRef) int { return newer(&x, &y) })
	return list
}

// nameIt gives a candidate its names.
func (f *finder) nameIt(c *Candidate, l *life) {
	for k, n := range f.byAge(l) {
		p := f.path(&n, 0)
		switch {
		case c.Name == nil:
			c.Name, c.Path = n.name, p
			c.Evidence = append(c.Evidence, "its name: "+n.source.String())
		case c.Path == nil && p != nil && k < 64:
			c.Name, c.Path = n.name, p
		case p != nil && len(c.Others) < 64 && !bytes.Equal(p, c.Path):
			c.Others = append(c.Others, p)
		}
	}
	if c.Path == nil {
		c.Below = f.below(l)
	}
}
