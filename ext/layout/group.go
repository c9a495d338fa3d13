package layout

// Bits of bg_flags.
const (
	GroupInodeUninit = 0x1 // EXT4_BG_INODE_UNINIT: inode table and bitmap not in use
	GroupBlockUninit = 0x2 // EXT4_BG_BLOCK_UNINIT: block bitmap to be computed
	GroupInodeZeroed = 0x4 // EXT4_BG_INODE_ZEROED: the unused inode table is zeroed on disk
)

// A GroupDesc is struct ext4_group_desc, fs/ext4/ext4.h, with high and low
// halves joined.
type GroupDesc struct {
	BlockBitmap     Block
	InodeBitmap     Block
	InodeTable      Block
	FreeBlocks      uint32 // clusters, under bigalloc
	FreeInodes      uint32
	UsedDirs        uint32
	Flags           uint16
	ItableUnused    uint32 // inodes at the end of the table that were never used
	BlockBitmapCsum uint32 // 16 bits of it in a 32-byte descriptor
	InodeBitmapCsum uint32 // likewise
	Checksum        uint16
}

// DecodeGroupDesc decodes a descriptor of 32 bytes, or of 64 and more, by the
// length of b. Shorter input gives the zero value.
func DecodeGroupDesc(b []byte) GroupDesc {
	if len(b) < 32 {
		return GroupDesc{}
	}
	g := GroupDesc{
		BlockBitmap:     Block(le.Uint32(b[0x0:])),   // bg_block_bitmap_lo
		InodeBitmap:     Block(le.Uint32(b[0x4:])),   // bg_inode_bitmap_lo
		InodeTable:      Block(le.Uint32(b[0x8:])),   // bg_inode_table_lo
		FreeBlocks:      uint32(le.Uint16(b[0xc:])),  // bg_free_blocks_count_lo
		FreeInodes:      uint32(le.Uint16(b[0xe:])),  // bg_free_inodes_count_lo
		UsedDirs:        uint32(le.Uint16(b[0x10:])), // bg_used_dirs_count_lo
		Flags:           le.Uint16(b[0x12:]),         // bg_flags
		BlockBitmapCsum: uint32(le.Uint16(b[0x18:])), // bg_block_bitmap_csum_lo
		InodeBitmapCsum: uint32(le.Uint16(b[0x1a:])), // bg_inode_bitmap_csum_lo
		ItableUnused:    uint32(le.Uint16(b[0x1c:])), // bg_itable_unused_lo
		Checksum:        le.Uint16(b[0x1e:]),         // bg_checksum
	}
	if len(b) < 64 {
		return g
	}
	g.BlockBitmap |= Block(le.Uint32(b[0x20:])) << 32      // bg_block_bitmap_hi
	g.InodeBitmap |= Block(le.Uint32(b[0x24:])) << 32      // bg_inode_bitmap_hi
	g.InodeTable |= Block(le.Uint32(b[0x28:])) << 32       // bg_inode_table_hi
	g.FreeBlocks |= uint32(le.Uint16(b[0x2c:])) << 16      // bg_free_blocks_count_hi
	g.FreeInodes |= uint32(le.Uint16(b[0x2e:])) << 16      // bg_free_inodes_count_hi
	g.UsedDirs |= uint32(le.Uint16(b[0x30:])) << 16        // bg_used_dirs_count_hi
	g.ItableUnused |= uint32(le.Uint16(b[0x32:])) << 16    // bg_itable_unused_hi
	g.BlockBitmapCsum |= uint32(le.Uint16(b[0x38:])) << 16 // bg_block_bitmap_csum_hi
	g.InodeBitmapCsum |= uint32(le.Uint16(b[0x3a:])) << 16 // bg_inode_bitmap_csum_hi
	return g
}
