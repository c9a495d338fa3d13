package jbd2_test

import (
	"bytes"
	"testing"

	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// checkMoment holds a moment against what going through all transactions gives.
func checkMoment(t testing.TB, j *jbd2.Journal, i int) {
	t.Helper()
	a := j.Scan()
	type state struct {
		now, later jbd2.Copy
		has, after bool
		revoked    bool
	}
	want := map[layout.Block]*state{}
	at := func(b layout.Block) *state {
		if want[b] == nil {
			want[b] = &state{}
		}
		return want[b]
	}
	for k, tx := range a.Transactions {
		if !a.TookEffect(k) {
			continue
		}
		first := map[layout.Block]bool{}
		for _, c := range tx.Blocks {
			s := at(c.FS)
			switch {
			case c.Checksum == jbd2.Bad:
			case k <= i:
				s.now, s.has, s.revoked = c, true, false
			case !s.after || first[c.FS]: // the last copy of the first such transaction
				s.later, s.after, first[c.FS] = c, true, true
			}
		}
		for _, b := range tx.Revokes {
			if k <= i {
				at(b).revoked = true
			}
		}
	}
	m := a.At(i)
	later := map[layout.Block]bool{}
	for _, start := range []layout.Block{0, 1 << 63} { // damage names any block
		for b, l := range m.Logged(start, 1<<63) {
			if want[b] == nil {
				t.Fatalf("at %d: block %d is logged", i, b)
			}
			later[b] = l
		}
	}
	for b, s := range want {
		c, isLater, ok := m.Find(b)
		switch {
		case s.has && !s.revoked:
			if !ok || isLater || c != s.now {
				t.Fatalf("at %d: block %d is %v, %t, %t; want %v", i, b, c, isLater, ok, s.now)
			}
		case s.after:
			if !ok || !isLater || c != s.later {
				t.Fatalf("at %d: block %d is %v, %t, %t; want the later %v", i, b, c, isLater, ok, s.later)
			}
		case ok:
			t.Fatalf("at %d: block %d is %v; want none", i, b, c)
		}
		if isLater != later[b] {
			t.Fatalf("at %d: block %d: later %t, listed %t", i, b, isLater, later[b])
		}
	}
	if len(want) > 50 {
		return
	}
	size := j.Log().BlockSize()
	base := bytes.Repeat([]byte{0xaa}, 64<<10)
	o := j.OverlayAt(bytes.NewReader(base), m)
	for n := range len(base) / size {
		got, page := make([]byte, size), base[:size]
		if c, _, ok := m.Find(layout.Block(n)); ok {
			page = make([]byte, size)
			if j.ReadCopy(page, c) != nil {
				continue
			}
		}
		if _, err := o.ReadAt(got, int64(n*size)); err != nil || !bytes.Equal(got, page) {
			t.Fatalf("at %d: block %d reads %.20x, %v; want %.20x", i, n, got, err, page)
		}
	}
}

// TestMoments goes through the moments of built logs.
func TestMoments(t *testing.T) {
	for _, form := range builds {
		t.Run(form.name, func(t *testing.T) {
			c := wounded(t, wound{"", "ext3-like", func(_ *testing.T, l *logEditor) {
				b := build(l, form.incompat, form.compat, form.start, form.sequence)
				b.uuids = form.uuids
				b.history()
			}, 0, nil, false})
			for i := range c.j.Scan().Transactions {
				checkMoment(t, c.j, i)
			}
		})
	}
}
