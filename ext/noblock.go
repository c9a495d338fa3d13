package ext

import (
	"fmt"
	"io/fs"
)

// A NoBlockError reports a block number that the file system does not have. It
// is a fs.ErrNotExist.
type NoBlockError struct {
	Block Block
	Count uint64 // s_blocks_count
}

func (e *NoBlockError) Error() string {
	if e.Count == 0 {
		return fmt.Sprintf("block %d does not exist: the file system has none", e.Block)
	}
	return fmt.Sprintf("block %d does not exist: they are numbered 0 to %d", e.Block, e.Count-1)
}

func (e *NoBlockError) Unwrap() error { return fs.ErrNotExist }
