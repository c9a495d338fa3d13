package layout

const (
	extentMagic  = 0xf30a
	extentRecLen = 12 // the header and every record are this long

	// MaxWrittenLen is EXT_INIT_MAX_LEN: a larger ee_len means an unwritten
	// extent of ee_len - MaxWrittenLen blocks.
	MaxWrittenLen = 1 << 15

	// MaxExtentDepth is EXT4_MAX_EXTENT_DEPTH.
	MaxExtentDepth = 5
)

// An ExtentHeader is struct ext4_extent_header, fs/ext4/ext4_extents.h: the
// start of every node of an extent tree.
type ExtentHeader struct {
	Entries    uint16
	Max        uint16 // room for this many records
	Depth      uint16 // height above the leaves; 0 is a leaf
	Generation uint32
}

// An Extent maps Len blocks of a file, from FileBlock on, to the disk blocks
// from Start on: struct ext4_extent.
type Extent struct {
	FileBlock uint32
	Len       uint32 // in blocks
	Start     Block
	Unwritten bool // allocated but never written: reads as zeros
}

// An ExtentIndex names the node that maps a file from FileBlock on: struct
// ext4_extent_idx.
type ExtentIndex struct {
	FileBlock uint32
	Child     Block
}

// An ExtentNode is one node of an extent tree. Its records are decoded one by
// one, by Extent in a leaf and by Index elsewhere.
type ExtentNode struct {
	ExtentHeader
	b   []byte
	off int64
}

// IsExtentNode reports whether b begins as a node of an extent tree does.
func IsExtentNode(b []byte) bool { return len(b) >= extentRecLen && le.Uint16(b) == extentMagic }

// DecodeExtentNode checks the header of the node in b: a whole block, or the 60
// bytes of i_block. The first byte of b lies at byte off of the file system.
// The error is a *CorruptError; after one that is not about length or magic,
// the node still holds the records that lie inside b.
func DecodeExtentNode(b []byte, off int64) (ExtentNode, error) {
	n := ExtentNode{b: b, off: off}
	if len(b) < extentRecLen {
		return n, &CorruptError{"extent node", "length", off, uint64(len(b))}
	}
	magic := le.Uint16(b[0x0:]) // eh_magic
	if magic != extentMagic {
		return n, &CorruptError{"extent node", "eh_magic", off, uint64(magic)}
	}
	n.ExtentHeader = ExtentHeader{
		Entries:    le.Uint16(b[0x2:]), // eh_entries
		Max:        le.Uint16(b[0x4:]), // eh_max
		Depth:      le.Uint16(b[0x6:]), // eh_depth
		Generation: le.Uint32(b[0x8:]), // eh_generation
	}
	room := len(b)/extentRecLen - 1
	switch {
	case n.Max == 0 || int(n.Max) > room:
		err := &CorruptError{"extent node", "eh_max", off + 4, uint64(n.Max)}
		n.Entries = min(n.Entries, uint16(room))
		return n, err
	case n.Entries > n.Max:
		err := &CorruptError{"extent node", "eh_entries", off + 2, uint64(n.Entries)}
		n.Entries = n.Max
		return n, err
	case n.Depth > MaxExtentDepth:
		return n, &CorruptError{"extent node", "eh_depth", off + 6, uint64(n.Depth)}
	}
	return n, nil
}

// RecordOffset is the byte of the file system where record i lies.
func (n *ExtentNode) RecordOffset(i int) int64 { return n.off + int64(i+1)*extentRecLen }

// Extent is record i of a leaf; i must be below Entries.
func (n *ExtentNode) Extent(i int) Extent { return DecodeExtent(n.b[(i+1)*extentRecLen:]) }

// DecodeExtent decodes the record of a leaf that b starts with, which is 12 bytes long.
func DecodeExtent(b []byte) Extent {
	b = b[:extentRecLen]
	e := Extent{
		FileBlock: le.Uint32(b[0x0:]),                                        // ee_block
		Len:       uint32(le.Uint16(b[0x4:])),                                // ee_len
		Start:     Block(le.Uint16(b[0x6:]))<<32 | Block(le.Uint32(b[0x8:])), // ee_start_hi, _lo
	}
	if e.Len > MaxWrittenLen {
		e.Len, e.Unwritten = e.Len-MaxWrittenLen, true
	}
	return e
}

// Index is record i of a node above the leaves; i must be below Entries.
func (n *ExtentNode) Index(i int) ExtentIndex {
	b := n.b[(i+1)*extentRecLen:][:extentRecLen]
	return ExtentIndex{
		FileBlock: le.Uint32(b[0x0:]),                                        // ei_block
		Child:     Block(le.Uint32(b[0x4:])) | Block(le.Uint16(b[0x8:]))<<32, // ei_leaf_lo, _hi
	}
}

// ExtentChecksum gives the checksum stored behind the records of a node in a
// block of its own (struct ext4_extent_tail), and the one computed from seed,
// the inode's. ok is false where eh_max leaves no room for one.
func ExtentChecksum(b []byte, seed uint32) (stored, computed uint32, ok bool) {
	if len(b) < extentRecLen {
		return 0, 0, false
	}
	end := (int(le.Uint16(b[0x4:])) + 1) * extentRecLen
	if end+4 > len(b) {
		return 0, 0, false
	}
	return le.Uint32(b[end:]), CRC32C(seed, b[:end]), true
}

// Room is how many records the node's bytes have room for.
func (n *ExtentNode) Room() int { return len(n.b)/extentRecLen - 1 }
