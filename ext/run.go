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
func (f *FS) Runs(in *Inode) iter.Seq2[Run, error] { return f.cover(in, f.Map(in)) }

// cover is Runs of what a map yields.
func (f *FS) cover(in *Inode, mapped iter.Seq2[Run, error]) iter.Seq2[Run, error] {
	return func(yield func(Run, error) bool) {
		if !f.hasMap(in) {
			return
		}
		next := uint64(0)
		for r, err := range mapped {
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

// AppendSimple appends the Data and Unwritten runs of an inode whose map lies
// wholly in i_block and is in order: an extent root without nodes below it, or
// direct blocks only. ok is false for any other, and for damage: Map tells.
// It allocates nothing but room in runs, for scans over all inodes.
func (f *FS) AppendSimple(runs []Run, in *Inode) (_ []Run, ok bool) {
	if !f.hasMap(in) {
		return runs, true
	}
	if in.Flags&layout.FlagExtents == 0 {
		return f.appendDirect(runs, in)
	}
	n, err := layout.DecodeExtentNode(in.Block[:], 0)
	if err != nil || n.Depth != 0 {
		return runs, false
	}
	next := uint64(0)
	for i := range int(n.Entries) {
		e := n.Extent(i)
		if e.Len == 0 || uint64(e.FileBlock) < next || !f.InRange(e.Start, uint64(e.Len)) {
			return runs, false
		}
		if next = uint64(e.FileBlock) + uint64(e.Len); next > maxFileBlocks {
			return runs, false
		}
		r := Run{uint64(e.FileBlock), e.Start, uint64(e.Len), Data}
		if e.Unwritten {
			r.Kind = Unwritten
		}
		runs = append(runs, r)
	}
	return runs, true
}

func (f *FS) appendDirect(runs []Run, in *Inode) ([]Run, bool) {
	for i := range uint64(mapSlots) {
		b := Block(le.Uint32(in.Block[4*i:]))
		switch {
		case b == 0:
		case i >= directSlots || !f.InRange(b, 1):
			return runs, false
		default:
			if last := len(runs) - 1; last >= 0 && runs[last].Kind == Data &&
				runs[last].Logical+runs[last].Len == i && runs[last].Physical+Block(runs[last].Len) == b {
				runs[last].Len++
			} else {
				runs = append(runs, Run{i, b, 1, Data})
			}
		}
	}
	return runs, true
}
