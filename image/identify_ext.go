package image

import "fmt"

// extTypes are the names an ext file system may get.
var extTypes = []string{"ext2", "ext3", "ext4"}

const (
	extSuperAt  = 1024
	extSuperLen = 1024
)

// Feature bits, fs/ext4/ext4.h.
const (
	compatJournal      = 0x4
	incompatJournalDev = 0x8
	// What ext2 and ext3 drivers know; a file system with more is an ext4.
	ext2ROCompat = 0x1 | 0x2 | 0x4 // sparse_super, large_file, btree_dir
	ext2Incompat = 0x2 | 0x10      // filetype, meta_bg
	ext3Incompat = ext2Incompat | 0x4
)

// An extSuper is what naming an ext file system takes: struct ext4_super_block,
// fs/ext4/ext4.h.
type extSuper struct {
	inodes, blocks           uint32
	firstBlock, logBlock     uint32
	perGroup                 uint32
	rev                      uint32
	group                    uint16
	compat, incompat, roComp uint32
	uuid, label              string
}

// decodeExtSuper decodes a superblock. It is false if the magic is not there or
// other fields could not be those of any file system.
func decodeExtSuper(b []byte) (extSuper, bool) {
	if len(b) < 0x108 || le.Uint16(b[0x38:]) != 0xef53 { // s_magic
		return extSuper{}, false
	}
	e := extSuper{
		inodes:     le.Uint32(b[0x0:]),       // s_inodes_count
		blocks:     le.Uint32(b[0x4:]),       // s_blocks_count_lo
		firstBlock: le.Uint32(b[0x14:]),      // s_first_data_block
		logBlock:   le.Uint32(b[0x18:]),      // s_log_block_size
		perGroup:   le.Uint32(b[0x20:]),      // s_blocks_per_group
		rev:        le.Uint32(b[0x4c:]),      // s_rev_level
		group:      le.Uint16(b[0x5a:]),      // s_block_group_nr
		compat:     le.Uint32(b[0x5c:]),      // s_feature_compat
		incompat:   le.Uint32(b[0x60:]),      // s_feature_incompat
		roComp:     le.Uint32(b[0x64:]),      // s_feature_ro_compat
		uuid:       uuidString(b[0x68:0x78]), // s_uuid
		label:      cstring(b[0x78:0x88]),    // s_volume_name
	}
	if e.rev == 0 { // EXT4_GOOD_OLD_REV has none of the fields from 0x54 on
		e.group, e.compat, e.incompat, e.roComp = 0, 0, 0, 0
	}
	ok := e.logBlock <= 6 && e.rev <= 1
	return e, ok
}

// typ is the name by the rule of blkid: ext2 and ext3 if a driver of that name
// would take it, else ext4.
func (e extSuper) typ() string {
	switch {
	case e.roComp&^ext2ROCompat != 0 || e.incompat&^ext3Incompat != 0:
		return "ext4"
	case e.compat&compatJournal != 0:
		return "ext3"
	case e.incompat&^ext2Incompat != 0:
		return "ext4"
	}
	return "ext2"
}

// ext looks for the primary superblock.
func (s *signatures) ext() (Content, bool) {
	e, ok := decodeExtSuper(s.whole(extSuperAt, extSuperLen))
	if !ok {
		return s.jbd2()
	}
	c := Content{Type: e.typ(), Label: e.label, UUID: e.uuid, IsExt: true}
	if e.incompat&incompatJournalDev != 0 {
		c.Type, c.IsExt = "external ext journal", false
		c.Detail = "the journal of a file system on another device"
		return c, true
	}
	if e.inodes == 0 || e.perGroup == 0 {
		return s.damagedExt(c)
	}
	if md, ok := s.endVolume(); ok {
		c.Detail = "inside a " + md.Type + ", " + md.Detail
	}
	return c, true
}

// damagedExt is for a superblock with the magic and little else: one made by
// someone else's bytes is not to hide what they are.
func (s *signatures) damagedExt(c Content) (Content, bool) {
	if b, ok := s.extBackup(); ok {
		return b, true
	}
	if _, ok := s.fileSystem(); ok {
		return Content{}, false
	}
	c.Detail = "superblock damaged"
	return c, true
}

// jbd2 names a journal on its own, as taken out of a file system: journal_superblock_s
// begins with the journal's magic, and block type 3 or 4 (superblock version 1, 2).
func (s *signatures) jbd2() (Content, bool) {
	b := s.whole(0, 0x40)
	if b == nil || be.Uint32(b) != 0xc03b3998 || be.Uint32(b[4:]) != 3 && be.Uint32(b[4:]) != 4 {
		return Content{}, false
	}
	return Content{Type: "ext journal", Detail: "a journal by itself, without its file system", UUID: uuidString(b[0x30:])}, true
}

// extBackup looks for a backup superblock in the groups that have one under
// every sparse_super rule but sparse_super2's, for each block size with its
// usual group size.
func (s *signatures) extBackup() (Content, bool) {
	for log := uint32(0); log <= 6; log++ {
		bs := int64(1024) << log
		perGroup := min(8*bs, 65528) // EXT2_MAX_BLOCKS_PER_GROUP
		first := int64(0)
		if log == 0 {
			first = 1 // 1 KiB blocks: block 0 is the boot block
		}
		for _, group := range []int64{1, 3, 5, 7, 9, 25, 27, 49} {
			at := (group*perGroup + first) * bs
			e, ok := decodeExtSuper(s.whole(at, extSuperLen))
			if !ok || e.logBlock != log || e.inodes == 0 || e.perGroup == 0 || e.incompat&incompatJournalDev != 0 {
				continue
			}
			if e.rev > 0 && int64(e.group) != group {
				continue // another file system's, or a file's copy of one
			}
			return Content{
				Type: "ext (backup superblock only)", IsExt: true, Label: e.label, UUID: e.uuid,
				Detail: fmt.Sprintf("%s by the backup in group %d, block %d of %d bytes; the primary superblock is damaged", e.typ(), group, at/bs, bs),
			}, true
		}
	}
	return Content{}, false
}
