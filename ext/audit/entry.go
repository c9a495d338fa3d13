package audit

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
)

// A dotdot is what the ".." of a directory names.
type dotdot struct{ dir, parent ext.Ino }

// A dotState follows the first two records of a directory.
type dotState struct {
	seen int // records of the block so far that name an inode
}

// A nameHash is one name of the block at hand.
type nameHash struct {
	hash uint64
	name []byte
	ino  ext.Ino
}

// block judges a directory block before its records.
func (w *worker) block(b *links.Block) {
	w.dot = dotState{}
	w.hashes = w.hashes[:0]
	a := w.a
	d := a.dir(b.Dir)
	w.index(b, d)
	w.records(b)
	if b.Inline || !a.fs.Super.MetadataCsum() || a.skip(BadChecksum) || d == nil {
		return
	}
	seed := d.seed
	bad := func(what string, stored, computed uint32) {
		a.add(Finding{Kind: BadChecksum, Ino: b.Dir, HasBlock: true, Block: b.Physical, Offset: b.Offset,
			Detail: fmt.Sprintf("%s, block %d of the directory: checksum is %#08x, its contents give %#08x", what, b.Logical, stored, computed)})
	}
	if at := ext.DxCountOffset(b.Bytes, b.Flags, b.Logical); at > 0 {
		if stored, computed, ok := layout.DxChecksum(b.Bytes, seed, at); ok && stored != computed {
			bad("directory index", stored, computed)
		}
		return
	}
	stored, ok := layout.DirTail(b.Bytes)
	if !ok {
		a.add(Finding{Kind: BadChecksum, Ino: b.Dir, HasBlock: true, Block: b.Physical, Offset: b.Offset,
			Detail: fmt.Sprintf("block %d of the directory has no checksum", b.Logical)})
		return
	}
	if computed := layout.DirChecksum(b.Bytes, seed); stored != computed {
		bad("directory", stored, computed)
	}
}

// entry judges one record that names an inode.
func (a *auditor) entry(worker int, b *links.Block, e *layout.Dirent, hash uint64) {
	w := a.workers[worker]
	w.dot.seen++
	place := b.Place(e)
	dots := place < 2
	switch {
	case dots && place == 0:
		if !bytes.Equal(e.Name, []byte(".")) || e.Ino != b.Dir {
			a.addEntry(BadEntry, b, e, "the first entry of a directory is not its own \".\"")
		}
		if !bytes.Equal(e.Name, []byte(".")) {
			dots = false
		}
	case dots:
		if bytes.Equal(e.Name, []byte("..")) {
			w.dots = append(w.dots, dotdot{b.Dir, e.Ino})
		} else {
			a.addEntry(BadEntry, b, e, "the second entry of a directory is not \"..\"")
			dots = false
		}
	}
	if !dots {
		w.name(b, e, hash, place)
	}
	if w.tree.leaf {
		w.tree.name(e)
	}
	w.target(b, e)
}

const (
	minCiphertext  = 16  // FS_CRYPTO_BLOCK_SIZE: no encrypted name is shorter, in bytes
	strictEncoding = 0x1 // EXT4_ENC_STRICT_MODE_FL of s_encoding_flags
)

// name judges the name itself.
func (w *worker) name(b *links.Block, e *layout.Dirent, hash uint64, place int) {
	switch {
	case len(e.Name) == 0:
		w.a.addEntry(BadEntry, b, e, "an empty name")
		return
	case len(e.Name) <= 2 && e.Name[0] == '.' && (len(e.Name) == 1 || e.Name[1] == '.'):
		w.a.addEntry(BadEntry, b, e, "a second entry of this name")
		if t := w.a.tree; place == 2 && t.InUse(e.Ino) && t.Type(e.Ino) == layout.ModeDir {
			w.a.addEntry(DirectoryHardLink, b, e, fmt.Sprintf("a further name of directory inode %d", e.Ino))
		}
		return
	case b.Flags&layout.FlagEncrypt == 0 && layout.IllegalName(e.Name):
		w.a.addEntry(BadEntry, b, e, "an illegal character in the name")
	case b.Flags&layout.FlagEncrypt != 0 && len(e.Name) < minCiphertext:
		w.a.addEntry(BadEntry, b, e, "an encrypted name shorter than a block of the cipher")
	case b.Flags&layout.FlagEncrypt == 0 && b.Flags&layout.FlagCasefold != 0 && w.a.fs.Super.EncodingFlags&strictEncoding != 0 && !utf8.Valid(e.Name):
		w.a.addEntry(BadEntry, b, e, "a name that is not UTF-8, where the encoding is strict")
	}
	w.hashes = append(w.hashes, nameHash{hash, e.Name, e.Ino})
}

// target judges what the entry names.
func (w *worker) target(b *links.Block, e *layout.Dirent) {
	a, t := w.a, w.a.tree
	if e.Ino >= a.firstFile && t.InUse(e.Ino) && e.Type != layout.FTUnknown && e.Type == layout.FTOfMode(t.Type(e.Ino)) && !a.doubtful.has(uint64(e.Ino)) && a.unusable == nil {
		return // nearly always
	}
	switch {
	case uint32(e.Ino) > a.fs.InodesCount():
		a.addEntry(DanglingEntry, b, e, fmt.Sprintf("names inode %d, and the last is %d", e.Ino, a.fs.InodesCount()))
		return
	case a.fs.Reserved(e.Ino) || a.ownNumber(e.Ino):
		a.addEntry(DanglingEntry, b, e, fmt.Sprintf("names inode %d, which is reserved", e.Ino))
		return
	case a.unusable != nil && a.unusable.has(uint64(e.Ino)):
		a.addEntry(DanglingEntry, b, e, fmt.Sprintf("names inode %d, which lies in a bad block", e.Ino))
	case !t.InUse(e.Ino):
		a.addEntry(DanglingEntry, b, e, fmt.Sprintf("names inode %d, which is not in use", e.Ino))
	}
	if a.fs.Super.Incompat&layout.IncompatFiletype == 0 {
		if e.Raw != 0 && !b.Inline {
			a.addEntry(WrongFiletype, b, e, fmt.Sprintf("the entry says %s, and the file system keeps no types in entries", typeName(e.Raw)))
		}
		return
	}
	want := layout.FTOfMode(t.Type(e.Ino))
	switch {
	case a.doubtful.has(uint64(e.Ino)) && t.InUse(e.Ino):
		want = layout.FTUnknown
	case t.Type(e.Ino) == 0 && !t.InUse(e.Ino):
		// It may lie where the table is said to be unused.
		in, err := a.fs.Inode(e.Ino)
		if err != nil {
			return
		}
		want = layout.FTOfMode(in.Mode)
	}
	// 0 says nothing: nobody goes by it.
	if e.Type != want && e.Type != layout.FTUnknown {
		a.addEntry(WrongFiletype, b, e, fmt.Sprintf("the entry says %s, inode %d is %s", typeName(e.Type), e.Ino, typeName(want)))
	}
}

// ownNumber reports whether the superblock names an inode for a purpose of the
// file system, be the feature for that set or not.
func (a *auditor) ownNumber(ino ext.Ino) bool {
	s := a.fs.Super
	return ino == s.UserQuotaInum || ino == s.GroupQuotaInum || ino == s.ProjectQuotaInum || ino == s.OrphanFileInum
}

// blockDone looks for names that the block holds twice, and tells of a record
// that cannot be right.
func (w *worker) blockDone(b *links.Block, err error) {
	w.tree.leafDone(w.a.fs.Super.HashSeed)
	if err != nil && !w.torn {
		w.a.addError(b.Dir, err)
	}
	if b.Logical == 0 && w.dot.seen < 2 && !(b.Flags&layout.FlagIndex != 0) && err == nil {
		w.a.add(Finding{Kind: BadEntry, Ino: b.Dir, HasBlock: !b.Inline, Block: b.Physical, Offset: b.Offset,
			Detail: "a directory without \".\" and \"..\""})
	}
	w.duplicates(b)
}

// duplicates tells of names that the block holds twice. They are put into a table
// by their hashes, which is at most half full.
func (w *worker) duplicates(b *links.Block) {
	size := 64
	for size < 2*len(w.hashes) {
		size *= 2
	}
	if cap(w.slots) < size {
		w.slots = make([]uint16, size)
	}
	w.slots = w.slots[:size]
	clear(w.slots)
	for i, x := range w.hashes {
		at := int(x.hash) & (size - 1)
		for ; w.slots[at] != 0; at = (at + 1) & (size - 1) {
			if y := w.hashes[w.slots[at]-1]; x.hash == y.hash && bytes.Equal(x.name, y.name) {
				w.a.addEntry(BadEntry, b, &layout.Dirent{Name: x.name, Ino: x.ino}, "the directory has this name twice")
				break
			}
		}
		w.slots[at] = uint16(i + 1) // a block of 64 KiB has less than 6000 records
	}
}

func (a *auditor) addEntry(k Kind, b *links.Block, e *layout.Dirent, detail string) {
	a.add(Finding{Kind: k, Ino: b.Dir, Entry: true, Target: e.Ino, Name: bytes.Clone(e.Name), HasBlock: !b.Inline, Block: b.Physical,
		Offset: b.Offset + int64(e.Offset), Detail: detail})
}

func typeName(ft uint8) string {
	names := []string{"unknown", "regular file", "directory", "character device", "block device", "fifo", "socket", "symlink"}
	if int(ft) < len(names) {
		return names[ft]
	}
	return fmt.Sprintf("type %d", ft)
}

// dotdots compares each ".." with the directory that names the one it is in.
func (a *auditor) dotdots() {
	for _, w := range a.workers {
		for _, d := range w.dots {
			want := a.tree.Parent(d.dir)
			if d.dir == layout.RootIno {
				want = layout.RootIno
			}
			if want != 0 && d.parent != want && (d.dir == layout.RootIno || !a.tree.NamedIn(d.dir, d.parent)) {
				a.add(Finding{Kind: BadEntry, Ino: d.dir, Entry: true, Target: d.parent, Name: []byte(".."),
					Detail: fmt.Sprintf("\"..\" names inode %d, and the directory lies in inode %d", d.parent, want)})
			}
		}
		w.dots = nil
	}
}
