package links

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A Set is a set of inode numbers, a bit each.
type Set []uint64

// NewSet makes a set for the numbers that the survey covers.
func (t *Tree) NewSet() Set { return make(Set, len(t.state)/64+1) }

// Add puts ino into the set; a number that the survey does not cover is
// ignored.
func (s Set) Add(ino Ino) {
	if int(ino/64) < len(s) {
		s[ino/64] |= 1 << (ino % 64)
	}
}

// Has reports whether ino is in the set.
func (s Set) Has(ino Ino) bool { return int(ino/64) < len(s) && s[ino/64]>>(ino%64)&1 != 0 }

// A nameRecord is one name: its bytes lie in a worker's arena.
type nameRecord struct {
	ino, dir Ino
	at       uint32
	length   uint8
	arena    uint8
}

// Names holds the names of chosen inodes, sorted, and those of all directories,
// so that paths can be built of them.
type Names struct {
	t       *Tree
	records []nameRecord
	arenas  [][]byte
}

// Names reads all directories once more, in disk order, and keeps the names of
// the inodes in want and of every directory. Names in directories that are on
// their way out, with no link left, do not count.
func (t *Tree) Names(ctx context.Context, want Set) (*Names, error) {
	n := &Names{t: t, arenas: make([][]byte, ext.Workers())}
	parts := make([][]nameRecord, len(n.arenas))
	namers := make([]map[Ino]*ext.Namer, len(n.arenas))
	err := t.EachBlock(ctx, func(w int, b Block) {
		if t.stored[b.Dir] == 0 {
			return
		}
		var namer *ext.Namer
		if t.state[b.Dir]&stateEncrypt != 0 {
			if namers[w] == nil {
				namers[w] = map[Ino]*ext.Namer{}
			}
			namer = t.namer(namers[w], b.Dir)
		}
		_ = t.eachRecord(&b, func(e *layout.Dirent) {
			if isDot(e.Name) || !t.Known(e.Ino) || !(t.isDir(e.Ino) || want.Has(e.Ino)) {
				return
			}
			name := e.Name
			if namer != nil {
				name = namer.Name(&ext.Entry{Name: name, Hash: e.Hash})
			}
			arena := n.arenas[w]
			if len(name) > 255 || uint64(len(arena))+255 > 1<<32-1 {
				return
			}
			parts[w] = append(parts[w], nameRecord{e.Ino, b.Dir, uint32(len(arena)), uint8(len(name)), uint8(w)})
			n.arenas[w] = append(arena, name...)
		})
	})
	if err != nil {
		return nil, err
	}
	n.records = slices.Concat(parts...)
	slices.SortFunc(n.records, func(a, b nameRecord) int {
		if c := cmp.Or(cmp.Compare(a.ino, b.ino), cmp.Compare(a.dir, b.dir)); c != 0 {
			return c
		}
		return bytes.Compare(n.bytes(&a), n.bytes(&b))
	})
	return n, nil
}

func (t *Tree) namer(cache map[Ino]*ext.Namer, dir Ino) *ext.Namer {
	if n, ok := cache[dir]; ok {
		return n
	}
	if len(cache) > 1<<12 {
		clear(cache)
	}
	n := new(ext.Namer)
	if in, err := t.FS.Inode(dir); err == nil {
		*n = t.FS.Namer(in)
	}
	cache[dir] = n
	return n
}

func (n *Names) bytes(r *nameRecord) []byte {
	return n.arenas[r.arena][r.at:][:r.length]
}

// A Name is one name of an inode. Its bytes are not to be changed.
type Name struct {
	Dir  Ino
	Name []byte
}

// Of gives the names of an inode, by directory and then by bytes.
func (n *Names) Of(ino Ino) []Name {
	var out []Name
	for _, r := range n.of(ino) {
		out = append(out, Name{r.dir, n.bytes(&r)})
	}
	return out
}

func (n *Names) of(ino Ino) []nameRecord {
	from := sort.Search(len(n.records), func(i int) bool { return n.records[i].ino >= ino })
	to := from
	for to < len(n.records) && n.records[to].ino == ino {
		to++
	}
	return n.records[from:to]
}

// maxDepth bounds how many directories a path leads through; the kernel's own
// bound is PATH_MAX, half as many.
const maxDepth = 4096

// Dir is the path of a directory: "/" for the root, and "@N" for the top of a
// tree that the root does not reach.
func (n *Names) Dir(dir Ino) []byte {
	var chain [][]byte
	at := dir
	for at != layout.RootIno {
		name, parent := n.under(at)
		if name == nil || len(chain) == maxDepth || parent == dir {
			// Nothing above it, or a circle: the path starts here.
			chain = append(chain, fmt.Appendf(nil, "@%d", at))
			slices.Reverse(chain)
			return bytes.Join(chain, []byte("/"))
		}
		chain = append(chain, name)
		at = parent
	}
	if len(chain) == 0 {
		return []byte("/")
	}
	chain = append(chain, nil)
	slices.Reverse(chain)
	return bytes.Join(chain, []byte("/"))
}

// under is a directory's name under its parent; nil for one that nothing names.
func (n *Names) under(dir Ino) ([]byte, Ino) {
	parent := n.t.Parent(dir)
	for _, r := range n.of(dir) {
		if r.dir == parent {
			return n.bytes(&r), parent
		}
	}
	return nil, 0
}

// Path is the path of one name.
func (n *Names) Path(name Name) []byte {
	p := n.Dir(name.Dir)
	if len(p) > 1 || p[0] != '/' {
		p = append(p, '/')
	}
	return append(p, name.Name...)
}

// Paths gives all paths of an inode, sorted; those of a directory too. The
// root's is "/".
func (n *Names) Paths(ino Ino) [][]byte {
	if ino == layout.RootIno {
		return [][]byte{[]byte("/")}
	}
	var paths [][]byte
	for _, r := range n.of(ino) {
		paths = append(paths, n.Path(Name{r.dir, n.bytes(&r)}))
	}
	slices.SortFunc(paths, bytes.Compare)
	return paths
}

// First is the first path of an inode, nil for one without a name.
func (n *Names) First(ino Ino) []byte {
	if p := n.Paths(ino); len(p) > 0 {
		return p[0]
	}
	return nil
}
