package replay

import (
	"errors"

	"github.com/extscope/extscope/ext"
)

var errFull = errors.New("no free block is left")

// alloc takes a free block, the first from goal on, group by group:
// ext4_mb_new_blocks_simple, fs/ext4/mballoc.c.
func (e *editor) alloc(goal ext.Block) (ext.Block, error) {
	if !e.fs.InRange(goal, 1) || e.fs.InBootBlock(goal) {
		goal = ext.Block(e.fs.Super.FirstDataBlock)
	}
	cluster := ext.Block(e.fs.ClusterBlocks())
	number := e.fs.GroupOfBlock(goal)
	from := uint32(goal-e.fs.GroupStart(number)) / uint32(cluster)
	for range e.fs.GroupCount() {
		if err := e.spend(len(e.inUse.list) / 16); err != nil {
			return 0, err
		}
		g, err := e.blockBitmap(number)
		if err != nil {
			return 0, err
		}
		start, n := e.fs.GroupStart(number), min(e.bits(number), uint32(len(g.blocks)*8))
		for i := from; i < n; i++ {
			if err := e.spend(0); err != nil {
				return 0, err
			}
			if g.blocks[i/8]>>(i%8)&1 != 0 {
				continue
			}
			b := start + ext.Block(i)*cluster
			if free := e.inUse.next(b); free != b {
				i = uint32(max((free-start-1)/cluster, ext.Block(i)))
				continue
			}
			return b, e.setUsed(b, 1, true)
		}
		from = 0
		if number++; number >= e.fs.GroupCount() {
			number = 0
		}
	}
	return 0, errFull
}

// goal is where blocks of an inode are looked for: behind what is mapped before
// it, or in the inode's own group, since replay comes before the kernel knows of
// flex groups (ext4_ext_find_goal, ext4_inode_to_goal_block).
func (e *editor) goal(in *inode, block uint32) ext.Block {
	for i := len(in.extents) - 1; i >= 0; i-- {
		if x := in.extents[i]; x.FileBlock <= block {
			return x.Start + ext.Block(block-x.FileBlock)
		}
	}
	number, _ := e.fs.GroupOfInode(in.ino)
	return e.fs.GroupStart(number)
}

// nodeGoal is the same for a node of the map: the first one is looked for in the
// inode's group (ext4_ext_grow_indepth).
func (e *editor) nodeGoal(in *inode, block uint32) ext.Block {
	if len(in.nodes) == 0 {
		number, _ := e.fs.GroupOfInode(in.ino)
		return e.fs.GroupStart(number)
	}
	return e.goal(in, block)
}
