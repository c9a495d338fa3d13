package history

import (
	"slices"
	"sync"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
)

// A dirNow is what proves that a block was a directory's of today.
type dirNow struct {
	inUse bool
	gen   uint32 // of the inode
	share uint32 // that its seed has in the checksum of any block of the directory
}

// dirsNow keeps them, for several goroutines.
type dirsNow struct {
	f     *ext.FS
	zeros []byte // a block
	mu    sync.Mutex
	known map[Ino]dirNow
}

func (d *dirsNow) get(ino Ino) dirNow {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, ok := d.known[ino]
	if !ok {
		if in, err := d.f.Inode(ino); err == nil && in.IsDir() && in.Links > 0 {
			now = dirNow{true, in.Generation, layout.DirChecksum(d.zeros, layout.InodeSeed(d.f.Seed(), ino, in.Generation))}
		}
		d.known[ino] = now
	}
	return now
}

// maxTried bounds the directories that are tried as the owner of one copy of a block.
const maxTried = 1 << 12

// missedNames visits those names in one copy of a block that are missing from the
// directory whose block it was. The log need not be asked who had which block: the
// checksum tells whether it was that of the directory which has it today, or of one of
// those, few, from which a name in it is missing.
func (l *Log) missedNames(c jbd2.Copy, i int, missing links.Missing, dirs *dirsNow, visit func(n *Name)) {
	if c.Checksum == jbd2.Bad || l.staticAt(c.FS) != nil {
		return
	}
	b, err := l.readCopy(c)
	if err != nil {
		return
	}
	stored, ok := layout.DirTail(b)
	if !ok {
		return // no leaf of a directory
	}
	n := Name{Tx: i}
	tried, share := 0, uint32(0)
	try := func(dir Ino) {
		if n.Dir != 0 || tried == maxTried {
			return
		}
		if tried++; tried == 1 { // CRCs are linear: what the contents have no share in is the seed's
			share = stored ^ layout.DirChecksum(b, 0)
		}
		if now := dirs.get(dir); now.inUse && now.share == share {
			n.Dir, n.DirGen = dir, now.gen
		}
	}
	w := l.FS.DirRecords(b, 0, 0)
	var e layout.Dirent
	for w.Next(&e) {
		if e.Ino == 0 {
			continue
		}
		from := missing.Dirs(e.Name)
		if len(from) == 0 {
			continue
		}
		if n.Dir == 0 && tried == 0 && l.tree != nil {
			for _, d := range l.tree.DirBlocksAt(c.FS) {
				try(d.Dir)
			}
		}
		for k := 0; k < len(from) && n.Dir == 0 && tried < maxTried; k++ {
			try(from[k])
		}
		if _, ok := slices.BinarySearch(from, n.Dir); ok {
			n.Bytes, n.Ino, n.Type = e.Name, e.Ino, e.Type
			visit(&n)
		}
	}
}
