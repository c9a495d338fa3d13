package ext

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/extscope/extscope/ext/layout"
)

// scanStep is how many bytes a scan reads at once.
const scanStep = 128 << 10

// sumStep is how many bytes of inodes are summed at once.
const sumStep = 4 << 10

// Workers is how many goroutines a scan uses: one a core, at most 16.
func Workers() int { return min(runtime.GOMAXPROCS(0), 16) }

// Parallel runs n tasks, in about the order of their numbers, on all cores, until done or
// until ctx ends. start is called once by each worker, numbered below Workers, and gives
// what runs a task.
func Parallel(ctx context.Context, n int, start func(worker int) func(task int)) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range min(Workers(), n) {
		wg.Go(func() {
			work := start(w)
			for ctx.Err() == nil {
				task := int(next.Add(1)) - 1
				if task >= n {
					return
				}
				work(task)
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// ScanInodes reads the inode tables once, in disk order, in large reads, on all
// cores, and hands every inode that is not all zeros to visit, several at a
// time; worker, below Workers, tells whose call it is. in and its Raw are valid
// during the call only. Tables that are not in use, and the tails of tables
// that never were, are not read. Inodes that could not be read are given to
// lost, a run at a time, which may be called from several workers too.
func (f *FS) ScanInodes(ctx context.Context, visit func(worker int, in *Inode), lost func(first Ino, count uint32, err error)) error {
	return f.ScanRawInodes(ctx, nil, visit, lost)
}

// ScanRawInodes is ScanInodes where skip, unless it is nil, gets the bytes of each inode
// first whose checksum holds: those for which it gives true are not decoded.
func (f *FS) ScanRawInodes(ctx context.Context, skip func(worker int, ino Ino, raw []byte) bool, visit func(worker int, in *Inode),
	lost func(first Ino, count uint32, err error)) error {
	type task struct {
		first Ino
		off   int64
		count uint32
	}
	perRead := uint32(max(scanStep/f.inodeSize, 1))
	var tasks []task
	for g := range f.Groups() {
		used := f.UsedInodes(g)
		if used == 0 {
			continue
		}
		off := f.bytes(f.Group(g).InodeTable)
		for at := uint32(0); at < used; at += perRead {
			tasks = append(tasks, task{f.FirstInode(g) + Ino(at), off + int64(at)*int64(f.inodeSize), min(used-at, perRead)})
		}
	}
	slices.SortFunc(tasks, func(a, b task) int { return cmp.Compare(a.off, b.off) })
	summed := f.Super.MetadataCsum()
	return Parallel(ctx, len(tasks), func(w int) func(int) {
		buf := make([]byte, int(perRead)*f.inodeSize)
		in, sums := new(Inode), layout.NewInodeSums(f.seed, f.inodeSize)
		together := max(sumStep/f.inodeSize, 1) * f.inodeSize
		return func(i int) {
			t := tasks[i]
			b := buf[:int(t.count)*f.inodeSize]
			n, err := f.r.ReadAt(b, t.off)
			if n < len(b) {
				if err == nil {
					err = context.Cause(ctx)
				}
				whole := uint32(n / f.inodeSize)
				lost(t.first+Ino(whole), t.count-whole, &ReadError{t.off + int64(n), len(b) - n, err})
				b = b[:int(whole)*f.inodeSize]
			}
			sound := false // are the checksums of this inode and of others that lie with it
			for at := 0; at < len(b); at += f.inodeSize {
				if summed && at%together == 0 {
					sound = sums.HoldAll(b[at:min(at+together, len(b))], t.first+Ino(at/f.inodeSize))
				}
				raw := b[at:][:f.inodeSize:f.inodeSize]
				if layout.AllZero(raw) {
					continue
				}
				ino := t.first + Ino(at/f.inodeSize)
				holds := !summed || sound || sums.Hold(raw, ino)
				if holds && skip != nil && skip(w, ino, raw) {
					continue
				}
				f.decodeFields(in, raw, ino, t.off+int64(at))
				in.ChecksumOK = holds
				visit(w, in)
			}
		}
	})
}

// A DirBlock names one block of a directory.
type DirBlock struct {
	Physical Block
	Dir      Ino
	Logical  uint32
}

// Compare is the order on disk.
func (a DirBlock) Compare(b DirBlock) int {
	if c := cmp.Compare(a.Physical, b.Physical); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Dir, b.Dir); c != 0 {
		return c
	}
	return cmp.Compare(a.Logical, b.Logical)
}

// DirBlocks appends the blocks of a directory that its size reaches, until list
// is longer than limit or nodes exhausted. Damage of the map goes to fail.
func (f *FS) DirBlocks(list []DirBlock, dir *Inode, limit int, nodes *NodeBudget, fail func(error)) []DirBlock {
	return f.dirBlocks(list, dir, limit, nodes, f.blocksFor(dir.size), fail)
}

// MappedDirBlocks does the same for all blocks that are mapped: where the size of
// a directory is wrong, its names are there all the same.
func (f *FS) MappedDirBlocks(list []DirBlock, dir *Inode, limit int, nodes *NodeBudget, fail func(error)) []DirBlock {
	return f.dirBlocks(list, dir, limit, nodes, maxFileBlocks, fail)
}

func (f *FS) dirBlocks(list []DirBlock, dir *Inode, limit int, nodes *NodeBudget, to uint64, fail func(error)) []DirBlock {
	end := f.blocksFor(dir.size)
	var few [4]Run
	if runs, ok := f.AppendSimple(few[:0], dir); ok && len(runs) == 1 && runs[0].Logical == 0 && runs[0].Len >= end && runs[0].Kind == Data {
		for i := range min(runs[0].Len, to, uint64(limit)+1) {
			list = Push(list, DirBlock{runs[0].Physical + Block(i), dir.Ino, uint32(i)})
		}
		return list
	}
	return f.dirRuns(list, dir, limit, nodes, to, end, fail)
}

// dirRuns is dirBlocks for a map of any form, of a directory that ends at block end.
func (f *FS) dirRuns(list []DirBlock, dir *Inode, limit int, nodes *NodeBudget, to, end uint64, fail func(error)) []DirBlock {
	for r, err := range f.RunsWithin(dir, nodes) {
		if err != nil {
			fail(err)
			continue
		}
		if r.Logical >= to {
			break
		}
		if r.Kind != Data && r.Logical >= end {
			continue
		}
		if r.Kind != Data {
			fail(corrupt("directory", "hole at block", dir.Offset+0x28, r.Logical))
			continue
		}
		for i := range min(r.Len, to-r.Logical) {
			if len(list) > limit {
				return list
			}
			list = Push(list, DirBlock{r.Physical + Block(i), dir.Ino, uint32(r.Logical + i)})
		}
	}
	return list
}

// ScanDirs reads the directory blocks of list once, in disk order, in large
// reads, on all cores, and hands each to visit as ScanInodes does inodes. It
// sorts list. err tells of a block that could not be read.
func (f *FS) ScanDirs(ctx context.Context, list []DirBlock, visit func(worker int, b DirBlock, bytes []byte, err error)) error {
	slices.SortFunc(list, DirBlock.Compare)
	// A task is a stretch of blocks close enough to be read together.
	perRead := Block(max(scanStep/f.blockSize, 1))
	var starts []int
	for i := range list {
		if i == 0 {
			starts = append(starts, 0)
			continue
		}
		first := list[starts[len(starts)-1]].Physical
		if list[i].Physical-first >= perRead || list[i].Physical-list[i-1].Physical > 4 {
			starts = append(starts, i)
		}
	}
	return Parallel(ctx, len(starts), func(w int) func(int) {
		buf := make([]byte, int(perRead)*f.blockSize)
		return func(t int) {
			from, to := starts[t], len(list)
			if t+1 < len(starts) {
				to = starts[t+1]
			}
			first := list[from].Physical
			b := buf[:int(list[to-1].Physical-first+1)*f.blockSize]
			off := f.bytes(first)
			n, err := f.r.ReadAt(b, off)
			for _, d := range list[from:to] {
				at := int(d.Physical-first) * f.blockSize
				if at+f.blockSize > n {
					if err == nil {
						err = context.Cause(ctx)
					}
					visit(w, d, nil, &ReadError{off + int64(at), f.blockSize, err})
					continue
				}
				visit(w, d, b[at:][:f.blockSize:f.blockSize], nil)
			}
		}
	})
}

// DirRecords walks the records of a directory block with the given inode flags,
// unused ones included, and is the bare form of BlockEntries for scans.
func (f *FS) DirRecords(b []byte, off int64, flags layout.InodeFlags) layout.DirBlock {
	return layout.NewDirBlock(b, off, f.dirFormat(flags))
}
