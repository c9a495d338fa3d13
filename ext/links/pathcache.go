package links

import "sync"

// pathCacheBytes bounds what a pathCache keeps.
const pathCacheBytes = 4 << 20

// A pathCache keeps the paths of directories that were built lately: the names
// asked for one after the other often lie in the same directory or below it.
// Paths in it are not to be changed.
type pathCache struct {
	mu    sync.Mutex
	paths map[Ino][]byte
	bytes int
}

func (c *pathCache) get(dir Ino) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paths[dir]
}

func (c *pathCache) put(dir Ino, path []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paths == nil || c.bytes > pathCacheBytes {
		c.paths, c.bytes = map[Ino][]byte{}, 0
	}
	if _, ok := c.paths[dir]; !ok {
		c.paths[dir] = path
		c.bytes += len(path) + 64
	}
}

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
		t.paths = pathCache{}
	}
}
