package audit

import (
	"fmt"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
)

// A dxLevels is what one block of a directory says of the height of its index.
type dxLevels struct {
	dir    ext.Ino
	block  ext.Block
	levels uint8 // of a root
	node   bool  // an inner node
}

// index judges a block of a directory's index by itself.
func (w *worker) index(b *links.Block) {
	a := w.a
	if b.Inline || b.Flags&layout.FlagIndex == 0 || a.skip(BadHtree) {
		return
	}
	at := ext.DxCountOffset(b.Bytes, b.Flags, b.Logical)
	bad := func(offset int, format string, args ...any) {
		a.add(Finding{Kind: BadHtree, Ino: b.Dir, HasBlock: true, Block: b.Physical, Offset: b.Offset + int64(offset),
			Detail: fmt.Sprintf("directory index, block %d of the directory: ", b.Logical) + fmt.Sprintf(format, args...)})
	}
	var node layout.DxNode
	var err error
	switch at {
	case 0:
		return
	case layout.DxRootCountOffset:
		var root layout.DxRoot
		root, err = layout.DecodeDxRoot(b.Bytes, b.Offset)
		node = root.DxNode
		most := uint8(1) // ext4_dir_htree_level, less one
		if a.fs.Super.Incompat&layout.IncompatLargeDir != 0 {
			most = 2
		}
		if err == nil && root.Levels > most {
			bad(0x1e, "%d levels, and at most %d can be", root.Levels, most)
		} else if err == nil && root.Levels > 0 {
			w.levels = append(w.levels, dxLevels{b.Dir, b.Physical, root.Levels, false})
		}
	default:
		node, err = layout.DecodeDxNode(b.Bytes, b.Offset)
		w.levels = append(w.levels, dxLevels{b.Dir, b.Physical, 0, true})
	}
	if err != nil {
		a.addError(b.Dir, err)
		return
	}
	const both = layout.FlagEncrypt | layout.FlagCasefold
	if want := layout.DxLimit(len(b.Bytes), at, a.fs.Super.MetadataCsum(), b.Flags&both == both); int(node.Limit) != want {
		bad(at, "room for %d entries is claimed, and there is room for %d", node.Limit, want)
	}
	blocks := uint64(1 << 32)
	if dir, err := a.fs.Inode(b.Dir); err == nil {
		blocks = dir.Size() / uint64(a.fs.BlockSize())
	}
	for i, e := range node.Entries {
		switch {
		case e.Block == 0 || uint64(e.Block) >= blocks:
			bad(at+8*i+4, "entry %d leads to block %d of the directory's %d", i, e.Block, blocks)
		case i > 0 && e.Hash < node.Entries[i-1].Hash:
			bad(at+8*i, "the hash of entry %d, %#x, is less than the one before it", i, e.Hash)
		}
	}
}

// heights compares the height that the root of an index gives with the inner
// nodes that were met.
func (a *auditor) heights() {
	roots, nodes := map[ext.Ino]dxLevels{}, map[ext.Ino]dxLevels{}
	for _, w := range a.workers {
		for _, l := range w.levels {
			if !l.node {
				roots[l.dir] = l
			} else if n, ok := nodes[l.dir]; !ok || l.block < n.block {
				nodes[l.dir] = l
			}
		}
		w.levels = nil
	}
	for dir, root := range roots {
		if _, ok := nodes[dir]; !ok {
			a.add(Finding{Kind: BadHtree, Ino: dir, HasBlock: true, Block: root.block, Offset: a.fs.BlockOffset(root.block) + 0x1e,
				Detail: fmt.Sprintf("directory index: %d levels, and no inner node", root.levels)})
		}
	}
	for dir, node := range nodes {
		if _, ok := roots[dir]; !ok {
			a.add(Finding{Kind: BadHtree, Ino: dir, HasBlock: true, Block: node.block, Offset: a.fs.BlockOffset(node.block),
				Detail: "directory index: an inner node, and the root has no level for it"})
		}
	}
}
