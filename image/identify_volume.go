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
		c.Type = typeLUKS1
	case 2:
		c.Type, c.Label = typeLUKS2, cstring(b[0x18:0x48]) // label
	default:
		return Content{}, false
	}
	return c, true
}

// lvm looks for a physical volume's label in the first four sectors.
func (s *signatures) lvm() (Content, bool) {
	for at := int64(0); at < 4*lvmSector; at += lvmSector {
		if l, ok := decodeLVMLabel(s.whole(at, lvmSector)); ok {
			return Content{Type: typeLVM, UUID: l.uuid, Detail: "a physical volume; its logical volumes hold the file systems"}, true
		}
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

// mdStart looks for a RAID superblock at the start: version 1.1 at byte 0,
// 1.2 at 4096.
func (s *signatures) mdStart() (Content, bool) {
	one, _ := mdPlaces(s.size)
	for _, at := range one[:2] {
		if m, ok := decodeMD1(s.whole(at, 0x100), at); ok {
			return m.content(), true
		}
	}
	return Content{}, false
}

// endVolume looks for a RAID superblock at the end: version 1.0 in the last
// 8 KiB to 12 KiB, 0.90 in the last 64 KiB to 128 KiB. The data before it begins
// at byte 0, so the half of a mirror is a readable file system as it is.
func (s *signatures) endVolume() (Content, bool) {
	one, zero := mdPlaces(s.size)
	if len(one) < 3 {
		return Content{}, false
	}
	if m, ok := decodeMD1(s.whole(one[2], 0x100), one[2]); ok {
		return m.content(), true
	}
	m, ok := decodeMD0(s.whole(zero, mdLen), zero)
	if !ok {
		return Content{}, false
	}
	return m.content(), true
}
