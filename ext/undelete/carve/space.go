package carve

import (
	"context"
	"errors"
	"io"
	"math"
	"runtime"
	"sort"
	"sync"

	"github.com/extscope/extscope/ext/layout"
)

// A space numbers the free blocks from 0 on, as if those in use were not there.
// A file that goes on behind blocks in use is contiguous in it.
type space struct {
	r         io.ReaderAt
	blockSize int
	cluster   uint64
	indirect  bool // Options.Indirect
	runs      []Run
	first     []uint64 // index of each run's first block
	total     uint64   // blocks

	mu  sync.Mutex
	err error // the first of reading
}

func newSpace(r io.ReaderAt, free []Run, o Options) (*space, error) {
	if err := checkOptions(o); err != nil {
		return nil, err
	}
	sp := &space{r: r, blockSize: o.BlockSize, cluster: uint64(max(o.ClusterBlocks, 1)), indirect: o.Indirect, runs: free, first: make([]uint64, len(free))}
	end := layout.Block(0)
	limit := uint64(math.MaxInt64 / o.BlockSize)
	for i, run := range free {
		if run.Len == 0 || run.Len > limit || uint64(run.Start) > limit-run.Len || i > 0 && run.Start < end {
			return nil, errors.New("free runs must be sorted, disjoint and not empty")
		}
		end = run.Start + layout.Block(run.Len)
		sp.first[i] = sp.total
		sp.total += run.Len
	}
	return sp, nil
}

func (sp *space) bytes() int64 { return int64(sp.total) * int64(sp.blockSize) }

// run gives the run that a block lies in.
func (sp *space) run(at uint64) int {
	return sort.Search(len(sp.first), func(i int) bool { return sp.first[i] > at }) - 1
}

// locate gives the place of a block and how many of its run there are from it on.
func (sp *space) locate(at uint64) (layout.Block, uint64) {
	i := sp.run(at)
	in := at - sp.first[i]
	return sp.runs[i].Start + layout.Block(in), sp.runs[i].Len - in
}

// index is the inverse of locate: ok is false where the block is not free.
func (sp *space) index(b layout.Block) (at uint64, ok bool) {
	i := sort.Search(len(sp.runs), func(i int) bool { return sp.runs[i].Start > b }) - 1
	if i < 0 || uint64(b-sp.runs[i].Start) >= sp.runs[i].Len {
		return 0, false
	}
	return sp.first[i] + uint64(b-sp.runs[i].Start), true
}

// adjacent reports whether the block before lies right before it on disk.
func (sp *space) adjacent(at uint64) bool {
	return at > 0 && sp.first[sp.run(at)] != at
}

// mayStart reports whether a file may start at a block: clusters are aligned.
func (sp *space) mayStart(at uint64) bool {
	if sp.cluster == 1 {
		return true
	}
	b, _ := sp.locate(at)
	return uint64(b)%sp.cluster == 0
}

// read fills b with blocks from one on, across runs.
func (sp *space) read(b []byte, at uint64) error {
	for len(b) > 0 {
		if at >= sp.total {
			return io.ErrUnexpectedEOF
		}
		start, n := sp.locate(at)
		part := b[:min(uint64(len(b)), n*uint64(sp.blockSize))]
		if k, err := sp.r.ReadAt(part, int64(start)*int64(sp.blockSize)); k < len(part) {
			if err == nil {
				err = io.ErrUnexpectedEOF
			}
			sp.note(err)
			return err
		}
		b = b[len(part):]
		at += n
	}
	return nil
}

func (sp *space) note(err error) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.err == nil {
		sp.err = err
	}
}

func (sp *space) firstError() error {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	return sp.err
}

// appendRuns adds n blocks from one on to runs, joining what is adjacent.
func (sp *space) appendRuns(runs []Run, at, n uint64) []Run {
	for n > 0 {
		start, k := sp.locate(at)
		k = min(k, n)
		if l := len(runs) - 1; l >= 0 && runs[l].Start+layout.Block(runs[l].Len) == start {
			runs[l].Len += k
		} else {
			runs = append(runs, Run{start, k})
		}
		at, n = at+k, n-k
	}
	return runs
}

// skip gives the last block of a hole of more than least blocks that begins with one, or
// that itself: of zeros behind each other the last tells as much as all.
func (sp *space) skip(at, least uint64) uint64 {
	h, ok := sp.r.(interface{ Hole(int64) (int64, bool) })
	if !ok {
		return at
	}
	start, n := sp.locate(at)
	hole, absent := h.Hole(int64(start) * int64(sp.blockSize))
	if n = min(n, uint64(hole)/uint64(sp.blockSize)); n <= least {
		return at
	}
	if absent {
		_ = sp.read(make([]byte, sp.blockSize), at) // notes the error
	}
	return at + n - 1
}

// chunkBytes is how much a scan reads at once.
const chunkBytes = 1 << 20

// scan reads all of free space once, in order and in large pieces. look makes a
// fact of each block, on as many cores as there are; use takes chunk after chunk
// in order.
func (sp *space) scan(ctx context.Context, look func(b []byte, sp *space) fact, use func(first uint64, data []byte, facts []fact) error) error {
	type chunk struct {
		first uint64
		data  []byte
		facts []fact
		done  chan struct{}
	}
	ctx, cancel := context.WithCancel(ctx)
	workers := min(max(runtime.GOMAXPROCS(0), 1), 8)
	jobs, queue := make(chan *chunk), make(chan *chunk, workers+2)
	spare := sync.Pool{New: func() any { return &chunk{data: make([]byte, chunkBytes)} }}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		defer close(jobs)
		defer close(queue)
		per := uint64(chunkBytes / sp.blockSize)
		for at, n := uint64(0), 0; at < sp.total; at += uint64(n) {
			c := spare.Get().(*chunk)
			n = int(min(per, sp.total-at))
			if last := sp.skip(at, per); last > at {
				at, n = last, 1
			}
			c.first, c.data, c.done = at, c.data[:n*sp.blockSize], make(chan struct{})
			if sp.read(c.data, at) != nil {
				for i := range n {
					b := c.data[i*sp.blockSize:][:sp.blockSize]
					if sp.read(b, at+uint64(i)) != nil {
						clear(b)
					}
				}
			}
			select {
			case queue <- c:
			case <-ctx.Done():
				return
			}
			select {
			case jobs <- c:
			case <-ctx.Done():
				return
			}
		}
	})
	for range workers {
		wg.Go(func() {
			for c := range jobs {
				c.facts = c.facts[:0]
				for b := c.data; len(b) > 0; b = b[sp.blockSize:] {
					c.facts = append(c.facts, look(b[:sp.blockSize], sp))
				}
				close(c.done)
			}
		})
	}
	for c := range queue {
		select {
		case <-c.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := use(c.first, c.data, c.facts); err != nil {
			return err
		}
		c.data = c.data[:cap(c.data)]
		spare.Put(c)
	}
	return ctx.Err()
}
