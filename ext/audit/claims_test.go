package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

// What a superblock claims costs no more than what the image has: numbers of blocks,
// groups and inodes that no image can have, with a checksum that holds.
func TestClaims(t *testing.T) {
	fields := []struct {
		name string
		at   int64
		size int
	}{
		{"s_inodes_count", 0x00, 4},
		{"s_blocks_count_lo", 0x04, 4},
		{"s_blocks_per_group", 0x20, 4},
		{"s_clusters_per_group", 0x24, 4},
		{"s_inodes_per_group", 0x28, 4},
		{"s_reserved_gdt_blocks", 0xce, 2},
		{"s_first_meta_bg", 0x104, 4},
		{"s_blocks_count_hi", 0x150, 2},
	}
	for _, name := range exttest.Some(1, featureSets) {
		m := newMutant(t, name)
		for _, f := range fields {
			for _, v := range []uint32{1, 0x8000, math.MaxUint16, 1 << 28, math.MaxUint32 - 7} {
				if f.size == 2 && v > math.MaxUint16 {
					continue
				}
				if f.size == 2 {
					m.put16(layout.SuperblockOffset+f.at, uint16(v))
				} else {
					m.put32(layout.SuperblockOffset+f.at, v)
				}
				m.sealSuper()
				t.Run(fmt.Sprintf("%s/%s=%#x", name, f.name, v), func(t *testing.T) {
					within(t, func(ctx context.Context) {
						faults(t, ctx, bytes.NewReader(m.image), int64(len(m.image)))
					})
				})
				m.restore()
			}
		}
	}
}
