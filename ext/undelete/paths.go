package undelete

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/extscope/extscope/ext/layout"
)

// maxDepth bounds how many deleted directories a path leads through.
const maxDepth = 256

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
		p, err := f.fs.PathOf(in)
		if err == nil {
			f.dirs[key] = p
		}
		return f.dirs[key]
	}
	l := f.lives[key]
	if l == nil && (gen == 0 || former) {
		l = f.at(ino, tx)
	}
	if l == nil || l.live && !former {
		return nil
	}
	for _, i := range f.byAge(l) {
		if p := f.path(&f.names[i], depth+1); p != nil {
			f.dirs[key] = p
			return p
		}
	}
	return nil
}

// byAge orders the names of an incarnation, the newest first; of those as new as each
// other by directory and bytes.
func (f *finder) byAge(l *life) []int {
	slices.SortFunc(l.names, func(a, b int) int {
		x, y := &f.names[a], &f.names[b]
		return cmp.Or(cmp.Compare(y.tx, x.tx), cmp.Compare(x.dir, y.dir), bytes.Compare(x.name, y.name))
	})
	return l.names
}

// inDirectory is the source of most names.
const inDirectory = "its directory"

func nameWords(source string) string {
	if source == inDirectory {
		return "its name: " + inDirectory // a constant, and one for all
	}
	return "its name: " + source
}

// nameIt gives a candidate its names.
func (f *finder) nameIt(c *Candidate, l *life) {
	for k, i := range f.byAge(l) {
		n := &f.names[i]
		p := f.path(n, 0)
		switch {
		case c.Name == nil:
			c.Name, c.Path = n.name, p
			c.Evidence = append(c.Evidence, nameWords(n.source))
		case c.Path == nil && p != nil && k < 64:
			c.Name, c.Path = n.name, p
		case p != nil && len(c.Others) < 64 && !bytes.Equal(p, c.Path):
			c.Others = append(c.Others, p)
		}
	}
	if f.o.Former != nil && c.Path == nil {
		c.Below = f.below(l)
	}
}
