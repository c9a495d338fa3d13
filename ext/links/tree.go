// Package links relates names to inodes over a whole file system: how many names
// each inode has and which, where symlinks lead and why they rot, and which
// inodes no name reaches. It works on one survey of all inode tables and
// directory blocks, kept in flat arrays; looking at a single inode is left to
// package ext, and judging the rest of the metadata to package audit.
package links

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// Ino is layout's inode number.
type Ino = layout.Ino

// A Tree is what one survey of a file system found. It is made by Survey and
// not changed afterwards.
type Tree struct {
	FS *ext.FS

	inodes facts

	blocks   []ext.DirBlock // all directory blocks, in disk order
	inline   []Ino          // directories kept in their inodes, in order
	special  []Ino          // see Special
	symlinks []symlinkRef   // in order
	targets  []arena        // what the symlinkRefs refer to, one a worker
	steps    []int          // how many components those have, at most, likewise
	multi    []edge         // further names of directories
	several  [][]edge       // likewise of other inodes, by worker, in no order
	base     *Names         // the names of all directories and symlinks
	maxPath  int            // how long paths get, in bytes
	seed     maphash.Seed
	aims     *aims // nil unless Hooks.Symlinks asks for it
	known    table // likewise: where names lead that symlinks may ask for
	paths    pathCache
	casefold atomic.Bool  // some directory is flagged so
	circles  map[Ino]bool // of directories that name each other in a circle, the lowest
	broken   Set          // directories of which something could not be read
	hidden   bool         // there are directories that the root does not reach

	mu     sync.Mutex
	errs   []Damage
	missed uint64 // further damage, not kept
}

// An edge is a directory that names another, or any inode.
type edge struct{ dir, parent Ino }

// maxSeveral bounds how many further directories that name files a worker keeps.
const maxSeveral = 1 << 20

// Damage is something that could not be read, and in which inode.
type Damage struct {
	Ino Ino
	Err error
}

// damageLimit bounds how much damage is kept.
const damageLimit = 10000

// Hooks lets others look at what a survey reads, in the same pass. Calls come
// from several goroutines; worker, below ext.Workers(), tells them apart. Slices
// are valid during the call only. Nil hooks are left out.
type Hooks struct {
	// Plain gets the bytes of every inode in the tables whose checksum holds. Where it
	// gives true, that is a regular file in use, without flags but for extents, which
	// Inode has no need of.
	Plain func(worker int, ino Ino, raw []byte) bool
	// Inode gets every other inode in the tables that is not all zeros.
	Inode func(worker int, in *ext.Inode)
	// Surveyed is called when all inodes were seen, before any directory.
	Surveyed func(t *Tree)
	// Block gets every directory block and every part of an inline directory,
	// whether its directory is in use or not.
	Block func(worker int, b Block)
	// Entry gets every record that names an inode, in a block given to Block
	// just before. hash is of its name, alike for all names of the survey that are.
	Entry func(worker int, b *Block, e *layout.Dirent, hash uint64)
	// BlockDone is called when the records of a block were all given to Entry.
	// err tells of one that cannot be right, behind which nothing was read.
	// Without this hook it counts as damage.
	BlockDone func(worker int, b *Block, err error)
	// Progress gets how much of how many steps is done, now and then.
	Progress func(done, total int)
	// Symlinks says that they will be judged: what that takes is gathered in the same
	// pass.
	Symlinks bool
	// Targets are what targets of symlinks are read with, by worker; nil makes them.
	Targets []*ext.TargetReader
}

// A Block is a directory block as a survey meets it.
type Block struct {
	ext.DirBlock
	Bytes  []byte
	Offset int64             // where Bytes lie, in bytes
	Flags  layout.InodeFlags // those that matter for the format of records
	Inline bool              // part of an inode rather than a block
}

// Place tells which record of its directory one is: 0 for the first and 1 for the second,
// used or not, which are to be "." and "..", and 2 for all others.
func (b *Block) Place(e *layout.Dirent) int {
	switch {
	case b.Logical != 0 || b.Inline && e.RecLen != 0:
		return 2
	case b.Inline:
		return len(e.Name) - 1 // made up by eachRecord
	case e.Offset == 0:
		return 0
	case e.Offset == layout.RecLen(b.Bytes, len(b.Bytes)):
		return 1
	}
	return 2
}

// Survey reads all inode tables and all directory blocks of a file system once,
// in disk order. Damage does not stop it, see Damage. The error is ctx's.
func Survey(ctx context.Context, f *ext.FS, h Hooks) (*Tree, error) {
	n := int(lastUsed(f)) + 1
	t := &Tree{
		FS:     f,
		inodes: newFacts(n, ext.Workers()),
		seed:   maphash.MakeSeed(),
	}
	t.broken = t.NewSet()
	if claimed(f) >= Ino(n) {
		t.fail(Ino(n), errPast)
	}
	if err := t.scanInodes(ctx, h); err != nil {
		return nil, err
	}
	if h.Surveyed != nil {
		h.Surveyed(t)
	}
	if h.Symlinks {
		t.aims = t.newAims(ctx)
	}
	if err := t.scanDirs(ctx, h); err != nil {
		return nil, err
	}
	var reaching sync.WaitGroup // on one core, beside what takes several
	reaching.Go(t.reach)
	err := t.findSpecial(ctx)
	reaching.Wait()
	if err != nil {
		return nil, err
	}
	reaching.Go(t.bound)
	if t.aims != nil {
		t.known = t.knownNames(t.aims.names)
		t.aims.names = nil
	}
	reaching.Wait()
	return t, nil
}

// lastUsed is the last inode of the last table that is in use. Tables come in
// order, also where the image was cut off, so there are no higher numbers than
// the image has room for inodes: what goes past that is left out.
func lastUsed(f *ext.FS) Ino {
	last := claimed(f)
	return min(last, Ino(min(f.Size()/int64(f.InodeSize()), 1<<32-2)))
}

// claimed is the last inode that the descriptors claim to be in use.
func claimed(f *ext.FS) Ino {
	last := Ino(0)
	for g := range f.Groups() {
		if used := f.UsedInodes(g); used > 0 {
			last = f.FirstInode(g) + Ino(used) - 1
		}
	}
	return last
}

var errPast = errors.New("inodes from here on are left out: the image is too small to have so many")

// Damage lists what could not be read, at most 10,000 of it, and how much more
// there was.
func (t *Tree) Damage() (list []Damage, more uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clip(t.errs), t.missed
}

func (t *Tree) fail(ino Ino, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.broken.Add(ino)
	if len(t.errs) < damageLimit {
		t.errs = append(t.errs, Damage{ino, err})
	} else {
		t.missed++
	}
}

// isBroken reports whether something of a directory could not be read.
func (t *Tree) isBroken(dir Ino) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.broken.Has(dir)
}

// A symlinkRef is a symlink, and its target where that was kept.
type symlinkRef struct {
	ino    Ino
	at     uint32 // in the worker's arena
	length uint16 // 0: the target is to be read
	arena  uint8
	block  bool // the target lies in a block of its own
}

// targetArena bounds how many bytes of targets a worker keeps; what goes past
// that is read each time.
const targetArena = 16 << 20

func (t *Tree) scanInodes(ctx context.Context, h Hooks) error {
	type found struct {
		blocks   []ext.DirBlock
		inline   []Ino
		symlinks []symlinkRef
	}
	workers := make([]found, ext.Workers())
	readers := h.Targets
	for len(readers) < len(workers) {
		readers = append(readers, t.FS.NewTargetReader())
	}
	t.targets, t.steps = make([]arena, len(workers)), make([]int, len(workers))
	// No more directory blocks than the image has: what goes past that is
	// claimed twice. The same goes for the nodes of their maps.
	nodes := t.FS.NewNodeBudget()
	limit := t.FS.Size()/int64(t.FS.BlockSize()) + 1
	var total atomic.Int64
	var plain func(w int, ino Ino, raw []byte) bool
	if h.Plain != nil {
		plain = func(w int, ino Ino, raw []byte) bool {
			if !h.Plain(w, ino, raw) {
				return false
			}
			if ino < t.Limit() {
				t.inodes.set(w, ino, layout.ModeRegular, 0, layout.InodeLinks(raw))
			}
			return true
		}
	}
	err := t.FS.ScanRawInodes(ctx, plain, func(w int, in *ext.Inode) {
		if in.Links > 0 && in.Ino < t.Limit() {
			t.note(w, in)
			mine := &workers[w]
			switch in.Type() {
			case layout.ModeDir:
				if in.HasInline() {
					mine.inline = append(mine.inline, in.Ino)
					break
				}
				n := len(mine.blocks)
				room := n + int(max(limit-total.Load(), 0))
				mine.blocks = t.FS.MappedDirBlocks(mine.blocks, in, room, nodes, func(err error) { t.fail(in.Ino, err) })
				if len(mine.blocks) > room {
					mine.blocks = mine.blocks[:n]
					t.fail(in.Ino, errTooMany)
				}
				total.Add(int64(len(mine.blocks) - n))
			case layout.ModeSymlink:
				ref := symlinkRef{ino: in.Ino, arena: uint8(w)}
				t.keepTarget(w, &ref, t.FS.FastTarget(in), in.Size())
				if h.Symlinks && ref.length == 0 && t.FS.TargetStorage(in) == ext.TargetBlock {
					target, err := readers[w].Readlink(in)
					ref.block = err == nil
					t.keepTarget(w, &ref, target, in.Size())
				}
				mine.symlinks = ext.Push(mine.symlinks, ref)
			}
		} else if in.Ino < t.Limit() {
			t.inodes.set(w, in.Ino, in.Type(), 0, 0)
		}
		if h.Inode != nil {
			h.Inode(w, in)
		}
	}, func(first Ino, count uint32, err error) { t.fail(first, err) })
	for _, d := range t.inodes.gather(dirsMost) {
		t.fail(d.ino, errTooManyDirs)
	}
	var blocks [][]ext.DirBlock
	var symlinks [][]symlinkRef
	for _, w := range workers {
		blocks, symlinks = append(blocks, w.blocks), append(symlinks, w.symlinks)
		t.inline = append(t.inline, w.inline...)
	}
	t.blocks = ext.SortParts(blocks, ext.DirBlock.Compare)
	slices.Sort(t.inline)
	t.symlinks = ext.SortParts(symlinks, func(a, b symlinkRef) int { return cmp.Compare(a.ino, b.ino) })
	return err
}

// keepTarget keeps the target of a symlink, unless it is too much, or shorter
// than its inode says.
func (t *Tree) keepTarget(w int, ref *symlinkRef, target []byte, size uint64) {
	if len(target) == 0 || uint64(len(target)) != size || len(target) > 4096 || t.targets[w].size() > targetArena {
		return
	}
	if at, ok := t.targets[w].put(target); ok {
		ref.at, ref.length, ref.arena = at, uint16(len(target)), uint8(w)
		t.steps[w] += bytes.Count(target, []byte("/")) + 1
	}
}

var errTooMany = errors.New("directory left out: directories claim more blocks than the image has")

// stateFlags are the inode flags that the survey keeps.
var stateFlags = [...]struct {
	flag  layout.InodeFlags
	state uint16
}{
	{layout.FlagEncrypt, stateEncrypt}, {layout.FlagCasefold, stateCasefold},
	{layout.FlagIndex, stateIndex}, {layout.FlagEAInode, stateEA},
}

func (t *Tree) note(w int, in *ext.Inode) {
	s := uint16(0)
	for _, f := range stateFlags {
		if in.Flags&f.flag != 0 {
			s |= f.state
		}
	}
	if s&stateCasefold != 0 {
		t.casefold.Store(true)
	}
	if !in.IsRegular() && !in.IsDir() {
		s &^= stateEA // nothing else can hold a value
	}
	t.inodes.set(w, in.Ino, in.Type(), s, in.Links)
}

// scanDirs counts what the directories name.
func (t *Tree) scanDirs(ctx context.Context, h Hooks) error {
	extra := make([][]edge, ext.Workers())
	t.several = make([][]edge, ext.Workers())
	names := newCollector(t, len(t.symlinks)+len(t.blocks)+len(t.inline)) // directories have a block at least
	total := len(t.blocks) + len(t.inline)
	var done atomic.Int64
	err := t.EachBlock(ctx, func(w int, b Block) {
		if h.Block != nil {
			h.Block(w, b)
		}
		var removed func(*Block, *layout.Dirent)
		if t.aims != nil {
			removed = func(b *Block, e *layout.Dirent) { t.aims.removed(w, b, e) }
		}
		place := uint32(0)
		if t.inodes.linked(b.Dir) {
			place = t.inodes.place(b.Dir)
		}
		err := t.eachRecord(&b, func(e *layout.Dirent) {
			hash := maphash.Bytes(t.seed, e.Name)
			// The first two name the directory and its parent, whatever they say.
			dots := b.Logical == 0 && b.Place(e) < 2
			kept := false
			if e.Ino < t.Limit() {
				t.count(b.Dir, place, e, dots, &extra[w], &t.several[w])
				if kept = t.always(e.Ino); kept && !isDot(e.Name) {
					names.add(w, b.Dir, e)
				}
			}
			if t.aims != nil && !kept && !isDot(e.Name) {
				t.aims.record(w, &b, e, hash)
			}
			if h.Entry != nil {
				h.Entry(w, &b, e, hash)
			}
		}, removed)
		switch {
		case h.BlockDone != nil:
			h.BlockDone(w, &b, err)
		case err != nil:
			t.fail(b.Dir, err)
		}
		if n := done.Add(1); n&0xfff == 0 && h.Progress != nil {
			h.Progress(int(n), total)
		}
	})
	t.base = names.done()
	for _, x := range extra {
		t.multi = append(t.multi, x...)
	}
	slices.SortFunc(t.multi, compareEdges)
	t.multi = slices.Compact(t.multi)
	return err
}

// count enters one name; dots says that it lies where "." or ".." does, and place where the
// directory stands, 0 if its own link count is: names in it do not count, it is on its way
// out. Further directories that name the inode go to extra if it is one itself, or else to
// several.
func (t *Tree) count(dir Ino, place uint32, e *layout.Dirent, dots bool, extra, several *[]edge) {
	switch {
	case place == 0:
	case dots || isDot(e.Name):
		t.inodes.count(e.Ino, 0)
	case e.Ino == layout.RootIno || e.Ino == dir:
		// The root is above all, and no directory above itself.
		t.inodes.count(e.Ino, 0)
		*extra = ext.Push(*extra, edge{e.Ino, dir})
	default:
		// The lowest directory wins, so that the outcome is the same each time.
		switch old := t.inodes.count(e.Ino, place); {
		case old == 0:
		case t.isDir(e.Ino):
			*extra = ext.Push(*extra, edge{e.Ino, max(old, dir)})
		case old != dir && len(*several) < maxSeveral:
			*several = ext.Push(*several, edge{e.Ino, max(old, dir)})
		}
	}
}

func isDot(name []byte) bool {
	return len(name) == 1 && name[0] == '.' || len(name) == 2 && name[0] == '.' && name[1] == '.'
}

// eachRecord walks the records of a block that name an inode, and gives to gap, unless
// it is nil, those that removed ones may lie behind, whether they name one or not. The
// error is what ended it early.
func (t *Tree) eachRecord(b *Block, yield func(*layout.Dirent), gap func(*Block, *layout.Dirent)) error {
	if b.Inline && b.Logical == 0 {
		// An inline directory begins with its parent's number, and has no dots.
		yield(&layout.Dirent{Ino: b.Dir, Name: []byte("."), Type: layout.FTDir})
		if len(b.Bytes) < layout.InlineDirHead {
			return nil
		}
		yield(&layout.Dirent{Ino: layout.InlineDirParent(b.Bytes), Name: []byte(".."), Type: layout.FTDir})
		b = &Block{b.DirBlock, b.Bytes[layout.InlineDirHead:], b.Offset + layout.InlineDirHead, b.Flags, true}
	}
	if b.Flags&layout.FlagIndex != 0 && b.Logical > 0 && ext.IsDxNode(b.Bytes) {
		gap = nil
	}
	w := t.FS.DirRecords(b.Bytes, b.Offset, b.Flags)
	e := new(layout.Dirent) // one for all: yield lets it escape
	for w.Next(e) {
		if e.Ino != 0 {
			yield(e)
		}
		if gap != nil && (e.Ino == 0 || e.RecLen >= layout.DirFormat{}.DirentLen(len(e.Name))+layout.DirentMin) {
			gap(b, e)
		}
	}
	return w.Err()
}

// EachBlock reads every directory block again, in disk order, and hands it to
// visit, several at a time; parts of inline directories come after the blocks.
func (t *Tree) EachBlock(ctx context.Context, visit func(worker int, b Block)) error {
	return t.eachBlockOf(ctx, nil, visit)
}

// eachBlockOf is EachBlock of some directories; nil is all.
func (t *Tree) eachBlockOf(ctx context.Context, dirs Set, visit func(worker int, b Block)) error {
	blocks, inline := t.blocks, t.inline
	if dirs != nil {
		blocks = slices.DeleteFunc(slices.Clone(blocks), func(d ext.DirBlock) bool { return !dirs.Has(d.Dir) })
		inline = slices.DeleteFunc(slices.Clone(inline), func(dir Ino) bool { return !dirs.Has(dir) })
	}
	err := t.FS.ScanDirs(ctx, blocks, func(w int, d ext.DirBlock, bytes []byte, err error) {
		if err != nil {
			t.fail(d.Dir, err)
			return
		}
		visit(w, Block{d, bytes, t.FS.BlockOffset(d.Physical), t.flags(d.Dir), false})
	})
	if err != nil {
		return err
	}
	const perTask = 64 // they lie together
	return ext.Parallel(ctx, (len(inline)+perTask-1)/perTask, func(w int) func(int) {
		return func(task int) {
			for _, ino := range inline[task*perTask : min((task+1)*perTask, len(inline))] {
				t.inlineDir(ino, func(b Block) { visit(w, b) })
			}
		}
	})
}

// inlineDir reads the parts of a directory that is kept in its inode.
func (t *Tree) inlineDir(ino Ino, visit func(b Block)) {
	in, err := t.FS.Inode(ino)
	if err != nil {
		t.fail(ino, err)
		return
	}
	parts, err := t.FS.InlineParts(in)
	if err != nil {
		t.fail(ino, err)
	}
	for i, p := range parts {
		visit(Block{ext.DirBlock{Dir: ino, Logical: uint32(i)}, p.Bytes, p.Offset, t.flags(ino), true})
	}
}

// DirBlocksAt lists the directory blocks that lie in a block: one, unless directories
// claim each other's.
func (t *Tree) DirBlocksAt(b layout.Block) []ext.DirBlock {
	at := func(d ext.DirBlock, b layout.Block) int { return cmp.Compare(d.Physical, b) }
	from, _ := slices.BinarySearchFunc(t.blocks, b, at)
	n, _ := slices.BinarySearchFunc(t.blocks[from:], b+1, at)
	return t.blocks[from:][:n]
}

// flags rebuilds the inode flags that matter for a directory's records.
func (t *Tree) flags(ino Ino) layout.InodeFlags {
	var f layout.InodeFlags
	s := t.inodes.state(ino)
	if s&stateEncrypt != 0 {
		f |= layout.FlagEncrypt
	}
	if s&stateCasefold != 0 {
		f |= layout.FlagCasefold
	}
	if s&stateIndex != 0 {
		f |= layout.FlagIndex
	}
	return f
}
