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

// InlineTail gives the entry of system.data among the extended attributes in an inode, of
// which b is what lies behind i_extra_isize; ok is false where there is none.
func InlineTail(b []byte) (e XattrEntry, ok bool) {
	if len(b) < xattrBodyHeader || le.Uint32(b[0x0:]) != XattrMagic {
		return e, false
	}
	n, end, _ := countXattrs("", b, 0, xattrBodyHeader)
	for at := xattrBodyHeader; n > 0; at, n = xattrNext(b, at), n-1 {
		if e := decodeXattrEntry(b, at); e.IsInlineTail() && e.place("", b, 0, end, xattrBodyHeader) == nil {
			return e, true
		}
	}
	return e, false
}

// decodeXattrEntries decodes the entries from byte first of b on, up to the
// four zero bytes behind the last. Value offsets count from base.
func decodeXattrEntries(what string, b []byte, off int64, first, base int) ([]XattrEntry, error) {
	n, end, damage := countXattrs(what, b, off, first)
	if n == 0 {
		return nil, damage
	}
	entries := make([]XattrEntry, 0, n)
	for at := first; n > 0; at, n = xattrNext(b, at), n-1 {
		e := decodeXattrEntry(b, at)
		if err := e.place(what, b, off, end, base); err == nil {
			entries = append(entries, e)
		} else if damage == nil {
			damage = err
		}
	}
	return entries, damage
}

// countXattrs counts the entries from byte first of b on, and tells where they end, the
// mark behind the last included.
func countXattrs(what string, b []byte, off int64, first int) (n, end int, err error) {
	for at := first; ; at = xattrNext(b, at) {
		switch {
		case at+4 > len(b): // no room for the mark
			return n, at, &CorruptError{what, "length", off + int64(at), uint64(len(b))}
		case le.Uint32(b[at:]) == 0:
			return n, at + 4, nil
		case at+xattrEntryLength > len(b) || at+xattrEntryLength+int(b[at]) > len(b):
			return n, at, &CorruptError{what, "e_name_len", off + int64(at), uint64(b[at])}
		}
		n++
	}
}

// place checks an entry, and makes its ValueOffset, which counts from base, that in b.
// Names grow from the front and values from the back, so no value may begin before end,
// where the entries do.
func (e *XattrEntry) place(what string, b []byte, off int64, end, base int) error {
	bad := func(field string, at int, value uint64) error {
		return &CorruptError{what, field, off + int64(e.Offset+at), value}
	}
	switch {
	case bytes.IndexByte(e.Name, 0) >= 0:
		return bad("e_name", xattrEntryLength, 0)
	case e.ValueInode != 0:
		e.ValueOffset = -1
	case e.ValueSize == 0:
		e.ValueOffset = 0 // e_value_offs means nothing then
	case uint64(e.ValueSize) > uint64(len(b)):
		return bad("e_value_size", 0x8, uint64(e.ValueSize))
	case e.ValueOffset+base < end || e.ValueOffset+base+int(e.ValueSize) > len(b):
		return bad("e_value_offs", 0x2, uint64(e.ValueOffset))
	default:
		e.ValueOffset += base
	}
	return nil
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
