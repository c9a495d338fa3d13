package layout

import (
	"fmt"
	"strings"
)

// Compat holds s_feature_compat: bits that a reader may ignore.
type Compat uint32

// Incompat holds s_feature_incompat: bits that change the layout.
type Incompat uint32

// ROCompat holds s_feature_ro_compat: bits that a reader may ignore, but a
// writer may not.
type ROCompat uint32

// Feature bits: EXT4_FEATURE_COMPAT_*, include fs/ext4/ext4.h, and the ones that
// only lib/ext2fs/ext2_fs.h of e2fsprogs names.
const (
	CompatDirPrealloc   Compat = 0x0001
	CompatImagicInodes  Compat = 0x0002
	CompatHasJournal    Compat = 0x0004
	CompatExtAttr       Compat = 0x0008
	CompatResizeInode   Compat = 0x0010
	CompatDirIndex      Compat = 0x0020
	CompatLazyBG        Compat = 0x0040
	CompatExcludeInode  Compat = 0x0080
	CompatExcludeBitmap Compat = 0x0100
	CompatSparseSuper2  Compat = 0x0200
	CompatFastCommit    Compat = 0x0400
	CompatStableInodes  Compat = 0x0800
	CompatOrphanFile    Compat = 0x1000

	IncompatCompression Incompat = 0x00001
	IncompatFiletype    Incompat = 0x00002
	IncompatRecover     Incompat = 0x00004
	IncompatJournalDev  Incompat = 0x00008
	IncompatMetaBG      Incompat = 0x00010
	IncompatExtents     Incompat = 0x00040
	Incompat64Bit       Incompat = 0x00080
	IncompatMMP         Incompat = 0x00100
	IncompatFlexBG      Incompat = 0x00200
	IncompatEAInode     Incompat = 0x00400
	IncompatDirData     Incompat = 0x01000
	IncompatCsumSeed    Incompat = 0x02000
	IncompatLargeDir    Incompat = 0x04000
	IncompatInlineData  Incompat = 0x08000
	IncompatEncrypt     Incompat = 0x10000
	IncompatCasefold    Incompat = 0x20000

	ROCompatSparseSuper   ROCompat = 0x00001
	ROCompatLargeFile     ROCompat = 0x00002
	ROCompatBtreeDir      ROCompat = 0x00004
	ROCompatHugeFile      ROCompat = 0x00008
	ROCompatGDTCsum       ROCompat = 0x00010
	ROCompatDirNlink      ROCompat = 0x00020
	ROCompatExtraIsize    ROCompat = 0x00040
	ROCompatHasSnapshot   ROCompat = 0x00080
	ROCompatQuota         ROCompat = 0x00100
	ROCompatBigalloc      ROCompat = 0x00200
	ROCompatMetadataCsum  ROCompat = 0x00400
	ROCompatReplica       ROCompat = 0x00800
	ROCompatReadonly      ROCompat = 0x01000
	ROCompatProject       ROCompat = 0x02000
	ROCompatSharedBlocks  ROCompat = 0x04000
	ROCompatVerity        ROCompat = 0x08000
	ROCompatOrphanPresent ROCompat = 0x10000
)

// IncompatKnown holds the incompat bits whose layout this package reads.
const IncompatKnown = IncompatFiletype | IncompatRecover | IncompatMetaBG | IncompatExtents |
	Incompat64Bit | IncompatMMP | IncompatFlexBG | IncompatEAInode | IncompatDirData |
	IncompatCsumSeed | IncompatLargeDir | IncompatInlineData | IncompatEncrypt | IncompatCasefold |
	IncompatCompression | IncompatJournalDev

// A bitName pairs a flag with the name that e2fsprogs prints for it.
type bitName struct {
	bit  uint32
	name string
}

var compatNames = []bitName{
	{0x0001, "dir_prealloc"}, {0x0002, "imagic_inodes"}, {0x0004, "has_journal"},
	{0x0008, "ext_attr"}, {0x0010, "resize_inode"}, {0x0020, "dir_index"},
	{0x0040, "lazy_bg"}, {0x0080, "exclude_inode"}, {0x0100, "snapshot_bitmap"}, {0x0200, "sparse_super2"},
	{0x0400, "fast_commit"}, {0x0800, "stable_inodes"}, {0x1000, "orphan_file"},
}

var incompatNames = []bitName{
	{0x00001, "compression"}, {0x00002, "filetype"}, {0x00004, "needs_recovery"},
	{0x00008, "journal_dev"}, {0x00010, "meta_bg"}, {0x00040, "extent"},
	{0x00080, "64bit"}, {0x00100, "mmp"}, {0x00200, "flex_bg"}, {0x00400, "ea_inode"},
	{0x01000, "dirdata"}, {0x02000, "metadata_csum_seed"}, {0x04000, "large_dir"},
	{0x08000, "inline_data"}, {0x10000, "encrypt"}, {0x20000, "casefold"},
}

var roCompatNames = []bitName{
	{0x00001, "sparse_super"}, {0x00002, "large_file"}, {0x00004, "btree_dir"},
	{0x00008, "huge_file"}, {0x00010, "uninit_bg"}, {0x00020, "dir_nlink"},
	{0x00040, "extra_isize"}, {0x00080, "has_snapshot"}, {0x00100, "quota"}, {0x00200, "bigalloc"},
	{0x00400, "metadata_csum"}, {0x00800, "replica"}, {0x01000, "read-only"},
	{0x02000, "project"}, {0x04000, "shared_blocks"}, {0x08000, "verity"},
	{0x10000, "orphan_present"},
}

// bitNames lists the names of the set bits, lowest first, unknown ones in hex.
func bitNames(set uint32, names []bitName) []string {
	var out []string
	for _, n := range names {
		if set&n.bit != 0 {
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

// Names lists the set bits by e2fsprogs' names, unknown ones in hex.
func (f Compat) Names() []string { return bitNames(uint32(f), compatNames) }

// Names lists the set bits by e2fsprogs' names, unknown ones in hex.
func (f Incompat) Names() []string { return bitNames(uint32(f), incompatNames) }

// Names lists the set bits by e2fsprogs' names, unknown ones in hex.
func (f ROCompat) Names() []string { return bitNames(uint32(f), roCompatNames) }

func (f Compat) String() string   { return strings.Join(f.Names(), " ") }
func (f Incompat) String() string { return strings.Join(f.Names(), " ") }
func (f ROCompat) String() string { return strings.Join(f.Names(), " ") }
