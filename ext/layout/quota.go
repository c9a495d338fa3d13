package layout

// A quota file (fs/quota/quotaio_v2.h, quota_tree.h) is made of blocks of this many
// bytes, whatever the file system's are. The first has the header, the second is the
// root of a tree of QuotaDepth levels of QuotaFanout references by the bytes of an id,
// the highest first, and what the last level leads to holds entries.
const (
	QuotaBlockSize = 1024
	QuotaDepth     = 4
	QuotaFanout    = QuotaBlockSize / 4
	QuotaRoot      = 1 // QT_TREEOFF

	// QuotaEntryStart and QuotaEntrySize say where the entries of a block lie.
	QuotaEntryStart = 16
	QuotaEntrySize  = 72
	QuotaEntries    = (QuotaBlockSize - QuotaEntryStart) / QuotaEntrySize

	quotaHeaderLength = 32
	quotaVersion      = 1 // of the form that the feature quota takes, "vfsv1"
)

// A QuotaType is what a quota file counts by.
type QuotaType int

// The types, with the numbers that the kernel has for them.
const (
	QuotaUser QuotaType = iota
	QuotaGroup
	QuotaProject
)

func (t QuotaType) String() string { return [...]string{"user", "group", "project"}[t] }

// quotaMagics are V2_INITQMAGICS.
var quotaMagics = [...]uint32{0xd9c01f11, 0xd9c01927, 0xd9c03f14}

// A QuotaHeader is struct v2_disk_dqheader and struct v2_disk_dqinfo.
type QuotaHeader struct {
	BlockGrace, InodeGrace uint32 // seconds
	Flags                  uint32
	Blocks                 uint32 // of QuotaBlockSize that the file has
	FreeBlock, FreeEntry   uint32 // first of the blocks that are free, and of those with room for an entry; 0 for none
}

// DecodeQuotaHeader decodes the beginning of a quota file, which lies at byte off of
// the file system. The error, if any, is a *CorruptError.
func DecodeQuotaHeader(b []byte, t QuotaType, off int64) (QuotaHeader, error) {
	if len(b) < quotaHeaderLength {
		return QuotaHeader{}, &CorruptError{"quota file", "length", off, uint64(len(b))}
	}
	if magic := le.Uint32(b[0x00:]); magic != quotaMagics[t] {
		return QuotaHeader{}, &CorruptError{"quota file", "dqh_magic", off, uint64(magic)}
	}
	if version := le.Uint32(b[0x04:]); version != quotaVersion {
		return QuotaHeader{}, &CorruptError{"quota file", "dqh_version", off + 0x04, uint64(version)}
	}
	return QuotaHeader{
		BlockGrace: le.Uint32(b[0x08:]), // dqi_bgrace
		InodeGrace: le.Uint32(b[0x0c:]), // dqi_igrace
		Flags:      le.Uint32(b[0x10:]), // dqi_flags
		Blocks:     le.Uint32(b[0x14:]), // dqi_blocks
		FreeBlock:  le.Uint32(b[0x18:]), // dqi_free_blk
		FreeEntry:  le.Uint32(b[0x1c:]), // dqi_free_entry
	}, nil
}

// A QuotaBlock is struct qt_disk_dqdbheader: of a block of entries.
type QuotaBlock struct {
	NextFree, PrevFree uint32 // in the list of blocks with room; 0 for none
	Entries            uint16 // in use
}

// DecodeQuotaBlock decodes what a block of entries begins with; b has
// QuotaEntryStart bytes or more.
func DecodeQuotaBlock(b []byte) QuotaBlock {
	return QuotaBlock{
		NextFree: le.Uint32(b[0x00:]), // dqdh_next_free
		PrevFree: le.Uint32(b[0x04:]), // dqdh_prev_free
		Entries:  le.Uint16(b[0x08:]), // dqdh_entries
	}
}

// A QuotaEntry is struct v2r1_disk_dqblk: limits and usage of one id. Times are
// Unix seconds from which on a soft limit is a hard one.
type QuotaEntry struct {
	ID                                   uint32
	InodeHardLimit, InodeSoftLimit       uint64
	Inodes                               uint64 // in use
	BlockHardLimit, BlockSoftLimit       uint64 // of 1024 bytes
	Space                                uint64 // bytes in use
	BlockGraceExpires, InodeGraceExpires uint64
}

// Where QuotaEntry.Inodes and QuotaEntry.Space lie in an entry.
const (
	QuotaInodesOffset = 0x18
	QuotaSpaceOffset  = 0x30
)

// DecodeQuotaEntry decodes an entry; b has QuotaEntrySize bytes or more. used is false
// of one that is all zeros: the kernel sets a time in the entry of id 0 that would be so.
func DecodeQuotaEntry(b []byte) (e QuotaEntry, used bool) {
	b = b[:QuotaEntrySize]
	if AllZero(b) {
		return QuotaEntry{}, false
	}
	return QuotaEntry{
		ID:                le.Uint32(b[0x00:]), // dqb_id
		InodeHardLimit:    le.Uint64(b[0x08:]), // dqb_ihardlimit
		InodeSoftLimit:    le.Uint64(b[0x10:]), // dqb_isoftlimit
		Inodes:            le.Uint64(b[0x18:]), // dqb_curinodes
		BlockHardLimit:    le.Uint64(b[0x20:]), // dqb_bhardlimit
		BlockSoftLimit:    le.Uint64(b[0x28:]), // dqb_bsoftlimit
		Space:             le.Uint64(b[0x30:]), // dqb_curspace
		BlockGraceExpires: le.Uint64(b[0x38:]), // dqb_btime
		InodeGraceExpires: le.Uint64(b[0x40:]), // dqb_itime
	}, true
}
