package jbd2_test

import (
	"errors"
	"testing"

	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// count counts fast commits by what holds for them.
func count(list []jbd2.FastCommit) (valid, right int) {
	for _, fc := range list {
		if fc.Valid {
			valid++
		}
		if fc.CRCOK {
			right++
		}
	}
	return valid, right
}

// TestFastCommits looks at areas as they were left by a power cut.
func TestFastCommits(t *testing.T) {
	for _, name := range []string{"fast-commit", "fast-commit-1k", "fast-commit-inline"} {
		c := openCrash(t, name)
		list := c.j.FastCommits()
		valid, right := count(list)
		if len(list) == 0 || right != len(list) {
			t.Errorf("%s: %d of %d checksums hold", name, right, len(list))
		}
		end := c.j.Recoverable().End
		for i, fc := range list {
			if fc.Err != nil || fc.Head != (i == 0) && fc.Valid || fc.Valid && fc.TID != end {
				t.Errorf("%s: fast commit %d: head %t, tid %d, end %d: %v", name, i, fc.Head, fc.TID, end, fc.Err)
			}
		}
		if valid < 30 {
			t.Errorf("%s: %d valid", name, valid)
		}
		if r := c.j.Recoverable(); r.Refused != nil || len(r.Warnings) > 0 {
			t.Errorf("%s: %v", name, r.Warnings)
		}
	}
}

// TestFastCommitsClean looks at an area after a clean unmount: its fast commits
// are still there, and void.
func TestFastCommitsClean(t *testing.T) {
	for _, forget := range []bool{false, true} {
		c := wounded(t, wound{"", "history-fast", func(_ *testing.T, l *logEditor) {
			if forget {
				be.PutUint32(l.super()[0x54:], 0)
				l.sealSuper()
			}
		}, 0, nil, false})
		list := c.j.FastCommits()
		valid, right := count(list)
		// The size of the area, 64 blocks, is what is forgotten: of the usual 256
		// blocks the log would not have enough left.
		want := 11
		if forget {
			want = 0
		}
		if valid != 0 || right != want {
			t.Errorf("%d valid, %d right, want 0 and %d", valid, right, want)
		}
	}
}

// TestFastCommitDamage damages areas.
func TestFastCommitDamage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(t *testing.T, l *logEditor)
		valid  int
		warn   bool
	}{
		{"a byte of the fifth", func(_ *testing.T, l *logEditor) { l.block(l.facts.FCFirst + 4)[9] ^= 1 }, 4, false},
		{"a byte of the first", func(_ *testing.T, l *logEditor) { l.block(l.facts.FCFirst)[30] ^= 1 }, 0, true},
		{"another transaction", func(_ *testing.T, l *logEditor) { l.block(l.facts.FCFirst)[8] ^= 1 }, 0, false},
		{"a feature", func(_ *testing.T, l *logEditor) { l.block(l.facts.FCFirst)[4] = 1 }, 0, true},
		{"an unknown tag", func(_ *testing.T, l *logEditor) { l.block(l.facts.FCFirst + 2)[0] = 77 }, 2, false},
		{"a long record", func(_ *testing.T, l *logEditor) { l.block(l.facts.FCFirst + 1)[3] = 0xff }, 1, false},
		{"no head", func(_ *testing.T, l *logEditor) { clear(l.block(l.facts.FCFirst)) }, 0, false},
		{"a wiped block", func(_ *testing.T, l *logEditor) { clear(l.block(l.facts.FCFirst + 3)) }, 3, false},
		{"the journal is clean", func(_ *testing.T, l *logEditor) {
			be.PutUint32(l.super()[0x1c:], 0)
			l.sealSuper()
		}, 0, false},
		{"the last commit is lost", func(_ *testing.T, l *logEditor) { l.commit(len(l.txs) - 1)[0] ^= 1 }, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := wounded(t, wound{"", "fast-commit-1k", tt.damage, 0, nil, false})
			list := c.j.FastCommits()
			valid, _ := count(list)
			r := c.j.Recoverable()
			if valid != tt.valid || (r.Refused != nil) != tt.warn {
				t.Errorf("%d valid, refused %v; want %d, %t", valid, r.Refused, tt.valid, tt.warn)
			}
			if tt.warn && (len(r.Blocks) > 0 || r.Warnings[0].Kind != jbd2.WarnFastCommit) {
				t.Errorf("%d blocks are replayed; %v", len(r.Blocks), r.Warnings)
			}
		})
	}
}

// TestFastCommitOffsets finds damage at its byte.
func TestFastCommitOffsets(t *testing.T) {
	c := wounded(t, wound{"", "fast-commit-1k", func(_ *testing.T, l *logEditor) { l.block(l.facts.FCFirst + 2)[0] = 77 }, 0, nil, false})
	want := c.j.Log().Offset(c.j.Facts().FCFirst + 2)
	for _, fc := range c.j.FastCommits() {
		if fc.Err != nil {
			t.Errorf("fast commit at %d: %v", fc.LogBlock, fc.Err)
		}
		for _, r := range fc.Records {
			if r.Log < fc.LogBlock || r.Log >= fc.LogBlock+fc.Blocks || r.Offset/1024 != c.j.Log().Offset(r.Log)/1024 {
				t.Errorf("record at %d in log block %d", r.Offset, r.Log)
			}
		}
	}
	c = wounded(t, wound{"", "fast-commit-1k", func(_ *testing.T, l *logEditor) { l.block(l.facts.FCFirst + 2)[4+20] = 77 }, 0, nil, false})
	list := c.j.FastCommits()
	var corrupt *layout.CorruptError
	if err := list[2].Err; err != nil && errors.As(err, &corrupt) && (corrupt.Offset < want || corrupt.Offset > want+1024) {
		t.Errorf("%v, want an offset from %d on", err, want)
	}
}
