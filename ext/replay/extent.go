package replay

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

const (
	extentMagic  = 0xf30a // EXT4_EXT_MAGIC
	rootExtents  = 4      // that fit into i_block
	extentRecord = 12
	maxUnwritten = layout.MaxWrittenLen - 1 // EXT_UNWRITTEN_MAX_LEN
)

// loadMap reads the extents of an inode.
func (e *editor) loadMap(in *inode) error {
	if in.mapped {
		return nil
	}
	if !in.has(layout.FlagExtents) {
		return &ext.UnsupportedError{What: fmt.Sprintf("inode %d: changing a map without extents", in.ino)}
	}
	in.extents, in.nodes = nil, nil
	full := e.fs.DecodeInode(in.raw, in.ino, in.off)
	for r, err := range e.fs.MapWithin(full, e.nodes) {
		switch {
		case err != nil:
			return err
		case r.Kind == ext.Index:
			in.nodes = append(in.nodes, r.Physical)
		case len(in.extents) > 0 && uint64(in.extents[len(in.extents)-1].FileBlock)+uint64(in.extents[len(in.extents)-1].Len) > r.Logical:
			return &layout.CorruptError{Struct: "extent", Field: "ee_block", Offset: in.off + 0x28, Value: r.Logical}
		default:
			if e.extents++; e.extents > maxExtents {
				return errTooBig
			}
			in.extents = append(in.extents, layout.Extent{FileBlock: uint32(r.Logical), Len: uint32(r.Len), Start: r.Physical, Unwritten: r.Kind == ext.Unwritten})
		}
	}
	in.mapped = true
	return nil
}

// dropMap clears the bits of all blocks of an inode, and keeps the allocator from
// them: ext4_ext_clear_bb.
func (e *editor) dropMap(in *inode) error {
	for _, x := range in.extents {
		if err := e.setUsed(x.Start, x.Len, false); err != nil {
			return err
		}
		e.inUse.add(x.Start, x.Len)
	}
	for _, b := range in.nodes {
		if err := e.setUsed(b, 1, false); err != nil {
			return err
		}
		e.inUse.add(b, 1)
	}
	return nil
}

// physical is the block that holds a file block, or 0.
func (in *inode) physical(block uint32) ext.Block {
	i, found := slices.BinarySearchFunc(in.extents, block, func(x layout.Extent, b uint32) int { return cmp.Compare(x.FileBlock, b) })
	if !found {
		i--
	}
	if i < 0 || in.extents[i].Unwritten || block-in.extents[i].FileBlock >= in.extents[i].Len {
		return 0
	}
	return in.extents[i].Start + ext.Block(block-in.extents[i].FileBlock)
}

// cut takes the file blocks from, inclusive, to, exclusive, out of the map, and
// clears their bits, but not those of the blocks they are mapped to in keep.
func (e *editor) cut(in *inode, from, to uint64, keep *layout.Extent) error {
	first, _ := slices.BinarySearchFunc(in.extents, from, func(x layout.Extent, b uint64) int {
		return cmp.Compare(uint64(x.FileBlock)+uint64(x.Len), b+1)
	})
	last := first
	var rest []layout.Extent
	for ; last < len(in.extents) && uint64(in.extents[last].FileBlock) < to; last++ {
		x := in.extents[last]
		start, end := uint64(x.FileBlock), uint64(x.FileBlock)+uint64(x.Len)
		a, b := max(start, from), min(end, to)
		if start < a {
			rest = append(rest, layout.Extent{FileBlock: x.FileBlock, Len: uint32(a - start), Start: x.Start, Unwritten: x.Unwritten})
		}
		if end > b {
			rest = append(rest, layout.Extent{FileBlock: uint32(b), Len: uint32(end - b), Start: x.Start + ext.Block(b-start), Unwritten: x.Unwritten})
		}
		gone := x.Start + ext.Block(a-start)
		if keep == nil || gone != keep.Start+ext.Block(a-uint64(keep.FileBlock)) {
			if err := e.setUsed(gone, uint32(b-a), false); err != nil {
				return err
			}
		}
	}
	if last == first {
		return nil
	}
	in.mapDirty, in.dirty = true, true
	return e.replace(in, first, last, rest...)
}

// replace puts extents in place of those from first, inclusive, to last, exclusive.
func (e *editor) replace(in *inode, first, last int, by ...layout.Extent) error {
	e.extents += len(by) - (last - first)
	if e.extents > maxExtents {
		return errTooBig
	}
	in.extents = slices.Replace(in.extents, first, last, by...)
	if err := e.spend(len(in.extents) - first); err != nil {
		return err
	}
	// Nodes are taken as soon as they are needed, as what is free changes.
	for treeNodes(len(in.extents), e.nodeRoom()) > len(in.nodes) {
		b, err := e.alloc(e.nodeGoal(in, in.extents[first].FileBlock))
		if err != nil {
			return err
		}
		in.nodes = append(in.nodes, b)
	}
	return nil
}

// nodeRoom is how many records fit into a node in a block of its own.
func (e *editor) nodeRoom() int { return (e.fs.BlockSize() - extentRecord) / extentRecord }

// treeNodes is how many nodes writeTree makes.
func treeNodes(records, room int) (n int) {
	for records > rootExtents {
		records = (records + room - 1) / room
		n += records
	}
	return n
}

// put maps file blocks to disk blocks, in place of what they were mapped to.
func (e *editor) put(in *inode, x layout.Extent) error {
	if err := e.cut(in, uint64(x.FileBlock), uint64(x.FileBlock)+uint64(x.Len), &x); err != nil {
		return err
	}
	i, _ := slices.BinarySearchFunc(in.extents, x.FileBlock, func(y layout.Extent, b uint32) int { return cmp.Compare(y.FileBlock, b) })
	first, last := i, i
	if i > 0 && joins(in.extents[i-1], x) {
		first--
		x = join(in.extents[first], x)
	}
	if i < len(in.extents) && joins(x, in.extents[i]) {
		x = join(x, in.extents[i])
		last++
	}
	in.mapDirty, in.dirty = true, true
	return e.replace(in, first, last, x)
}

// joins reports whether b goes on where a ends: ext4_can_extents_be_merged.
func joins(a, b layout.Extent) bool {
	limit := uint32(layout.MaxWrittenLen)
	if a.Unwritten {
		limit = maxUnwritten
	}
	return a.Unwritten == b.Unwritten && uint64(a.FileBlock)+uint64(a.Len) == uint64(b.FileBlock) &&
		a.Start+ext.Block(a.Len) == b.Start && a.Len+b.Len <= limit
}

func join(a, b layout.Extent) layout.Extent {
	a.Len += b.Len
	return a
}

// writeTree writes the map of an inode: into i_block, or into as few full nodes as
// it takes. What is left of the nodes it had is free.
func (e *editor) writeTree(in *inode) error {
	if !in.mapDirty || !in.mapped {
		return nil
	}
	in.mapDirty = false
	old := in.nodes
	in.nodes = nil
	var records [][]byte
	for _, x := range in.extents {
		records = append(records, encodeExtent(x))
	}
	room := e.nodeRoom()
	depth := uint16(0)
	for ; len(records) > rootExtents; depth++ {
		var parents [][]byte
		for part := range slices.Chunk(records, room) {
			if len(old) == 0 {
				return errTooBig // never so: replace takes what is needed
			}
			b := old[0]
			old = old[1:]
			in.nodes = append(in.nodes, b)
			if err := e.writeNode(in, b, part, room, depth); err != nil {
				return err
			}
			index := make([]byte, extentRecord)
			copy(index, part[0][:4])                 // ei_block
			le.PutUint32(index[0x4:], uint32(b))     // ei_leaf_lo
			le.PutUint16(index[0x8:], uint16(b>>32)) // ei_leaf_hi
			parents = append(parents, index)
		}
		records = parents
	}
	for _, b := range old {
		if err := e.setUsed(b, 1, false); err != nil {
			return err
		}
	}
	fillNode(in.block(), records, rootExtents, depth)
	in.dirty = true
	return nil
}

func (e *editor) writeNode(in *inode, b ext.Block, records [][]byte, room int, depth uint16) error {
	buf := make([]byte, e.fs.BlockSize())
	fillNode(buf, records, room, depth)
	if e.fs.Super.MetadataCsum() {
		if _, sum, ok := layout.ExtentChecksum(buf, e.seed(in)); ok {
			le.PutUint32(buf[(room+1)*extentRecord:], sum) // et_checksum
		}
	}
	return e.overlay.Patch(e.fs.BlockOffset(b), buf)
}

// fillNode writes a node of an extent tree; eh_generation stays.
func fillNode(b []byte, records [][]byte, room int, depth uint16) {
	le.PutUint16(b[0x0:], extentMagic)          // eh_magic
	le.PutUint16(b[0x2:], uint16(len(records))) // eh_entries
	le.PutUint16(b[0x4:], uint16(room))         // eh_max
	le.PutUint16(b[0x6:], depth)                // eh_depth
	at := extentRecord
	for _, r := range records {
		at += copy(b[at:], r)
	}
	clear(b[at : (room+1)*extentRecord])
}

func encodeExtent(x layout.Extent) []byte {
	b := make([]byte, extentRecord)
	n := x.Len
	if x.Unwritten {
		n += layout.MaxWrittenLen
	}
	le.PutUint32(b[0x0:], x.FileBlock)         // ee_block
	le.PutUint16(b[0x4:], uint16(n))           // ee_len
	le.PutUint16(b[0x6:], uint16(x.Start>>32)) // ee_start_hi
	le.PutUint32(b[0x8:], uint32(x.Start))     // ee_start_lo
	return b
}
