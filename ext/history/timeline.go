package history

import (
	"context"
	"math"
	"slices"

	"github.com/extscope/extscope/ext"
)

// A state is what the log tells of an inode number at some time.
type state struct {
	tx    int32 // the transaction; math.MaxInt32 for today
	gen   uint32
	links uint16
	dtime uint32
}

// Timelines hold the states of some inodes, oldest first, that of today last.
type timelines map[Ino][]state

// timelines goes through the log once for all inodes that are wanted.
func (l *Log) timelines(ctx context.Context, want map[Ino]bool) (timelines, error) {
	out := timelines{}
	if len(want) == 0 {
		return out, nil
	}
	err := l.EachInode(ctx, func(tx, _ int, in *ext.Inode) {
		if !want[in.Ino] {
			return
		}
		s := state{int32(tx), in.Generation, in.Links, in.Dtime}
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
			list = append(list, state{math.MaxInt32, now.Generation, now.Links, now.Dtime})
		}
		out[ino] = list
	}
	return out, nil
}

// inUse gives the place of the state of a file that had a name in transaction tx: the
// newest that is no younger and in use, or else the first in use; -1 without one.
func (t timelines) inUse(ino Ino, tx int) int {
	at := -1
	for k, s := range t[ino] {
		switch {
		case s.links == 0:
		case int(s.tx) <= tx:
			at = k
		case at < 0:
			return k
		}
	}
	return at
}

// gen gives the generation of the file that inode number ino was in transaction tx.
func (t timelines) gen(ino Ino, tx int) (gen uint32, ok bool) {
	k := t.inUse(ino, tx)
	if k < 0 {
		return 0, false
	}
	return t[ino][k].gen, true
}
