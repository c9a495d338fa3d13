package replay

import (
	"errors"
	"fmt"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A dirBlock is one block of a directory, read.
type dirBlock struct {
	logical uint32
	off     int64
	b       []byte
}

func (e *editor) format(dir *inode) layout.DirFormat {
	return layout.DirFormat{
		FileType: e.fs.Super.Incompat&layout.IncompatFiletype != 0,
		DirData:  e.fs.Super.Incompat&layout.IncompatDirData != 0,
	}
}

// readDir reads a block of a directory, and checks its checksum: of an index block
// where index says so.
func (e *editor) readDir(dir *inode, logical uint32, index bool) (*dirBlock, error) {
	if err := e.spend(e.fs.BlockSize() / 64); err != nil {
		return nil, err
	}
	corrupt := func(field string, at int64, v uint64) error {
		return &layout.CorruptError{Struct: "directory", Field: field, Offset: at, Value: v}
	}
	p := dir.physical(logical)
	if p == 0 {
		return nil, corrupt("hole at block", dir.off+0x28, uint64(logical))
	}
	d := &dirBlock{logical, e.fs.BlockOffset(p), make([]byte, e.fs.BlockSize())}
	if _, err := e.overlay.ReadMetadata(d.b, d.off); err != nil {
		return nil, err
	}
	if !e.fs.Super.MetadataCsum() {
		return d, nil
	}
	if index {
		stored, sum, ok := layout.DxChecksum(d.b, e.seed(dir), ext.DxCountOffset(d.b, layout.FlagIndex, logical))
		if !ok || stored != sum {
			return nil, corrupt("dt_checksum", d.off, uint64(stored))
		}
		return d, nil
	}
	if stored, ok := layout.DirTail(d.b); !ok || stored != layout.DirChecksum(d.b, e.seed(dir)) {
		return nil, corrupt("det_checksum", d.off+int64(len(d.b))-4, uint64(stored))
	}
	return d, nil
}

// writeLeaf writes a block of names.
func (e *editor) writeLeaf(dir *inode, d *dirBlock) error {
	e.putTail(dir, d.b)
	return e.overlay.Patch(d.off, d.b)
}

// check refuses directories that cannot be changed.
func (e *editor) check(dir *inode) error {
	switch {
	case !dir.isDir():
		return fmt.Errorf("not a directory: mode %#o", dir.mode())
	case dir.has(layout.FlagEncrypt):
		return &ext.UnsupportedError{What: "changing an encrypted directory"}
	case e.fs.BlockSize() > 1<<15:
		return &ext.UnsupportedError{What: "changing a directory with blocks of 64 KiB"}
	case dir.has(layout.FlagInlineData):
		return nil
	}
	return e.loadMap(dir)
}

// blocks is how many blocks a directory has.
func (e *editor) blocks(dir *inode) (uint32, error) {
	n := e.size(dir) / uint64(e.fs.BlockSize())
	if n >= 1<<32 {
		return 0, &layout.CorruptError{Struct: "inode", Field: "i_size", Offset: dir.off + 4, Value: e.size(dir)}
	}
	return uint32(n), nil
}

// addName adds a name to a directory: ext4_add_entry, fs/ext4/namei.c. The error is
// errExists where the search for room meets the name.
func (e *editor) addName(dir *inode, text []byte, in *inode) error {
	if err := e.check(dir); err != nil {
		return err
	}
	n := name{text, in.ino, layout.FTOfMode(in.mode())}
	if dir.has(layout.FlagInlineData) {
		if err := e.addInline(dir, n); !errors.Is(err, errNoRoom) {
			return err
		}
		if err := e.outgrow(dir); err != nil {
			return err
		}
	}
	if dir.has(layout.FlagIndex) {
		err := e.addIndexed(dir, n)
		if !errors.Is(err, errBadIndex) || e.fs.Super.MetadataCsum() {
			return err
		}
		dir.setFlags(dir.flags() &^ layout.FlagIndex)
	}
	count, err := e.blocks(dir)
	if err != nil {
		return err
	}
	for i := range count {
		d, err := e.readDir(dir, i, false)
		if err != nil {
			return err
		}
		err = putName(e.records(d.b), d.off, e.format(dir), n)
		if err == nil {
			return e.writeLeaf(dir, d)
		}
		if !errors.Is(err, errNoRoom) {
			return err
		}
		if count == 1 && e.fs.Super.Compat&layout.CompatDirIndex != 0 {
			return e.makeIndex(dir, d, n)
		}
	}
	d, err := e.appendBlock(dir)
	if err != nil {
		return err
	}
	putRecLen(d.b, len(e.records(d.b)))
	if err := putName(e.records(d.b), d.off, e.format(dir), n); err != nil {
		return err
	}
	return e.writeLeaf(dir, d)
}

// appendBlock gives a directory one more block: ext4_append. The kernel's allocator
// does not count it in i_blocks during replay, so neither is it here.
func (e *editor) appendBlock(dir *inode) (*dirBlock, error) {
	n, err := e.blocks(dir)
	if err != nil {
		return nil, err
	}
	p := dir.physical(n)
	if p == 0 {
		if p, err = e.alloc(e.goal(dir, n)); err != nil {
			return nil, err
		}
		if err := e.put(dir, layout.Extent{FileBlock: n, Len: 1, Start: p}); err != nil {
			return nil, err
		}
	}
	e.setSize(dir, e.size(dir)+uint64(e.fs.BlockSize()))
	return &dirBlock{n, e.fs.BlockOffset(p), make([]byte, e.fs.BlockSize())}, nil
}

// removeName takes a name out of a directory. Where the name is another inode's it
// stays, without an error.
func (e *editor) removeName(dir *inode, text []byte, ino ext.Ino) error {
	if err := e.check(dir); err != nil {
		return err
	}
	if dir.has(layout.FlagInlineData) {
		return e.removeInline(dir, text, ino)
	}
	d, r, before, err := e.findEntry(dir, text)
	if err != nil || r.Ino != ino {
		return err
	}
	dropName(e.records(d.b), r, before)
	return e.writeLeaf(dir, d)
}

// findEntry looks a name up: ext4_find_entry.
func (e *editor) findEntry(dir *inode, text []byte) (*dirBlock, layout.Dirent, int, error) {
	if dir.has(layout.FlagIndex) {
		d, r, before, err := e.findIndexed(dir, text)
		if !errors.Is(err, errBadIndex) {
			return d, r, before, err
		}
	}
	count, err := e.blocks(dir)
	if err != nil {
		return nil, layout.Dirent{}, 0, err
	}
	for i := range count {
		d, err := e.readDir(dir, i, false)
		if err != nil {
			return nil, layout.Dirent{}, 0, err
		}
		r, before, err := findName(e.records(d.b), d.off, e.format(dir), text)
		if !errors.Is(err, errNoName) {
			return d, r, before, err
		}
	}
	return nil, layout.Dirent{}, 0, errNoName
}

// newDir writes the first entries of a new directory: ext4_init_new_dir. Links are
// what they are on disk in the end, since ext4_fc_replay_create sets them.
func (e *editor) newDir(parent, dir *inode) error {
	if dir.has(layout.FlagInlineData) {
		return e.newInlineDir(parent, dir)
	}
	if err := e.check(dir); err != nil {
		return err
	}
	dir.modified = true
	dir.setLinks(2)
	e.setSize(dir, 0)
	d, err := e.appendBlock(dir)
	if err != nil {
		return err
	}
	e.putDots(d.b, dir.ino, parent.ino)
	return e.writeLeaf(dir, d)
}

// putDots writes "." and ".." to a block: ext4_init_dirblock.
func (e *editor) putDots(b []byte, self, parent ext.Ino) {
	typ := uint8(layout.FTUnknown)
	if e.fs.Super.Incompat&layout.IncompatFiletype != 0 {
		typ = layout.FTDir
	}
	le.PutUint32(b[0x0:], uint32(self)) // inode
	putRecLen(b, 12)
	b[0x6], b[0x7], b[0x8] = 1, typ, '.'
	le.PutUint32(b[0xc:], uint32(parent))
	putRecLen(b[0xc:], len(e.records(b))-12)
	b[0x12], b[0x13], b[0x14], b[0x15] = 2, typ, '.', '.'
}
