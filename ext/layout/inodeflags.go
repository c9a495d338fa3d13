package layout

// InodeFlags holds i_flags.
type InodeFlags uint32

// Inode flags: EXT4_*_FL, fs/ext4/ext4.h.
const (
	FlagSecureRemove InodeFlags = 0x00000001
	FlagUndelete     InodeFlags = 0x00000002
	FlagCompress     InodeFlags = 0x00000004
	FlagSync         InodeFlags = 0x00000008
	FlagImmutable    InodeFlags = 0x00000010
	FlagAppend       InodeFlags = 0x00000020
	FlagNoDump       InodeFlags = 0x00000040
	FlagNoAtime      InodeFlags = 0x00000080
	FlagDirty        InodeFlags = 0x00000100
	FlagCompressBlk  InodeFlags = 0x00000200
	FlagNoCompress   InodeFlags = 0x00000400
	FlagEncrypt      InodeFlags = 0x00000800
	FlagIndex        InodeFlags = 0x00001000
	FlagImagic       InodeFlags = 0x00002000
	FlagJournalData  InodeFlags = 0x00004000
	FlagNoTail       InodeFlags = 0x00008000
	FlagDirSync      InodeFlags = 0x00010000
	FlagTopDir       InodeFlags = 0x00020000
	FlagHugeFile     InodeFlags = 0x00040000
	FlagExtents      InodeFlags = 0x00080000
	FlagVerity       InodeFlags = 0x00100000
	FlagEAInode      InodeFlags = 0x00200000
	FlagEOFBlocks    InodeFlags = 0x00400000
	FlagNoCOW        InodeFlags = 0x00800000
	FlagSnapfile     InodeFlags = 0x01000000
	FlagDAX          InodeFlags = 0x02000000
	FlagSnapDeleted  InodeFlags = 0x04000000
	FlagSnapShrunk   InodeFlags = 0x08000000
	FlagInlineData   InodeFlags = 0x10000000
	FlagProjInherit  InodeFlags = 0x20000000
	FlagCasefold     InodeFlags = 0x40000000
	FlagReserved     InodeFlags = 0x80000000
)

var inodeFlagNames = []bitName{
	{0x00000001, "secure_deletion"}, {0x00000002, "undelete"}, {0x00000004, "compression"},
	{0x00000008, "synchronous"}, {0x00000010, "immutable"}, {0x00000020, "append_only"},
	{0x00000040, "no_dump"}, {0x00000080, "no_atime"}, {0x00000100, "compression_dirty"},
	{0x00000200, "compressed_clusters"}, {0x00000400, "no_compression"}, {0x00000800, "encrypted"},
	{0x00001000, "indexed_directory"}, {0x00002000, "imagic"}, {0x00004000, "journaled_data"},
	{0x00008000, "no_tailmerging"}, {0x00010000, "synchronous_directory"}, {0x00020000, "top_of_directory_hierarchy"},
	{0x00040000, "huge_file"}, {0x00080000, "extents"}, {0x00100000, "verity"},
	{0x00200000, "ea_inode"}, {0x00400000, "eof_blocks"}, {0x00800000, "no_cow"},
	{0x01000000, "snapshot"}, {0x02000000, "dax"}, {0x04000000, "snapshot_deleted"},
	{0x08000000, "snapshot_shrunk"}, {0x10000000, "inline_data"}, {0x20000000, "project_hierarchy"},
	{0x40000000, "casefold"}, {0x80000000, "reserved"},
}

// lsattrLetters are the letters of lsattr(1), in its order; a hyphen stands
// where a bit is clear.
var lsattrLetters = []struct {
	bit    InodeFlags
	letter byte
}{
	{FlagSecureRemove, 's'}, {FlagUndelete, 'u'}, {FlagSync, 'S'}, {FlagDirSync, 'D'},
	{FlagImmutable, 'i'}, {FlagAppend, 'a'}, {FlagNoDump, 'd'}, {FlagNoAtime, 'A'},
	{FlagCompress, 'c'}, {FlagEncrypt, 'E'}, {FlagJournalData, 'j'}, {FlagIndex, 'I'},
	{FlagNoTail, 't'}, {FlagTopDir, 'T'}, {FlagExtents, 'e'}, {FlagNoCOW, 'C'},
	{FlagDAX, 'x'}, {FlagCasefold, 'F'}, {FlagInlineData, 'N'}, {FlagProjInherit, 'P'},
	{FlagVerity, 'V'}, {FlagNoCompress, 'm'},
}

// Names lists the set bits in words, lowest first, unknown ones in hex.
func (f InodeFlags) Names() []string { return bitNames(uint32(f), inodeFlagNames) }

// Letters spells the bits as lsattr(1) does: a fixed column of letters and
// hyphens.
func (f InodeFlags) Letters() string {
	b := make([]byte, len(lsattrLetters))
	for i, l := range lsattrLetters {
		b[i] = '-'
		if f&l.bit != 0 {
			b[i] = l.letter
		}
	}
	return string(b)
}
