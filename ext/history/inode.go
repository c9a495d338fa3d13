package history

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
)

// A Source says where a version of an inode was found.
type Source uint8

// The sources.
const (
	FromCommit Source = iota // a copy of its inode table block in the log
	FromFast                 // a record of a fast commit
	FromNow                  // the file system as it is
)

func (s Source) String() string { return [...]string{"commit", "fast commit", "now"}[s] }

// An InodeVersion is an inode as it was for a time.
type InodeVersion struct {
	In       *ext.Inode
	Source   Source
	Sequence uint32    // of the commit that made it, or that the fast commit came before; 0 for FromNow
	Time     time.Time // of that commit; zero of fast commits
	State    jbd2.State
	Log      uint32 // log block of the copy or record
	Offset   int64  // byte of the journal's device where the inode lies, or -1
	Fast     int    // which fast commit of Sequence it is, from 1; else 0

	Last    uint32     // the last sequence whose copy still has it so
	Now     bool       // it is so today
	Changed ext.Fields // against the version before; 0 of the first

	tx int // index of the transaction; of a fast commit, of the one before
}

// Created reports whether another file, or none, had the number in the version
// before.
func (v *InodeVersion) Created() bool { return v.Changed&ext.FieldGeneration != 0 }

// Deleted reports whether the inode is not in use.
func (v *InodeVersion) Deleted() bool { return v.In.Links == 0 }

// InodeVersions lists what is known of an inode, oldest first, each state once. What
// it is today comes last, if only as the Now of the last version. The error is that of
// the inode today, or says that some versions are left out; what is known comes beside
// it.
func (l *Log) InodeVersions(ino Ino) ([]InodeVersion, error) {
	now, err := l.FS.Inode(ino)
	var out []InodeVersion
	var cut error
	if now != nil {
		out, cut = l.inodeCopies(ino, now.Offset)
		out = append(out, InodeVersion{In: now, Source: FromNow, Offset: now.Offset, tx: len(l.effect)})
	} else if at, ok := l.View.Home.InodeOffset(ino); ok {
		out, cut = l.inodeCopies(ino, at)
	}
	return l.merge(out), errors.Join(err, cut)
}

const (
	maxVersions     = 1 << 17 // of an inode
	maxVersionBytes = 128 << 20
)

// room is how many versions of an inode are kept.
func (l *Log) room() int { return min(maxVersions, maxVersionBytes/l.FS.InodeSize()) }

// inodeCopies are the copies of the inode at byte off of the file system, and the
// records of it in fast commits, in order. The error says that they are too many.
func (l *Log) inodeCopies(ino Ino, off int64) ([]InodeVersion, error) {
	bs := int64(l.FS.BlockSize())
	block, in, size := Block(off/bs), off%bs, int64(l.FS.InodeSize())
	out, err := l.fastInodes(ino)
	fast := len(out)
	for tx, c := range l.Archive.States(block) {
		b, readErr := l.readCopy(c)
		if readErr != nil || in+size > int64(len(b)) {
			continue
		}
		raw, t := b[in:][:size], &l.Archive.Transactions[tx]
		if last := len(out) - 1; fast == 0 && last >= 0 && bytes.Equal(out[last].In.Raw, raw) {
			out[last].Last = t.Sequence
			continue
		}
		if len(out) >= l.room() {
			err = fmt.Errorf("inode %d: the log has more than %d versions of it; the rest is left out", ino, l.room())
			break
		}
		at := l.Journal.Log().Offset(c.Log)
		out = append(out, InodeVersion{
			In: l.FS.DecodeInode(bytes.Clone(raw), ino, at+in), Sequence: t.Sequence, Time: t.CommitTime,
			State: t.State, Log: c.Log, Offset: at + in, Last: t.Sequence, tx: tx,
		})
	}
	slices.SortStableFunc(out, func(a, b InodeVersion) int {
		return cmp.Or(cmp.Compare(a.tx, b.tx), cmp.Compare(a.Fast, b.Fast))
	})
	return l.fillTails(out), err
}

// fastInodes are the records of an inode in fast commits: of each the last, as it
// takes effect as a whole.
func (l *Log) fastInodes(ino Ino) (out []InodeVersion, err error) {
	nth := map[uint32]int{}
	for i := range l.fast {
		fc := &l.fast[i]
		nth[fc.TID]++
		var r *jbd2.FCRecord
		for k := range fc.Records {
			if fc.Records[k].Tag == jbd2.FCInode && fc.Records[k].Ino == ino {
				r = &fc.Records[k]
			}
		}
		if r == nil {
			continue
		}
		if len(out) >= l.room() {
			return out, fmt.Errorf("inode %d: fast commits have more than %d versions of it; the rest is left out", ino, l.room())
		}
		raw := make([]byte, l.FS.InodeSize())
		copy(raw, r.Inode)
		v := InodeVersion{In: l.FS.DecodeInode(raw, ino, r.Offset+8), Source: FromFast, Sequence: fc.TID, Last: fc.TID,
			Log: fc.LogBlock, Offset: r.Offset + 8, Fast: nth[fc.TID]}
		if fc.Valid {
			v.State = jbd2.Live
		}
		v.tx, _ = l.beforeFast(fc.TID)
		out = append(out, v)
	}
	return out, nil
}

// fillTails gives versions from fast commits, which hold no more than the fields of an
// inode, the tail that the version before has.
func (l *Log) fillTails(list []InodeVersion) []InodeVersion {
	for i := range list {
		v := &list[i]
		if v.Source != FromFast {
			continue
		}
		if used := 128 + int(v.In.ExtraIsize); i > 0 && list[i-1].In.Generation == v.In.Generation && used < len(v.In.Raw) && allZero(v.In.Raw[used:]) {
			copy(v.In.Raw[used:], list[i-1].In.Raw[used:])
			v.In = l.FS.DecodeInode(v.In.Raw, v.In.Ino, v.In.Offset)
		}
		v.In.ChecksumOK = true // the record's own is not kept up; the fast commit's holds
	}
	return list
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// merge joins versions that say the same, and notes what changed.
func (l *Log) merge(list []InodeVersion) []InodeVersion {
	out := list[:0]
	for _, v := range list {
		if len(out) == 0 && v.Source != FromNow && allZero(v.In.Raw) {
			continue // never used by then
		}
		if n := len(out); n > 0 {
			prev := &out[n-1]
			v.Changed = l.FS.Differ(prev.In, v.In)
			if v.Changed == 0 {
				if v.Source == FromNow {
					prev.Now = true
				} else {
					prev.Last = v.Sequence
				}
				continue
			}
		}
		v.Now = v.Source == FromNow
		out = append(out, v)
	}
	return out
}

// Target gives the target of a version of a symlink; ok is false where it is none, or
// the block that held it is not known.
func (l *Log) Target(v *InodeVersion) (target []byte, ok bool) {
	if !v.In.IsSymlink() || v.In.Links == 0 {
		return nil, false
	}
	f := l.FS
	if v.Source != FromNow && f.TargetStorage(v.In) == ext.TargetBlock {
		p, err := l.glance(max(v.tx, 0))
		if err != nil {
			return nil, false
		}
		f = p.FS
	}
	target, err := f.Readlink(v.In)
	return target, err == nil
}
