package layout

import (
	"encoding/hex"
	"strings"
	"time"
)

// SuperblockOffset is where the primary superblock lies, whatever the block
// size, and SuperblockSize how long it is; both in bytes.
const (
	SuperblockOffset = 1024
	SuperblockSize   = 1024
)

// Magic is s_magic of every ext2, ext3 and ext4 file system.
const Magic = 0xef53

// Bits of s_state.
const (
	StateValid  = 0x1  // EXT4_VALID_FS: cleanly unmounted
	StateErrors = 0x2  // EXT4_ERROR_FS: the kernel met an error
	StateOrphan = 0x4  // EXT4_ORPHAN_FS: orphans are being recovered
	StateFC     = 0x20 // EXT4_FC_REPLAY: fast commit replay in progress
)

// Bits of s_flags.
const (
	FlagSignedHash   = 0x1
	FlagUnsignedHash = 0x2
	FlagTestFS       = 0x4
)

// A UUID prints as 8-4-4-4-12 lower-case hex digits.
type UUID [16]byte

func (u UUID) String() string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// IsZero reports whether no UUID is set.
func (u UUID) IsZero() bool { return u == UUID{} }

// A Superblock is struct ext4_super_block, fs/ext4/ext4.h, with high and low
// halves joined. Numbers are as found: DecodeSuperblock checks only the magic,
// and Check judges the geometry.
type Superblock struct {
	InodesCount      uint32
	BlocksCount      uint64
	ReservedBlocks   uint64 // s_r_blocks_count
	FreeBlocks       uint64
	FreeInodes       uint32
	FirstDataBlock   uint32 // 1 where blocks are 1 KiB (and clusters too), else 0
	LogBlockSize     uint32 // block size is 1024 << LogBlockSize
	LogClusterSize   uint32
	BlocksPerGroup   uint32
	ClustersPerGroup uint32
	InodesPerGroup   uint32
	MountTime        time.Time
	WriteTime        time.Time
	MountCount       uint16
	MaxMountCount    int16
	State            uint16
	Errors           uint16 // what the kernel does on errors: 1 continue, 2 remount-ro, 3 panic
	MinorRevision    uint16
	LastCheck        time.Time
	CheckInterval    uint32 // in seconds
	CreatorOS        uint32
	Revision         uint32 // 0 (good old) or 1 (dynamic)
	ReservedUID      uint32 // the high half since Linux 6.18
	ReservedGID      uint32

	FirstIno          Ino    // 11 in revision 0, whatever is stored
	InodeSize         uint16 // 128 in revision 0, likewise
	BlockGroupNr      uint16 // the group this copy lies in
	Compat            Compat
	Incompat          Incompat
	ROCompat          ROCompat
	UUID              UUID
	VolumeName        []byte // up to the first NUL
	LastMounted       []byte // up to the first NUL
	PreallocBlocks    uint8
	PreallocDirBlocks uint8
	ReservedGDTBlocks uint16
	JournalUUID       UUID
	JournalInum       Ino
	JournalDev        uint32
	LastOrphan        Ino
	HashSeed          [4]uint32
	DefHashVersion    uint8
	JnlBackupType     uint8
	DescSize          uint16 // bytes, 0 without the 64bit feature
	DefaultMountOpts  uint32
	FirstMetaBG       uint32
	MkfsTime          time.Time
	JnlBlocks         [17]uint32 // copy of the journal inode's i_block[15] and i_size
	MinExtraIsize     uint16
	WantExtraIsize    uint16
	Flags             uint32
	RAIDStride        uint16
	MMPInterval       uint16
	MMPBlock          Block
	RAIDStripeWidth   uint32
	LogGroupsPerFlex  uint8
	ChecksumType      uint8 // 1: crc32c
	KBytesWritten     uint64
	SnapshotInum      Ino
	SnapshotID        uint32
	SnapshotReserved  uint64
	SnapshotList      Ino
	ErrorCount        uint32
	FirstError        ErrorRecord
	LastError         ErrorRecord
	MountOpts         []byte // up to the first NUL
	UserQuotaInum     Ino
	GroupQuotaInum    Ino
	OverheadClusters  uint32
	BackupGroups      [2]uint32 // sparse_super2
	EncryptAlgos      [4]byte
	LostFoundIno      Ino
	ProjectQuotaInum  Ino
	ChecksumSeed      uint32
	Encoding          uint16
	EncodingFlags     uint16
	OrphanFileInum    Ino
	Checksum          uint32
}

// An ErrorRecord is what the kernel noted of an error it met.
type ErrorRecord struct {
	Time  time.Time
	Ino   Ino
	Block Block
	Func  []byte
	Line  uint32
	Code  uint8
}

// DecodeSuperblock decodes a superblock whose first byte lies at byte off of
// the file system. b needs SuperblockSize bytes. The error is a *CorruptError.
func DecodeSuperblock(b []byte, off int64) (*Superblock, error) {
	if len(b) < SuperblockSize {
		return nil, &CorruptError{"superblock", "length", off, uint64(len(b))}
	}
	if m := le.Uint16(b[0x38:]); m != Magic {
		return nil, &CorruptError{"superblock", "s_magic", off + 0x38, uint64(m)}
	}
	b = b[:SuperblockSize]
	s := &Superblock{
		InodesCount:      le.Uint32(b[0x0:]),          // s_inodes_count
		BlocksCount:      uint64(le.Uint32(b[0x4:])),  // s_blocks_count_lo
		ReservedBlocks:   uint64(le.Uint32(b[0x8:])),  // s_r_blocks_count_lo
		FreeBlocks:       uint64(le.Uint32(b[0xc:])),  // s_free_blocks_count_lo
		FreeInodes:       le.Uint32(b[0x10:]),         // s_free_inodes_count
		FirstDataBlock:   le.Uint32(b[0x14:]),         // s_first_data_block
		LogBlockSize:     le.Uint32(b[0x18:]),         // s_log_block_size
		LogClusterSize:   le.Uint32(b[0x1c:]),         // s_log_cluster_size
		BlocksPerGroup:   le.Uint32(b[0x20:]),         // s_blocks_per_group
		ClustersPerGroup: le.Uint32(b[0x24:]),         // s_clusters_per_group
		InodesPerGroup:   le.Uint32(b[0x28:]),         // s_inodes_per_group
		MountTime:        superTime(b, 0x2c, 0x275),   // s_mtime
		WriteTime:        superTime(b, 0x30, 0x274),   // s_wtime
		MountCount:       le.Uint16(b[0x34:]),         // s_mnt_count
		MaxMountCount:    int16(le.Uint16(b[0x36:])),  // s_max_mnt_count
		State:            le.Uint16(b[0x3a:]),         // s_state
		Errors:           le.Uint16(b[0x3c:]),         // s_errors
		MinorRevision:    le.Uint16(b[0x3e:]),         // s_minor_rev_level
		LastCheck:        superTime(b, 0x40, 0x277),   // s_lastcheck
		CheckInterval:    le.Uint32(b[0x44:]),         // s_checkinterval
		CreatorOS:        le.Uint32(b[0x48:]),         // s_creator_os
		Revision:         le.Uint32(b[0x4c:]),         // s_rev_level
		ReservedUID:      uint32(le.Uint16(b[0x50:])), // s_def_resuid
		ReservedGID:      uint32(le.Uint16(b[0x52:])), // s_def_resgid
		FirstIno:         GoodOldFirstIno,
		InodeSize:        GoodOldInodeSize,
		Checksum:         le.Uint32(b[0x3fc:]), // s_checksum
	}
	// Revision 0 fixes these two. Everything else the kernel and e2fsprogs
	// believe in any revision, feature bits included.
	if s.Revision != 0 {
		s.FirstIno = Ino(le.Uint32(b[0x54:])) // s_first_ino
		s.InodeSize = le.Uint16(b[0x58:])     // s_inode_size
	}
	s.BlockGroupNr = le.Uint16(b[0x5a:])       // s_block_group_nr
	s.Compat = Compat(le.Uint32(b[0x5c:]))     // s_feature_compat
	s.Incompat = Incompat(le.Uint32(b[0x60:])) // s_feature_incompat
	s.ROCompat = ROCompat(le.Uint32(b[0x64:])) // s_feature_ro_compat
	s.UUID = UUID(b[0x68:0x78])                // s_uuid
	s.VolumeName = cString(b[0x78:0x88])       // s_volume_name
	s.LastMounted = cString(b[0x88:0xc8])      // s_last_mounted
	s.PreallocBlocks = b[0xcc]                 // s_prealloc_blocks
	s.PreallocDirBlocks = b[0xcd]              // s_prealloc_dir_blocks
	s.ReservedGDTBlocks = le.Uint16(b[0xce:])  // s_reserved_gdt_blocks
	s.JournalUUID = UUID(b[0xd0:0xe0])         // s_journal_uuid
	s.JournalInum = Ino(le.Uint32(b[0xe0:]))   // s_journal_inum
	s.JournalDev = le.Uint32(b[0xe4:])         // s_journal_dev
	s.LastOrphan = Ino(le.Uint32(b[0xe8:]))    // s_last_orphan
	for i := range s.HashSeed {
		s.HashSeed[i] = le.Uint32(b[0xec+4*i:]) // s_hash_seed
	}
	s.DefHashVersion = b[0xfc]                // s_def_hash_version
	s.JnlBackupType = b[0xfd]                 // s_jnl_backup_type
	s.DescSize = le.Uint16(b[0xfe:])          // s_desc_size
	s.DefaultMountOpts = le.Uint32(b[0x100:]) // s_default_mount_opts
	s.FirstMetaBG = le.Uint32(b[0x104:])      // s_first_meta_bg
	s.MkfsTime = superTime(b, 0x108, 0x276)   // s_mkfs_time
	for i := range s.JnlBlocks {
		s.JnlBlocks[i] = le.Uint32(b[0x10c+4*i:]) // s_jnl_blocks
	}
	if s.Incompat&Incompat64Bit != 0 {
		s.BlocksCount |= uint64(le.Uint32(b[0x150:])) << 32    // s_blocks_count_hi
		s.ReservedBlocks |= uint64(le.Uint32(b[0x154:])) << 32 // s_r_blocks_count_hi
		s.FreeBlocks |= uint64(le.Uint32(b[0x158:])) << 32     // s_free_blocks_count_hi
	}
	s.MinExtraIsize = le.Uint16(b[0x15c:])     // s_min_extra_isize
	s.WantExtraIsize = le.Uint16(b[0x15e:])    // s_want_extra_isize
	s.Flags = le.Uint32(b[0x160:])             // s_flags
	s.RAIDStride = le.Uint16(b[0x164:])        // s_raid_stride
	s.MMPInterval = le.Uint16(b[0x166:])       // s_mmp_interval
	s.MMPBlock = Block(le.Uint64(b[0x168:]))   // s_mmp_block
	s.RAIDStripeWidth = le.Uint32(b[0x170:])   // s_raid_stripe_width
	s.LogGroupsPerFlex = b[0x174]              // s_log_groups_per_flex
	s.ChecksumType = b[0x175]                  // s_checksum_type
	s.KBytesWritten = le.Uint64(b[0x178:])     // s_kbytes_written
	s.SnapshotInum = Ino(le.Uint32(b[0x180:])) // s_snapshot_inum
	s.SnapshotID = le.Uint32(b[0x184:])        // s_snapshot_id
	s.SnapshotReserved = le.Uint64(b[0x188:])  // s_snapshot_r_blocks_count
	s.SnapshotList = Ino(le.Uint32(b[0x190:])) // s_snapshot_list
	s.ErrorCount = le.Uint32(b[0x194:])        // s_error_count
	s.FirstError = ErrorRecord{
		Time:  superTime(b, 0x198, 0x278),  // s_first_error_time
		Ino:   Ino(le.Uint32(b[0x19c:])),   // s_first_error_ino
		Block: Block(le.Uint64(b[0x1a0:])), // s_first_error_block
		Func:  cString(b[0x1a8:0x1c8]),     // s_first_error_func
		Line:  le.Uint32(b[0x1c8:]),        // s_first_error_line
		Code:  b[0x27a],                    // s_first_error_errcode
	}
	s.LastError = ErrorRecord{
		Time:  superTime(b, 0x1cc, 0x279),  // s_last_error_time
		Ino:   Ino(le.Uint32(b[0x1d0:])),   // s_last_error_ino
		Line:  le.Uint32(b[0x1d4:]),        // s_last_error_line
		Block: Block(le.Uint64(b[0x1d8:])), // s_last_error_block
		Func:  cString(b[0x1e0:0x200]),     // s_last_error_func
		Code:  b[0x27b],                    // s_last_error_errcode
	}
	s.MountOpts = cString(b[0x200:0x240])                                  // s_mount_opts
	s.UserQuotaInum = Ino(le.Uint32(b[0x240:]))                            // s_usr_quota_inum
	s.GroupQuotaInum = Ino(le.Uint32(b[0x244:]))                           // s_grp_quota_inum
	s.OverheadClusters = le.Uint32(b[0x248:])                              // s_overhead_clusters
	s.BackupGroups = [2]uint32{le.Uint32(b[0x24c:]), le.Uint32(b[0x250:])} // s_backup_bgs
	s.EncryptAlgos = [4]byte(b[0x254:0x258])                               // s_encrypt_algos
	s.LostFoundIno = Ino(le.Uint32(b[0x268:]))                             // s_lpf_ino
	s.ProjectQuotaInum = Ino(le.Uint32(b[0x26c:]))                         // s_prj_quota_inum
	s.ChecksumSeed = le.Uint32(b[0x270:])                                  // s_checksum_seed
	s.Encoding = le.Uint16(b[0x27c:])                                      // s_encoding
	s.EncodingFlags = le.Uint16(b[0x27e:])                                 // s_encoding_flags
	s.OrphanFileInum = Ino(le.Uint32(b[0x280:]))                           // s_orphan_file_inum
	s.ReservedUID |= uint32(le.Uint16(b[0x284:])) << 16                    // s_def_resuid_hi
	s.ReservedGID |= uint32(le.Uint16(b[0x286:])) << 16                    // s_def_resgid_hi
	return s, nil
}

// superTime joins a 32-bit time of the superblock with its high byte, which
// kernels since 5.4 keep apart (s_*time_hi). Zero means "never".
func superTime(b []byte, lo, hi int) time.Time {
	sec := int64(le.Uint32(b[lo:])) | int64(b[hi])<<32
	if sec == 0 {
		return time.Time{}
	}
	return time.Unix(sec, 0).UTC()
}

func cString(b []byte) []byte {
	for i, c := range b {
		if c == 0 {
			b = b[:i]
			break
		}
	}
	return append([]byte(nil), b...)
}

// BlockSize is the block size in bytes, or 0 where s_log_block_size cannot be
// right (EXT4_MAX_BLOCK_LOG_SIZE is 16, that is 64 KiB).
func (s *Superblock) BlockSize() int {
	if s.LogBlockSize > 6 {
		return 0
	}
	return 1024 << s.LogBlockSize
}

// ClusterBlocks is how many blocks one bit of a block bitmap stands for: 1
// without bigalloc.
func (s *Superblock) ClusterBlocks() uint32 {
	if s.ROCompat&ROCompatBigalloc == 0 || s.LogClusterSize <= s.LogBlockSize || s.LogClusterSize-s.LogBlockSize > 20 {
		return 1
	}
	return 1 << (s.LogClusterSize - s.LogBlockSize)
}

// DescBytes is the size of a group descriptor in bytes.
func (s *Superblock) DescBytes() int {
	if s.Incompat&Incompat64Bit == 0 {
		return 32
	}
	return int(s.DescSize)
}

// Groups is the number of block groups.
func (s *Superblock) Groups() uint64 {
	if s.BlocksPerGroup == 0 || s.BlocksCount <= uint64(s.FirstDataBlock) {
		return 0
	}
	return (s.BlocksCount - uint64(s.FirstDataBlock) + uint64(s.BlocksPerGroup) - 1) / uint64(s.BlocksPerGroup)
}

// Check reports the first number of the geometry that no file system can have,
// as __ext4_fill_super of fs/ext4/super.c would refuse it; off is where the
// superblock lies. The error is a *CorruptError.
func (s *Superblock) Check(off int64) error {
	bad := func(field string, at int64, v uint64) error {
		return &CorruptError{"superblock", field, off + at, v}
	}
	bs := uint64(s.BlockSize())
	if bs == 0 {
		return bad("s_log_block_size", 0x18, uint64(s.LogBlockSize))
	}
	perGroupMax := bs * 8
	switch {
	case s.InodeSize < GoodOldInodeSize || s.InodeSize&(s.InodeSize-1) != 0 || uint64(s.InodeSize) > bs:
		return bad("s_inode_size", 0x58, uint64(s.InodeSize))
	case s.Incompat&Incompat64Bit != 0 && (s.DescSize < 64 || s.DescSize > 1024 || s.DescSize&(s.DescSize-1) != 0):
		return bad("s_desc_size", 0xfe, uint64(s.DescSize))
	case s.InodesPerGroup == 0 || uint64(s.InodesPerGroup) > perGroupMax:
		return bad("s_inodes_per_group", 0x28, uint64(s.InodesPerGroup))
	case s.BlocksCount <= uint64(s.FirstDataBlock) || s.BlocksCount > 1<<48:
		return bad("s_blocks_count", 0x4, s.BlocksCount)
	case s.FirstDataBlock > 1 || s.FirstDataBlock == 1 && bs != 1024:
		return bad("s_first_data_block", 0x14, uint64(s.FirstDataBlock))
	}
	if s.ROCompat&ROCompatBigalloc != 0 {
		ratio := uint64(s.ClusterBlocks())
		switch {
		case s.LogClusterSize < s.LogBlockSize || s.LogClusterSize > s.LogBlockSize+20:
			return bad("s_log_cluster_size", 0x1c, uint64(s.LogClusterSize))
		case s.ClustersPerGroup == 0 || uint64(s.ClustersPerGroup) > perGroupMax:
			return bad("s_clusters_per_group", 0x24, uint64(s.ClustersPerGroup))
		case uint64(s.BlocksPerGroup) != uint64(s.ClustersPerGroup)*ratio:
			return bad("s_blocks_per_group", 0x20, uint64(s.BlocksPerGroup))
		}
	} else if s.BlocksPerGroup == 0 || uint64(s.BlocksPerGroup) > perGroupMax {
		return bad("s_blocks_per_group", 0x20, uint64(s.BlocksPerGroup))
	}
	if g := s.Groups(); g > 1<<32 {
		return bad("s_blocks_count", 0x4, s.BlocksCount)
	}
	return nil
}

// Version names the generation of the file system by its features, as blkid
// does: "ext2", "ext3" or "ext4".
func (s *Superblock) Version() string {
	const ext3Incompat = IncompatFiletype | IncompatRecover | IncompatMetaBG
	const ext3ROCompat = ROCompatSparseSuper | ROCompatLargeFile | ROCompatBtreeDir
	switch {
	case s.Incompat&^ext3Incompat != 0 || s.ROCompat&^ext3ROCompat != 0:
		return "ext4"
	case s.Compat&CompatHasJournal != 0:
		return "ext3"
	}
	return "ext2"
}

// CreatorName names s_creator_os as e2fsprogs does.
func (s *Superblock) CreatorName() string {
	names := []string{"Linux", "Hurd", "Masix", "FreeBSD", "Lites"}
	if int(s.CreatorOS) < len(names) {
		return names[s.CreatorOS]
	}
	return "unknown"
}

// StateNames lists the bits of s_state in words: "clean" or "not clean", then
// the rest.
func (s *Superblock) StateNames() string {
	words := []string{"not clean"}
	if s.State&StateValid != 0 {
		words[0] = "clean"
	}
	if s.State&StateErrors != 0 {
		words = append(words, "with errors")
	}
	if s.State&StateOrphan != 0 {
		words = append(words, "orphan recovery")
	}
	return strings.Join(words, ", ")
}
