package layout

// Offsets in the blocks of a directory index. The checksum functions of this
// file take one of them: where struct dx_countlimit lies.
const (
	DxRootCountOffset = 0x20 // in block 0 of the directory, behind dx_root_info
	DxNodeCountOffset = 0x08 // in an inner block, behind its one empty entry
)

const (
	dxInfoOffset  = 0x18 // struct dx_root_info, behind "." and ".."
	dxInfoLength  = 8    // what info_length says in every index ever written
	dxEntryLength = 8    // struct dx_entry, and dx_countlimit in its place
	dxTailLength  = 8    // struct dx_tail, with metadata_csum
	dxBlockMask   = 0x0fffffff
)

// A DxEntry points at the block that holds the names from Hash on: a leaf, or
// an inner node where levels remain.
type DxEntry struct {
	Hash  uint32 // 0 in the first entry, which has no room for one
	Block uint32 // in blocks from the start of the directory, not of the disk
}

// Continued reports whether the block goes on with the hash the block before
// it ended with, so that a look-up must read both.
func (e DxEntry) Continued() bool { return e.Hash&1 != 0 }

// A DxRoot is the head of a directory index: struct dx_root, fs/ext4/namei.c,
// in block 0 of a directory with the index flag.
type DxRoot struct {
	DotIno      Ino // the inode "." names
	DotDotIno   Ino
	Reserved    uint32 // 0 where the index is whole
	HashVersion HashVersion
	InfoLength  uint8 // in bytes, 8
	Levels      uint8 // inner nodes between the root and a leaf: 0, 1, 2 with large_dir
	UnusedFlags uint8
	DxNode
}

// A DxNode is an inner block of a directory index: struct dx_node,
// fs/ext4/namei.c. To old readers it looks like a block with one unused entry.
type DxNode struct {
	CountOffset int    // in bytes, where Limit lies in the block
	Limit       uint16 // entries that fit, the first one (without hash) included
	Count       uint16 // entries in use, likewise
	Entries     []DxEntry
}

// DecodeDxRoot decodes block 0 of an indexed directory. The first byte of b
// lies at byte off of the file system. The error, if any, is a *CorruptError;
// what comes before the field it names is decoded all the same.
func DecodeDxRoot(b []byte, off int64) (DxRoot, error) {
	bad := func(field string, at int64, value uint64) error {
		return &CorruptError{"directory index root", field, off + at, value}
	}
	if len(b) < DxRootCountOffset+dxEntryLength {
		return DxRoot{}, bad("length", 0, uint64(len(b)))
	}
	r := DxRoot{
		DotIno:      Ino(le.Uint32(b[0x00:])), // dot.inode
		DotDotIno:   Ino(le.Uint32(b[0x0c:])), // dotdot.inode
		Reserved:    le.Uint32(b[0x18:]),      // info.reserved_zero
		HashVersion: HashVersion(b[0x1c]),     // info.hash_version
		InfoLength:  b[0x1d],                  // info.info_length
		Levels:      b[0x1e],                  // info.indirect_levels
		UnusedFlags: b[0x1f],                  // info.unused_flags
	}
	// An old reader finds the end of the block through "..", so the kernel
	// (get_dx_countlimit) takes these two lengths as the sign of a root.
	switch dot := le.Uint16(b[0x04:]); {
	case dot != 12:
		return r, bad("dot.rec_len", 0x04, uint64(dot))
	case r.Reserved != 0:
		return r, bad("info.reserved_zero", 0x18, uint64(r.Reserved))
	case r.InfoLength != dxInfoLength:
		return r, bad("info.info_length", 0x1d, uint64(r.InfoLength))
	}
	var err error
	r.DxNode, err = decodeDxEntries("directory index root", b, off, DxRootCountOffset)
	if err == nil && !r.HashVersion.Known() {
		err = bad("info.hash_version", 0x1c, uint64(r.HashVersion))
	}
	return r, err
}

// DecodeDxNode decodes an inner block of a directory index, as DecodeDxRoot
// does the root.
func DecodeDxNode(b []byte, off int64) (DxNode, error) {
	bad := func(field string, at int64, value uint64) (DxNode, error) {
		return DxNode{}, &CorruptError{"directory index node", field, off + at, value}
	}
	if len(b) < DxNodeCountOffset+dxEntryLength {
		return bad("length", 0, uint64(len(b)))
	}
	if ino := le.Uint32(b[0x00:]); ino != 0 {
		return bad("fake.inode", 0x00, uint64(ino))
	}
	return decodeDxEntries("directory index node", b, off, DxNodeCountOffset)
}

// decodeDxEntries decodes the counts at byte at of b and the entries behind.
func decodeDxEntries(what string, b []byte, off int64, at int) (DxNode, error) {
	n := DxNode{
		CountOffset: at,
		Limit:       le.Uint16(b[at:]),   // limit
		Count:       le.Uint16(b[at+2:]), // count
	}
	room := (len(b) - at) / dxEntryLength
	switch {
	case int(n.Limit) > room || n.Limit == 0:
		return n, &CorruptError{what, "limit", off + int64(at), uint64(n.Limit)}
	case n.Count > n.Limit || n.Count == 0:
		return n, &CorruptError{what, "count", off + int64(at) + 2, uint64(n.Count)}
	}
	n.Entries = make([]DxEntry, n.Count)
	for i := range n.Entries {
		e := b[at+i*dxEntryLength:][:dxEntryLength]
		n.Entries[i].Block = le.Uint32(e[0x4:]) & dxBlockMask // block
		if i > 0 {
			n.Entries[i].Hash = le.Uint32(e[0x0:]) // hash
		}
	}
	return n, nil
}

// DxLimit gives the limit a sound index block has. csum says that the file
// system has metadata_csum, whose tail takes one entry's place; hashed that
// the directory is casefolded and encrypted, so that the empty entry in front
// of an inner node is reckoned with a hash behind its name.
func DxLimit(blockSize, countOffset int, csum, hashed bool) int {
	room := blockSize - countOffset
	if csum {
		room -= dxTailLength
	}
	if hashed && countOffset == DxNodeCountOffset {
		room -= 8
	}
	return max(0, room/dxEntryLength)
}

// DxChecksum reads and computes the checksum of an index block, root or node
// (ext4_dx_csum, fs/ext4/namei.c; struct dx_tail). It covers the block up to
// the last entry in use, then dt_reserved, then zeros for dt_checksum itself;
// seed is the inode's. countOffset is DxRootCountOffset or DxNodeCountOffset.
// ok is false where the counts leave no room for a tail; a wrong checksum is
// for the caller to see.
func DxChecksum(b []byte, seed uint32, countOffset int) (stored, computed uint32, ok bool) {
	if countOffset < 0 || countOffset+dxEntryLength > len(b) {
		return 0, 0, false
	}
	limit := int(le.Uint16(b[countOffset:]))
	count := int(le.Uint16(b[countOffset+2:]))
	tail := countOffset + limit*dxEntryLength
	if count > limit || tail+dxTailLength > len(b) {
		return 0, 0, false
	}
	stored = le.Uint32(b[tail+0x4:]) // dt_checksum
	computed = CRC32C(seed, b[:countOffset+count*dxEntryLength])
	computed = CRC32C(computed, b[tail:tail+0x4]) // dt_reserved
	computed = CRC32C(computed, make([]byte, 4))
	return stored, computed, true
}
