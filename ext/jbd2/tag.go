package jbd2

import "github.com/extscope/extscope/ext/layout"

// TagFlags is t_flags of a tag.
type TagFlags uint16

// The flags: JBD2_FLAG_*.
const (
	TagEscaped  TagFlags = 1 // the copy began with Magic, and has zeros there instead
	TagSameUUID TagFlags = 2 // no UUID of 16 bytes follows the tag
	TagDeleted  TagFlags = 4
	TagLast     TagFlags = 8
)

// A Tag says which block of the file system one of the copies behind a
// descriptor block is of: journal_block_tag_t, or journal_block_tag3_t under
// checksum v3.
type Tag struct {
	Block    layout.Block
	Flags    TagFlags
	Checksum uint32 // of the copy: 32 bits under checksum v3, 16 under v2
}

// TagSize is the length of a tag in bytes, the UUID aside: journal_tag_bytes.
func (f Format) TagSize() int {
	if f.Csum == 3 {
		return 16
	}
	size := 8
	if f.Csum == 2 {
		size += 2 // for a checksum that then found room inside the tag
	}
	if f.Wide {
		size += 4
	}
	return size
}

// decodeTag decodes one tag; b holds TagSize bytes.
func (f Format) decodeTag(b []byte) Tag {
	t := Tag{
		Block: layout.Block(be.Uint32(b[0x0:])), // t_blocknr
		Flags: TagFlags(be.Uint16(b[0x6:])),     // t_flags, whose high half v3 leaves zero
	}
	if f.Wide {
		t.Block |= layout.Block(be.Uint32(b[0x8:])) << 32 // t_blocknr_high
	}
	switch f.Csum {
	case 2:
		t.Checksum = uint32(be.Uint16(b[0x4:])) // t_checksum
	case 3:
		t.Checksum = be.Uint32(b[0xc:]) // t_checksum
	}
	return t
}

// AppendTags decodes the tags of a descriptor block, which lies at byte off, and
// appends them to tags. It reads as far as the kernel does: to the last tag, or
// to the end of the block. The error, a *layout.CorruptError, says that no tag
// was marked as the last; the tags are given even so.
func (f Format) AppendTags(tags []Tag, b []byte, off int64) ([]Tag, error) {
	size, end := f.TagSize(), min(len(b), f.BlockSize)-f.tailSize()
	flags := TagFlags(0)
	at := headerSize
	for at+size <= end {
		t := f.decodeTag(b[at:])
		tags = append(tags, t)
		flags = t.Flags
		if flags&TagLast != 0 {
			return tags, nil
		}
		at += size
		if flags&TagSameUUID == 0 {
			at += 16
		}
	}
	return tags, &layout.CorruptError{Struct: "descriptor block", Field: "t_flags", Offset: off + int64(at), Value: uint64(flags)}
}

// countTags counts what AppendTags would give (count_tags, fs/jbd2/recovery.c).
func (f Format) countTags(b []byte) (n uint32) {
	size, end := f.TagSize(), min(len(b), f.BlockSize)-f.tailSize()
	for at := headerSize; at+size <= end; at += size {
		flags := TagFlags(be.Uint16(b[at+0x6:]))
		n++
		if flags&TagLast != 0 {
			break
		}
		if flags&TagSameUUID == 0 {
			at += 16
		}
	}
	return n
}

// tagSeed is what the checksum of a copy in a transaction starts from.
func (f Format) tagSeed(sequence uint32) uint32 {
	var b [4]byte
	be.PutUint32(b[:], sequence)
	return layout.CRC32C(f.Seed, b[:])
}

// tagVerdict judges a copy by its checksum.
func (f Format) tagVerdict(t Tag, crc uint32) Verdict {
	switch f.Csum {
	case 2:
		return verdict(t.Checksum == crc&0xffff)
	case 3:
		return verdict(t.Checksum == crc)
	}
	return Unchecked
}

// TagChecksum judges the copy b of a transaction, as it lies in the log, by the
// checksum in its tag.
func (f Format) TagChecksum(t Tag, sequence uint32, b []byte) Verdict {
	return f.tagVerdict(t, layout.CRC32C(f.tagSeed(sequence), b))
}
