package ext

import (
	"math"

	"github.com/extscope/extscope/ext/layout"
)

// A geometry holds the numbers of a checked superblock that turn block, group
// and inode numbers into each other and into bytes; nothing else converts.
type geometry struct {
	blockSize      int
	blockBits      uint
	firstDataBlock Block
	blocksPerGroup uint32
	inodesPerGroup uint32
	inodeSize      int
	descSize       int
	groupCount     uint32
	inodesCount    uint32
	blocksCount    uint64
	clusterBlocks  uint32 // blocks a bit of the block bitmap stands for
	superBlock     Block  // the block in which the primary superblock lies
}

func newGeometry(s *layout.Superblock) geometry {
	g := geometry{
		blockSize:      s.BlockSize(),
		blockBits:      10 + uint(s.LogBlockSize),
		firstDataBlock: Block(s.FirstDataBlock),
		blocksPerGroup: s.BlocksPerGroup,
		inodesPerGroup: s.InodesPerGroup,
		inodeSize:      int(s.InodeSize),
		descSize:       s.DescBytes(),
		blocksCount:    s.BlocksCount,
		clusterBlocks:  s.ClusterBlocks(),
		superBlock:     Block(layout.SuperblockOffset / s.BlockSize()),
	}
	// The last inode is named by s_inodes_count and by the number of groups;
	// where they differ, the smaller can be addressed.
	groups := min(s.Groups(), math.MaxUint32)
	g.inodesCount = uint32(min(groups*uint64(s.InodesPerGroup), uint64(s.InodesCount)))
	g.groupCount = uint32(groups)
	return g
}

// bytes is where block b starts. Block numbers have 48 bits and blocks 16, so
// it saturates rather than wraps.
func (g *geometry) bytes(b Block) int64 {
	if uint64(b) > uint64(math.MaxInt64)>>g.blockBits {
		return math.MaxInt64
	}
	return int64(b) << g.blockBits
}

// BlockOffset is where block b starts, in bytes; it saturates rather than wraps.
func (g *geometry) BlockOffset(b Block) int64 { return g.bytes(b) }

// BlockSize is the block size in bytes.
func (g *geometry) BlockSize() int { return g.blockSize }

// InodeSize is the size of an on-disk inode in bytes.
func (g *geometry) InodeSize() int { return g.inodeSize }

// InodesCount is the number of the last inode.
func (g *geometry) InodesCount() uint32 { return g.inodesCount }

// GroupCount is the number of block groups.
func (g *geometry) GroupCount() uint32 { return g.groupCount }

// ClusterBlocks is how many blocks one bit of a block bitmap stands for.
func (g *geometry) ClusterBlocks() uint32 { return g.clusterBlocks }

// InRange reports whether the file system has n blocks from b on.
func (g *geometry) InRange(b Block, n uint64) bool {
	return b >= g.firstDataBlock && uint64(b) < g.blocksCount && n <= g.blocksCount-uint64(b)
}

// GroupStart is the first block of a group.
func (g *geometry) GroupStart(group uint32) Block {
	return g.firstDataBlock + Block(uint64(group)*uint64(g.blocksPerGroup))
}

// GroupBlocks is how many blocks a group has; the last may have fewer.
func (g *geometry) GroupBlocks(group uint32) uint32 {
	start := uint64(g.GroupStart(group))
	if start >= g.blocksCount {
		return 0
	}
	return uint32(min(g.blocksCount-start, uint64(g.blocksPerGroup)))
}

// GroupOfBlock is the group that block b lies in.
func (g *geometry) GroupOfBlock(b Block) uint32 {
	if b < g.firstDataBlock {
		return 0
	}
	return uint32(uint64(b-g.firstDataBlock) / uint64(g.blocksPerGroup))
}

// GroupOfInode is the group whose inode table holds ino, and its place there.
func (g *geometry) GroupOfInode(ino Ino) (group, index uint32) {
	n := uint32(ino) - 1
	return n / g.inodesPerGroup, n % g.inodesPerGroup
}

// FirstInode is the number of the first inode of a group.
func (g *geometry) FirstInode(group uint32) Ino {
	return Ino(group*g.inodesPerGroup + 1)
}

// tableBlocks is how many blocks the inode table of a group takes.
func (g *geometry) tableBlocks() uint64 {
	bytes := uint64(g.inodesPerGroup) * uint64(g.inodeSize)
	return (bytes + uint64(g.blockSize) - 1) >> g.blockBits
}

// TableBlocks is how many blocks the inode table of a group takes.
func (g *geometry) TableBlocks() uint64 { return g.tableBlocks() }

// blocksFor is how many blocks hold n bytes.
func (g *geometry) blocksFor(n uint64) uint64 {
	blocks := n >> g.blockBits
	if n&uint64(g.blockSize-1) != 0 {
		blocks++
	}
	return blocks
}

// hasSuper reports whether a group holds a copy of the superblock
// (ext4_bg_has_super, fs/ext4/balloc.c).
func hasSuper(s *layout.Superblock, group uint32) bool {
	switch {
	case group == 0:
		return true
	case s.Compat&layout.CompatSparseSuper2 != 0:
		return group == s.BackupGroups[0] || group == s.BackupGroups[1]
	case group <= 1 || s.ROCompat&layout.ROCompatSparseSuper == 0:
		return true
	case group%2 == 0:
		return false
	}
	return isPower(group, 3) || isPower(group, 5) || isPower(group, 7)
}

func isPower(n, base uint32) bool {
	for n%base == 0 {
		n /= base
	}
	return n == 1
}
