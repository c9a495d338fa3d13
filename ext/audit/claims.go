package audit

import (
	"math/bits"
	"sync/atomic"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// Claims hold which clusters are said to be in use, by whomever, and which of
// them more than once. A cluster is a block but under bigalloc.
type claims struct {
	fs      *ext.FS
	ratio   uint64  // blocks of a cluster
	shift   uint    // log2 of that
	used    *bitSet // by metadata or an inode
	meta    *bitSet // by the file system's own metadata
	twice   *bitSet // more than once
	doubled atomic.Bool
	first   uint64 // the block that the first bit of the first group's bitmap stands for
	shares  bool   // blocks may be shared
}

// maxClusters bounds how many clusters are kept account of: more than any image
// that was made so far has.
const maxClusters = 1 << 36

func newClaims(f *ext.FS) *claims {
	c := &claims{fs: f, ratio: uint64(f.ClusterBlocks())}
	c.shift = uint(bits.TrailingZeros64(c.ratio))
	c.first = uint64(f.Super.FirstDataBlock)
	c.shares = f.Super.ROCompat&layout.ROCompatSharedBlocks != 0
	blocks := min(f.Super.BlocksCount, uint64(f.Size())/uint64(f.BlockSize())+1)
	n := min((blocks-min(blocks, c.first)+c.ratio-1)/c.ratio, maxClusters)
	c.used, c.meta, c.twice = newBitSet(n), newBitSet(n), newBitSet(n)
	return c
}

// clusters gives the clusters that n blocks from b on lie in; they are in range.
func (c *claims) clusters(b ext.Block, n uint64) (first, count uint64) {
	from := uint64(b) - c.first
	first = from >> c.shift
	return first, (from+n-1)>>c.shift - first + 1
}

// claim enters n blocks of an inode from b on, which are in range. Where they
// begin in the cluster that the claim before ended in, it is not claimed anew:
// prev is the last block of that one, or 0. It gives how many clusters are new.
func (c *claims) claim(b ext.Block, n uint64, prev ext.Block) uint64 {
	first, count := c.clusters(b, n)
	if c.ratio > 1 && prev != 0 {
		if last, _ := c.clusters(prev, 1); last == first {
			first++
			count--
		}
	}
	if count > 0 {
		c.used.add(first, count, c)
	}
	return count
}

// double enters clusters that were claimed before.
func (c *claims) double(word, mask uint64) {
	if c.shares {
		return
	}
	c.twice.addWord(word, mask)
	if !c.doubled.Load() {
		c.doubled.Store(true)
	}
}

// conflict enters a block as claimed more than once, whoever else claims it.
func (c *claims) conflict(b ext.Block) {
	first, _ := c.clusters(b, 1)
	c.used.add(first, 1, nil)
	c.twice.add(first, 1, nil)
	c.doubled.Store(true)
}

// own enters metadata, which lies where it lies: that runs of it overlap is told
// where they are compared with each other.
func (c *claims) own(b ext.Block, n uint64) {
	first, count := c.clusters(b, n)
	c.used.add(first, count, nil)
	c.meta.add(first, count, nil)
}

// quiet enters blocks whose owner may share them.
func (c *claims) quiet(b ext.Block, n uint64) {
	first, count := c.clusters(b, n)
	c.used.add(first, count, nil)
}

// isMeta reports whether a block is the file system's own.
func (c *claims) isMeta(b ext.Block) bool {
	first, _ := c.clusters(b, 1)
	return c.meta.has(first)
}
