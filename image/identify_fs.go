package image

import (
	"fmt"
	"strings"
)

// otherFileSystems are the types of fileSystem that are one.
var otherFileSystems = []string{
	"xfs", "btrfs", "ntfs", "refs", "fat12", "fat16", "fat32", "exfat", "f2fs", "reiserfs", "reiser4", "jfs",
	"hfs", "hfs+", "apfs", "zfs", "iso9660", "udf", "squashfs", "erofs", "cramfs", "romfs", "ubifs", "jffs2",
	"nilfs2", "ufs", "gfs2", "ocfs2", "bcachefs", "VMFS",
}

// A fsMagic tells a file system by fixed bytes at a fixed place. Label and UUID
// lie at fixed places from base on; 0 means it has none.
type fsMagic struct {
	name         string
	at           int64
	magic        string
	base         int64
	label, width int64
	uuid         int64
}

// fsMagics are told apart in this order. Magics of four bytes at byte 0 come
// last but for those with a check of their own.
var fsMagics = []fsMagic{
	{"xfs", 0, "XFSB", 0, 108, 12, 32},                              // xfs_dsb: sb_fname, sb_uuid
	{"btrfs", 0x10040, "_BHRfS_M", 0x10000, 0x12b, 256, 0x20},       // btrfs_super_block: label, fsid
	{"apfs", 32, "NXSB", 0, 0, 0, 72},                               // nx_superblock_t: nx_uuid
	{"f2fs", 1024, "\x10\x20\xf5\xf2", 1024, 0, 0, 0x6c},            // f2fs_super_block: uuid
	{"reiserfs", 65536 + 52, "ReIsErFs", 65536, 100, 16, 84},        // reiserfs_super_block: s_label, s_uuid
	{"reiserfs", 65536 + 52, "ReIsEr2Fs", 65536, 100, 16, 84},       //
	{"reiserfs", 65536 + 52, "ReIsEr3Fs", 65536, 100, 16, 84},       //
	{"reiserfs", 8192 + 52, "ReIsErFs", 8192, 0, 0, 0},              // version 3.5, the older place
	{"reiser4", 65536, "ReIsEr4\x00", 65536, 36, 16, 20},            // format 4.0
	{"jfs", 32768, "JFS1", 32768, 152, 16, 136},                     // jfs_superblock: s_label, s_uuid
	{"erofs", 1024, "\xe2\xe1\xf5\xe0", 1024, 64, 16, 48},           // erofs_super_block: volume_name, uuid
	{"squashfs", 0, "hsqs", 0, 0, 0, 0},                             //
	{"squashfs", 0, "sqsh", 0, 0, 0, 0},                             // big-endian, before version 4
	{"cramfs", 0, "\x45\x3d\xcd\x28", 0, 48, 16, 0},                 // cramfs_super: name
	{"cramfs", 0, "\x28\xcd\x3d\x45", 0, 48, 16, 0},                 //
	{"cramfs", 512, "\x45\x3d\xcd\x28", 512, 48, 16, 0},             //
	{"romfs", 0, "-rom1fs-", 0, 16, 16, 0},                          // romfs_super_block: name
	{"ubifs", 0, "\x31\x18\x10\x06", 0, 0, 0, 0},                    // ubifs_ch
	{"UBI", 0, "UBI#", 0, 0, 0, 0},                                  // ubi_ec_hdr
	{"jffs2", 0, "\x85\x19\x03\x20", 0, 0, 0, 0},                    // cleanmarker
	{"jffs2", 0, "\x85\x19\x01\xe0", 0, 0, 0, 0},                    // dirent
	{"jffs2", 0, "\x85\x19\x02\xe0", 0, 0, 0, 0},                    // inode
	{"gfs2", 65536, "\x01\x16\x19\x70\x00\x00\x00\x01", 0, 0, 0, 0}, // gfs2_meta_header
	{"ocfs2", 1024, "OCFSV2", 1024, 0, 0, 0},                        // ocfs2_dinode: i_signature, in block 2
	{"ocfs2", 2048, "OCFSV2", 2048, 0, 0, 0},                        //
	{"ocfs2", 4096, "OCFSV2", 4096, 0, 0, 0},                        //
	{"ocfs2", 8192, "OCFSV2", 8192, 0, 0, 0},                        //
	{"ufs", 8192 + 1372, "\x54\x19\x01\x00", 0, 0, 0, 0},            // fs_magic of UFS1
	{"ufs", 65536 + 1372, "\x19\x01\x54\x19", 0, 0, 0, 0},           // of UFS2
	{"ufs", 8192 + 1372, "\x19\x01\x54\x19", 0, 0, 0, 0},            //
	{"refs", 3, "ReFS\x00\x00\x00\x00", 0, 0, 0, 0},                 //
	{"VMFS", 0x200000, "\x5e\xf1\xab\x2f", 0x200000, 29, 128, 0},    // vmfs_fs_info: label
}

// fileSystem names file systems other than ext.
func (s *signatures) fileSystem() (Content, bool) {
	for _, try := range []func() (Content, bool){s.boot, s.magics, s.hfs, s.swap, s.nilfs, s.optical, s.zfs, s.luksSecond} {
		if c, ok := try(); ok {
			return c, true
		}
	}
	return Content{}, false
}

func (s *signatures) magics() (Content, bool) {
	for _, m := range fsMagics {
		if !s.has(m.at, m.magic) {
			continue
		}
		c := Content{Type: m.name}
		if m.width > 0 {
			c.Label = strings.TrimRight(cstring(s.at(m.base+m.label, int(m.width))), " ")
		}
		if m.uuid > 0 {
			c.UUID = uuidString(s.at(m.base+m.uuid, 16))
		}
		switch m.name {
		case "f2fs":
			c.Label = utf16String(s.at(1024+0x7c, 1024), le) // volume_name
		case "UBI":
			c.Detail = "flash image with volumes inside"
		case "squashfs":
			if b := s.whole(28, 4); b != nil && m.magic == "hsqs" {
				c.Detail = fmt.Sprintf("version %d.%d", le.Uint16(b), le.Uint16(b[2:])) // s_major, s_minor
			}
		}
		return c, true
	}
	return Content{}, false
}

// hfs looks at the volume header, or master directory block, in sector 2.
// Its magics have two bytes, so a version or block size is looked at as well.
func (s *signatures) hfs() (Content, bool) {
	b := s.whole(1024, 162)
	if b == nil {
		return Content{}, false
	}
	switch v := be.Uint16(b[2:]); string(b[:2]) { // signature, version
	case "H+", "HX":
		return Content{Type: "hfs+"}, v == 4 || v == 5
	case "BD": // drAlBlkSiz
		c := Content{Type: "hfs"}
		if string(b[124:126]) == "H+" { // drEmbedSigWord
			c = Content{Type: "hfs+", Detail: "embedded in an HFS volume"}
		}
		size := be.Uint32(b[20:])
		return c, size >= 512 && size%512 == 0
	}
	return Content{}, false
}

// nilfs looks at the superblock: its magic of two bytes counts with its revision.
func (s *signatures) nilfs() (Content, bool) {
	b := s.whole(1024, 0x100)
	if b == nil || le.Uint16(b[6:]) != 0x3434 || le.Uint32(b) != 2 { // s_magic, s_rev_level
		return Content{}, false
	}
	return Content{Type: "nilfs2", UUID: uuidString(b[0x98:]), Label: cstring(b[0xa8:0xf8])}, true // s_uuid, s_volume_name
}

// swap looks for Linux swap space: ten bytes at the end of the first page,
// union swap_header in include/linux/swap.h. A suspended system replaces them.
func (s *signatures) swap() (Content, bool) {
	for page := int64(4096); page <= 65536; page *= 2 {
		c := Content{Type: "swap", Detail: fmt.Sprintf("pages of %d bytes", page)}
		switch magic := string(s.at(page-10, 10)); {
		case magic == "SWAPSPACE2":
		case magic == "SWAP-SPACE":
			c.Detail = "version 0, " + c.Detail
		case strings.HasPrefix(magic, "S1SUSPEND"), strings.HasPrefix(magic, "S2SUSPEND"),
			strings.HasPrefix(magic, "ULSUSPEND"), magic == "LINHIB0001":
			c.Type, c.Detail = "swsuspend", "swap space with a suspended system in it"
		default:
			continue
		}
		if b := s.whole(1024, 44); b != nil && le.Uint32(b) == 1 { // info.version
			c.UUID, c.Label = uuidString(b[12:]), cstring(b[28:44]) // info.sws_uuid, sws_volume
		}
		return c, true
	}
	return Content{}, false
}

// zfs looks for uberblocks in the ring of the four labels, two at either end.
func (s *signatures) zfs() (Content, bool) {
	const label, ring = 256 << 10, 128 << 10
	if s.size < 4*label {
		return Content{}, false
	}
	end := s.size &^ (label - 1)
	for _, at := range []int64{0, label, end - 2*label, end - label} {
		b := s.whole(at+ring, ring)
		for i := 0; i+1024 <= len(b); i += 1024 {
			if m := b[i:]; le.Uint64(m) == 0x00bab10c || be.Uint64(m) == 0x00bab10c { // ub_magic
				return Content{Type: "zfs", Detail: "member of a pool"}, true
			}
		}
	}
	return Content{}, false
}
