package audit

import (
	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
)

// dxNotes gather what one worker meets of directory indexes.
type dxNotes struct {
	blocks []dxBlock
	refs   []dxRef

	// The leaf at hand.
	leaf    bool
	version layout.HashVersion
	fold    bool
	hashes  []uint32 // that its names have by themselves, HashSipHash
	names   [][]byte // or else these: to hash one behind the other is faster than as they come
}

// Kinds of a directory block, by its place in the index.
const (
	dxLeaf = iota
	dxNode
	dxRoot
)

// A dxBlock is one block of an indexed directory, and the range of the hashes in
// it.
type dxBlock struct {
	dir      ext.Ino
	logical  uint32
	physical ext.Block
	min, max uint32 // max is below min where there are none
	kind     uint8
	levels   uint8 // of a root, how many are below it; then leaves
}

// A dxRef is one entry of an index: the block that it leads to, and the range
// of hashes that block is for.
type dxRef struct {
	dir           ext.Ino
	parent, child uint32
	previous      uint32 // the block of the entry before, 0 for none
	from, to      uint32
	first, last   bool // of its block
}

// index judges a block of an indexed directory by itself, and notes what it says
// of others.
func (w *worker) index(b *links.Block, d *dirInfo) {
	w.tree.leaf = false
	if b.Inline || d == nil || !d.indexed || w.a.skip(BadHtree) {
		return
	}
	note := dxBlock{dir: b.Dir, logical: b.Logical, physical: b.Physical, min: ^uint32(0)}
	switch {
	case b.Logical == 0:
		note.kind = dxRoot
		root, err := layout.DecodeDxRoot(b.Bytes, b.Offset)
		if err != nil {
			w.a.addError(b.Dir, err)
		}
		note.levels = root.Levels
		w.root(b, root)
		if err == nil {
			w.entries(b, d, root.DxNode, layout.DxRootCountOffset)
		}
	case w.inner(b):
		note.kind = dxNode
		node, err := layout.DecodeDxNode(b.Bytes, b.Offset)
		if err != nil {
			w.a.addError(b.Dir, err)
		} else {
			w.entries(b, d, node, layout.DxNodeCountOffset)
		}
	default:
		w.tree.leaf = true
		w.tree.version, w.tree.fold = d.version, b.Flags&layout.FlagCasefold != 0
	}
	w.tree.blocks = append(w.tree.blocks, note)
}

// inner reports whether a block is an inner node: one unused record over all of
// it, and the limit that such a node has.
func (w *worker) inner(b *links.Block) bool {
	at := ext.DxCountOffset(b.Bytes, b.Flags|layout.FlagIndex, b.Logical)
	return at == layout.DxNodeCountOffset && b.Bytes[6] == 0 && int(le.Uint16(b.Bytes[at:])) == w.limit(b, at)
}

func (w *worker) limit(b *links.Block, at int) int {
	const both = layout.FlagEncrypt | layout.FlagCasefold
	return layout.DxLimit(len(b.Bytes), at, w.a.fs.Super.MetadataCsum(), b.Flags&both == both)
}

func (w *worker) badIndex(b *links.Block, at int, format string, args ...any) {
	w.a.add(Finding{Kind: BadHtree, Ino: b.Dir, HasBlock: true, Block: b.Physical, Offset: b.Offset + int64(at),
		Detail: sprintf("directory index, block %d of the directory: ", b.Logical) + sprintf(format, args...)})
}

// root judges what the root of an index says of the whole.
func (w *worker) root(b *links.Block, root layout.DxRoot) {
	most := uint8(1) // ext4_dir_htree_level, less one
	if w.a.fs.Super.Incompat&layout.IncompatLargeDir != 0 {
		most = 2
	}
	if root.Levels > most {
		w.badIndex(b, 0x1e, "%d levels, and at most %d can be", root.Levels, most)
		w.largeDir = w.largeDir || root.Levels > 2 // which nothing has without large_dir
	}
	const both = layout.FlagEncrypt | layout.FlagCasefold
	switch v := root.HashVersion; {
	case v > layout.HashTEA && v != layout.HashSipHash:
		w.badIndex(b, 0x1c, "its hash version is %d", v)
	case (v == layout.HashSipHash) != (b.Flags&both == both):
		w.badIndex(b, 0x1c, "its hash is %s, which is for directories that are casefolded and encrypted, and for no others", v)
	}
	if root.UnusedFlags&1 != 0 {
		w.badIndex(b, 0x1f, "flags %#x are set", root.UnusedFlags)
	}
}

// entries judges the entries of a root or an inner node, and notes where they
// lead.
func (w *worker) entries(b *links.Block, d *dirInfo, node layout.DxNode, at int) {
	if want := w.limit(b, at); int(node.Limit) != want {
		w.badIndex(b, at, "room for %d entries is claimed, and there is room for %d", node.Limit, want)
	}
	for i, e := range node.Entries {
		hash := e.Hash &^ 1
		switch {
		case e.Block >= d.blocks:
			w.badIndex(b, at+8*i+4, "entry %d leads to block %d of the directory's %d", i, e.Block, d.blocks)
			continue
		case i > 0 && hash < node.Entries[i-1].Hash&^1:
			w.badIndex(b, at+8*i, "the hash of entry %d, %#x, is less than the one before it", i, e.Hash)
		}
		r := dxRef{dir: b.Dir, parent: b.Logical, child: e.Block, from: hash, to: 0xfffffffe, first: i == 0, last: true}
		if i > 0 {
			r.previous = node.Entries[i-1].Block
		}
		if i+1 < len(node.Entries) {
			r.to, r.last = node.Entries[i+1].Hash&^1, false
		}
		w.tree.refs = append(w.tree.refs, r)
	}
}

// name takes a name of the leaf at hand; its bytes hold until leafDone.
func (n *dxNotes) name(e *layout.Dirent) {
	if n.version == layout.HashSipHash {
		n.hashes = append(n.hashes, uint32(e.Hash))
	} else {
		n.names = append(n.names, e.Name)
	}
}

// leafDone notes the range of the leaf at hand.
func (n *dxNotes) leafDone(seed [4]uint32) {
	if !n.leaf {
		return
	}
	if n.fold {
		for i, name := range n.names {
			n.names[i] = ext.FoldName(name)
		}
	}
	n.hashes = layout.AppendDirHashes(n.hashes, n.version, seed, n.names)
	last := &n.blocks[len(n.blocks)-1]
	last.min, last.max = ^uint32(0), 0
	for _, h := range n.hashes {
		last.min, last.max = min(last.min, h), max(last.max, h)
	}
	n.leaf, n.names, n.hashes = false, n.names[:0], n.hashes[:0]
}
