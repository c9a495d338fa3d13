package undelete

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A nowNames holds the names that are there today, as hashes under a seed that no image
// can know.
type nowNames struct {
	seed  maphash.Seed
	slots []uint64 // a power of two long, at most half full
	whole bool     // all names are in it
}

// maxNow bounds the names in it: 512 MiB.
const maxNow = 1 << 25

func (n *nowNames) key(dir, ino Ino, name []byte) uint64 {
	return max(maphash.Bytes(n.seed, name)^uint64(dir)*0x9e3779b97f4a7c15^uint64(ino)*0xc2b2ae3d27d4eb4f, 1)
}

func (n *nowNames) at(key uint64) *uint64 {
	mask := uint64(len(n.slots) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		if s := &n.slots[i]; *s == key || *s == 0 {
			return s
		}
	}
}

func (n *nowNames) has(dir, ino Ino, name []byte) bool {
	return len(n.slots) > 0 && *n.at(n.key(dir, ino, name)) != 0
}

func (n *nowNames) fill(lists [][]uint64) {
	count := 0
	for _, l := range lists {
		count += len(l)
	}
	size := 4
	for size < 2*count {
		size *= 2
	}
	n.slots = make([]uint64, size)
	for _, l := range lists {
		for _, k := range l {
			*n.at(k) = k
		}
	}
}

// directories goes through all directories that are there: for the names in them, and
// for those that are left in gaps, where kernels before 5.13, libext2fs, and splits of
// indexed directories leave them.
func (f *finder) directories(ctx context.Context) (gaps *heldNames, err error) {
	var mu sync.Mutex
	var blocks []ext.DirBlock
	var inline []*ext.Inode
	type dirFacts struct {
		gen   uint32
		flags layout.InodeFlags
	}
	dirs := map[Ino]dirFacts{}
	nodes := f.fs.NewNodeBudget()
	limit := int(min(f.fs.Super.BlocksCount, 1<<26))
	slices.Sort(f.dirsNow)
	for _, ino := range f.dirsNow {
		in, err := f.fs.Inode(ino)
		if err != nil {
			f.fail(err)
			continue
		}
		if in.HasInline() {
			inline = append(inline, in)
			continue
		}
		dirs[in.Ino] = dirFacts{in.Generation, in.Flags}
		blocks = f.fs.DirBlocks(blocks, in, limit, nodes, func(error) {})
	}
	f.dirsNow = nil
	gaps = &heldNames{}
	gap := func(dir Ino, gen uint32, ino Ino, typ uint8, name []byte) {
		if !gaps.add(&nameRef{dir: dir, dirGen: gen, ino: ino, tx: -1, typ: typ, name: name, source: fromGap}) {
			f.limitNames()
		}
	}
	lists := make([][]uint64, ext.Workers()+1)
	f.now.whole = true
	add := func(w int, dir, ino Ino, name []byte) {
		if len(lists[w]) < maxNow/len(lists) {
			lists[w] = append(lists[w], f.now.key(dir, ino, name))
			return
		}
		mu.Lock()
		f.now.whole = false
		mu.Unlock()
	}
	for _, dir := range inline {
		for e, err := range f.fs.Entries(dir, true) {
			switch {
			case err != nil:
			case e.Removed:
				gap(dir.Ino, dir.Generation, e.Ino, e.Type, e.Name)
			default:
				f.thereName(dir.Ino, dir.Generation, e.Ino, e.Type, e.Name)
				add(ext.Workers(), dir.Ino, e.Ino, e.Name)
			}
		}
	}
	err = f.fs.ScanDirs(ctx, blocks, func(w int, d ext.DirBlock, b []byte, err error) {
		if err != nil {
			return
		}
		facts := dirs[d.Dir]
		if !f.soundDirBlock(b, d.Physical, d.Dir, facts.gen) {
			return
		}
		f.fs.RemovedRecords(b, facts.flags, d.Logical, func(e *layout.Dirent) {
			mu.Lock()
			defer mu.Unlock()
			gap(d.Dir, facts.gen, e.Ino, e.Type, e.Name)
		})
		records := f.fs.DirRecords(b, f.fs.BlockOffset(d.Physical), facts.flags)
		var e layout.Dirent
		for records.Next(&e) {
			if e.Ino != 0 {
				f.thereName(d.Dir, facts.gen, e.Ino, e.Type, e.Name)
				add(w, d.Dir, e.Ino, e.Name)
			}
		}
	})
	f.now.fill(lists)
	return gaps, err
}

// renamed reports whether a name that is gone was of a file that is there and of which
// nothing else is known. It makes an incarnation of that.
func (f *finder) renamed(n *nameRef) bool {
	if !f.today.used(n.ino) || n.tx < 0 || !f.now.whole || f.now.has(n.dir, n.ino, n.name) {
		return false
	}
	in, err := f.fs.Inode(n.ino)
	t := f.transaction(n.tx)
	if err != nil || t == nil || f.bornAfter(in, t) {
		return false // the number was of another file then
	}
	l := f.life(in)
	if l == nil {
		return false
	}
	l.first, l.last, l.live, l.mode = 0, latest, true, in.Mode
	return true
}
