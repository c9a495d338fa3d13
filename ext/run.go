package ext

import (
	"iter"
	"math"

	"github.com/extscope/extscope/ext/layout"
)

// A RunKind tells what a Run's blocks hold.
type RunKind uint8

const (
	Data      RunKind = iota // contents
	Unwritten                // allocated but never written: reads as zeros
	Hole                     // nothing: reads as zeros
	Index                    // a node of the map itself: an extent tree node or an indirect block
)

func (k RunKind) String() string { return [...]string{"data", "unwritten", "hole", "index"}[k] }

// A Run maps Len blocks of a file, from block Logical of the file on, to the
// disk blocks from Physical on. For an Index, Logical is the first file block
// that it maps. Physical is 0 for a Hole.
type Run struct {
	Logical  uint64
	Physical Block
	Len      uint64
	Kind     RunKind
}

// maxFileBlocks bounds the block numbers of a file: extents hold 32 bits, and
// the triple indirect map of 64 KiB blocks reaches further than that.
const maxFileBlocks = math.MaxUint32 + 1

// Map yields what the inode's map holds, in its order: Data, Unwritten and
// Index runs, no holes. Damage is yielded as an error at its place, and the walk
// goes on behind it. An inode without a map (inline data, a fast symlink, a
// device) yields nothing.
func (f *FS) Map(in *Inode) iter.Seq2[Run, error] {
	return func(yield func(Run, error) bool) {
		if !f.hasMap(in) {
			return
		}
		if in.Flags&layout.FlagExtents != 0 {
			w := extentWalk{fs: f, in: in, yield: yield}
			w.root()
			return
		}
		w := indirectWalk{fs: f, in: in, yield: yield}
		w.root()
	}
}

// hasMap reports whether i_block maps blocks.
func (f *FS) hasMap(in *Inode) bool {
	if in.HasInline() && f.hasIncompat(layout.IncompatInlineData) {
		return false
	}
	switch in.Type() {
	case layout.ModeRegular, layout.ModeDir:
		return true
	case layout.ModeSymlink:
		return !in.FastSymlink()
	case 0:
		// The bad-block, resize and journal inodes of old or damaged file
		// systems may have no type.
		return in.Ino < f.FirstIno()
	}
	return false
}

// Runs yields the contents of a file as runs that cover it, in order, from its
// first block to the last that its size or its map reaches: Data, Unwritten and
// Hole. Where the map goes back on itself an error is yielded and what repeats
// is left out.
func (f *FS) Runs(in *Inode) iter.Seq2[Run, error] {
	return func(yield func(Run, error) bool) {
		if !f.hasMap(in) {
			return
		}
		next := uint64(0)
		for r, err := range f.Map(in) {
			if err != nil {
				if !yield(Run{}, err) {
					return
				}
				continue
			}
			if r.Kind == Index {
				continue
			}
			if r.Logical < next {
				skip := next - r.Logical
				if !yield(Run{}, corrupt("block map", "logical block", in.Offset+0x28, r.Logical)) {
					return
				}
				if skip >= r.Len {
					continue
				}
				r.Logical, r.Physical, r.Len = next, r.Physical+Block(skip), r.Len-skip
			}
			if r.Logical > next && !yield(Run{next, 0, r.Logical - next, Hole}, nil) {
				return
			}
			if !yield(r, nil) {
				return
			}
			next = r.Logical + r.Len
		}
		if end := f.blocksFor(in.size); end > next {
			yield(Run{next, 0, end - next, Hole}, nil)
		}
	}
}
