package image

import (
	"bytes"
	"fmt"
	"math/bits"
	"strings"
)

// boot names file systems that begin with a PC boot sector: FAT, exFAT, NTFS.
func (s *signatures) boot() (Content, bool) {
	b := s.whole(0, 512)
	switch {
	case b == nil:
		return Content{}, false
	case string(b[3:11]) == "NTFS    ":
		c := Content{Type: "ntfs", UUID: fmt.Sprintf("%016X", le.Uint64(b[0x48:]))} // serial_number
		c.Label = s.ntfsLabel(b)
		return c, true
	case string(b[3:11]) == "EXFAT   ":
		c := Content{Type: "exfat", UUID: serial(b[0x64:])} // vol_serial
		c.Label = s.exfatLabel(b)
		return c, true
	}
	return fat(b)
}

// bootSector tells whether c is one of boot's: it ends in the 0x55aa of an MBR
// without being one.
func bootSector(c Content) bool {
	switch c.Type {
	case "fat12", "fat16", "fat32", "exfat", "ntfs", "refs", "BitLocker":
		return true
	}
	return false
}

// serial writes a volume serial number as Windows and blkid do.
func serial(b []byte) string {
	n := le.Uint32(b)
	return fmt.Sprintf("%04X-%04X", n>>16, n&0xffff)
}

// fat judges a boot sector that has no magic but its plausibility: struct
// fat_boot_sector, include/uapi/linux/msdos_fs.h. The number of clusters tells
// FAT12, FAT16 and FAT32 apart.
func fat(b []byte) (Content, bool) {
	var (
		sector   = uint32(le.Uint16(b[0xb:]))  // sector_size
		cluster  = uint32(b[0xd])              // sec_per_clus
		reserved = uint32(le.Uint16(b[0xe:]))  // reserved
		fats     = uint32(b[0x10])             // fats
		root     = uint32(le.Uint16(b[0x11:])) // dir_entries
		sectors  = uint32(le.Uint16(b[0x13:])) // sectors
		media    = b[0x15]                     // media
		perFAT   = uint32(le.Uint16(b[0x16:])) // fat_length
	)
	jump := b[0] == 0xeb && b[2] == 0x90 || b[0] == 0xe9 || b[0] == 0xeb
	if !jump || sector < 512 || sector > 4096 || bits.OnesCount32(sector) != 1 || bits.OnesCount32(cluster) != 1 ||
		reserved == 0 || fats == 0 || fats > 2 || media < 0xf0 {
		return Content{}, false
	}
	if sectors == 0 {
		sectors = le.Uint32(b[0x20:]) // total_sect
	}
	c := Content{}
	label, id, sig := b[0x2b:0x36], b[0x27:], b[0x26] // fat16: vol_label, vol_id, signature
	is32 := perFAT == 0
	if is32 {
		perFAT = le.Uint32(b[0x24:]) // fat32.length
		label, id, sig = b[0x47:0x52], b[0x43:], b[0x42]
	}
	used := uint64(reserved) + uint64(fats)*uint64(perFAT) + (uint64(root)*32+uint64(sector)-1)/uint64(sector)
	if perFAT == 0 || used >= uint64(sectors) {
		return Content{}, false
	}
	switch clusters := (uint64(sectors) - used) / uint64(cluster); {
	case is32:
		c.Type = "fat32"
	case clusters < 0xff5: // MAX_FAT12
		c.Type = "fat12"
	default:
		c.Type = "fat16"
	}
	if sig == 0x29 || sig == 0x28 {
		c.UUID = serial(id)
	}
	if l := strings.TrimRight(string(label), " \x00"); sig == 0x29 && l != "NO NAME" {
		c.Label = l
	}
	return c, true
}

// exfatLabel looks for the volume label among the first entries of the root
// directory.
func (s *signatures) exfatLabel(b []byte) string {
	heap, root := le.Uint32(b[0x58:]), le.Uint32(b[0x60:]) // clu_offset, root_cluster
	sectorBits, clusterBits := b[0x6c], b[0x6d]            // sect_size_bits, sect_per_clus_bits
	if sectorBits < 9 || sectorBits > 12 || clusterBits > 25-sectorBits || root < 2 {
		return ""
	}
	at := int64(heap)<<sectorBits + int64(root-2)<<(sectorBits+clusterBits)
	dir := s.at(at, 32*32)
	for ; len(dir) >= 32 && dir[0] != 0; dir = dir[32:] {
		if n := int(dir[1]); dir[0] == 0x83 && n <= 11 {
			return utf16String(dir[2:2+2*n], le)
		}
	}
	return ""
}

// ntfsLabel reads the $VOLUME_NAME attribute of record 3 of the MFT.
func (s *signatures) ntfsLabel(b []byte) string {
	sector := int64(le.Uint16(b[0xb:])) // bytes_per_sector
	cluster := sector * int64(b[0xd])   // sectors_per_cluster
	if n := int8(b[0xd]); n < 0 && n > -32 {
		cluster = sector << -n // 64 KiB and more are stored as a power of two
	}
	record := int64(1024)
	switch n := int8(b[0x40]); { // clusters_per_mft_record
	case n < 0 && n > -13:
		record = 1 << -n
	case n > 0:
		record = int64(n) * cluster
	}
	lcn := le.Uint64(b[0x30:]) // mft_lcn
	at, ok := mulOffset(lcn, int(cluster))
	if !ok || record < 64 || record > 4096 || at > s.size-4*record {
		return ""
	}
	r := bytes.Clone(s.at(at+3*record, int(record)))
	if len(r) < 64 || string(r[:4]) != "FILE" {
		return ""
	}
	for off := int(le.Uint16(r[0x14:])); off+24 <= len(r); { // attrs_offset
		typ, length := le.Uint32(r[off:]), le.Uint32(r[off+4:])
		if typ == 0xffffffff || length < 24 || int64(length) > int64(len(r)-off) {
			break
		}
		attr := r[off:][:length]
		if typ == 0x60 && attr[8] == 0 { // $VOLUME_NAME, resident
			n, from := int64(le.Uint32(attr[0x10:])), int64(le.Uint16(attr[0x14:])) // value_length, value_offset
			if from+n <= int64(length) {
				return utf16String(attr[from:][:n], le)
			}
		}
		off += int(length)
	}
	return ""
}
