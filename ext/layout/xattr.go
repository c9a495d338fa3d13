package layout

import (
	"bytes"
	"fmt"
)

// Name indexes: the part of an extended attribute's name that is not stored as
// text (EXT4_XATTR_INDEX_*, fs/ext4/xattr.h).
const (
	XattrUser       = 1
	XattrACLAccess  = 2
	XattrACLDefault = 3
	XattrTrusted    = 4
	XattrLustre     = 5
	XattrSecurity   = 6
	XattrSystem     = 7
	XattrRichACL    = 8
	XattrEncryption = 9 // name "c": the fscrypt context
	XattrHurd       = 10
	XattrVerity     = 11 // name "v": where the fs-verity descriptor lies
)

var xattrPrefixes = [...]string{
	XattrUser:       "user.",
	XattrACLAccess:  "system.posix_acl_access",
	XattrACLDefault: "system.posix_acl_default",
	XattrTrusted:    "trusted.",
	XattrLustre:     "lustre.",
	XattrSecurity:   "security.",
	XattrSystem:     "system.",
	XattrRichACL:    "system.richacl",
	XattrEncryption: "encryption.", // the kernel shows no such name; debugfs has none either
	XattrHurd:       "gnu.",
	XattrVerity:     "verity.", // shown by no kernel either
}

const (
	XattrMagic       = 0xea020000
	xattrBlockHeader = 0x20 // struct ext4_xattr_header
	xattrBodyHeader  = 0x04 // struct ext4_xattr_ibody_header
	xattrEntryLength = 0x10 // struct ext4_xattr_entry without its name
)

// An XattrEntry describes one extended attribute: struct ext4_xattr_entry,
// fs/ext4/xattr.h.
type XattrEntry struct {
	NameIndex   uint8
	Name        []byte // without the prefix NameIndex stands for
	ValueOffset int    // in bytes from the start of the decoded buffer, -1 if in an inode
	ValueSize   uint32 // in bytes
	ValueInode  Ino    // holds the value (ea_inode), else 0
	Hash        uint32 // of name and value; 0 in an inode's body as a rule
	Offset      int    // of the entry itself in the decoded buffer
}

// FullName gives the name as getfattr shows it. An index without a prefix
// shows as its number.
func (e XattrEntry) FullName() string {
	if int(e.NameIndex) < len(xattrPrefixes) && e.NameIndex != 0 {
		return xattrPrefixes[e.NameIndex] + string(e.Name)
	}
	if e.NameIndex == 0 {
		return string(e.Name)
	}
	return fmt.Sprintf("%d.%s", e.NameIndex, e.Name)
}

// Value gives the bytes of the value in b, the buffer the entry was decoded
// from. ok is false if the value lies in an inode.
func (e XattrEntry) Value(b []byte) (value []byte, ok bool) {
	if e.ValueOffset < 0 || e.ValueOffset > len(b) || uint64(e.ValueSize) > uint64(len(b)-e.ValueOffset) {
		return nil, false
	}
	end := e.ValueOffset + int(e.ValueSize)
	return b[e.ValueOffset:end:end], true
}

// An XattrHeader heads a block of extended attributes: struct
// ext4_xattr_header, fs/ext4/xattr.h.
type XattrHeader struct {
	RefCount uint32 // inodes that share the block
	Blocks   uint32 // always 1
	Hash     uint32 // of all entries; 0 where the block must not be shared
	Checksum uint32 // CRC32C with metadata_csum, else 0
}

// DecodeXattrBlock decodes the block i_file_acl points at. The first byte of b
// lies at byte off of the file system. Names are slices of b. Where a part is
// damaged, the entries that hold are given beside a *CorruptError for the first
// that does not.
func DecodeXattrBlock(b []byte, off int64) (XattrHeader, []XattrEntry, error) {
	const what = "xattr block"
	if len(b) < xattrBlockHeader {
		return XattrHeader{}, nil, &CorruptError{what, "length", off, uint64(len(b))}
	}
	if magic := le.Uint32(b[0x0:]); magic != XattrMagic {
		return XattrHeader{}, nil, &CorruptError{what, "h_magic", off, uint64(magic)}
	}
	h := XattrHeader{
		RefCount: le.Uint32(b[0x04:]), // h_refcount
		Blocks:   le.Uint32(b[0x08:]), // h_blocks
		Hash:     le.Uint32(b[0x0c:]), // h_hash
		Checksum: le.Uint32(b[0x10:]), // h_checksum
	}
	entries, err := decodeXattrEntries(what, b, off, xattrBlockHeader, 0)
	if h.Blocks != 1 {
		err = &CorruptError{what, "h_blocks", off + 0x8, uint64(h.Blocks)}
	}
	return h, entries, err
}

// DecodeXattrBody decodes the extended attributes in an inode: b is what lies
// behind i_extra_isize. An inode without any has no magic number there; that is
// no error. Otherwise as DecodeXattrBlock.
func DecodeXattrBody(b []byte, off int64) ([]XattrEntry, error) {
	if len(b) < xattrBodyHeader || le.Uint32(b[0x0:]) != XattrMagic {
		return nil, nil
	}
	// e_value_offs counts from the first entry here (IFIRST), not from the header.
	return decodeXattrEntries("inode xattrs", b, off, xattrBodyHeader, xattrBodyHeader)
}

// decodeXattrEntries decodes the entries from byte first of b on, up to the
// four zero bytes behind the last. Value offsets count from base.
//
// Names grow from the front and values from the back, so no value may begin
// before the end mark: that is looked for first.
func decodeXattrEntries(what string, b []byte, off int64, first, base int) ([]XattrEntry, error) {
	var offsets []int
	var damage error
	blame := func(field string, at int, value uint64) {
		if damage == nil {
			damage = &CorruptError{what, field, off + int64(at), value}
		}
	}
	at := first
	for ; ; at = xattrNext(b, at) {
		if at+4 > len(b) {
			blame("length", at, uint64(len(b))) // no room for the end mark
			break
		}
		if le.Uint32(b[at:]) == 0 {
			at += 4
			break
		}
		if at+xattrEntryLength > len(b) || at+xattrEntryLength+int(b[at]) > len(b) {
			blame("e_name_len", at, uint64(b[at]))
			break
		}
		offsets = append(offsets, at)
	}
	var entries []XattrEntry
	for _, o := range offsets {
		e := decodeXattrEntry(b, o)
		switch {
		case bytes.IndexByte(e.Name, 0) >= 0:
			blame("e_name", o+xattrEntryLength, 0)
			continue
		case e.ValueInode != 0:
			e.ValueOffset = -1
		case e.ValueSize == 0:
			e.ValueOffset = 0 // e_value_offs means nothing then
		case uint64(e.ValueSize) > uint64(len(b)):
			blame("e_value_size", o+0x8, uint64(e.ValueSize))
			continue
		case e.ValueOffset+base < at || e.ValueOffset+base+int(e.ValueSize) > len(b):
			blame("e_value_offs", o+0x2, uint64(e.ValueOffset))
			continue
		default:
			e.ValueOffset += base
		}
		entries = append(entries, e)
	}
	return entries, damage
}

// decodeXattrEntry decodes the entry at byte at, which the caller found to be
// whole. ValueOffset is as stored.
func decodeXattrEntry(b []byte, at int) XattrEntry {
	e := b[at:][:xattrEntryLength]
	name := at + xattrEntryLength
	end := name + int(e[0x0]) // e_name_len
	return XattrEntry{
		NameIndex:   e[0x1],                  // e_name_index
		ValueOffset: int(le.Uint16(e[0x2:])), // e_value_offs
		ValueInode:  Ino(le.Uint32(e[0x4:])), // e_value_inum
		ValueSize:   le.Uint32(e[0x8:]),      // e_value_size
		Hash:        le.Uint32(e[0xc:]),      // e_hash
		Name:        b[name:end:end],         // e_name
		Offset:      at,
	}
}

// xattrNext gives where the entry after the one at byte at begins: names are
// padded to four bytes.
func xattrNext(b []byte, at int) int {
	return at + xattrEntryLength + (int(b[at])+3)&^3
}

// IsXattrMagic reports whether b begins with the magic number of extended attributes.
func IsXattrMagic(b []byte) bool { return len(b) >= 4 && le.Uint32(b) == XattrMagic }

// XattrGap gives the part of the buffer that entries were decoded from, an inode's
// body or a block, which lies between the end mark behind the entries and the first
// value: the bytes that nothing uses.
func XattrGap(b []byte, entries []XattrEntry) (from, to int) {
	from, to = xattrBodyHeader, len(b)
	for _, e := range entries {
		from = max(from, e.Offset+(xattrEntryLength+len(e.Name)+3)&^3)
		if e.ValueOffset >= 0 && e.ValueSize > 0 {
			to = min(to, e.ValueOffset)
		}
	}
	from = min(from+4, len(b))
	return from, max(from, to)
}
