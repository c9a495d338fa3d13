package replay

import (
	"cmp"
	"errors"
	"slices"

	"github.com/extscope/extscope/ext/layout"
)

// A hashed is a record of a leaf with the hash of its name.
type hashed struct {
	layout.Dirent
	hash uint32
}

// splitLeaf moves the upper half of a leaf, by hash, to a new block, and adds a name
// to the half where it belongs: do_split, fs/ext4/namei.c.
func (e *editor) splitLeaf(dir *inode, parent *frame, leaf *dirBlock, n name, hash uint32, version layout.HashVersion) error {
	format := e.format(dir)
	var list []hashed
	old := slices.Clone(e.records(leaf.b))
	w := layout.NewDirBlock(old, leaf.off, format)
	for r := (layout.Dirent{}); w.Next(&r); {
		if r.Ino != 0 && len(r.Name) > 0 {
			list = append(list, hashed{r, e.hash(dir, version, r.Name)})
		}
	}
	if err := w.Err(); err != nil {
		return err
	}
	split := halve(list, len(leaf.b))
	if split == 0 {
		return errors.New("a leaf of the index that cannot be split")
	}
	upper, err := e.appendBlock(dir)
	if err != nil {
		return err
	}
	border := list[split].hash
	continued := uint32(0)
	if border == list[split-1].hash {
		continued = 1
	}
	fillRecords(e.records(upper.b), list[split:], old, format)
	rest := slices.Clone(list[:split])
	slices.SortFunc(rest, func(a, b hashed) int { return cmp.Compare(a.Offset, b.Offset) }) // dx_pack_dirents
	fillRecords(e.records(leaf.b), rest, old, format)
	target := leaf
	if hash >= border {
		target = upper
	}
	if err := putName(e.records(target.b), target.off, format, n); err != nil {
		return err
	}
	parent.node.Entries = slices.Insert(parent.node.Entries, parent.at+1, layout.DxEntry{Hash: border + continued, Block: upper.logical})
	if err := e.writeLeaf(dir, leaf); err != nil {
		return err
	}
	if err := e.writeLeaf(dir, upper); err != nil {
		return err
	}
	return e.writeIndex(dir, parent)
}

// halve sorts records by hash, and says which is the first of the upper half: half
// by size, gaps included, or by number where there is little.
func halve(list []hashed, blockSize int) int {
	slices.SortStableFunc(list, func(a, b hashed) int { return cmp.Compare(a.hash, b.hash) })
	size, i := 0, len(list)-1
	for ; i >= 0; i-- {
		if size+list[i].RecLen/2 > blockSize/2 {
			break
		}
		size += list[i].RecLen
	}
	if i >= 0 {
		return i + 1
	}
	return len(list) / 2
}

// fillRecords writes records close together; the last one takes what is left.
func fillRecords(b []byte, list []hashed, from []byte, format layout.DirFormat) {
	clear(b)
	at, last := 0, 0
	for _, r := range list {
		n := format.DirentLen(len(r.Name))
		copy(b[at:at+n], from[r.Offset:r.Offset+8+len(r.Name)])
		putRecLen(b[at:], n)
		last = at
		at += n
	}
	putRecLen(b[last:], len(b)-last)
}

// splitIndex makes room in the index: half of the lowest full node whose parent has
// room goes to a new node, or else the root's entries go a level down.
func (e *editor) splitIndex(dir *inode, frames []frame) error {
	i := len(frames) - 1
	for i > 0 && frames[i-1].full() {
		i--
	}
	levels := 2 // ext4_dir_htree_level
	if e.fs.Super.Incompat&layout.IncompatLargeDir != 0 {
		levels = 3
	}
	if i == 0 && len(frames) == levels {
		return errors.New("the index of the directory is full")
	}
	fresh, err := e.appendBlock(dir)
	if err != nil {
		return err
	}
	putRecLen(fresh.b, len(fresh.b)) // fake.rec_len
	node := frame{dirBlock: fresh, node: layout.DxNode{
		CountOffset: layout.DxNodeCountOffset,
		Limit:       uint16(layout.DxLimit(len(fresh.b), layout.DxNodeCountOffset, e.fs.Super.MetadataCsum(), false)),
	}}
	full := &frames[i]
	if i == 0 {
		node.node.Entries = slices.Clone(full.node.Entries)
		full.node.Entries = []layout.DxEntry{{Block: fresh.logical}}
		full.b[0x1e]++ // info.indirect_levels
	} else {
		half := len(full.node.Entries) / 2
		border := full.node.Entries[half].Hash
		node.node.Entries = slices.Clone(full.node.Entries[half:])
		full.node.Entries = full.node.Entries[:half]
		parent := &frames[i-1]
		parent.node.Entries = slices.Insert(parent.node.Entries, parent.at+1, layout.DxEntry{Hash: border, Block: fresh.logical})
		if err := e.writeIndex(dir, parent); err != nil {
			return err
		}
	}
	if len(node.node.Entries) > int(node.node.Limit) {
		return errBadIndex
	}
	if err := e.writeIndex(dir, &node); err != nil {
		return err
	}
	return e.writeIndex(dir, full)
}

// makeIndex turns a directory of one full block into one with an index, and adds a
// name: make_indexed_dir.
func (e *editor) makeIndex(dir *inode, first *dirBlock, n name) error {
	old := e.records(first.b)
	last := 0
	w := layout.NewDirBlock(old, first.off, e.format(dir))
	for r := (layout.Dirent{}); w.Next(&r); {
		last = r.Offset
	}
	if err := w.Err(); err != nil {
		return err
	}
	if recLen(first.b) != 12 || recLen(first.b[0xc:]) != 12 || last < 0x18 {
		return &layout.CorruptError{Struct: "directory", Field: "dotdot.rec_len", Offset: first.off + 0x10, Value: uint64(recLen(first.b[0xc:]))}
	}
	leaf, err := e.appendBlock(dir)
	if err != nil {
		return err
	}
	dir.setFlags(dir.flags() | layout.FlagIndex)
	copy(leaf.b, old[0x18:])
	putRecLen(leaf.b[last-0x18:], len(e.records(leaf.b))-(last-0x18))

	version := layout.HashVersion(e.fs.Super.DefHashVersion)
	if version > layout.HashTEA {
		return errBadIndex
	}
	clear(first.b[0x18:])
	putRecLen(first.b[0xc:], len(first.b)-12)
	first.b[0x1c] = uint8(version) // info.hash_version
	first.b[0x1d] = 8              // info.info_length
	root := &frame{dirBlock: first, node: layout.DxNode{
		CountOffset: layout.DxRootCountOffset,
		Limit:       uint16(layout.DxLimit(len(first.b), layout.DxRootCountOffset, e.fs.Super.MetadataCsum(), false)),
		Entries:     []layout.DxEntry{{Block: leaf.logical}},
	}}
	return e.splitLeaf(dir, root, leaf, n, e.hash(dir, version, n.bytes), version)
}
