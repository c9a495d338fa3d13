package undelete

import (
	"context"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A bitset has a bit for each block.
type bitset []uint64

func (s bitset) has(b Block) bool { return uint64(b)/64 < uint64(len(s)) && s[b/64]>>(b%64)&1 != 0 }
func (s bitset) set(b Block) {
	if uint64(b)/64 < uint64(len(s)) {
		s[b/64] |= 1 << (b % 64)
	}
}

func (s bitset) unset(b Block) {
	if uint64(b)/64 < uint64(len(s)) {
		s[b/64] &^= 1 << (b % 64)
	}
}

// setShared is set, for several goroutines.
func (s bitset) setShared(b Block) {
	if uint64(b)/64 < uint64(len(s)) {
		atomic.OrUint64(&s[b/64], 1<<(b%64))
	}
}

// count is how many blocks are set.
func (s bitset) count() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// next is the first block from b on, and before end, that is set or not.
func (s bitset) next(b, end Block, set bool) Block {
	for b < end && uint64(b)/64 < uint64(len(s)) {
		w := s[b/64]
		if !set {
			w = ^w
		}
		if w >>= b % 64; w != 0 {
			return min(b+Block(bits.TrailingZeros64(w)), end)
		}
		b = (b/64 + 1) * 64
	}
	return end
}

// maxScanned bounds the blocks that are scanned, by the memory that their bits take:
// 256 MiB.
const maxScanned = 1 << 31

// freeBlocks gives the blocks that are free and may have been in use: a group whose
// bitmap was never made has none. What an inode table has and was never written counts
// as free.
func (f *finder) freeBlocks(ctx context.Context) (bitset, error) {
	count := min(f.fs.Super.BlocksCount, uint64(f.fs.Size())/uint64(f.fs.BlockSize()), maxScanned)
	free := make(bitset, (count+63)/64)
	cluster := f.fs.ClusterBlocks()
	for g := range f.fs.GroupCount() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		start := f.fs.GroupStart(g)
		if uint64(start) >= count {
			break
		}
		bitmap, computed, err := f.fs.BlockBitmap(g)
		if err != nil || computed {
			f.fail(err)
			continue
		}
		for i := range f.fs.GroupBlocks(g) {
			if bit := i / cluster; int(bit/8) < len(bitmap) && bitmap[bit/8]>>(bit%8)&1 == 0 && uint64(start)+uint64(i) < count {
				free.set(start + Block(i))
			}
		}
	}
	for _, r := range f.fates.tables {
		for b := r.Start; b < r.Start+Block(r.Len) && uint64(b) < count; b++ {
			free.set(b)
		}
	}
	return free, nil
}

// provedWorth is how much free space there has to be for each file that is gone, for its
// blocks to be worth leaving out of a scan.
const provedWorth = 256 << 10

// leaveProved takes the blocks of files that are intact out of those that are scanned: what
// lies there is their contents, and nothing stray. Where files are many and small, finding
// out takes longer than the scan.
func (f *finder) leaveProved(ctx context.Context, free bitset) error {
	if f.log == nil || uint64(free.count())*uint64(f.fs.BlockSize()) < provedWorth*uint64(f.lives.count) {
		return nil
	}
	var runs []ext.Run
	for l := range f.lives.sorted() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if l.live || !l.best.known() || l.typ() != layout.ModeRegular {
			continue
		}
		if c, ok := f.candidate(l, false, false); ok && c.Grade == Intact {
			runs = append(runs, c.Runs...)
		}
	}
	if f.dataLogged || f.journalsData {
		return nil // what is in the log need not have come home
	}
	for _, r := range runs {
		for b := r.Physical; r.Kind == ext.Data && b < min(r.Physical+Block(r.Len), Block(len(free))*64); b++ {
			free.unset(b)
		}
	}
	return nil
}

// scanChunk is how many bytes a scan reads at once.
const scanChunk = 1 << 20

// scanFree reads the blocks that are set in free, once, in disk order, in large reads,
// on all cores, and hands each that is not empty to visit, several at a time. What
// could not be read is not visited.
func (f *finder) scanFree(ctx context.Context, free bitset, visit func(worker int, b Block, buf []byte)) error {
	bs := f.fs.BlockSize()
	per := Block(max(scanChunk/bs, 1))
	end := Block(len(free) * 64)
	chunks := int((end + per - 1) / per)
	var once sync.Once // to tell what is absent
	return f.each(ctx, chunks, func(w int, buf *[]byte, chunk int) {
		from := Block(chunk) * per
		to := min(from+per, end)
		if n, absent := f.fs.Hole(f.fs.BlockOffset(from)); n >= int64(to-from)*int64(bs) {
			if absent {
				once.Do(func() {
					_, err := f.fs.ReadAt(make([]byte, 1), f.fs.BlockOffset(from))
					f.fail(err)
				})
			}
			return
		}
		const near = 8 // blocks not wanted that are read all the same
		for b := free.next(from, to, true); b < to; {
			stop := free.next(b, to, false)
			for {
				again := free.next(stop, to, true)
				if again >= to || again-stop > near {
					break
				}
				stop = free.next(again, to, false)
			}
			if *buf == nil {
				*buf = make([]byte, int(per)*bs)
			}
			p := (*buf)[:int(stop-b)*bs]
			n, err := f.fs.ReadAt(p, f.fs.BlockOffset(b))
			for i := 0; (i+1)*bs <= n; i++ {
				if free.has(b + Block(i)) {
					visit(w, b+Block(i), p[i*bs:][:bs:bs])
				}
			}
			if n < len(p) && err != nil {
				f.fail(err)
			}
			b = free.next(stop, to, true)
		}
	})
}

// each runs work for every task of 0..n-1, with a buffer of the worker's own.
func (f *finder) each(ctx context.Context, n int, work func(worker int, buf *[]byte, task int)) error {
	return ext.Parallel(ctx, n, func(w int) func(int) {
		var buf []byte
		return func(task int) { work(w, &buf, task) }
	})
}
