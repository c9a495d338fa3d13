package replay

import (
	"cmp"
	"errors"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// errBadIndex is ERR_BAD_DX_DIR: the directory is to be read without its index.
var errBadIndex = errors.New("the directory's index is damaged")

// A frame is one index block on the way from the root to a leaf.
type frame struct {
	*dirBlock
	node layout.DxNode
	at   int // the entry that leads on
}

const dxEntry = 8 // sizeof(struct dx_entry)

// limit is how many entries fit.
func (f *frame) full() bool { return int(f.node.Count) >= int(f.node.Limit) }

// store puts the entries into the block's bytes.
func (f *frame) store() {
	at := f.node.CountOffset
	f.node.Count = uint16(len(f.node.Entries))
	le.PutUint16(f.b[at:], f.node.Limit)
	le.PutUint16(f.b[at+2:], f.node.Count)
	for i, x := range f.node.Entries {
		b := f.b[at+i*dxEntry:]
		le.PutUint32(b[0x4:], x.Block) // block
		if i > 0 {
			le.PutUint32(b[0x0:], x.Hash) // hash
		}
	}
}

func (e *editor) writeIndex(dir *inode, f *frame) error {
	f.store()
	if e.fs.Super.MetadataCsum() {
		if _, sum, ok := layout.DxChecksum(f.b, e.seed(dir), f.node.CountOffset); ok {
			le.PutUint32(f.b[f.node.CountOffset+int(f.node.Limit)*dxEntry+4:], sum) // dt_checksum
		}
	}
	return e.overlay.Patch(f.off, f.b)
}

// hash hashes a name as a directory's index orders it.
func (e *editor) hash(dir *inode, v layout.HashVersion, text []byte) uint32 {
	if e.fs.Super.Flags&layout.FlagUnsignedHash != 0 {
		v = v.Unsigned()
	}
	if dir.has(layout.FlagCasefold) {
		text = ext.FoldName(text)
	}
	h, _ := layout.DirHash(v, e.fs.Super.HashSeed, text)
	return h
}

// probe goes from the root of the index to the last inner node on the way to a
// name: dx_probe. It gives the hash of the name, too.
func (e *editor) probe(dir *inode, text []byte) ([]frame, uint32, layout.HashVersion, error) {
	fail := func(err error) ([]frame, uint32, layout.HashVersion, error) { return nil, 0, 0, err }
	d, err := e.readDir(dir, 0, true)
	if err != nil {
		return fail(err)
	}
	root, err := layout.DecodeDxRoot(d.b, d.off)
	deepest := uint8(1)
	if e.fs.Super.Incompat&layout.IncompatLargeDir != 0 {
		deepest = 2
	}
	if err != nil || root.HashVersion > layout.HashTEA || root.Levels > deepest {
		return fail(errBadIndex)
	}
	hash := e.hash(dir, root.HashVersion, text)
	frames := []frame{{d, root.DxNode, place(root.Entries, hash)}}
	for range root.Levels {
		last := frames[len(frames)-1]
		d, err := e.readDir(dir, last.node.Entries[last.at].Block, true)
		if err != nil {
			return fail(err)
		}
		node, err := layout.DecodeDxNode(d.b, d.off)
		if err != nil {
			return fail(errBadIndex)
		}
		frames = append(frames, frame{d, node, place(node.Entries, hash)})
	}
	return frames, hash, root.HashVersion, nil
}

// place is the entry of an index block that leads to a hash: the last one that is
// not above it.
func place(entries []layout.DxEntry, hash uint32) int {
	i, found := slices.BinarySearchFunc(entries[1:], hash, func(x layout.DxEntry, h uint32) int { return cmp.Compare(x.Hash, h) })
	if found {
		i++
	}
	return i
}

// findIndexed looks a name up by the index: ext4_dx_find_entry.
func (e *editor) findIndexed(dir *inode, text []byte) (*dirBlock, layout.Dirent, int, error) {
	fail := func(err error) (*dirBlock, layout.Dirent, int, error) { return nil, layout.Dirent{}, 0, err }
	if isDots(text) {
		d, err := e.readDir(dir, 0, true)
		if err != nil {
			return fail(err)
		}
		r, before, err := findName(d.b, d.off, e.format(dir), text)
		return d, r, before, err
	}
	frames, hash, _, err := e.probe(dir, text)
	if err != nil {
		return fail(err)
	}
	for {
		last := &frames[len(frames)-1]
		d, err := e.readDir(dir, last.node.Entries[last.at].Block, false)
		if err != nil {
			return fail(err)
		}
		r, before, err := findName(e.records(d.b), d.off, e.format(dir), text)
		if !errors.Is(err, errNoName) {
			return d, r, before, err
		}
		more, err := e.nextLeaf(dir, frames, hash)
		if err != nil {
			return fail(err)
		}
		if !more {
			return fail(errNoName)
		}
	}
}

// nextLeaf goes to the next leaf if a hash goes on there: ext4_htree_next_block.
func (e *editor) nextLeaf(dir *inode, frames []frame, hash uint32) (bool, error) {
	i := len(frames) - 1
	for ; ; i-- {
		if i < 0 {
			return false, nil
		}
		if frames[i].at++; frames[i].at < len(frames[i].node.Entries) {
			break
		}
	}
	if frames[i].node.Entries[frames[i].at].Hash&^1 != hash&^1 {
		return false, nil
	}
	for ; i < len(frames)-1; i++ {
		d, err := e.readDir(dir, frames[i].node.Entries[frames[i].at].Block, true)
		if err != nil {
			return false, err
		}
		node, err := layout.DecodeDxNode(d.b, d.off)
		if err != nil {
			return false, errBadIndex
		}
		frames[i+1] = frame{d, node, 0}
	}
	return true, nil
}

func isDots(text []byte) bool { return string(text) == "." || string(text) == ".." }

// addIndexed adds a name to an indexed directory, and splits what is full:
// ext4_dx_add_entry.
func (e *editor) addIndexed(dir *inode, n name) error {
	// Each time round an index block more has room: the levels bound them.
	for range 2 * 4 {
		frames, hash, version, err := e.probe(dir, n.bytes)
		if err != nil {
			return err
		}
		last := &frames[len(frames)-1]
		leaf, err := e.readDir(dir, last.node.Entries[last.at].Block, false)
		if err != nil {
			return err
		}
		err = putName(e.records(leaf.b), leaf.off, e.format(dir), n)
		if err == nil {
			return e.writeLeaf(dir, leaf)
		}
		if !errors.Is(err, errNoRoom) {
			return err
		}
		if !last.full() {
			return e.splitLeaf(dir, last, leaf, n, hash, version)
		}
		if err := e.splitIndex(dir, frames); err != nil {
			return err
		}
	}
	return errBadIndex
}
