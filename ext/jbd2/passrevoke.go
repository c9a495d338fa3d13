package jbd2

// maxRevokes bounds how many revokes a listing of transactions holds, over all
// of them: 32 MiB of numbers. A busy log holds thousands. What is replayed is not
// subject to it.
const maxRevokes = 4 << 20

// finish fills in what the transactions revoke.
func (p *pass) finish() {
	room, i := maxRevokes, 0
	for k := range p.Transactions {
		t := &p.Transactions[k]
		for ; i < len(p.revokeLog) && p.revokeLog[i].sequence == t.Sequence; i++ {
			b, w := p.read(uint64(p.revokeLog[i].log))
			if w != nil {
				continue // choose meets it again, and refuses
			}
			room = p.format.takeRevokes(t, b, room)
		}
	}
}

// takeRevokes adds the blocks of a revoke block to a transaction's, as far as
// there is room for, and gives the room left.
func (f Format) takeRevokes(t *Transaction, b []byte, room int) int {
	blocks, err := f.Revokes(b, 0)
	if err != nil {
		t.Damage |= BadCount
		return room
	}
	for block := range blocks {
		t.RevokeCount++
		if room == 0 {
			t.Damage |= CutShort
			continue
		}
		t.Revokes = append(t.Revokes, block)
		room--
	}
	return room
}

// revokes yields each revoke of the transactions that are replayed. A block that
// cannot be read any more makes the kernel give up.
func (p *pass) revokes(yield func(revokedBlock)) *Warning {
	for _, ref := range p.revokeLog {
		b, w := p.read(uint64(ref.log))
		if w != nil {
			return w
		}
		blocks, err := p.format.Revokes(b, p.offset(ref.log))
		if err != nil {
			w := p.warn(WarnRefused, ref.log, 0xc, err)
			return &w
		}
		for block := range blocks {
			yield(revokedBlock{uint64(block), ref.sequence})
		}
	}
	return nil
}
