package image

import (
	"fmt"
	"io"
	"slices"
)

const (
	mdMagic    = 0xa92b4efc
	mdLen      = 4096 // of a superblock, with all roles it can have
	mdReserved = 64 << 10
)

// Levels of md arrays, as they are stored.
const (
	mdLinear = -1
	mdRAID0  = 0
	mdRAID1  = 1
)

// An mdSuper is what marks a member of a Linux RAID: mdp_super_t (0.90) or struct
// mdp_superblock_1, include/uapi/linux/raid/md_p.h. Sizes and places are in bytes.
type mdSuper struct {
	version  string // "0.90", "1.0", "1.1" or "1.2", where only the place tells apart those of 1
	at       int64  // of the member
	crcOK    bool
	set      string // UUID of the array
	name     string // of the array, with the host that made it
	level    int32
	layout   uint32
	chunk    int64
	disks    int   // that the array has when it is whole
	used     int64 // of each member, where all have the same
	dataAt   int64
	dataLen  int64
	number   int   // of this device
	roles    []int // place in the array by number, -1 for what is failed, spare or not filled
	events   uint64
	filling  bool // this device is being rebuilt
	reshape  bool // the array is being reshaped
	badSlots bool // a list of bad blocks is kept and not empty
}

// role is the device's place in the array, as it says itself; -1: none.
func (m *mdSuper) role() int { return m.roleOf(m.number) }

func (m *mdSuper) roleOf(number int) int {
	if number < 0 || number >= len(m.roles) {
		return -1
	}
	return m.roles[number]
}

// sectors is n sectors in bytes, -1 for what no device can have.
func sectors(n uint64) int64 {
	if b, ok := mulOffset(n, 512); ok && b < 1<<62 {
		return b
	}
	return -1
}

// decodeMD1 decodes a superblock of version 1 that lies at byte at.
func decodeMD1(b []byte, at int64) (*mdSuper, bool) {
	if len(b) < 0x100 || le.Uint32(b) != mdMagic || le.Uint32(b[0x4:]) != 1 { // magic, major_version
		return nil, false
	}
	if sectors(le.Uint64(b[0x90:])) != at { // super_offset
		return nil, false
	}
	features := le.Uint32(b[0x8:]) // feature_map
	m := &mdSuper{
		at:      at,
		set:     uuidString(b[0x10:]),                  // set_uuid
		name:    cstring(b[0x20:0x40]),                 // set_name
		level:   int32(le.Uint32(b[0x48:])),            // level
		layout:  le.Uint32(b[0x4c:]),                   // layout
		used:    sectors(le.Uint64(b[0x50:])),          // size
		chunk:   int64(le.Uint32(b[0x58:])) * 512,      // chunksize
		disks:   int(le.Uint32(b[0x5c:]) & 0x7fffffff), // raid_disks
		dataAt:  sectors(le.Uint64(b[0x80:])),          // data_offset
		dataLen: sectors(le.Uint64(b[0x88:])),          // data_size
		number:  int(le.Uint32(b[0xa0:]) & 0x7fffffff), // dev_number
		events:  le.Uint64(b[0xc8:]),                   // events
		filling: features&0x2 != 0,                     // MD_FEATURE_RECOVERY_OFFSET
		reshape: features&0x4 != 0,                     // MD_FEATURE_RESHAPE_ACTIVE
	}
	m.badSlots = features&0x8 != 0 && le.Uint16(b[0xba:]) != 0 // MD_FEATURE_BAD_BLOCKS, bblog_size
	switch at {
	case 0:
		m.version = "1.1"
	case 4096:
		m.version = "1.2"
	default:
		m.version = "1.0"
	}
	count := int(le.Uint32(b[0xdc:]) & 0x7fffffff) // max_dev
	if 0x100+2*count > len(b) {
		return m, true // too many to be right: crcOK stays false
	}
	for i := range count {
		role := int(le.Uint16(b[0x100+2*i:])) // dev_roles
		if role >= m.disks {                  // MD_DISK_ROLE_MAX is far above: spare, faulty, journal
			role = -1
		}
		m.roles = append(m.roles, role)
	}
	m.crcOK = mdSum(b[:0x100+2*count], 0xd8) == le.Uint32(b[0xd8:]) // sb_csum
	return m, true
}

// decodeMD0 decodes a superblock of version 0.90 in a little-endian form, which lies at
// byte at. The form is the host's, and big-endian ones are not read.
func decodeMD0(b []byte, at int64) (*mdSuper, bool) {
	if len(b) < mdLen || le.Uint32(b) != mdMagic || le.Uint32(b[0x4:]) != 0 { // md_magic, major_version
		return nil, false
	}
	b = b[:mdLen]
	word := func(i int) uint32 { return le.Uint32(b[4*i:]) }
	id := append(slices.Clone(b[0x14:0x18]), b[0x34:0x40]...) // set_uuid0 to set_uuid3
	for i := 0; i < 16; i += 4 {                              // shown as big-endian words
		slices.Reverse(id[i : i+4])
	}
	m := &mdSuper{
		version: "0.90", at: at,
		set:     uuidString(id),
		name:    fmt.Sprintf("md%d", word(11)),           // md_minor
		level:   int32(word(7)),                          // level
		used:    int64(word(8)) * 1024,                   // size
		disks:   int(word(10) & 0x7fffffff),              // raid_disks
		events:  uint64(word(40))<<32 | uint64(word(39)), // events_hi, events_lo
		layout:  word(64),                                // layout
		chunk:   int64(word(65)),                         // chunk_size
		dataLen: at,
		reshape: word(2) == 91,               // minor_version, while it is reshaped
		number:  int(word(992) & 0x7fffffff), // this_disk.number
	}
	for i := range 27 { // disks: number, major, minor, raid_disk, state
		role := -1
		if d := 128 + 32*i; word(d+4)&(1<<0|1<<2) == 1<<2 && int(word(d)) == i { // MD_DISK_SYNC, not MD_DISK_FAULTY
			role = int(word(d+3) & 0x7fffffff)
		}
		m.roles = append(m.roles, role)
	}
	m.crcOK = mdSum(b, 4*38) == word(38) // sb_csum
	return m, true
}

// mdSum is the checksum of a superblock that has it at byte at: the sum of its words,
// folded.
func mdSum(b []byte, at int) uint32 {
	var sum uint64
	for i := 0; i+4 <= len(b); i += 4 {
		if i != at {
			sum += uint64(le.Uint32(b[i:]))
		}
	}
	if len(b)%4 == 2 {
		sum += uint64(le.Uint16(b[len(b)-2:]))
	}
	return uint32(sum) + uint32(sum>>32)
}

// mdPlaces are where a superblock of version 1 can lie, the one at the end last, and
// where that of 0.90 does.
func mdPlaces(size int64) (one []int64, zero int64) {
	one = []int64{0, 4096}
	if size >= 128<<10 {
		one = append(one, (size/512-16)&^7*512)
	}
	return one, size&^(mdReserved-1) - mdReserved
}

// findMD looks for the superblock of a member of size bytes.
func findMD(r io.ReaderAt, size int64) *mdSuper {
	one, zero := mdPlaces(size)
	for _, at := range one {
		if m, ok := decodeMD1(fetch(r, at, int(min(mdLen, max(size-at, 0)))), at); ok {
			return m
		}
	}
	if zero > 0 {
		if m, ok := decodeMD0(fetch(r, zero, mdLen), zero); ok {
			return m
		}
	}
	return nil
}

// levelName is what mdadm calls a level.
func (m *mdSuper) levelName() string {
	switch m.level {
	case mdLinear:
		return "linear"
	case -4:
		return "multipath"
	case -5:
		return "faulty"
	case 0, 1, 4, 5, 6, 10:
		return fmt.Sprintf("raid%d", m.level)
	}
	return fmt.Sprintf("level %d", m.level)
}

// content is what a member is named.
func (m *mdSuper) content() Content {
	c := Content{
		Type: typeMD, UUID: m.set, Label: m.name,
		Detail: fmt.Sprintf("md superblock %s, level %d, of %d disks", m.version, m.level, m.disks),
	}
	if m.version == "0.90" {
		c.Label = ""
	}
	return c
}
