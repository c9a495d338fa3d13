package jbd2

import (
	"cmp"
	"slices"
)

// assemble joins the marks to transactions.
func (s *scanner) assemble() {
	for i := range s.marks {
		if m := &s.marks[i]; m.pred < 0 && m.log < s.last {
			s.transaction(int32(i))
		}
	}
	// What is left goes round the whole log without a start.
	for i := range s.marks {
		if m := &s.marks[i]; !m.taken && m.log < s.last {
			s.transaction(int32(i))
		}
	}
}

// transaction makes a transaction of the marks from i on.
func (s *scanner) transaction(i int32) {
	head := &s.marks[i]
	t := Transaction{Sequence: head.sequence, Start: head.log, Damage: NoCommit}
	live := s.isLive(&t)
	if !live && s.startLost(i) {
		t.Damage |= NoStart
	}
	if s.ahead(t.Sequence) {
		t.Damage |= Ahead
	}
	sum, complete := ^uint32(0), true
	for ; i >= 0 && !s.marks[i].taken; i = s.marks[i].succ {
		m := &s.marks[i]
		m.taken = true
		t.End, _ = s.after(m.log, 1+m.tags)
		if m.kind == TypeCommit {
			s.committed(&t, m, sum, complete)
			break
		}
		if m.sum == Bad {
			t.Damage |= BadTail
		}
		if m.kind == TypeRevoke {
			if s.log.ReadBlock(s.block, m.log) == nil {
				s.room = s.format.takeRevokes(&t, s.block, s.room)
			}
			continue
		}
		if s.beShift != nil {
			sum = s.beShift.over(sum) ^ s.beSums[m.log-s.first]
		}
		sum, complete = s.copies(&t, i, sum, complete)
	}
	switch {
	case live && t.Damage&(NoCommit|LostCopies) == 0:
		t.State = Live // replayed in spite of any other damage
	case t.Damage&^(Ahead|NoLastTag|CutShort) != 0:
		t.State = Torn
	}
	s.archive.Transactions = append(s.archive.Transactions, t)
}

// copies takes the copies of descriptor block i. It continues checksum v1 over
// them; complete turns false where one of them is lost.
func (s *scanner) copies(t *Transaction, i int32, sum uint32, complete bool) (uint32, bool) {
	m := &s.marks[i]
	tags := s.tagsOf(m)
	limit := uint32(0)
	seed := s.format.tagSeed(m.sequence)
	taken := 0
	t.Blocks = slices.Grow(t.Blocks, min(len(tags), int(s.last-s.first)))
	for k, tag := range tags {
		n, ok := s.after(m.log, 1+uint32(k))
		if !ok || n == m.log {
			break
		}
		if n < m.log && limit == 0 && !s.checked {
			limit = s.overrun(m, s.last)
		}
		if s.owners[n-s.first] != i || n < m.log && !s.checked && n >= limit {
			complete = false
			continue
		}
		if s.beShift != nil {
			sum = s.beShift.over(sum) ^ s.beSums[n-s.first]
		}
		c := Copy{FS: tag.Block, Log: n, Escaped: tag.Flags&TagEscaped != 0, Checksum: s.verdict(tag, seed, n)}
		if c.Checksum == Bad {
			t.Damage |= BadCopy
		}
		t.Blocks = append(t.Blocks, c)
		taken++
	}
	if taken < int(m.tags) {
		t.Damage |= LostCopies
	}
	if len(tags) > 0 && tags[len(tags)-1].Flags&TagLast == 0 {
		t.Damage |= NoLastTag
	}
	return sum, complete
}

// committed takes a transaction's commit block.
func (s *scanner) committed(t *Transaction, m *mark, sum uint32, complete bool) {
	c := s.commits[m.commit]
	t.Damage &^= NoCommit
	t.CommitTime = c.Time()
	v := m.sum
	if s.beShift != nil && complete && t.Damage&NoStart == 0 {
		if v = c.transactionVerdict(sum); v == Good {
			for i := range t.Blocks {
				t.Blocks[i].Checksum = Good
			}
		}
	}
	if v == Bad {
		t.Damage |= BadCommit
	}
}

// startLost reports whether blocks of the transaction before mark i were
// overwritten. A transaction begins the log, or follows a commit block; one that is
// a commit block and nothing else, that of the transaction before.
func (s *scanner) startLost(i int32) bool {
	m := &s.marks[i]
	before := m.log - 1
	if m.log == s.first {
		before = s.last - 1
	}
	k := s.find(before)
	follows := k >= 0 && s.marks[k].kind == TypeCommit
	if m.kind == TypeCommit {
		return !follows || s.marks[k].sequence != m.sequence-1
	}
	return !follows && m.log != s.first
}

// isLive reports whether a transaction is one of those to be replayed.
func (s *scanner) isLive(t *Transaction) bool {
	live := s.Recoverable().Transactions
	i := int(t.Sequence - s.sb.Sequence)
	return i < len(live) && live[i].Start == t.Start && live[i].Sequence == t.Sequence
}

// order sorts the transactions by sequence, those of journals before this one
// first, and makes the index of versions.
func (s *scanner) order() {
	a := s.archive
	slices.SortStableFunc(a.Transactions, func(x, y Transaction) int {
		if d := cmp.Compare(y.Damage&Ahead, x.Damage&Ahead); d != 0 {
			return d
		}
		return cmp.Or(cmp.Compare(int32(x.Sequence-s.newest), int32(y.Sequence-s.newest)), cmp.Compare(x.Start, y.Start))
	})
	n := 0
	for i := range a.Transactions {
		n += len(a.Transactions[i].Blocks)
	}
	a.index = make([]versionRef, 0, n)
	for i := range a.Transactions {
		for k, c := range a.Transactions[i].Blocks {
			if c.Checksum != Bad {
				a.index = append(a.index, versionRef{c.FS, uint32(i), uint32(k)})
			}
		}
	}
	slices.SortFunc(a.index, func(x, y versionRef) int {
		if x.fs != y.fs {
			return cmp.Compare(x.fs, y.fs)
		}
		if x.transaction != y.transaction {
			return cmp.Compare(x.transaction, y.transaction)
		}
		return cmp.Compare(x.copy, y.copy)
	})
}
