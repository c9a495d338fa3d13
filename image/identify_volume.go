package image

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// volume names what other volumes lie in: encryption, RAID and volume managers
// with a header at the start.
func (s *signatures) volume() (Content, bool) {
	for _, try := range []func() (Content, bool){s.luks, s.lvm, s.bitLocker, s.mdStart, s.bcache} {
		c, ok := try()
		if !ok {
			continue
		}
		if e, ok := decodeExtSuper(s.whole(extSuperAt, extSuperLen)); ok && e.inodes != 0 {
			c.Detail = strings.TrimPrefix(c.Detail+"; an older ext superblock is there, too", "; ")
		}
		return c, true
	}
	for _, m := range []struct {
		at          int64
		magic, name string
	}{
		{516, "!Stra0tis\x86\xff\x02^\x41rh", "Stratis pool member"},
		{0, "bluestore block device", "Ceph BlueStore"},
		{0, "dmvdo001", "VDO volume"},
		{0, "verity\x00\x00\x01\x00\x00\x00", "dm-verity hash tree"},
		{0, "integrt\x00", "dm-integrity volume"},
	} {
		if s.has(m.at, m.magic) {
			return Content{Type: m.name}, true
		}
	}
	if b := s.whole(0x100000, 4); b != nil && le.Uint32(b) == 0xc001d00d {
		return Content{Type: "VMFS volume member"}, true
	}
	return Content{}, false
}

// luks looks for a LUKS header at the start.
func (s *signatures) luks() (Content, bool) {
	if !s.has(0, "LUKS\xba\xbe") {
		return Content{}, false
	}
	return decodeLUKS(s.whole(0, 0xd0))
}

// luksSecond looks for the second header of LUKS2, which lies at the size of
// the first.
func (s *signatures) luksSecond() (Content, bool) {
	for at := int64(0x4000); at <= 0x400000; at *= 2 {
		if s.has(at, "SKUL\xba\xbe") {
			c, ok := decodeLUKS(s.whole(at, 0xd0))
			c.Detail += fmt.Sprintf("; the primary header is damaged, this is the second one, at byte %d", at)
			return c, ok
		}
	}
	return Content{}, false
}

// decodeLUKS decodes a header: struct luks_phdr, struct luks2_hdr_disk of
// cryptsetup.
func decodeLUKS(b []byte) (Content, bool) {
	if b == nil {
		return Content{}, false
	}
	c := Content{UUID: cstring(b[0xa8:0xd0]), Detail: "encrypted"} // uuid
	switch be.Uint16(b[0x6:]) {                                    // version
	case 1:
		c.Type = "LUKS1"
	case 2:
		c.Type, c.Label = "LUKS2", cstring(b[0x18:0x48]) // label
	default:
		return Content{}, false
	}
	return c, true
}

// lvm looks for a physical volume's label in the first four sectors:
// struct label_header of LVM2, lib/label/label.h.
func (s *signatures) lvm() (Content, bool) {
	for at := int64(0); at < 4*512; at += 512 {
		b := s.whole(at, 512)
		if b == nil || string(b[:8]) != "LABELONE" || string(b[0x18:0x20]) != "LVM2 001" {
			continue
		}
		c := Content{Type: "LVM2 member", Detail: "a physical volume; its logical volumes hold the file systems"}
		if off := le.Uint32(b[0x14:]); off <= 512-32 { // offset_xl, of the pv_header
			if id := string(b[off:][:32]); isAlnum(id) {
				c.UUID = strings.Join([]string{id[:6], id[6:10], id[10:14], id[14:18], id[18:22], id[22:26], id[26:]}, "-")
			}
		}
		return c, true
	}
	return Content{}, false
}

func isAlnum(s string) bool {
	return strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// bitLocker looks at a boot sector: its OEM name, or the GUID of BitLocker To Go.
func (s *signatures) bitLocker() (Content, bool) {
	const guid = "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01"
	if s.has(3, "-FVE-FS-") || s.has(3, "MSWIN4.1") && s.has(424, guid) {
		return Content{Type: "BitLocker", Detail: "encrypted Windows volume"}, true
	}
	return Content{}, false
}

// bcache looks for a bcache or bcachefs superblock, 4096 bytes in.
func (s *signatures) bcache() (Content, bool) {
	b := s.whole(4096, 0x60)
	if b == nil {
		return Content{}, false
	}
	switch hex.EncodeToString(b[0x18:0x28]) { // magic
	case "c68573f64e1a45ca8265f57f48ba6d81":
		return Content{Type: "bcache", UUID: uuidString(b[0x28:])}, true
	case "c68573f666ce90a9d96a60cf803df7ef":
		return Content{Type: "bcachefs", UUID: uuidString(b[0x38:])}, true
	}
	return Content{}, false
}

const mdMagic = 0xa92b4efc

// mdStart looks for a RAID superblock at the start: version 1.1 at byte 0,
// 1.2 at 4096.
func (s *signatures) mdStart() (Content, bool) {
	if c, ok := s.md1(0, "1.1"); ok {
		return c, true
	}
	return s.md1(4096, "1.2")
}

// endVolume looks for a RAID superblock at the end: version 1.0 in the last
// 8 KiB to 12 KiB, 0.90 in the last 64 KiB to 128 KiB. The data before it begins
// at byte 0, so the half of a mirror is a readable file system as it is.
func (s *signatures) endVolume() (Content, bool) {
	if s.size < 128<<10 {
		return Content{}, false
	}
	if c, ok := s.md1((s.size/512-16)&^7*512, "1.0"); ok {
		return c, true
	}
	b := s.whole(s.size&^(64<<10-1)-64<<10, 64)
	if b == nil || le.Uint32(b) != mdMagic || le.Uint32(b[4:]) != 0 { // md_magic, major_version
		return Content{}, false
	}
	id := append([]byte(nil), b[0x14:0x18]...) // set_uuid0, and 1 to 3 elsewhere: mdp_super_t, md_p.h
	id = append(id, b[0x34:0x40]...)
	for i := 0; i < 16; i += 4 { // shown as big-endian words
		id[i], id[i+1], id[i+2], id[i+3] = id[i+3], id[i+2], id[i+1], id[i]
	}
	return Content{
		Type: "Linux RAID member", UUID: uuidString(id),
		Detail: fmt.Sprintf("md superblock 0.90, level %d, of %d disks", int32(le.Uint32(b[0x1c:])), le.Uint32(b[0x28:])),
	}, true
}

// md1 looks for a version 1 superblock at byte at: struct mdp_superblock_1,
// include/uapi/linux/raid/md_p.h.
func (s *signatures) md1(at int64, version string) (Content, bool) {
	b := s.whole(at, 0x100)
	if b == nil || le.Uint32(b) != mdMagic || le.Uint32(b[4:]) != 1 { // magic, major_version
		return Content{}, false
	}
	if le.Uint64(b[0x90:]) != uint64(at/512) { // super_offset
		return Content{}, false
	}
	return Content{
		Type: "Linux RAID member", UUID: uuidString(b[0x10:]), Label: cstring(b[0x20:0x40]), // set_uuid, set_name
		Detail: fmt.Sprintf("md superblock %s, level %d, of %d disks", version, int32(le.Uint32(b[0x48:])), le.Uint32(b[0x5c:])),
	}, true
}
