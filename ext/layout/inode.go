package layout

import "time"

// GoodOldInodeSize is the size in bytes of a revision 0 inode, and the part of
// a larger one that needs no i_extra_isize.
const GoodOldInodeSize = 128

// File type bits of i_mode.
const (
	ModeMask    = 0xf000 // S_IFMT
	ModeFIFO    = 0x1000
	ModeChar    = 0x2000
	ModeDir     = 0x4000
	ModeBlock   = 0x6000
	ModeRegular = 0x8000
	ModeSymlink = 0xa000
	ModeSocket  = 0xc000
)

// An Inode is struct ext4_inode, fs/ext4/ext4.h, with high and low halves
// joined. Fields past the first 128 bytes are zero where i_extra_isize does not
// reach them; a zero Crtime means that the inode has none.
type Inode struct {
	Mode       uint16
	Links      uint16
	UID, GID   uint32
	SizeLo     uint32 // i_size_lo
	SizeHigh   uint32 // i_size_high; see Size for when it counts
	BlocksLo   uint32 // i_blocks_lo
	BlocksHigh uint16 // l_i_blocks_high; see Blocks512 for when it counts
	ExtraIsize uint16 // bytes past the first 128 that hold fields; 0 in a 128-byte inode
	Flags      InodeFlags
	Generation uint32
	FileACL    Block    // the xattr block, or 0
	Block      [60]byte // i_block: map, extent root, inline data, symlink target or device number
	Dtime      uint32   // deletion time in seconds, or the next inode of the orphan list
	Atime      time.Time
	Ctime      time.Time
	Mtime      time.Time
	Crtime     time.Time
	Version    uint64 // i_version, or the reference count of an ea_inode
	ProjID     uint32
	Checksum   uint32 // 16 bits of it, unless ChecksumHi
	ChecksumHi bool   // i_checksum_hi is there
}

// DecodeInode decodes an inode of len(b) bytes, at least 128. Shorter input
// gives the zero value.
func DecodeInode(b []byte) Inode {
	var in Inode
	DecodeInodeTo(&in, b)
	return in
}

// DecodeInodeTo is DecodeInode into *in, for loops over whole inode tables.
func DecodeInodeTo(in *Inode, b []byte) {
	if len(b) < GoodOldInodeSize {
		*in = Inode{}
		return
	}
	_ = b[GoodOldInodeSize-1]
	in.Mode = le.Uint16(b[0x0:])                                             // i_mode
	in.UID = uint32(le.Uint16(b[0x2:])) | uint32(le.Uint16(b[0x78:]))<<16    // i_uid, l_i_uid_high
	in.SizeLo = le.Uint32(b[0x4:])                                           // i_size_lo
	in.Dtime = le.Uint32(b[0x14:])                                           // i_dtime
	in.GID = uint32(le.Uint16(b[0x18:])) | uint32(le.Uint16(b[0x7a:]))<<16   // i_gid, l_i_gid_high
	in.Links = le.Uint16(b[0x1a:])                                           // i_links_count
	in.BlocksLo = le.Uint32(b[0x1c:])                                        // i_blocks_lo
	in.Flags = InodeFlags(le.Uint32(b[0x20:]))                               // i_flags
	in.Version = uint64(le.Uint32(b[0x24:]))                                 // l_i_version
	in.Block = [60]byte(b[0x28:0x64])                                        // i_block
	in.Generation = le.Uint32(b[0x64:])                                      // i_generation
	in.FileACL = Block(le.Uint32(b[0x68:])) | Block(le.Uint16(b[0x76:]))<<32 // i_file_acl_lo, l_i_file_acl_high
	in.SizeHigh = le.Uint32(b[0x6c:])                                        // i_size_high
	in.BlocksHigh = le.Uint16(b[0x74:])                                      // l_i_blocks_high
	in.Checksum = uint32(le.Uint16(b[0x7c:]))                                // l_i_checksum_lo
	in.ExtraIsize, in.Crtime, in.ProjID, in.ChecksumHi = 0, time.Time{}, 0, false
	var extra [4]uint32 // ctime, mtime, atime, and crtime's
	end := GoodOldInodeSize
	if len(b) >= 0x82 {
		in.ExtraIsize = le.Uint16(b[0x80:]) // i_extra_isize
		// Where it cannot be right, the kernel refuses the inode; the fields
		// are then as doubtful as the size, and are left out.
		if GoodOldInodeSize+int(in.ExtraIsize) <= len(b) {
			end += int(in.ExtraIsize)
		}
	}
	// The high half counts by what i_extra_isize says, be it right or not: a
	// checksum that holds then tells that the size was stored so.
	if in.ExtraIsize >= 4 && len(b) >= 0x84 {
		in.Checksum |= uint32(le.Uint16(b[0x82:])) << 16 // i_checksum_hi
		in.ChecksumHi = true
	}
	if end >= 0x88 {
		extra[0] = le.Uint32(b[0x84:]) // i_ctime_extra
	}
	if end >= 0x8c {
		extra[1] = le.Uint32(b[0x88:]) // i_mtime_extra
	}
	if end >= 0x90 {
		extra[2] = le.Uint32(b[0x8c:]) // i_atime_extra
	}
	if end >= 0x94 {
		if end >= 0x98 {
			extra[3] = le.Uint32(b[0x94:]) // i_crtime_extra
		}
		if sec := le.Uint32(b[0x90:]); sec != 0 || extra[3] != 0 {
			in.Crtime = inodeTime(sec, extra[3]) // i_crtime
		}
	}
	if end >= 0x9c {
		in.Version |= uint64(le.Uint32(b[0x98:])) << 32 // i_version_hi
	}
	if end >= 0xa0 {
		in.ProjID = le.Uint32(b[0x9c:]) // i_projid
	}
	in.Ctime = inodeTime(le.Uint32(b[0xc:]), extra[0])  // i_ctime
	in.Mtime = inodeTime(le.Uint32(b[0x10:]), extra[1]) // i_mtime
	in.Atime = inodeTime(le.Uint32(b[0x8:]), extra[2])  // i_atime
}

// InodeLinks is i_links_count of the raw inode b.
func InodeLinks(b []byte) uint16 { return le.Uint16(b[0x1a:]) }

// Type is the file type part of the mode, one of the Mode constants or another
// value where the mode is damaged.
func (in *Inode) Type() uint16 { return in.Mode & ModeMask }

// Size is i_size in bytes. i_size_high counts for regular files, and for
// directories too where largeDir says that the file system has the large_dir
// feature (ext4_isize, fs/ext4/ext4.h).
func (in *Inode) Size(largeDir bool) uint64 {
	if in.Type() == ModeRegular || largeDir {
		return uint64(in.SizeHigh)<<32 | uint64(in.SizeLo)
	}
	return uint64(in.SizeLo)
}

// Blocks512 is what stat(2) calls st_blocks, in units of 512 bytes. hugeFile
// says that the file system has the huge_file feature (ext4_inode_blocks,
// fs/ext4/inode.c).
func (in *Inode) Blocks512(hugeFile bool, blockSize int) uint64 {
	if !hugeFile {
		return uint64(in.BlocksLo)
	}
	n := uint64(in.BlocksHigh)<<32 | uint64(in.BlocksLo)
	if in.Flags&FlagHugeFile != 0 {
		n *= uint64(blockSize / 512)
	}
	return n
}

// FastSymlink reports whether i_block itself holds the target. As in the kernel
// (ext4_inode_is_fast_symlink), except that the size decides and i_blocks
// does not: an xattr block makes it non-zero.
func (in *Inode) FastSymlink() bool {
	return in.Type() == ModeSymlink && in.SizeLo < 60 && in.Flags&(FlagExtents|FlagInlineData|FlagEAInode) == 0
}

// Device is the major and minor number of a device inode: i_block[0] holds the
// old 8:8 form, else i_block[1] holds the new one (old_decode_dev and
// new_decode_dev, include/linux/kdev_t.h).
func (in *Inode) Device() (major, minor uint32) {
	if d := le.Uint32(in.Block[0:]); d != 0 {
		return d >> 8 & 0xff, d & 0xff
	}
	d := le.Uint32(in.Block[4:])
	return d >> 8 & 0xfff, d&0xff | d>>12&0xfff00
}

// DtimeTime is i_dtime as a time; zero when unset. It means something else
// while the inode is on the orphan list.
func (in *Inode) DtimeTime() time.Time {
	if in.Dtime == 0 {
		return time.Time{}
	}
	return time.Unix(int64(in.Dtime), 0).UTC()
}
