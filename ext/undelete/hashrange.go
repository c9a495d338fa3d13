package undelete

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/extscope/extscope/ext/layout"
)

// likely takes what the scan found on a file system without checksums: first blocks of
// directories by what they name ".", other blocks of indexed ones by the hashes of
// their names, and the names in the rest without a directory.
func (f *finder) likely(ctx context.Context, all []stray) error {
	var roots, leaves, rest []stray
	for _, s := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch {
		case s.kind == strayPointers:
			f.stray.pointers = append(f.stray.pointers, s)
		case s.tx != strayAtHome:
		case s.kind == strayExtents:
			f.stray.unowned = append(f.stray.unowned, s)
		case s.kind == strayDxRoot:
			roots = append(roots, s)
		case s.kind == strayDir && s.ino == 0:
			leaves = append(leaves, s)
		case s.kind == strayDir:
			if l := f.deadDir(s.ino); l != nil {
				f.strayNames(s, l.lifeKey, fromSelfNamed)
			} else {
				rest = append(rest, s)
			}
		}
	}
	for _, p := range f.placeLeaves(roots, leaves) {
		l := f.deadDir(p.dir)
		switch {
		case l == nil:
			rest = append(rest, p.stray)
		case p.tie:
			f.strayNames(p.stray, l.lifeKey, fromHashesTied)
		default:
			f.strayNames(p.stray, l.lifeKey, fromHashes)
		}
	}
	return f.homelessNames(ctx, rest)
}

// deadDir is the newest incarnation of a number that was a directory and is gone.
func (f *finder) deadDir(ino Ino) *life {
	var found *life
	for l := f.lives.first(ino); l != nil; l = f.lives.next(l) {
		if !l.live && l.typ() == layout.ModeDir {
			found = l
		}
	}
	return found
}

// homelessNames takes names of which the directory is not known, for those that have
// no better one.
func (f *finder) homelessNames(ctx context.Context, blocks []stray) error {
	buf := make([]byte, f.fs.BlockSize())
	for i := range blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if f.loadStray(buf, &blocks[i]) != nil {
			continue
		}
		f.eachName(buf, func(e *layout.Dirent) {
			n := nameRef{ino: e.Ino, tx: -1, typ: e.Type, name: e.Name, source: fromHomeless}
			if l := f.owner(&n); l != nil && l.names == 0 {
				f.addName(n)
			}
		})
	}
	return nil
}

// A placedLeaf is a leaf of an indexed directory, and the directory that it is of; 0
// where none is found.
type placedLeaf struct {
	stray
	dir    Ino
	tie    bool // others fit as well
	lo, hi uint32
}

// A hashSlot is the range of hashes of one leaf, by the root of an index.
type hashSlot struct {
	lo, hi  uint32
	dir     Ino
	version layout.HashVersion
	many    bool // inner nodes lie between: the range is of several leaves
}

// maxSlots bounds the ranges that are tried, and maxTried the leaves for each.
const (
	maxSlots = 1 << 18
	maxTried = 1 << 10
)

// placeLeaves finds the directories of leaves: all hashes of a leaf lie in the range
// that the root of its index has for it. Each range takes one leaf, the narrowest
// chooses first, and of those that fit it takes the one that fills it best.
func (f *finder) placeLeaves(roots, leaves []stray) []placedLeaf {
	slots := f.hashSlots(roots)
	versions := map[layout.HashVersion]bool{}
	for _, s := range slots {
		versions[s.version] = true
	}
	var out []placedLeaf
	for version := range layout.HashSipHash {
		if !versions[version] {
			continue
		}
		placed := f.hashed(leaves, version)
		taken := make([]bool, len(placed))
		for _, s := range slots {
			if s.version == version {
				placeIn(s, placed, taken)
			}
		}
		leaves = leaves[:0]
		for i := range placed {
			if placed[i].dir != 0 {
				out = append(out, placed[i])
			} else {
				leaves = append(leaves, placed[i].stray)
			}
		}
	}
	for _, s := range leaves {
		out = append(out, placedLeaf{stray: s})
	}
	return out
}

// hashed gives leaves with the ranges of their hashes, by the lowest.
func (f *finder) hashed(leaves []stray, version layout.HashVersion) []placedLeaf {
	buf := make([]byte, f.fs.BlockSize())
	out := make([]placedLeaf, 0, len(leaves))
	for _, s := range leaves {
		p := placedLeaf{stray: s, lo: math.MaxUint32}
		if f.loadStray(buf, &s) == nil {
			f.eachName(buf, func(e *layout.Dirent) {
				h, _ := layout.DirHash(version, f.fs.Super.HashSeed, e.Name)
				p.lo, p.hi = min(p.lo, h), max(p.hi, h)
			})
		}
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b placedLeaf) int { return cmp.Compare(a.lo, b.lo) })
	return out
}

// hashSlots gives the ranges of all roots, the narrowest first.
func (f *finder) hashSlots(roots []stray) []hashSlot {
	buf := make([]byte, f.fs.BlockSize())
	var slots []hashSlot
	for i := range roots {
		if f.loadStray(buf, &roots[i]) != nil {
			continue
		}
		root, err := layout.DecodeDxRoot(buf, 0)
		if err != nil || len(slots)+len(root.Entries) > maxSlots {
			continue
		}
		version := root.HashVersion
		if f.fs.Super.Flags&layout.FlagUnsignedHash != 0 {
			version = version.Unsigned()
		}
		for k, e := range root.Entries {
			s := hashSlot{lo: e.Hash &^ 1, hi: math.MaxUint32, dir: root.DotIno, version: version, many: root.Levels > 0}
			if k+1 < len(root.Entries) {
				s.hi = root.Entries[k+1].Hash
			}
			slots = append(slots, s)
		}
	}
	slices.SortStableFunc(slots, func(a, b hashSlot) int {
		return cmp.Or(cmp.Compare(a.hi-a.lo, b.hi-b.lo), cmp.Compare(a.dir, b.dir), cmp.Compare(a.lo, b.lo))
	})
	return slots
}

// placeIn gives a slot its leaf.
func placeIn(s hashSlot, leaves []placedLeaf, taken []bool) {
	from, _ := slices.BinarySearchFunc(leaves, s.lo, func(p placedLeaf, lo uint32) int { return cmp.Compare(p.lo, lo) })
	best, second := -1, -1
	wide := func(i int) uint32 { return leaves[i].hi - leaves[i].lo }
	for i := from; i < len(leaves) && i-from < maxTried && leaves[i].lo <= s.hi; i++ {
		switch {
		case leaves[i].hi > s.hi || taken[i]:
		case s.many:
			taken[i], leaves[i].dir = true, s.dir
		case best < 0 || wide(i) > wide(best):
			best, second = i, best
		case second < 0 || wide(i) > wide(second):
			second = i
		}
	}
	if best >= 0 {
		taken[best], leaves[best].dir = true, s.dir
		leaves[best].tie = second >= 0 && float64(wide(best)) <= 1.6*float64(wide(second))
	}
}
