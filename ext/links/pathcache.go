package links

import "sync/atomic"

const (
	pathCacheBytes = 4 << 20 // bounds what a pathCache keeps
	pathSlots      = 1 << 15 // of a pathCache
)

// A pathCache keeps the paths of directories that were built lately: the names
// asked for one after the other often lie in the same directory or below it.
// Paths in it are not to be changed. A slot has one of the directories whose place it is.
type pathCache struct{ kept atomic.Pointer[keptPaths] }

type keptPaths struct {
	slots [pathSlots]atomic.Pointer[keptPath]
	bytes atomic.Int64
}

type keptPath struct {
	dir  Ino
	path []byte
}

// slot is where the path of a directory is kept.
func (k *keptPaths) slot(dir Ino) *atomic.Pointer[keptPath] { return &k.slots[dir*0x9e3779b1>>17] }

func (c *pathCache) get(dir Ino) []byte {
	if k := c.kept.Load(); k != nil {
		if p := k.slot(dir).Load(); p != nil && p.dir == dir {
			return p.path
		}
	}
	return nil
}

func (c *pathCache) put(dir Ino, path []byte) {
	k := c.kept.Load()
	if k == nil || k.bytes.Load() > pathCacheBytes {
		next := new(keptPaths)
		c.kept.CompareAndSwap(k, next)
		k = next
	}
	k.slot(dir).Store(&keptPath{dir, path})
	k.bytes.Add(int64(len(path)) + 64) // as if nothing had been there
}

func (c *pathCache) clear() { c.kept.Store(nil) }

// bound sets how long paths get, by how deep the directories lie that most
// names are in: a sample of the directory blocks tells.
func (t *Tree) bound() {
	const sample = 512
	t.maxPath = maxPath
	total, n := 0, 0
	for i := 0; i < len(t.blocks); i += len(t.blocks)/sample + 1 {
		total += len(t.base.Dir(t.blocks[i].Dir))
		n++
	}
	for i := 0; i < len(t.inline); i += len(t.inline)/sample + 1 {
		total += len(t.base.Dir(t.inline[i]))
		n++
	}
	if n > 256 && total/n > maxPathDeep {
		t.maxPath = maxPathDeep
		t.paths.clear()
	}
}
