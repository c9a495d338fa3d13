package replay

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// An editor changes the file system of a view in memory. Inodes and groups that
// change are held until flush writes them to the overlay; directory blocks are
// written at once.
type editor struct {
	fs      *ext.FS // as after the full commits; it has read nothing of what changes here
	overlay *jbd2.Overlay
	view    *View

	inodes  map[ext.Ino]*inode
	groups  map[uint32]*group
	inUse   spans // blocks that the allocator leaves alone though their bits are clear
	nodes   *ext.NodeBudget
	extents int // held, of all inodes
	work    int // what was done so far, in roughly equal steps
}

const (
	maxInodes  = 1 << 18 // held at once
	maxGroups  = 1 << 14 // likewise, each with up to two bitmaps of a block
	maxExtents = 1 << 22
	maxWork    = 1 << 30
)

var (
	errGone   = errors.New("the inode is not in use")
	errTooBig = errors.New("more would change than is done in memory")
)

func newEditor(v *View, fs *ext.FS, overlay *jbd2.Overlay) *editor {
	return &editor{
		fs: fs, overlay: overlay, view: v,
		inodes: map[ext.Ino]*inode{},
		groups: map[uint32]*group{},
		nodes:  fs.NewNodeBudget(),
	}
}

// spend bounds the work that records of a few bytes can ask for.
func (e *editor) spend(steps int) error {
	if e.work += steps + 1; e.work > maxWork {
		return errTooBig
	}
	return nil
}

// An inode is one that may change, with its map once that was asked for.
type inode struct {
	ino      ext.Ino
	off      int64
	raw      []byte
	bad      bool // its checksum was wrong when it was read
	dirty    bool
	modified bool // its blocks are marked as used in the end

	mapped   bool // extents and nodes hold
	mapDirty bool
	extents  []layout.Extent
	nodes    []ext.Block // blocks of the extent tree
}

func (in *inode) mode() uint16             { return le.Uint16(in.raw[0x0:]) }                     // i_mode
func (in *inode) links() uint16            { return le.Uint16(in.raw[0x1a:]) }                    // i_links_count
func (in *inode) flags() layout.InodeFlags { return layout.InodeFlags(le.Uint32(in.raw[0x20:])) } // i_flags
func (in *inode) generation() uint32       { return le.Uint32(in.raw[0x64:]) }                    // i_generation
func (in *inode) block() []byte            { return in.raw[0x28:0x64] }                           // i_block
func (in *inode) isDir() bool              { return in.mode()&layout.ModeMask == layout.ModeDir }
func (in *inode) has(f layout.InodeFlags) bool {
	return in.flags()&f != 0
}

func (in *inode) setLinks(n uint16) {
	le.PutUint16(in.raw[0x1a:], n)
	in.dirty = true
}

func (in *inode) setFlags(f layout.InodeFlags) {
	le.PutUint32(in.raw[0x20:], uint32(f))
	in.dirty = true
}

func (e *editor) size(in *inode) uint64 {
	n := uint64(le.Uint32(in.raw[0x4:])) // i_size_lo
	if !in.isDir() || e.fs.Super.Incompat&layout.IncompatLargeDir != 0 {
		n |= uint64(le.Uint32(in.raw[0x6c:])) << 32 // i_size_high
	}
	return n
}

func (e *editor) setSize(in *inode, n uint64) {
	le.PutUint32(in.raw[0x4:], uint32(n))
	if !in.isDir() || e.fs.Super.Incompat&layout.IncompatLargeDir != 0 {
		le.PutUint32(in.raw[0x6c:], uint32(n>>32))
	}
	in.dirty = true
}

// setBlocks stores i_blocks, in units of 512 bytes: ext4_inode_blocks_set.
func (e *editor) setBlocks(in *inode, n uint64) {
	flags := in.flags() &^ layout.FlagHugeFile
	if n>>48 != 0 {
		flags |= layout.FlagHugeFile
		n /= uint64(e.fs.BlockSize() / 512)
	}
	in.setFlags(flags)
	le.PutUint32(in.raw[0x1c:], uint32(n)) // i_blocks_lo
	if e.fs.Super.ROCompat&layout.ROCompatHugeFile != 0 {
		le.PutUint16(in.raw[0x74:], uint16(n>>32)) // l_i_blocks_high
	}
}

// seed is what the checksums of the inode's blocks start from.
func (e *editor) seed(in *inode) uint32 {
	return layout.InodeSeed(e.fs.Seed(), in.ino, in.generation())
}

// slot gives an inode whatever it holds.
func (e *editor) slot(ino ext.Ino) (*inode, error) {
	if in, ok := e.inodes[ino]; ok {
		return in, nil
	}
	if len(e.inodes) >= maxInodes {
		return nil, errTooBig
	}
	missing := &ext.NoInodeError{Ino: ino, Count: e.fs.InodesCount()}
	if ino == 0 || uint32(ino) > e.fs.InodesCount() {
		return nil, missing
	}
	number, index := e.fs.GroupOfInode(ino)
	g := e.fs.Group(number)
	if g == nil || g.State == ext.GroupBad || g.State == ext.GroupOverlap {
		return nil, missing
	}
	in := &inode{ino: ino, raw: make([]byte, e.fs.InodeSize())}
	in.off = e.fs.BlockOffset(g.InodeTable) + int64(index)*int64(len(in.raw))
	if _, err := e.overlay.ReadMetadata(in.raw, in.off); err != nil {
		return nil, fmt.Errorf("inode %d: %w", ino, err)
	}
	in.bad = !e.fs.DecodeInode(in.raw, ino, in.off).ChecksumOK
	e.inodes[ino] = in
	return in, nil
}

// get gives an inode that is in use: ext4_iget. errGone says that it is not.
func (e *editor) get(ino ext.Ino) (*inode, error) {
	in, err := e.slot(ino)
	switch {
	case err != nil:
		return nil, err
	case in.links() == 0:
		return nil, errGone
	case in.bad:
		return nil, &layout.CorruptError{Struct: "inode", Field: "i_checksum_lo", Offset: in.off + 0x7c, Value: uint64(le.Uint16(in.raw[0x7c:]))}
	}
	return in, nil
}

// flush writes all that is held to the overlay, with checksums.
func (e *editor) flush() error {
	inodes := slices.Sorted(maps.Keys(e.inodes))
	for _, ino := range inodes {
		if e.inodes[ino].isDir() {
			e.view.fastDirs = append(e.view.fastDirs, ino)
		}
	}
	for _, ino := range inodes {
		if err := e.writeTree(e.inodes[ino]); err != nil {
			return fmt.Errorf("inode %d: %w", ino, err)
		}
	}
	// ext4_fc_set_bitmaps_and_counters, fs/ext4/fast_commit.c.
	for _, ino := range inodes {
		in := e.inodes[ino]
		if !in.modified || !in.mapped || in.links() == 0 {
			continue
		}
		for _, x := range in.extents {
			if err := e.setUsed(x.Start, x.Len, true); err != nil {
				return err
			}
		}
		for _, b := range in.nodes {
			if err := e.setUsed(b, 1, true); err != nil {
				return err
			}
		}
	}
	for _, ino := range inodes {
		if err := e.writeInode(e.inodes[ino]); err != nil {
			return err
		}
	}
	return e.writeGroups()
}

func (e *editor) writeInode(in *inode) error {
	if !in.dirty {
		return nil
	}
	if e.fs.Super.MetadataCsum() {
		sum, wide := layout.InodeChecksum(in.raw, e.seed(in))
		le.PutUint16(in.raw[0x7c:], uint16(sum)) // i_checksum_lo
		if wide {
			le.PutUint16(in.raw[0x82:], uint16(sum>>16)) // i_checksum_hi
		}
	}
	return e.overlay.Patch(in.off, in.raw)
}
