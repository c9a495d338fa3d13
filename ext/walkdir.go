package ext

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/extscope/extscope/ext/layout"
)

const (
	walkRead     = 64 << 10 // bytes of a directory read at once
	walkPreread  = 1024     // a directory with more names has its inodes read when asked for
	walkMaxRuns  = 1 << 20  // of one directory
	walkMaxNames = 1 << 31  // bytes of names of one directory
)

var (
	errNotInUse    = errors.New("a directory that is not in use (no links), not gone into")
	errManyRuns    = errors.New("a directory in too many pieces, the rest of it is left out")
	errManyNames   = errors.New("more names than can be sorted, the rest is left out")
	errBlocksTwice = errors.New("blocks that are in it twice are read once")
)

// inodeUnchecked is Inode into *in, whose Raw is used again so that nothing is
// allocated in a loop, and without a look at the checksum: ChecksumOK is true.
func (f *FS) inodeUnchecked(in *Inode, ino Ino) error {
	off, raw, err := f.rawInode(in, ino)
	if err != nil {
		return err
	}
	f.decodeFields(in, raw, ino, off)
	return nil
}

// rawInode reads the bytes of an inode, into those of in if there is room.
func (f *FS) rawInode(in *Inode, ino Ino) (off int64, raw []byte, err error) {
	if off, err = f.inodeOffset(ino); err != nil {
		return 0, nil, err
	}
	if raw = in.Raw; cap(raw) < f.inodeSize {
		raw = make([]byte, f.inodeSize)
	}
	raw = raw[:f.inodeSize]
	return off, raw, f.tables.read(f, raw, off)
}

// A walkItem is one name of a directory.
type walkItem struct {
	key     uint64 // the first bytes of the name, in the order of bytes
	name    uint32 // where it lies in the arena
	ino     Ino
	where   int64
	length  uint8
	typ     uint8
	removed bool
	dot     bool
}

// A walkList is a directory read whole: its names in order.
type walkList struct {
	arena  []byte
	items  []walkItem
	subs   []uint32 // which items are directories to go into
	inodes []Inode  // of the items, if read ahead, else empty; Ino 0 where that failed
	raws   []byte
	errs   errorList
	blocks uint64 // of the directory
}

func (l *walkList) name(i int) []byte {
	it := &l.items[i]
	return l.arena[it.name:][:it.length]
}

func (l *walkList) reset() {
	l.arena, l.items, l.subs, l.inodes = l.arena[:0], l.items[:0], l.subs[:0], l.inodes[:0]
	l.errs, l.blocks = errorList{}, 0
}

// bytes is how much memory the list takes.
func (l *walkList) bytes() int {
	return cap(l.arena) + cap(l.items)*32 + cap(l.raws) + cap(l.inodes)*inodeBytes
}

const inodeBytes = 400 // about what an Inode takes without Raw

// A walkReader reads directories, one at a time.
type walkReader struct {
	fs   *FS
	o    WalkOptions
	dir  Inode // the directory
	in   Inode // of a name that needs it
	buf  []byte
	runs []Run
}

// read fills l with the names in dir; descend says whether the directories among
// them will be gone into.
func (r *walkReader) read(l *walkList, dir *Inode, descend bool) {
	namer := r.fs.Namer(dir)
	add := func(e Entry, err error) bool {
		switch {
		case err != nil:
			l.errs.add(err)
			return true
		case e.IsDot() && !r.o.Dots:
			return true
		case len(l.arena) >= walkMaxNames:
			l.errs.add(errManyNames)
			return false
		}
		r.add(l, &e, namer.Name(&e))
		return true
	}
	switch {
	case !dir.IsDir():
		l.errs.add(errNotDir)
	case !r.fs.hasMap(dir):
		r.fs.inlineEntries(dir, r.o.Removed, add)
	default:
		r.blocks(l, dir, add)
	}
	slices.SortFunc(l.items, func(a, b walkItem) int {
		if c := cmp.Compare(a.key, b.key); c != 0 {
			return c
		}
		if c := bytes.Compare(l.arena[a.name:][:a.length], l.arena[b.name:][:b.length]); c != 0 {
			return c
		}
		if a.removed != b.removed {
			if a.removed {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.where, b.where)
	})
	if r.o.Inodes && len(l.items) <= walkPreread {
		r.inodes(l)
	}
	if !descend {
		return
	}
	for i := range l.items {
		if it := &l.items[i]; it.typ == layout.FTDir && !it.removed && !it.dot {
			l.subs = append(l.subs, uint32(i))
		}
	}
}

func (r *walkReader) add(l *walkList, e *Entry, name []byte) {
	it := walkItem{
		name: uint32(len(l.arena)), length: uint8(len(name)), key: nameKey(name),
		ino: e.Ino, typ: e.Type, where: e.Offset, removed: e.Removed, dot: e.IsDot(),
	}
	if it.typ == layout.FTUnknown || it.typ > layout.FTSymlink {
		// No feature filetype, or damage: only the inode knows.
		it.typ = layout.FTUnknown
		if r.fs.inodeUnchecked(&r.in, e.Ino) == nil {
			it.typ = layout.FTOfMode(r.in.Mode)
		}
	}
	if r.o.DirsOnly && it.typ != layout.FTDir {
		return
	}
	l.arena = append(l.arena, name...)
	l.items = append(l.items, it)
}

// nameKey is a number that sorts as the first eight bytes of a name do.
func nameKey(name []byte) uint64 {
	if len(name) >= 8 {
		return binary.BigEndian.Uint64(name)
	}
	var b [8]byte
	copy(b[:], name)
	return binary.BigEndian.Uint64(b[:])
}

// inodes reads the inode of every name.
func (r *walkReader) inodes(l *walkList) {
	n := len(l.items)
	size := r.fs.inodeSize
	if cap(l.raws) < n*size {
		l.raws = make([]byte, n*size)
	}
	if cap(l.inodes) < n {
		l.inodes = make([]Inode, n)
	}
	l.inodes = l.inodes[:n]
	for i := range l.items {
		in := &l.inodes[i]
		in.Raw = l.raws[i*size:][:size:size]
		if r.fs.inodeUnchecked(in, l.items[i].ino) != nil {
			in.Ino = 0 // it is told when someone asks for it
			continue
		}
		if t := layout.FTOfMode(in.Mode); t != layout.FTUnknown && !l.items[i].removed {
			l.items[i].typ = t
		}
	}
}

// blocks reads the blocks of a directory, several at a time.
func (r *walkReader) blocks(l *walkList, dir *Inode, add func(Entry, error) bool) {
	f := r.fs
	end := f.blocksFor(dir.size)
	r.runs = r.runs[:0]
	for run, err := range f.Runs(dir) {
		switch {
		case err != nil:
			l.errs.add(err)
			continue
		case run.Logical >= end:
		case run.Kind != Data:
			// The kernel calls a hole in a directory an error and reads on.
			l.errs.add(corrupt("directory", "hole at block", dir.Offset+0x28, run.Logical))
			continue
		case len(r.runs) == walkMaxRuns:
			l.errs.add(errManyRuns)
		default:
			run.Len = min(run.Len, end-run.Logical)
			r.runs = append(r.runs, run)
			l.blocks += run.Len
			continue
		}
		break
	}
	seen := repeated(r.runs)
	if seen != nil {
		l.errs.add(errBlocksTwice)
	}
	if r.buf == nil {
		r.buf = make([]byte, max(walkRead, f.blockSize))
	}
	perRead := uint64(len(r.buf) >> f.blockBits)
	for _, run := range r.runs {
		for i := uint64(0); i < run.Len; i += perRead {
			n := min(perRead, run.Len-i)
			first := run.Physical + Block(i)
			b := r.buf[:n<<f.blockBits]
			got, _ := f.r.ReadAt(b, f.bytes(first))
			for j := range n {
				block := first + Block(j)
				one := b[j<<f.blockBits:][:f.blockSize:f.blockSize]
				if seen != nil {
					if seen[block] {
						continue
					}
					seen[block] = true
				}
				if (j+1)<<f.blockBits > uint64(got) {
					if err := f.ReadBlock(one, block); err != nil {
						l.errs.add(err)
						continue
					}
				}
				v := DirBlockView{Dir: dir, Logical: run.Logical + i + j, Bytes: one, Offset: f.bytes(block)}
				if !f.BlockEntries(v, r.o.Removed, add) {
					return
				}
			}
		}
	}
}

// repeated gives an empty set to note blocks in when runs overlap on disk, and
// nil when they do not, as is right.
func repeated(runs []Run) map[Block]bool {
	if len(runs) < 2 {
		return nil
	}
	sorted := slices.Clone(runs)
	slices.SortFunc(sorted, func(a, b Run) int { return cmp.Compare(a.Physical, b.Physical) })
	for i := 1; i < len(sorted); i++ {
		if sorted[i].Physical-sorted[i-1].Physical < Block(sorted[i-1].Len) {
			return map[Block]bool{}
		}
	}
	return nil
}

func isDotName(name []byte) bool {
	return len(name) == 1 && name[0] == '.' || len(name) == 2 && name[0] == '.' && name[1] == '.'
}
