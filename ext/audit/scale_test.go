package audit_test

import (
	"flag"

	"github.com/extscope/extscope/ext/exttest"
)

var costlyScale = flag.Int("costly-scale", defaultScale(), "what the images of TestCostly are smaller by than would be telling at a glance")

// defaultScale is what the plain run has time for. With the race detector time tells
// nothing, and small images have the same code run.
func defaultScale() int {
	if exttest.Race {
		return 64
	}
	return 4
}

// wide is n as few is, for the branches of a tree that every inode leads to.
func wide(n int64) int64 {
	if exttest.Race {
		return n / 8
	}
	return n
}

// few is n, or less.
func few(n uint32) uint32 { return n / uint32(*costlyScale) }
