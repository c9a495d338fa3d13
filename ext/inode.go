package ext

import (
	"sync"

	"github.com/extscope/extscope/ext/layout"
)

// An Inode is a decoded inode and where it came from.
type Inode struct {
	layout.Inode
	Ino        Ino
	Offset     int64  // where it lies, in bytes
	Raw        []byte // the whole on-disk inode
	ChecksumOK bool   // its checksum holds, or the file system has none

	size uint64
}

// Size is the size in bytes, with i_size_high where it counts.
func (in *Inode) Size() uint64 { return in.size }

// IsDir, IsRegular and IsSymlink tell the type.
func (in *Inode) IsDir() bool     { return in.Type() == layout.ModeDir }
func (in *Inode) IsRegular() bool { return in.Type() == layout.ModeRegular }
func (in *Inode) IsSymlink() bool { return in.Type() == layout.ModeSymlink }

// HasInline reports whether contents lie in the inode itself (inline_data).
func (in *Inode) HasInline() bool { return in.Flags&layout.FlagInlineData != 0 }

// Inode reads an inode by its number, whether it is in use or not. The error is
// a *NoInodeError or a *ReadError.
func (f *FS) Inode(ino Ino) (*Inode, error) {
	off, err := f.inodeOffset(ino)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, f.inodeSize)
	if err := f.tables.read(f, raw, off); err != nil {
		return nil, err
	}
	in := new(Inode)
	f.DecodeInodeTo(in, raw, ino, off)
	return in, nil
}

// inodeOffset is where an inode lies, in bytes.
func (f *FS) inodeOffset(ino Ino) (int64, error) {
	if ino == 0 || uint32(ino) > f.inodesCount {
		return 0, &NoInodeError{ino, f.inodesCount}
	}
	group, index := f.GroupOfInode(ino)
	g := f.Group(group)
	if !g.usable() {
		return 0, &NoInodeError{ino, f.inodesCount}
	}
	return f.bytes(g.InodeTable) + int64(index)*int64(f.inodeSize), nil
}

// DecodeInode decodes an inode found anywhere: in a copy of an inode table
// block, for instance. raw is one inode long and is kept.
func (f *FS) DecodeInode(raw []byte, ino Ino, off int64) *Inode {
	in := new(Inode)
	f.DecodeInodeTo(in, raw, ino, off)
	return in
}

// DecodeInodeTo is DecodeInode into *in, for loops over many.
func (f *FS) DecodeInodeTo(in *Inode, raw []byte, ino Ino, off int64) {
	f.decodeFields(in, raw, ino, off)
	if f.Super.MetadataCsum() {
		sum, wide := layout.InodeChecksum(raw, f.inodeSeed(in))
		stored := in.Checksum
		if !wide {
			stored &= 0xffff
		}
		in.ChecksumOK = sum == stored
	}
}

// decodeFields is DecodeInodeTo without a look at the checksum, which takes longer than all
// the rest.
func (f *FS) decodeFields(in *Inode, raw []byte, ino Ino, off int64) {
	layout.DecodeInodeTo(&in.Inode, raw)
	in.Ino, in.Offset, in.Raw, in.ChecksumOK = ino, off, raw, true
	if !f.hasIncompat(layout.Incompat64Bit) {
		in.FileACL &= 1<<32 - 1 // the high half is another field's then (ext4_iget, fs/ext4/inode.c)
	}
	in.size = in.Inode.Size(f.hasIncompat(layout.IncompatLargeDir))
}

func (f *FS) inodeSeed(in *Inode) uint32 {
	return layout.InodeSeed(f.seed, in.Ino, in.Generation)
}

// InodeSeed is what the checksums of the inode's extent and directory blocks
// start from.
func (f *FS) InodeSeed(in *Inode) uint32 { return f.inodeSeed(in) }

// Blocks512 is st_blocks of stat(2), in units of 512 bytes.
func (f *FS) Blocks512(in *Inode) uint64 {
	return in.Inode.Blocks512(f.hasROCompat(layout.ROCompatHugeFile), f.blockSize)
}

// FirstIno is the first inode number open to ordinary files.
func (f *FS) FirstIno() Ino {
	if f.Super.FirstIno < layout.GoodOldFirstIno {
		return layout.GoodOldFirstIno
	}
	return f.Super.FirstIno
}

// Reserved reports whether the inode belongs to the file system itself, and is
// named by the superblock rather than by a directory: the numbers below
// FirstIno, but for the root, and the quota and orphan files.
func (f *FS) Reserved(ino Ino) bool {
	s := f.Super
	switch {
	case ino == layout.RootIno:
		return false
	case ino < f.FirstIno():
		return true
	}
	return ino == s.JournalInum && f.hasCompat(layout.CompatHasJournal) ||
		ino == s.OrphanFileInum && f.hasCompat(layout.CompatOrphanFile) ||
		f.hasROCompat(layout.ROCompatQuota) && (ino == s.UserQuotaInum || ino == s.GroupQuotaInum) ||
		f.hasROCompat(layout.ROCompatProject) && ino == s.ProjectQuotaInum ||
		f.hasROCompat(layout.ROCompatHasSnapshot) && ino == s.SnapshotInum
}

const (
	tableChunk = 8 << 10 // bytes of inode table read at once
	tableSlots = 128
)

// A tableCache keeps chunks of the inode tables that were read lately, since
// the inodes of one directory lie close together. Slots are chosen by offset.
type tableCache struct {
	slots [tableSlots]struct {
		sync.Mutex
		off  int64 // of the chunk, plus one; 0 when empty
		data []byte
	}
}

// read copies len(p) bytes from byte off on, which do not cross a chunk when
// inode sizes are powers of two.
func (c *tableCache) read(f *FS, p []byte, off int64) error {
	if len(p) > tableChunk {
		_, err := f.ReadMetadata(p, off)
		return err
	}
	base := off &^ (tableChunk - 1)
	slot := &c.slots[uint64(base/tableChunk)%tableSlots]
	slot.Lock()
	defer slot.Unlock()
	if slot.off != base+1 {
		if slot.data == nil {
			slot.data = make([]byte, tableChunk)
		}
		slot.off = 0
		n, _ := f.r.ReadAt(slot.data, base)
		if n < tableChunk {
			// The end of the image, or a bad spot: only what is asked for.
			_, err := f.ReadMetadata(p, off)
			return err
		}
		slot.off = base + 1
	}
	copy(p, slot.data[off-base:])
	return nil
}

// InodeOffset is where an inode lies, in bytes; ok is false where there is no such
// inode.
func (f *FS) InodeOffset(ino Ino) (off int64, ok bool) {
	off, err := f.inodeOffset(ino)
	return off, err == nil
}
