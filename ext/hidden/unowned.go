package hidden

import (
	"context"

	"github.com/extscope/extscope/ext"
)

// unowned looks for blocks that the bitmaps have as allocated, and nothing owns.
func (s *finder) unowned(ctx context.Context) error {
	f := s.fs
	cluster := uint64(f.ClusterBlocks())
	var run Place
	flush := func() error {
		p := run
		run = Place{}
		return s.read(ctx, p)
	}
	for number := range f.Groups() {
		if err := ctx.Err(); err != nil {
			return err
		}
		bitmap, computed, err := f.BlockBitmap(number)
		if err != nil || computed {
			s.fail(err)
			continue
		}
		start := uint64(f.GroupStart(number))
		clusters := (uint64(f.GroupBlocks(number)) + cluster - 1) / cluster
		for i := range clusters {
			block := start + i*cluster
			c := block / cluster
			set := i/8 < uint64(len(bitmap)) && bitmap[i/8]>>(i%8)&1 != 0
			if !set || c/64 >= uint64(len(s.used)) || s.used[c/64]>>(c%64)&1 != 0 {
				continue
			}
			at := f.BlockOffset(ext.Block(block))
			if at != run.Offset+run.Len || run.Len == 0 {
				if err := flush(); err != nil {
					return err
				}
				run = Place{Kind: Unowned, Offset: at}
			}
			run.Len += int64(cluster) * int64(f.BlockSize())
		}
	}
	return flush()
}

// afterEnd looks behind the last block of the file system, as far as the image or
// partition goes.
func (s *finder) afterEnd(ctx context.Context) error {
	end := s.fs.BlockOffset(ext.Block(s.fs.Super.BlocksCount))
	return s.read(ctx, Place{Kind: AfterEnd, Offset: end, Len: s.fs.Size() - end})
}
