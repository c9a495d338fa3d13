package history

import (
	"context"
	"math"
	"slices"
	"sort"

	"github.com/extscope/extscope/ext"
)

// A state is what the log tells of an inode number at some time.
type state struct {
	tx    int32 // the transaction; math.MaxInt32 for today
	gen   uint32
	links uint16
	dtime uint32

	use int32 // the newest state up to this one that is in use, or -1
	end int32 // the next state that is another file's, or not in use
}

// Timelines hold the states of some inodes, oldest first, that of today last.
type timelines map[Ino][]state

// timelines goes through the log once for all inodes that are wanted.
func (l *Log) timelines(ctx context.Context, want map[Ino]bool) (timelines, error) {
	out := timelines{}
	if len(want) == 0 {
		return out, nil
	}
	// Few are wanted of many, and most are known not to be by their last bits.
	var maybe [1 << 10]uint64
	for ino := range want {
		maybe[ino/64%Ino(len(maybe))] |= 1 << (ino % 64)
	}
	has := func(ino Ino) bool { return maybe[ino/64%Ino(len(maybe))]>>(ino%64)&1 != 0 && want[ino] }
	err := l.EachInode(ctx, &InodeFilter{Ino: has}, func(tx, _ int, in, _ *ext.Inode) {
		s := state{tx: int32(tx), gen: in.Generation, links: in.Links, dtime: in.Dtime}
		list := out[in.Ino]
		if n := len(list); n > 0 && list[n-1].gen == s.gen && list[n-1].links == s.links && list[n-1].tx <= s.tx {
			return
		}
		out[in.Ino] = append(list, s)
	})
	if err != nil {
		return nil, err
	}
	for ino := range want {
		list := out[ino]
		slices.SortStableFunc(list, func(a, b state) int { return int(a.tx) - int(b.tx) }) // fast commits came last
		if now, err := l.FS.Inode(ino); err == nil {
			list = append(list, state{tx: math.MaxInt32, gen: now.Generation, links: now.Links, dtime: now.Dtime})
		}
		link(list)
		out[ino] = list
	}
	return out, nil
}

// link finds what inUse and fate ask for, as both are asked for each of many names.
func link(list []state) {
	use := int32(-1)
	for k := range list {
		if list[k].links > 0 {
			use = int32(k)
		}
		list[k].use = use
	}
	for k := len(list) - 1; k >= 0; k-- {
		list[k].end = int32(k + 1)
		if k+1 < len(list) && list[k+1].links > 0 && list[k+1].gen == list[k].gen {
			list[k].end = list[k+1].end
		}
	}
}

// inUse gives the place of the state of a file that had a name in transaction tx: the
// newest that is no younger and in use, or else the first in use; -1 without one.
func (t timelines) inUse(ino Ino, tx int) int {
	list := t[ino]
	n := sort.Search(len(list), func(k int) bool { return int(list[k].tx) > tx })
	if n > 0 && list[n-1].use >= 0 {
		return int(list[n-1].use)
	}
	// From there on use turns from -1 to the first.
	k := n + sort.Search(len(list)-n, func(k int) bool { return list[n+k].use >= 0 })
	if k == len(list) {
		return -1
	}
	return k
}

// gen gives the generation of the file that inode number ino was in transaction tx.
func (t timelines) gen(ino Ino, tx int) (gen uint32, ok bool) {
	k := t.inUse(ino, tx)
	if k < 0 {
		return 0, false
	}
	return t[ino][k].gen, true
}
