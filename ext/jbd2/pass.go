package jbd2

import "github.com/extscope/extscope/ext/layout"

// A pass walks the log from s_start as PASS_SCAN of do_one_pass does. What it
// collects of a transaction becomes part of the recovery when the transaction's
// commit block holds.
type pass struct {
	*Journal
	*Recovery
	window *window

	sequence uint32 // expected next
	next     uint64 // log block to look at next
	left     uint64 // log blocks that may still be looked at: one lap
	ended    bool   // End is known; the kernel still looks on
	suspect  bool   // need_check_commit_time: the checksum of a descriptor or revoke block was wrong
	lastTime uint64 // of the commit before, in seconds
	sum      uint32 // checksum v1, so far

	suspicion   Warning // the first such block
	open        Transaction
	openRevokes []uint32 // log blocks with revokes
	openWarns   []Warning
	revokeLog   []revokeRef // revoke blocks of Transactions
	told        int         // copies warned of
	tags        []Tag
}

// A revokeRef is a revoke block of a transaction that is replayed.
type revokeRef struct {
	log, sequence uint32
}

// run looks for the end of the log. It gives a warning where the kernel would
// give up.
func (p *pass) run() *Warning {
	p.sequence, p.next = p.sb.Sequence, uint64(p.sb.Start)
	p.left = uint64(p.last - p.sb.First)
	p.sum = ^uint32(0)
	p.Head = p.sb.Start
	p.begin()
	for {
		at := uint32(p.next)
		b, w := p.read(p.next)
		if w != nil {
			return w
		}
		p.EndBlock = at
		h, ok := DecodeHeader(b)
		if !ok {
			p.stop(EndMagic)
			return nil
		}
		if h.Sequence != p.sequence {
			p.stop(EndSequence)
			return nil
		}
		if p.left == 0 {
			p.lap(at)
			return nil
		}
		p.advance(1)
		switch h.Type {
		case TypeDescriptor:
			if !p.descriptor(b, at) {
				p.lap(at)
				return nil
			}
		case TypeRevoke:
			if w := p.revoke(b, at); w != nil {
				return w
			}
		case TypeCommit:
			w, done := p.commit(b, at)
			if w != nil || done {
				return w
			}
		default:
			p.stop(EndType)
			return nil
		}
	}
}

// lap ends the search where the log would run into its own start. No log that was
// written does; the kernel would go round and round.
func (p *pass) lap(at uint32) {
	p.Warnings = append(p.Warnings, p.warn(WarnLap, at, 0, nil))
	p.stop(EndLap)
}

// begin starts a transaction at the next block.
func (p *pass) begin() {
	p.open = Transaction{Sequence: p.sequence, Start: uint32(p.next), State: Live}
	p.openRevokes, p.openWarns = nil, nil
}

// stop sets the end of the log, unless it is known.
func (p *pass) stop(why EndReason) {
	if !p.ended {
		p.ended, p.End, p.Reason = true, p.sequence, why
	}
}

func (p *pass) advance(n uint32) {
	p.next = p.wrap(p.next+uint64(n), uint64(p.last))
	p.left -= min(uint64(n), p.left)
}

func (p *pass) warn(kind WarningKind, n uint32, at int64, err error) Warning {
	off := p.offset(n)
	if off >= 0 {
		off += at
	}
	return Warning{Kind: kind, Sequence: p.sequence, Log: n, Offset: off, Err: err}
}

// read gives log block n, or a warning why the kernel could not read it.
func (p *pass) read(n uint64) ([]byte, *Warning) {
	if n >= uint64(p.maxLen) {
		// A wrap that does not reach back into the log, or s_start.
		err := p.corrupt("journal superblock", "s_start", p.log.super, 0x1c, uint64(p.sb.Start))
		w := p.warn(WarnRefused, uint32(n), 0, err)
		return nil, &w
	}
	b, err := p.window.block(uint32(n))
	if err != nil {
		w := p.warn(WarnRefused, uint32(n), 0, err)
		return nil, &w
	}
	return b, nil
}

// descriptor takes the copies behind a descriptor block. It gives false where
// the log has no room for them.
func (p *pass) descriptor(b []byte, at uint32) bool {
	if p.format.TailChecksum(b) == Bad {
		p.suspectTail(b, at)
	}
	var err error
	p.tags, err = p.format.AppendTags(p.tags[:0], b, p.offset(at))
	if err != nil {
		p.open.Damage |= NoLastTag
		p.openWarns = append(p.openWarns, p.warn(WarnNoLastTag, at, 0, err))
	}
	v1 := p.format.CommitSum && !p.ended
	if v1 {
		p.sum = crc32BE(p.sum, b)
	}
	if uint64(len(p.tags)) > p.left {
		return false
	}
	seed := p.format.tagSeed(p.sequence)
	for _, tag := range p.tags {
		n := p.next
		c := Copy{FS: tag.Block, Log: uint32(n), Escaped: tag.Flags&TagEscaped != 0}
		p.advance(1)
		if p.ended || p.suspect && !v1 {
			continue
		}
		if v1 || p.format.Csum != 0 {
			block, w := p.read(n)
			switch {
			case w != nil:
				c.Checksum = Bad
				p.tell(WarnUnreadable, c, w.Err)
			case v1:
				p.sum = crc32BE(p.sum, block)
			default:
				c.Checksum = p.format.tagVerdict(tag, layout.CRC32C(seed, block))
				if c.Checksum == Bad {
					p.tell(WarnCopyChecksum, c, nil)
				}
			}
		}
		p.open.Blocks = append(p.open.Blocks, c)
		if v1 && c.Checksum == Bad {
			// calc_chksums gives up, and the search goes on behind the block
			// it could not read.
			return true
		}
	}
	return true
}

// tell notes a copy that cannot be replayed.
func (p *pass) tell(kind WarningKind, c Copy, err error) {
	p.open.Damage |= BadCopy
	if p.told++; p.told > maxTold {
		return
	}
	w := p.warn(kind, c.Log, 0, err)
	w.FS = c.FS
	p.openWarns = append(p.openWarns, w)
}

// suspectTail notes a descriptor or revoke block with a wrong checksum. Whether it
// is damage, or an old block that never belonged here, the time in the next
// commit block says: stale blocks are older than the commit before.
func (p *pass) suspectTail(b []byte, at uint32) {
	tail := p.format.BlockSize - 4
	w := p.warn(WarnTailChecksum, at, int64(tail), nil)
	p.openWarns = append(p.openWarns, w)
	if !p.suspect {
		p.suspect = true
		p.suspicion = w
		p.suspicion.Kind = WarnRefused
		p.suspicion.Err = p.corrupt("descriptor or revoke block", "t_checksum", at, int64(tail), uint64(be.Uint32(b[tail:])))
	}
}

// revoke checks a revoke block, and notes it for choose.
func (p *pass) revoke(b []byte, at uint32) *Warning {
	if p.format.TailChecksum(b) == Bad {
		p.suspectTail(b, at)
	}
	if _, err := p.format.Revokes(b, p.offset(at)); err != nil {
		if !p.ended {
			p.Warnings = append(p.Warnings, p.warn(WarnRevokeCount, at, 0xc, err))
		}
		w := p.warn(WarnRefused, at, 0xc, err)
		return &w
	}
	p.openRevokes = append(p.openRevokes, at)
	return nil
}
