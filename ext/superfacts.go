package ext

import (
	"fmt"

	"github.com/extscope/extscope/ext/layout"
)

// SuperChecksum gives the checksum stored in the superblock in use and the one
// computed from its bytes; ok is false where superblocks have none.
func (f *FS) SuperChecksum() (stored, computed uint32, ok bool) {
	return f.Super.Checksum, layout.SuperblockChecksum(f.SuperBytes), f.Super.MetadataCsum()
}

// MMP reads the multiple mount protection block; sumOK tells whether its
// checksum holds, or there is none. The error is an *UnsupportedError where the
// file system has no such block.
func (f *FS) MMP() (m layout.MMP, sumOK bool, err error) {
	if !f.hasIncompat(layout.IncompatMMP) || f.Super.MMPBlock == 0 {
		return m, false, &UnsupportedError{"multiple mount protection without the mmp feature"}
	}
	b := make([]byte, f.blockSize)
	if err := f.ReadBlock(b, f.Super.MMPBlock); err != nil {
		return m, false, err
	}
	if m, err = layout.DecodeMMP(b, f.bytes(f.Super.MMPBlock)); err != nil {
		return m, false, err
	}
	stored, computed, ok := layout.MMPChecksum(b, f.seed)
	return m, !f.Super.MetadataCsum() || ok && stored == computed, nil
}

// JournalBackup tells what s_jnl_blocks holds: "" for nothing, "inode blocks"
// for a copy of the journal inode's i_block and size. size is that copy's, in
// bytes (EXT4_JNL_BACKUP_BLOCKS, fs/ext4/ext4.h).
func (f *FS) JournalBackup() (kind string, size uint64) {
	switch f.Super.JnlBackupType {
	case 0:
		return "", 0
	case 1:
		return "inode blocks", uint64(f.Super.JnlBlocks[15])<<32 | uint64(f.Super.JnlBlocks[16])
	}
	return fmt.Sprintf("unknown type %d", f.Super.JnlBackupType), 0
}

// A word names one bit of a field.
type word struct {
	bit  uint32
	name string
}

// words lists the set bits by name, unknown ones in hex.
func words(set uint32, names []word) []string {
	var out []string
	for _, n := range names {
		if set&n.bit == n.bit {
			out = append(out, n.name)
			set &^= n.bit
		}
	}
	for bit := uint32(1); set != 0; bit <<= 1 {
		if set&bit != 0 {
			out = append(out, fmt.Sprintf("%#x", bit))
			set &^= bit
		}
	}
	return out
}

// MountOptionNames lists s_default_mount_opts in the words of tune2fs
// (EXT4_DEFM_*, fs/ext4/ext4.h).
func MountOptionNames(s *layout.Superblock) []string {
	return words(s.DefaultMountOpts, []word{
		{0x0001, "debug"}, {0x0002, "bsdgroups"}, {0x0004, "user_xattr"}, {0x0008, "acl"}, {0x0010, "uid16"},
		// The journal mode takes two bits: both of them are writeback.
		{0x0060, "journal_data_writeback"}, {0x0020, "journal_data"}, {0x0040, "journal_data_ordered"},
		{0x0100, "nobarrier"}, {0x0200, "block_validity"}, {0x0400, "discard"}, {0x0800, "nodelalloc"},
	})
}

// SuperFlagNames lists s_flags in the words of dumpe2fs (EXT2_FLAGS_*).
func SuperFlagNames(s *layout.Superblock) []string {
	return words(s.Flags, []word{
		{layout.FlagSignedHash, "signed_directory_hash"}, {layout.FlagUnsignedHash, "unsigned_directory_hash"},
		{layout.FlagTestFS, "test_filesystem"}, {0x10, "snapshot"}, {0x20, "fix_snapshot"}, {0x40, "fix_exclude"},
	})
}

// GroupFlagNames lists bg_flags in the words of dumpe2fs (EXT4_BG_*).
func GroupFlagNames(flags uint16) []string {
	return words(uint32(flags), []word{
		{layout.GroupInodeUninit, "INODE_UNINIT"}, {layout.GroupBlockUninit, "BLOCK_UNINIT"},
		{layout.GroupInodeZeroed, "ITABLE_ZEROED"}, {0x8, "EXCLUDE_UNINIT"},
	})
}

// ErrorsName names what the kernel does on errors (EXT4_ERRORS_*).
func ErrorsName(s *layout.Superblock) string {
	switch s.Errors {
	case 1:
		return "continue"
	case 2:
		return "remount read-only"
	case 3:
		return "panic"
	}
	return fmt.Sprintf("unknown (%d)", s.Errors)
}

// ErrorCodeName names the code of an ErrorRecord (EXT4_ERR_*, fs/ext4/ext4.h).
func ErrorCodeName(code uint8) string {
	names := [...]string{"", "UNKNOWN", "EIO", "ENOMEM", "EFSBADCRC", "EFSCORRUPTED", "ENOSPC", "ENOKEY", "EROFS",
		"EFBIG", "EEXIST", "ERANGE", "EOVERFLOW", "EBUSY", "ENOTDIR", "ENOTEMPTY", "ESHUTDOWN", "EFAULT"}
	if int(code) < len(names) {
		return names[code]
	}
	return fmt.Sprintf("unknown (%d)", code)
}

// EncodingNames names s_encoding and lists s_encoding_flags
// (EXT4_ENC_*, fs/ext4/ext4.h).
func EncodingNames(s *layout.Superblock) (encoding string, flags []string) {
	flags = words(uint32(s.EncodingFlags), []word{{0x1, "strict"}, {0x2, "no_compat_fallback"}})
	if s.Encoding == 1 {
		return "utf8-12.1", flags
	}
	return fmt.Sprintf("unknown (%d)", s.Encoding), flags
}

// String says in a word or two how far the descriptor can be believed.
func (s GroupState) String() string {
	switch s {
	case GroupGood:
		return "ok"
	case GroupBadSum:
		return "wrong"
	case GroupBackup:
		return "backup used"
	case GroupBadBitmap:
		return "bitmap nowhere"
	case GroupOverlap:
		return "overlapping inode table"
	}
	return "bad"
}
