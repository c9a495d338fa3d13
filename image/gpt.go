package image

import (
	"bytes"
	"hash/crc32"
	"io"
	"math/bits"
)

const (
	gptMagic     = "EFI PART"
	gptHeaderLen = 92
	// maxGPTArray bounds the entry array: 64 times what every tool writes.
	maxGPTArray = 1 << 20
)

// A gptHeader is a GUID partition table's header, which has a copy at either
// end of the disk: struct _gpt_header, block/partitions/efi.h. LBAs count
// logical sectors.
type gptHeader struct {
	crcOK     bool // of the header itself
	my        uint64
	alternate uint64
	first     uint64 // usable for partitions
	last      uint64
	disk      string // GUID
	array     uint64 // LBA of the entries
	entries   uint32
	entryLen  uint32
	arrayCRC  uint32
}

// decodeGPTHeader decodes a sector. It is false if the signature is not there.
func decodeGPTHeader(b []byte) (gptHeader, bool) {
	if len(b) < 512 || string(b[:8]) != gptMagic {
		return gptHeader{}, false
	}
	h := gptHeader{
		my:        le.Uint64(b[0x18:]),      // my_lba
		alternate: le.Uint64(b[0x20:]),      // alternate_lba
		first:     le.Uint64(b[0x28:]),      // first_usable_lba
		last:      le.Uint64(b[0x30:]),      // last_usable_lba
		disk:      guidString(b[0x38:0x48]), // disk_guid
		array:     le.Uint64(b[0x48:]),      // partition_entry_lba
		entries:   le.Uint32(b[0x50:]),      // num_partition_entries
		entryLen:  le.Uint32(b[0x54:]),      // sizeof_partition_entry
		arrayCRC:  le.Uint32(b[0x58:]),      // partition_entry_array_crc32
	}
	length := le.Uint32(b[0xc:]) // header_size
	if length >= gptHeaderLen && int64(length) <= int64(len(b)) {
		c := bytes.Clone(b[:length])
		copy(c[0x10:0x14], []byte{0, 0, 0, 0}) // header_crc32 counts as zero
		h.crcOK = crc32.ChecksumIEEE(c) == le.Uint32(b[0x10:])
	}
	return h, true
}

// bounded tells whether the entry array is one to read at all: small, of a
// legal entry size, and inside the image.
func (h gptHeader) bounded(size int64, sector int) bool {
	if h.entryLen < 128 || h.entryLen > 4096 || h.entryLen%8 != 0 {
		return false
	}
	hi, n := bits.Mul64(uint64(h.entries), uint64(h.entryLen))
	at, ok := mulOffset(h.array, sector)
	return hi == 0 && n <= maxGPTArray && ok && at <= size-int64(n)
}

// A gptEntry is a used slot of the entry array: struct _gpt_entry.
type gptEntry struct {
	number      int // from 1
	typ, guid   string
	first, last uint64 // LBA, last included
	attributes  uint64
	name        string
}

// decodeGPTEntries decodes an entry array, leaving out unused slots.
func decodeGPTEntries(b []byte, entryLen int) []gptEntry {
	var entries []gptEntry
	for i := 0; (i+1)*entryLen <= len(b); i++ {
		e := b[i*entryLen:][:128]
		if allZero(e[:16]) {
			continue
		}
		entries = append(entries, gptEntry{
			number:     i + 1,
			typ:        guidString(e[0x0:0x10]),       // partition_type_guid
			guid:       guidString(e[0x10:0x20]),      // unique_partition_guid
			first:      le.Uint64(e[0x20:]),           // starting_lba
			last:       le.Uint64(e[0x28:]),           // ending_lba
			attributes: le.Uint64(e[0x30:]),           // attributes
			name:       utf16String(e[0x38:0x80], le), // partition_name
		})
	}
	return entries
}

// A gptTable is a GPT as found at one of its two places.
type gptTable struct {
	header  gptHeader
	at      int64 // byte offset of the header
	sector  int
	arrayOK bool // the entries' checksum holds
	entries []gptEntry
}

// sound tells whether both checksums hold.
func (t *gptTable) sound() bool { return t != nil && t.header.crcOK && t.arrayOK }

// readGPT reads the header at byte at, and its entries. It is nil where there
// is no header, or one not to be followed.
func readGPT(r io.ReaderAt, size, at int64, sector int) *gptTable {
	h, ok := decodeGPTHeader(fetch(r, at, sector))
	if !ok || !h.bounded(size, sector) {
		return nil
	}
	start, _ := mulOffset(h.array, sector) // bounded looked
	b, err := fetchAll(r, start, int(h.entries*h.entryLen))
	if err != nil {
		return nil
	}
	return &gptTable{
		header: h, at: at, sector: sector,
		arrayOK: crc32.ChecksumIEEE(b) == h.arrayCRC,
		entries: decodeGPTEntries(b, int(h.entryLen)),
	}
}

// partitions turns the entries into partitions.
func (t *gptTable) partitions(warnings *[]string) []Partition {
	var parts []Partition
	for _, e := range t.entries {
		p := Partition{
			Number: e.number, Scheme: "gpt", Kind: "gpt",
			TypeCode: e.typ, TypeName: gptTypes[e.typ],
			Name: e.name, UUID: e.guid, Bootable: e.attributes&(1<<2) != 0,
		}
		start, ok := mulOffset(e.first, t.sector)
		end, ok2 := mulOffset(e.last, t.sector)
		switch {
		case !ok || !ok2 || end > 1<<63-1-int64(t.sector):
			warnf(warnings, "partition %d: sectors %d to %d are beyond any disk", e.number, e.first, e.last)
			p.Start = start
			if !ok {
				p.Start = 1<<63 - 1
			}
		case e.last < e.first:
			warnf(warnings, "partition %d ends at sector %d, before it starts at sector %d", e.number, e.last, e.first)
			p.Start = start
		default:
			p.Start, p.Length = start, end-start+int64(t.sector)
		}
		parts = append(parts, p)
	}
	return parts
}
