package links

import (
	"container/list"
	"hash/maphash"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// cacheEntries bounds how many names a dirCache keeps over all directories,
// but for the one looked at last.
const cacheEntries = 1 << 19

// A dirCache answers look-ups of names from directories read before. Names are
// kept as 64-bit hashes under a seed that no image can know. It is for one
// goroutine.
type dirCache struct {
	t    *Tree
	seed maphash.Seed
	dirs map[Ino]*list.Element
	used *list.List // of *cachedDir, the last used in front
	size int
}

type cachedDir struct {
	ino   Ino
	names map[uint64]Ino
	fold  *ext.Inode // a casefolded directory, whose other spellings are looked up in full
	err   error      // what of it could not be read
}

func newDirCache(t *Tree) *dirCache {
	return &dirCache{t: t, seed: maphash.MakeSeed(), dirs: map[Ino]*list.Element{}, used: list.New()}
}

// lookup finds a name in a directory; 0 when it is not there. err tells of
// damage that may have hidden it.
func (c *dirCache) lookup(dir Ino, name []byte) (Ino, error) {
	d := c.get(dir)
	if ino, ok := d.names[maphash.Bytes(c.seed, name)]; ok {
		return ino, nil
	}
	if d.fold != nil {
		if ino, err := c.t.FS.Lookup(d.fold, name); err == nil {
			return ino, nil
		}
	}
	return 0, d.err
}

func (c *dirCache) get(dir Ino) *cachedDir {
	if e, ok := c.dirs[dir]; ok {
		c.used.MoveToFront(e)
		return e.Value.(*cachedDir)
	}
	d := &cachedDir{ino: dir, names: map[uint64]Ino{}}
	in, err := c.t.FS.Inode(dir)
	if err != nil {
		d.err = err
	} else {
		if in.Flags&layout.FlagCasefold != 0 {
			d.fold = in
		}
		namer := c.t.FS.Namer(in)
		for e, err := range c.t.FS.Entries(in, false) {
			if err != nil {
				d.err = err
				continue
			}
			h := maphash.Bytes(c.seed, namer.Name(&e))
			if _, twice := d.names[h]; !twice {
				d.names[h] = e.Ino
			}
		}
	}
	c.dirs[dir] = c.used.PushFront(d)
	c.size += len(d.names)
	for c.size > cacheEntries && c.used.Len() > 1 {
		last := c.used.Back()
		old := c.used.Remove(last).(*cachedDir)
		delete(c.dirs, old.ino)
		c.size -= len(old.names)
	}
	return d
}
