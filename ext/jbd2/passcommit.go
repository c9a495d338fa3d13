package jbd2

import "github.com/extscope/extscope/ext/layout"

// commit judges a commit block, and takes the transaction if it holds. done says
// that the search is over.
func (p *pass) commit(b []byte, at uint32) (refused *Warning, done bool) {
	c, err := DecodeCommit(b, p.offset(at))
	if err != nil {
		// Cannot happen: a block has room for it, and magic and type were seen.
		w := p.warn(WarnRefused, at, 0, err)
		return &w, true
	}
	if p.suspect {
		if c.Seconds >= p.lastTime {
			p.Warnings = append(p.Warnings, p.openWarns...)
			return &p.suspicion, true
		}
		p.stop(EndStale)
		return nil, true
	}
	v := p.format.CommitChecksum(b)
	if p.format.CommitSum {
		if p.ended {
			p.Failed = true // a transaction behind a damaged one: not cut off, but corrupt
			return nil, false
		}
		if v = c.transactionVerdict(p.sum); v != Bad {
			p.sum = ^uint32(0)
		}
	} else if v == Good && p.partial(b, c) {
		p.openWarns = append(p.openWarns, p.warn(WarnPartialCommit, at, commitHeaderSize, nil))
	}
	if v == Bad {
		if c.Seconds < p.lastTime {
			p.stop(EndStale)
			return nil, true
		}
		if !p.ended {
			p.Warnings = append(p.Warnings, p.warn(WarnCommitSum, at, 0x10, nil))
		}
		p.stop(EndChecksum)
		if p.sb.Incompat&IncompatAsyncCommit == 0 {
			p.Failed = true
			return nil, false
		}
	}
	p.lastTime = c.Seconds
	p.sequence++
	if !p.ended {
		p.close(c)
	}
	p.begin()
	return nil, false
}

// partial reports whether a commit block holds only by its header.
func (p *pass) partial(b []byte, c Commit) bool {
	if p.format.Csum == 0 {
		return false
	}
	crc := layout.CRC32C(p.format.Seed, b[:0x10])
	crc = layout.CRC32C(crc, []byte{0, 0, 0, 0})
	return layout.CRC32C(crc, b[0x14:p.format.BlockSize]) != c.Checksum
}

// close takes the open transaction into the recovery.
func (p *pass) close(c Commit) {
	t := p.open
	t.End, t.CommitTime = uint32(p.next), c.Time()
	for _, n := range p.openRevokes {
		p.revokeLog = append(p.revokeLog, revokeRef{n, t.Sequence})
	}
	p.Head = t.End
	p.Transactions = append(p.Transactions, t)
	p.Warnings = append(p.Warnings, p.openWarns...)
}
