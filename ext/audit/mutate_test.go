package audit_test

import (
	"bytes"
	"context"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

var (
	mutations = flag.Int("mutations", 60, "how many mutated images of each base TestMutations looks at; a tenth of it of the larger ones")
	mutateAs  = flag.Uint64("mutate-seed", 1, "what their random numbers start from")
)

// largeSize is how many bytes of metadata make an image one of those that take longer.
const largeSize = 1 << 19

// fully is how many mutations go by between two that are looked at in every way.
const fully = 40

// Random damage to metadata, any amount of it, makes nothing panic or hang: each
// mutated image is audited, and some are read in every other way too.
func TestMutations(t *testing.T) {
	// With large_dir i_size_high counts for more than files.
	for number, name := range slices.Concat(bases, featureSets, []string{"matrix/large-dir"}) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := exttest.Bytes(t, name)
			image := bytes.Clone(base)
			spots := metadata(t, base)
			count := *mutations
			var size int64
			for _, s := range spots {
				size += s.to - s.from
			}
			if size > largeSize {
				count /= 10
			}
			for i := range count {
				random := rand.New(rand.NewPCG(*mutateAs, uint64(number)<<32|uint64(i)))
				var changed []spot
				for range 1 + random.IntN(1<<random.IntN(8)) {
					changed = append(changed, mutate(random, image, spots[random.IntN(len(spots))]))
				}
				within(t, func(ctx context.Context) {
					if i%fully == 0 {
						faults(t, ctx, bytes.NewReader(image), int64(len(image)))
					} else if f, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{}); err == nil {
						if _, err := audit.Run(ctx, f, audit.Options{}); err != nil {
							t.Error(err)
						}
					}
				})
				if t.Failed() {
					t.Fatalf("mutation %d of seed %d", i, *mutateAs)
				}
				for _, c := range changed {
					copy(image[c.from:c.to], base[c.from:])
				}
			}
		})
	}
}

// A spot is a stretch of metadata; small ones are hit as often as large ones.
type spot struct{ from, to int64 }

// metadata gives the superblock, the descriptors, each inode in use, and each
// block of a directory, a map or attributes.
func metadata(t *testing.T, image []byte) []spot {
	f, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{})
	if err != nil {
		t.Fatal(err)
	}
	spots := []spot{{1024, 1024 + 0x290}, {1024, 1024 + 0x68}}
	for _, g := range f.Groups() {
		spots = append(spots, spot{g.Offset, g.Offset + 32})
	}
	block := func(b layout.Block) {
		at := f.BlockOffset(b)
		spots = append(spots, spot{at, at + int64(f.BlockSize())}, spot{at, at + 64})
	}
	quota := func(ino layout.Ino) bool {
		return ino == f.QuotaIno(layout.QuotaUser) || ino == f.QuotaIno(layout.QuotaGroup) || ino == f.QuotaIno(layout.QuotaProject)
	}
	for ino := layout.Ino(1); uint32(ino) <= f.InodesCount(); ino++ {
		in, err := f.Inode(ino)
		if err != nil || in.Links == 0 {
			continue
		}
		spots = append(spots, spot{in.Offset, in.Offset + int64(len(in.Raw))}, spot{in.Offset + 0x28, in.Offset + 0x64})
		if in.FileACL != 0 {
			block(in.FileACL)
		}
		for r, err := range f.Map(in) {
			if err == nil && (r.Kind == ext.Index || in.IsDir() || in.IsSymlink() || quota(ino)) {
				for i := range r.Len {
					block(r.Physical + layout.Block(i))
				}
			}
		}
	}
	return spots
}

// mutate changes a few bytes: to random ones, to an edge of what fits, or to
// what stands elsewhere. It tells where.
func mutate(random *rand.Rand, image []byte, s spot) spot {
	at := s.from + random.Int64N(s.to-s.from)
	width := 1 << random.IntN(3)
	if random.IntN(2) == 0 {
		at &^= int64(width - 1)
	}
	if at+int64(width) > int64(len(image)) {
		return spot{}
	}
	field := image[at:][:width]
	switch random.IntN(5) {
	case 0:
		for i := range field {
			field[i] = byte(random.Uint32())
		}
	case 1:
		for i := range field {
			field[i] = 0xff
		}
	case 2:
		clear(field)
	case 3:
		field[0] ^= 1 << random.IntN(8)
	case 4:
		copy(field, image[random.IntN(len(image)-4):])
	}
	return spot{at, at + int64(width)}
}
