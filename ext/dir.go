package ext

import (
	"encoding/hex"
	"errors"
	"iter"

	"github.com/extscope/extscope/ext/layout"
)

// An Entry is one name in a directory, live or removed. Name is as stored and
// valid until the next Entry; encrypted names are ciphertext, see Namer.
type Entry struct {
	Name    []byte
	Ino     Ino
	Type    uint8 // layout.FT*, a hint: the inode decides
	Removed bool  // found in the gap behind a live record: the name was there once
	Offset  int64 // where the record lies, in bytes
	Logical uint64
	Hash    uint64 // stored beside the name where the directory is casefolded and encrypted
}

// IsDot reports whether the entry is "." or "..".
func (e *Entry) IsDot() bool {
	return len(e.Name) == 1 && e.Name[0] == '.' || len(e.Name) == 2 && e.Name[0] == '.' && e.Name[1] == '.'
}

var errNotDir = errors.New("not a directory")

// Entries yields the names of a directory in their order on disk, "." and ".."
// first; with removed also the names that were taken away and are still to be
// read. Damage is yielded as an error at its place, and the walk goes on with
// the next block; names in the damaged rest of a block come as removed ones.
func (f *FS) Entries(dir *Inode, removed bool) iter.Seq2[Entry, error] {
	return f.EntriesWithin(dir, removed, nil)
}

// A DirBudget bounds how many blocks of directories are read while many are gone
// through. Each block belongs to one directory, but hostile ones share theirs.
type DirBudget struct{ left uint64 }

// NewDirBudget makes one that no sound file system exhausts.
func (f *FS) NewDirBudget() *DirBudget { return DirBlocksBudget(2*f.blocksThere() + 4096) }

// DirBlocksBudget makes one of that many blocks.
func DirBlocksBudget(blocks uint64) *DirBudget { return &DirBudget{blocks} }

// Take takes a block from a budget, nil for none; false where it is exhausted.
func (b *DirBudget) Take() bool {
	if b == nil {
		return true
	}
	if b.left == 0 {
		return false
	}
	b.left--
	return true
}

// Spent reports whether a budget is exhausted.
func (b *DirBudget) Spent() bool { return b.left == 0 }

// ErrDirBudget says that a budget is exhausted.
var ErrDirBudget = errors.New("too many directory blocks")

// EntriesWithin is Entries until the budget is exhausted; then comes ErrDirBudget. A
// nil budget bounds nothing.
func (f *FS) EntriesWithin(dir *Inode, removed bool, budget *DirBudget) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if !dir.IsDir() {
			yield(Entry{}, errNotDir)
			return
		}
		if !f.hasMap(dir) {
			if !budget.Take() {
				yield(Entry{}, ErrDirBudget)
				return
			}
			f.inlineEntries(dir, removed, yield)
			return
		}
		pooled := f.getBlock()
		defer f.blocks.Put(pooled)
		buf := *pooled
		end := f.blocksFor(dir.size)
		left := f.blocksThere() // a map can name the same blocks over and over
		for r, err := range f.Runs(dir) {
			if err != nil {
				if !yield(Entry{}, err) {
					return
				}
				continue
			}
			if r.Logical >= end {
				return
			}
			if r.Kind != Data {
				// The kernel calls a hole in a directory an error and reads on.
				if !yield(Entry{}, corrupt("directory", "hole at block", dir.Offset+0x28, r.Logical)) {
					return
				}
				continue
			}
			for i := range min(r.Len, end-r.Logical) {
				if left == 0 {
					yield(Entry{}, corrupt("directory", "blocks: more of them than there are, from block", dir.Offset+0x28, r.Logical+i))
					return
				}
				left--
				if !budget.Take() {
					yield(Entry{}, ErrDirBudget)
					return
				}
				b := r.Physical + Block(i)
				if err := f.ReadBlock(buf, b); err != nil {
					if !yield(Entry{}, err) {
						return
					}
					continue
				}
				v := DirBlockView{Dir: dir, Logical: r.Logical + i, Bytes: buf, Offset: f.bytes(b)}
				if !f.BlockEntries(v, removed, yield) {
					return
				}
			}
		}
	}
}

// A DirBlockView is one block of a directory: at home, or a copy from elsewhere.
type DirBlockView struct {
	Dir     *Inode
	Logical uint64 // which block of the directory it is
	Bytes   []byte
	Offset  int64 // where it lies, in bytes
}

// dirFormat says how the records of a directory with these flags are laid out.
func (f *FS) dirFormat(flags layout.InodeFlags) layout.DirFormat {
	const both = layout.FlagEncrypt | layout.FlagCasefold
	return layout.DirFormat{
		FileType: f.hasIncompat(layout.IncompatFiletype),
		DirData:  f.hasIncompat(layout.IncompatDirData),
		Hashed:   flags&both == both,
	}
}

// BlockEntries yields the names in one block of a directory, as Entries does.
// It reports whether to go on.
func (f *FS) BlockEntries(v DirBlockView, removed bool, yield func(Entry, error) bool) bool {
	if v.Dir.Flags&layout.FlagIndex != 0 && v.Logical > 0 && IsDxNode(v.Bytes) {
		return true
	}
	entry := func(e *layout.Dirent, gone bool) Entry {
		return Entry{e.Name, e.Ino, e.Type, gone, v.Offset + int64(e.Offset), v.Logical, e.Hash}
	}
	w := layout.NewDirBlock(v.Bytes, v.Offset, f.dirFormat(v.Dir.Flags))
	var e layout.Dirent
	for w.Next(&e) {
		if e.Ino != 0 && !yield(entry(&e, false), nil) {
			return false
		}
		if removed && !f.gap(v.Bytes, v.Dir.Flags, v.Logical, &e, func(e *layout.Dirent) bool { return yield(entry(e, true), nil) }) {
			return false
		}
	}
	if err := w.Err(); err != nil {
		if !yield(Entry{}, err) {
			return false
		}
		if removed {
			return f.dirFormat(v.Dir.Flags).Removed(v.Bytes, w.Rest(), len(v.Bytes), f.inodesCount, func(e *layout.Dirent) bool {
				return yield(entry(e, true), nil)
			})
		}
	}
	return true
}

// gap yields the removed records behind a live record, or in an unused one.
func (f *FS) gap(b []byte, flags layout.InodeFlags, logical uint64, e *layout.Dirent, yield func(*layout.Dirent) bool) bool {
	format := f.dirFormat(flags)
	from, end := e.Offset+format.DirentLen(len(e.Name)), e.Offset+e.RecLen
	switch {
	case e.Ino == 0 && e.Raw == layout.FTCsum:
		return true
	case e.Ino == 0:
		// An unused record at the head of a block: kernels before 5.13 clear
		// just its inode number. Its own name cannot be placed.
		from = e.Offset + 8
	case flags&layout.FlagIndex != 0 && logical == 0 && string(e.Name) == "..":
		return true // behind it lies the root of the index
	}
	if end-from < 12 {
		return true
	}
	return format.Removed(b, from, end, f.inodesCount, yield)
}

// RemovedRecords yields the removed records of a block of a directory with the
// given inode flags, and is a bare form of BlockEntries for scans.
func (f *FS) RemovedRecords(b []byte, flags layout.InodeFlags, logical uint32, yield func(*layout.Dirent)) {
	if flags&layout.FlagIndex != 0 && logical > 0 && IsDxNode(b) {
		return
	}
	w := f.DirRecords(b, 0, flags)
	e := new(layout.Dirent)
	for w.Next(e) {
		f.RemovedBehind(b, flags, logical, e, yield)
	}
}

// RemovedBehind does the same with the gap behind one record of the block, which is no
// inner node of an index.
func (f *FS) RemovedBehind(b []byte, flags layout.InodeFlags, logical uint32, e *layout.Dirent, yield func(*layout.Dirent)) {
	f.gap(b, flags, uint64(logical), e, func(e *layout.Dirent) bool { yield(e); return true })
}

// IsDxNode reports whether a block of an indexed directory is an inner node of
// the index: one unused record over the whole block (struct dx_node).
func IsDxNode(b []byte) bool {
	if le.Uint32(b) != 0 {
		return false
	}
	n := int(le.Uint16(b[4:]))
	return n == len(b) || len(b) == 1<<16 && (n == 0 || n == 0xffff)
}

// inlineEntries yields the names of a directory kept in its inode.
func (f *FS) inlineEntries(dir *Inode, removed bool, yield func(Entry, error) bool) {
	parts, err := f.InlineParts(dir)
	if err != nil && !yield(Entry{}, err) {
		return
	}
	for i, p := range parts {
		v := DirBlockView{Dir: dir, Logical: 1, Bytes: p.Bytes, Offset: p.Offset}
		if i == 0 {
			parent := layout.InlineDirParent(p.Bytes)
			if !yield(Entry{Name: []byte("."), Ino: dir.Ino, Type: layout.FTDir, Offset: p.Offset}, nil) ||
				!yield(Entry{Name: []byte(".."), Ino: parent, Type: layout.FTDir, Offset: p.Offset}, nil) {
				return
			}
			v.Bytes, v.Offset = p.Bytes[layout.InlineDirHead:], p.Offset+layout.InlineDirHead
		}
		if !f.BlockEntries(v, removed, yield) {
			return
		}
	}
}

// A Part is a stretch of bytes in an inode.
type Part struct {
	Bytes  []byte
	Offset int64 // where they lie, in bytes
}

// InlineParts gives the two parts of a directory kept in its inode: i_block,
// which begins with the parent's number in place of the dot entries, and the
// value of system.data, which may be missing. An inode that keeps no directory
// gives none.
func (f *FS) InlineParts(dir *Inode) ([]Part, error) {
	if !dir.HasInline() {
		return nil, nil
	}
	parts := []Part{{dir.Block[:], dir.Offset + 0x28}}
	tail, at, err := f.inlineTail(dir)
	if len(tail) > 0 {
		parts = append(parts, Part{tail, dir.Offset + int64(at)})
	}
	return parts, err
}

// A Namer spells the names of one directory as the kernel lists them without
// keys: as stored, or in the no-key spelling where they are encrypted.
type Namer struct {
	encrypted bool
	rule      layout.NoKeyRule
}

// Namer makes the Namer of a directory.
func (f *FS) Namer(dir *Inode) Namer {
	if dir.Flags&layout.FlagEncrypt == 0 {
		return Namer{}
	}
	return Namer{true, f.noKeyRule(dir)}
}

// Encrypted reports whether names are spelled otherwise than stored.
func (n *Namer) Encrypted() bool { return n.encrypted }

// Name spells the name of an entry. Ciphertext too short to be a name, which
// the kernel does not list, comes in hex.
func (n *Namer) Name(e *Entry) []byte {
	if !n.encrypted || e.IsDot() {
		return e.Name
	}
	hash, minor := layout.NoKeyHash(n.rule, e.Name, [2]uint32{uint32(e.Hash), uint32(e.Hash >> 32)})
	if name := layout.NoKeyName(hash, minor, e.Name); name != nil {
		return name
	}
	return hex.AppendEncode(nil, e.Name)
}

func (f *FS) noKeyRule(dir *Inode) layout.NoKeyRule {
	s := f.Super
	r := layout.NoKeyRule{
		Casefolded:  dir.Flags&layout.FlagCasefold != 0,
		HashVersion: layout.HashVersion(s.DefHashVersion),
		Seed:        s.HashSeed,
	}
	if f.hasCompat(layout.CompatDirIndex) {
		r.Indexed = dir.Flags&layout.FlagIndex != 0 || dir.size>>f.blockBits == 1 || dir.HasInline()
	}
	if r.Indexed && dir.Flags&layout.FlagIndex != 0 {
		if root, err := f.dxRoot(dir); err == nil {
			r.HashVersion = root.HashVersion
		}
	}
	if s.Flags&layout.FlagUnsignedHash != 0 && r.HashVersion <= 2 {
		r.HashVersion += 3
	}
	return r
}

// dxRoot decodes the root of a directory's index.
func (f *FS) dxRoot(dir *Inode) (layout.DxRoot, error) {
	r, err := f.firstRun(dir)
	if err != nil {
		return layout.DxRoot{}, err
	}
	if r.Kind == Data && r.Logical == 0 {
		b := make([]byte, f.blockSize)
		if err := f.ReadBlock(b, r.Physical); err != nil {
			return layout.DxRoot{}, err
		}
		return layout.DecodeDxRoot(b, f.bytes(r.Physical))
	}
	return layout.DxRoot{}, corrupt("directory index", "block 0", dir.Offset+0x28, 0)
}

// DxCountOffset is where, in bytes, the record count of a block of a directory's
// index stands: in the root (block 0) or in an inner node. 0 for a block that
// is neither.
func DxCountOffset(b []byte, flags layout.InodeFlags, logical uint32) int {
	switch {
	case flags&layout.FlagIndex == 0 || len(b) < 0x28:
		return 0
	case logical == 0:
		return 0x20
	case IsDxNode(b):
		return 0x08
	}
	return 0
}
