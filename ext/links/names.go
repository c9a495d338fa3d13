package links

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"sort"
	"sync"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A Set is a set of inode numbers, a bit each.
type Set []uint64

// NewSet makes a set for the numbers that the survey covers.
func (t *Tree) NewSet() Set { return make(Set, t.Limit()/64+1) }

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

// Names holds the names of chosen inodes, sorted. Those of all directories and
// symlinks are always there, so that paths can be built.
type Names struct {
	t       *Tree
	base    *Names // of directories and symlinks; nil where these are they
	records []nameRecord
	arenas  []arena
}

// Names reads the directories that name inodes in want once more, in disk order, and
// keeps the names of those. Names in directories that are on their way out, with no
// link left, do not count.
func (t *Tree) Names(ctx context.Context, want Set) (*Names, error) {
	if !t.wantsOthers(want) {
		return t.base, nil
	}
	c := newCollector(t, 0)
	err := t.eachBlockOf(ctx, t.dirsNaming(want), func(w int, b Block) {
		_ = t.eachRecord(&b, func(e *layout.Dirent) {
			if want.Has(e.Ino) && !t.always(e.Ino) && !isDot(e.Name) {
				c.add(w, b.Dir, e)
			}
		}, nil)
	})
	if err != nil {
		return nil, err
	}
	n := c.done()
	n.base = t.base
	return n, nil
}

// dirsNaming gives the directories that name inodes whose names the survey does not keep; nil
// where it did not keep track of those.
func (t *Tree) dirsNaming(want Set) Set {
	dirs := t.NewSet()
	for ino := range want.all() {
		if !t.always(ino) {
			dirs.Add(t.Parent(ino))
		}
	}
	for _, part := range t.several {
		if len(part) == maxSeveral {
			return nil
		}
		for _, e := range part {
			if want.Has(e.dir) {
				dirs.Add(e.parent)
			}
		}
	}
	return dirs
}

// all yields the numbers in the set, in order.
func (s Set) all() iter.Seq[Ino] {
	return func(yield func(Ino) bool) {
		for i, word := range s {
			for ; word != 0; word &= word - 1 {
				if !yield(Ino(i*64 + bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}

// always reports whether the survey itself keeps the names of an inode.
func (t *Tree) always(ino Ino) bool {
	return t.Type(ino) == layout.ModeDir || t.Type(ino) == layout.ModeSymlink
}

// wantsOthers reports whether a set holds inodes whose names the survey does
// not keep.
func (t *Tree) wantsOthers(want Set) bool {
	for ino := range want.all() {
		if t.Counted(ino) > 0 && !t.always(ino) {
			return true
		}
	}
	return false
}

// A collector gathers names, a worker each by itself. It is made for about as many as
// newCollector was told.
type collector struct {
	t      *Tree
	parts  [][]nameRecord
	arenas []arena
	namers []map[Ino]*ext.Namer
}

func newCollector(t *Tree, names int) *collector {
	n := ext.Workers()
	c := &collector{t, make([][]nameRecord, n), make([]arena, n), make([]map[Ino]*ext.Namer, n)}
	for i := range c.parts {
		c.parts[i] = make([]nameRecord, 0, names/n+names/8)
	}
	return c
}

// add keeps one name, unless its directory is on its way out.
func (c *collector) add(w int, dir Ino, e *layout.Dirent) {
	if !c.t.inodes.linked(dir) {
		return
	}
	name := c.spell(w, dir, e)
	if len(name) > 255 {
		return
	}
	if at, ok := c.arenas[w].put(name); ok {
		c.parts[w] = ext.Push(c.parts[w], nameRecord{e.Ino, dir, at, uint8(len(name)), uint8(w)})
	}
}

// spell gives the name as the kernel lists it without keys.
func (c *collector) spell(w int, dir Ino, e *layout.Dirent) []byte {
	if c.t.inodes.state(dir)&stateEncrypt == 0 {
		return e.Name
	}
	if c.namers[w] == nil {
		c.namers[w] = map[Ino]*ext.Namer{}
	}
	return c.t.namer(c.namers[w], dir).Name(&ext.Entry{Name: e.Name, Hash: e.Hash})
}

func (c *collector) done() *Names {
	n := &Names{t: c.t, arenas: c.arenas}
	compare := func(a, b nameRecord) int {
		if a.ino != b.ino {
			return cmp.Compare(a.ino, b.ino)
		}
		if a.dir != b.dir {
			return cmp.Compare(a.dir, b.dir)
		}
		return bytes.Compare(n.bytes(&a), n.bytes(&b))
	}
	var sorting sync.WaitGroup
	for i := range c.parts {
		sorting.Go(func() { c.parts[i] = sortByIno(c.parts[i], c.t.Limit(), compare) })
	}
	sorting.Wait()
	n.records = ext.SortParts(c.parts, compare)
	return n
}

// sortByIno sorts names by inode number first. The numbers spread, and so a name's tells
// where about it goes.
func sortByIno(list []nameRecord, limit Ino, compare func(a, b nameRecord) int) []nameRecord {
	const each = 4 // names of a bucket, on average
	buckets := len(list)/each + 1
	bucket := func(ino Ino) int { return min(int(uint64(ino)*uint64(buckets)/uint64(limit)), buckets-1) }
	ends := make([]uint32, buckets+1)
	for i := range list {
		ends[bucket(list[i].ino)+1]++
	}
	for i := range buckets {
		ends[i+1] += ends[i]
	}
	sorted := make([]nameRecord, len(list))
	for i := range list {
		b := bucket(list[i].ino)
		sorted[ends[b]] = list[i]
		ends[b]++ // from where the bucket begins to where it ends
	}
	from := uint32(0)
	for _, to := range ends[:buckets] {
		slices.SortFunc(sorted[from:to], compare)
		from = to
	}
	return sorted
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
	return n.arenas[r.arena].get(r.at, int(r.length))
}

// A Name is one name of an inode. Its bytes are not to be changed.
type Name struct {
	Dir  Ino
	Name []byte
}

// Of gives the names of an inode, by directory and then by bytes.
func (n *Names) Of(ino Ino) []Name {
	var out []Name
	records, n := n.of(ino)
	for i := range records {
		out = append(out, Name{records[i].dir, n.bytes(&records[i])})
	}
	return out
}

// of gives the records of an inode, and the Names that hold their bytes.
func (n *Names) of(ino Ino) ([]nameRecord, *Names) {
	if n.base != nil && n.t.always(ino) {
		n = n.base
	}
	r := n.records
	from := 0
	for to := len(r); from < to; { // the first one that is not below: asked for each symlink, and so spelt out
		if mid := int(uint(from+to) / 2); r[mid].ino < ino {
			from = mid + 1
		} else {
			to = mid
		}
	}
	// Most have one name, and a hostile one a million.
	r = r[from:]
	least, step := 0, 1
	for step < len(r) && r[step].ino == ino {
		least, step = step, 2*step
	}
	most := min(step, len(r))
	return r[:least+sort.Search(most-least, func(i int) bool { return r[least+i].ino > ino })], n
}

const (
	// maxPath bounds a path in bytes, as PATH_MAX does in the kernel: one that is
	// longer starts further down, with "@N" for the directory.
	maxPath = 4096
	// maxPathDeep is the bound where names lie so deep, on average, that paths
	// would take far more room than the names: on no sound file system.
	maxPathDeep = 256
)

// Dir is the path of a directory: "/" for the root. It starts with "@N" where
// the root does not reach directory N, or where the path would be too long.
func (n *Names) Dir(dir Ino) []byte {
	var room [24][]byte
	chain := room[:0]
	at, length := dir, 0
	for at != layout.RootIno {
		if p := n.t.paths.get(at); p != nil && length+len(p) <= n.t.maxPath {
			chain = append(chain, p)
			break
		}
		name, parent := n.under(at)
		if name == nil || length+1+len(name) > n.t.maxPath || n.t.circles[at] {
			// Nothing above it, too much, or a circle: the path starts here.
			chain = append(chain, fmt.Appendf(nil, "@%d", at))
			break
		}
		chain = append(chain, name)
		length += 1 + len(name)
		at = parent
	}
	if len(chain) == 0 {
		return []byte("/")
	}
	if at == layout.RootIno {
		chain = append(chain, nil)
	}
	slices.Reverse(chain)
	p := bytes.Join(chain, []byte("/"))
	n.t.paths.put(dir, p)
	return p
}

// under is a directory's name under its parent; nil for one that nothing names.
func (n *Names) under(dir Ino) ([]byte, Ino) {
	parent := n.t.Parent(dir)
	records, n := n.of(dir)
	i := sort.Search(len(records), func(i int) bool { return records[i].dir >= parent })
	if i < len(records) && records[i].dir == parent {
		return n.bytes(&records[i]), parent
	}
	return nil, 0
}

// Path is the path of one name.
func (n *Names) Path(name Name) []byte {
	p := n.Dir(name.Dir)
	p = append(make([]byte, 0, len(p)+1+len(name.Name)), p...)
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
	for _, name := range n.Of(ino) {
		paths = append(paths, n.Path(name))
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
