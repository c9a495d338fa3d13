package jbd2

import (
	"encoding/binary"
	"fmt"

	"github.com/extscope/extscope/ext/layout"
)

var le = binary.LittleEndian

// An FCTag says what a record of a fast commit is.
type FCTag uint16

// The tags: EXT4_FC_TAG_*, fs/ext4/fast_commit.h.
const (
	FCAddRange FCTag = 1 // an extent was mapped
	FCDelRange FCTag = 2 // blocks of a file were unmapped
	FCCreat    FCTag = 3 // a name for a new inode
	FCLink     FCTag = 4 // a name for an inode
	FCUnlink   FCTag = 5 // a name was removed
	FCInode    FCTag = 6 // an inode as it then was
	FCPad      FCTag = 7 // nothing, to the end of the block
	FCTail     FCTag = 8 // ends a fast commit
	FCHead     FCTag = 9 // begins one
)

var fcTagNames = [...]string{1: "add_range", "del_range", "creat", "link", "unlink", "inode", "pad", "tail", "head"}

func (t FCTag) String() string {
	if int(t) < len(fcTagNames) && fcTagNames[t] != "" {
		return fcTagNames[t]
	}
	return fmt.Sprintf("tag %d", uint16(t))
}

const (
	fcHeadSize = 8 // struct ext4_fc_head
	fcTailSize = 8 // struct ext4_fc_tail
	fcTLSize   = 4 // struct ext4_fc_tl
)

// An FCRecord is one record of a fast commit. Which fields hold, its tag says.
type FCRecord struct {
	Tag    FCTag
	Log    uint32 // log block it lies in
	Offset int64  // byte of the reader where it starts

	Ino       layout.Ino    // all but pad, tail and head
	Parent    layout.Ino    // creat, link, unlink: the directory
	Name      []byte        // likewise
	Extent    layout.Extent // add_range
	FileBlock uint32        // del_range
	Len       uint32        // likewise, in blocks
	Inode     []byte        // inode: as on disk, 128 bytes and i_extra_isize, or all of it

	TID      uint32 // tail, head: the sequence of the commit it comes before
	Checksum uint32 // tail: crc32c of all records of the fast commit
	Features uint32 // head: none is defined
}

// DecodeFCRecord decodes the record at the start of b, which lies at byte off,
// and gives its length. Slices of the record are slices of b. The error is a
// *layout.CorruptError; the lengths allowed are those of
// ext4_fc_value_len_isvalid.
func DecodeFCRecord(b []byte, off int64) (r FCRecord, n int, err error) {
	bad := func(field string, at int64, v uint64) (FCRecord, int, error) {
		return FCRecord{}, 0, &layout.CorruptError{Struct: "fast commit record", Field: field, Offset: off + at, Value: v}
	}
	if len(b) < fcTLSize {
		return bad("length", 0, uint64(len(b)))
	}
	r = FCRecord{Tag: FCTag(le.Uint16(b[0x0:])), Offset: off} // fc_tag
	size := int(le.Uint16(b[0x2:]))                           // fc_len
	v := b[fcTLSize:]
	if size > len(v) || !fcLenValid(r.Tag, size) {
		if r.Tag == 0 || r.Tag > FCHead {
			return bad("fc_tag", 0x0, uint64(r.Tag))
		}
		return bad("fc_len", 0x2, uint64(size))
	}
	v = v[:size]
	switch r.Tag {
	case FCAddRange:
		r.Ino = layout.Ino(le.Uint32(v[0x0:])) // fc_ino
		r.Extent = decodeExtent(v[0x4:])       // fc_ex
	case FCDelRange:
		r.Ino = layout.Ino(le.Uint32(v[0x0:])) // fc_ino
		r.FileBlock = le.Uint32(v[0x4:])       // fc_lblk
		r.Len = le.Uint32(v[0x8:])             // fc_len
	case FCCreat, FCLink, FCUnlink:
		r.Parent = layout.Ino(le.Uint32(v[0x0:])) // fc_parent_ino
		r.Ino = layout.Ino(le.Uint32(v[0x4:]))    // fc_ino
		r.Name = v[0x8:]                          // fc_dname
	case FCInode:
		r.Ino = layout.Ino(le.Uint32(v[0x0:])) // fc_ino
		r.Inode = v[0x4:]                      // fc_raw_inode
	case FCTail:
		r.TID = le.Uint32(v[0x0:])      // fc_tid
		r.Checksum = le.Uint32(v[0x4:]) // fc_crc
	case FCHead:
		r.Features = le.Uint32(v[0x0:]) // fc_features
		r.TID = le.Uint32(v[0x4:])      // fc_tid
	}
	return r, fcTLSize + size, nil
}

func fcLenValid(t FCTag, n int) bool {
	switch t {
	case FCAddRange:
		return n == 16
	case FCDelRange:
		return n == 12
	case FCCreat, FCLink, FCUnlink:
		return n > 8 && n <= 8+layout.MaxNameLen
	case FCInode:
		return n >= 4+layout.GoodOldInodeSize
	case FCPad:
		return true
	case FCTail:
		return n >= fcTailSize
	case FCHead:
		return n == fcHeadSize
	}
	return false
}

// decodeExtent decodes struct ext4_extent outside an extent node.
func decodeExtent(b []byte) layout.Extent {
	e := layout.Extent{
		FileBlock: le.Uint32(b[0x0:]),                                                      // ee_block
		Len:       uint32(le.Uint16(b[0x4:])),                                              // ee_len
		Start:     layout.Block(le.Uint16(b[0x6:]))<<32 | layout.Block(le.Uint32(b[0x8:])), // ee_start_hi, _lo
	}
	if e.Len > layout.MaxWrittenLen {
		e.Len, e.Unwritten = e.Len-layout.MaxWrittenLen, true
	}
	return e
}
