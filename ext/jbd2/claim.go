package jbd2

// rank orders the claims of two descriptor blocks to one log block.
func (s *scanner) rank(i int32, good bool) int64 {
	m := &s.marks[i]
	r := int64(int32(m.sequence-s.newest)) + 1<<31
	if !s.ahead(m.sequence) {
		r += 1 << 33
	}
	if m.sum != Bad {
		r += 1 << 34
	}
	if good {
		r += 1 << 35
	}
	return r
}

// tagsOf decodes the tags of a descriptor block once more: kept from the first
// reading, those of a hostile log would take more room than the log.
func (s *scanner) tagsOf(m *mark) []Tag {
	if s.log.ReadBlock(s.block, m.log) != nil {
		return nil
	}
	s.tags, _ = s.format.AppendTags(s.tags[:0], s.block, 0)
	return s.tags[:min(len(s.tags), int(m.tags))]
}

// verdict judges the copy in log block n by its tag.
func (s *scanner) verdict(t Tag, seed, n uint32) Verdict {
	if !s.checked {
		return Unchecked
	}
	return s.format.tagVerdict(t, s.sumShift.over(seed)^s.sums[n-s.first])
}

// own finds out which descriptor block each log block is a copy of.
func (s *scanner) own() {
	s.owners = make([]int32, s.end-s.first)
	s.good = make([]bool, len(s.owners))
	for i := range s.owners {
		s.owners[i] = -1
	}
	for i := range s.marks {
		m := &s.marks[i]
		if m.kind != TypeDescriptor || m.log >= s.last {
			continue
		}
		seed := s.format.tagSeed(m.sequence)
		for k, t := range s.tagsOf(m) {
			n, ok := s.after(m.log, 1+uint32(k))
			if !ok || n == m.log {
				break
			}
			good := s.verdict(t, seed, n) == Good
			at := n - s.first
			if old := s.owners[at]; old < 0 || s.rank(int32(i), good) > s.rank(old, s.good[at]) {
				s.owners[at], s.good[at] = int32(i), good
			}
		}
	}
	// A header is no copy.
	for i := range s.marks {
		if at := s.marks[i].log - s.first; !s.good[at] {
			s.owners[at] = -1
		}
	}
}

// overrun gives the first log block, from the log's start on, that a transaction
// newer than m's has a header in; limit where there is none before it. Copies of
// m that wrapped to there or behind it may be overwritten.
func (s *scanner) overrun(m *mark, limit uint32) uint32 {
	for i := range s.marks {
		o := &s.marks[i]
		if o.log >= limit {
			break
		}
		if before(m.sequence, o.sequence) && !s.ahead(o.sequence) {
			return o.log
		}
	}
	return limit
}
