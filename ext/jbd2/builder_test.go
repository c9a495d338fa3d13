package jbd2_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// A builder writes transactions over the journal of an image, in any format.
type builder struct {
	*logEditor
	next        uint32
	sequence    uint32
	first, last uint32
	seconds     uint64
	uuids       bool   // each tag with a UUID behind it
	sum         uint32 // checksum v1, bit by bit

	model map[layout.Block]string // what replay must give, "" where nothing is replayed
}

// build empties the journal and starts a log of the given features at a block.
func build(l *logEditor, incompat jbd2.Incompat, compat jbd2.Compat, start, sequence uint32) *builder {
	sb := l.super()
	be.PutUint32(sb[0x18:], sequence)
	be.PutUint32(sb[0x1c:], start)
	be.PutUint32(sb[0x24:], uint32(compat))
	be.PutUint32(sb[0x28:], uint32(incompat))
	sb[0x50] = 0
	if incompat&(jbd2.IncompatCsumV2|jbd2.IncompatCsumV3) != 0 {
		sb[0x50] = 4
	}
	decoded, err := jbd2.DecodeSuperblock(sb, 0)
	if err != nil {
		panic(err)
	}
	l.format = decoded.Format(l.log.BlockSize())
	l.sealSuper()
	for n := l.facts.First; n < l.facts.MaxLen; n++ {
		clear(l.block(n))
	}
	return &builder{
		logEditor: l, next: start, sequence: sequence, seconds: 1700000000, sum: ^uint32(0),
		first: l.facts.First, last: l.facts.MaxLen,
		model: map[layout.Block]string{},
	}
}

func (b *builder) put(kind jbd2.BlockType) []byte {
	block := b.block(b.next)
	clear(block)
	if kind != 0 {
		be.PutUint32(block, jbd2.Magic)
		be.PutUint32(block[4:], uint32(kind))
		be.PutUint32(block[8:], b.sequence)
	}
	if b.next++; b.next == b.last {
		b.next = b.first
	}
	return block
}

// content of a block in a transaction, which begins like a header in every third.
func contentOf(size int, block layout.Block, sequence uint32) []byte {
	c := bytes.Repeat([]byte(fmt.Sprintf("block %d in transaction %d\n", block, sequence)), size/20)[:size]
	if (uint32(block)+sequence)%3 == 0 {
		be.PutUint32(c, jbd2.Magic)
	}
	return c
}

// copies writes a descriptor block and the copies behind it.
func (b *builder) copies(blocks ...layout.Block) {
	descriptor := b.put(jbd2.TypeDescriptor)
	at := 12
	seed := layout.CRC32C(b.format.Seed, be.AppendUint32(nil, b.sequence))
	var written [][]byte
	for i, block := range blocks {
		c := contentOf(len(descriptor), block, b.sequence)
		b.model[block] = string(c)
		copied := b.put(0)
		copy(copied, c)
		flags := uint16(0)
		if be.Uint32(c) == jbd2.Magic {
			clear(copied[:4])
			flags |= 1
		}
		if i > 0 && !b.uuids {
			flags |= 2
		}
		if i == len(blocks)-1 {
			flags |= 8
		}
		written = append(written, copied)
		tag := descriptor[at:]
		be.PutUint32(tag, uint32(block))
		be.PutUint16(tag[6:], flags)
		crc := layout.CRC32C(seed, copied)
		switch {
		case b.format.Csum == 3:
			be.PutUint32(tag[8:], uint32(block>>32))
			be.PutUint32(tag[12:], crc)
			at += 16
		default:
			at += 8
			if b.format.Wide {
				be.PutUint32(tag[8:], uint32(block>>32))
				at += 4
			}
			if b.format.Csum == 2 {
				be.PutUint16(tag[4:], uint16(crc))
				at += 2
			}
		}
		if flags&2 == 0 {
			copy(descriptor[at:], "a uuid of sixteen")
			at += 16
			clear(descriptor[at : at+1])
		}
	}
	b.seal(descriptor)
	if !b.format.CommitSum {
		return
	}
	for _, w := range append([][]byte{descriptor}, written...) {
		b.sum = slowCRC32BE(b.sum, w)
	}
}

// revoke writes a revoke block.
func (b *builder) revoke(blocks ...layout.Block) {
	r := b.put(jbd2.TypeRevoke)
	at := 16
	for _, block := range blocks {
		delete(b.model, block)
		if b.format.Wide {
			be.PutUint64(r[at:], uint64(block))
			at += 8
		} else {
			be.PutUint32(r[at:], uint32(block))
			at += 4
		}
	}
	be.PutUint32(r[12:], uint32(at))
	b.seal(r)
}

// commit ends the transaction.
func (b *builder) commitNow() {
	c := b.put(jbd2.TypeCommit)
	b.seconds++
	be.PutUint64(c[0x30:], b.seconds)
	be.PutUint32(c[0x38:], 5000)
	switch {
	case b.format.CommitSum:
		c[0xc], c[0xd] = 1, 4
		be.PutUint32(c[0x10:], b.sum)
	case b.format.Csum != 0:
		be.PutUint32(c[0x10:], layout.CRC32C(b.format.Seed, c))
	}
	b.sum = ^uint32(0)
	b.sequence++
}

// slowCRC32BE is crc32_be, a bit at a time.
func slowCRC32BE(crc uint32, b []byte) uint32 {
	for _, c := range b {
		crc ^= uint32(c) << 24
		for range 8 {
			crc = crc<<1 ^ 0x04c11db7*(crc>>31)
		}
	}
	return crc
}

// history writes eight transactions: blocks written again, revoked, and written
// again after that, or in the transaction that revokes them.
func (b *builder) history() *builder {
	const at = 3800
	for i := range layout.Block(8) {
		if i%3 == 2 {
			// In a transaction, a revoke counts for its copies too.
			b.copies(at+i, at+40)
			b.revoke(at+i-1, at+40, at+90)
		} else {
			b.copies(at+i, at+50, at+60+i%2)
		}
		b.copies(at+51, at+i+1)
		b.commitNow()
	}
	return b
}

var builds = []struct {
	name     string
	incompat jbd2.Incompat
	compat   jbd2.Compat
	start    uint32
	sequence uint32
	uuids    bool
}{
	{"plain", jbd2.IncompatRevoke, 0, 1, 7, false},
	{"plain, UUIDs", jbd2.IncompatRevoke, 0, 1, 7, true},
	{"plain, wrapped", jbd2.IncompatRevoke, 0, 1000, 7, false},
	{"plain, sequence wraps", jbd2.IncompatRevoke, 0, 500, 1<<32 - 3, false},
	{"64bit", jbd2.IncompatRevoke | jbd2.Incompat64Bit, 0, 1, 7, false},
	{"64bit, UUIDs", jbd2.IncompatRevoke | jbd2.Incompat64Bit, 0, 1, 7, true},
	{"csum v2", jbd2.IncompatRevoke | jbd2.IncompatCsumV2, 0, 1, 7, false},
	{"csum v2, UUIDs, wrapped", jbd2.IncompatRevoke | jbd2.IncompatCsumV2, 0, 1001, 7, true},
	{"csum v2, 64bit", jbd2.IncompatRevoke | jbd2.IncompatCsumV2 | jbd2.Incompat64Bit, 0, 1, 7, false},
	{"csum v3", jbd2.IncompatRevoke | jbd2.IncompatCsumV3, 0, 1, 7, false},
	{"csum v3, UUIDs", jbd2.IncompatRevoke | jbd2.IncompatCsumV3, 0, 1, 7, true},
	{"csum v3, 64bit, wrapped", jbd2.IncompatRevoke | jbd2.IncompatCsumV3 | jbd2.Incompat64Bit, 0, 1002, 7, false},
	{"csum v3, sequence wraps", jbd2.IncompatRevoke | jbd2.IncompatCsumV3, 0, 900, 1<<32 - 5, false},
	{"checksum v1", jbd2.IncompatRevoke, jbd2.CompatChecksum, 1, 7, false},
	{"checksum v1, wrapped", jbd2.IncompatRevoke | jbd2.Incompat64Bit, jbd2.CompatChecksum, 998, 7, false},
	{"checksum v1, async", jbd2.IncompatRevoke | jbd2.IncompatAsyncCommit, jbd2.CompatChecksum, 1, 7, false},
}

func init() {
	for _, form := range builds {
		wounds = append(wounds, wound{"built: " + form.name, "ext3-like", func(_ *testing.T, l *logEditor) {
			b := build(l, form.incompat, form.compat, form.start, form.sequence)
			b.uuids = form.uuids
			b.history()
		}, jbd2.EndMagic, nil, false})
	}
}

// TestBuilt replays logs in every format, and compares with what was written.
func TestBuilt(t *testing.T) {
	for _, form := range builds {
		t.Run(form.name, func(t *testing.T) {
			var b *builder
			c := wounded(t, wound{"", "ext3-like", func(_ *testing.T, l *logEditor) {
				b = build(l, form.incompat, form.compat, form.start, form.sequence)
				b.uuids = form.uuids
				b.history()
			}, 0, nil, false})
			r := c.j.Recoverable()
			if len(r.Transactions) != 8 || r.End != b.sequence || r.Head != b.next || len(r.Warnings) > 0 {
				t.Fatalf("%d transactions, end %d, head %d, %v", len(r.Transactions), r.End, r.Head, r.Warnings)
			}
			page := make([]byte, c.fs.BlockSize())
			for _, copied := range r.Blocks {
				if err := c.j.ReadCopy(page, copied); err != nil {
					t.Fatal(err)
				}
				if want := b.model[copied.FS]; want != string(page) {
					t.Errorf("block %d: %.40q, want %.40q", copied.FS, page, want)
				}
			}
			if len(r.Blocks) != len(b.model) {
				t.Errorf("%d blocks, want %d", len(r.Blocks), len(b.model))
			}
			for i, tx := range c.j.Scan().Transactions {
				if tx.State != jbd2.Live || tx.Sequence != form.sequence+uint32(i) || tx.Damage != 0 {
					t.Errorf("%d: %d is %v %v", i, tx.Sequence, tx.State, tx.Damage.Names())
				}
				for _, copied := range tx.Blocks {
					if (b.format.Csum != 0 || b.format.CommitSum) != (copied.Checksum == jbd2.Good) {
						t.Errorf("%d: block %d has a checksum that is %v", tx.Sequence, copied.FS, copied.Checksum)
					}
				}
			}
		})
	}
}

// TestScanUserData puts blocks into a log without checksums that look like its
// own: headers with any sequence, and one inside the copies of a transaction.
func TestScanUserData(t *testing.T) {
	c := wounded(t, wound{"", "ext3-like", func(_ *testing.T, l *logEditor) {
		b := build(l, jbd2.IncompatRevoke, 0, 1, 100)
		b.history()
		end := b.next
		for _, fake := range []struct {
			kind     jbd2.BlockType
			sequence uint32
			n        uint32
		}{{1, 3000000000, 20}, {1, 50, 21}, {2, 107, 30}, {5, 90, 40}, {1, 99, 990}, {7, 104, 60}} {
			b.next, b.sequence = end+fake.n, fake.sequence
			if fake.n == 990 {
				b.next = 1020
			}
			block := b.put(fake.kind)
			for at := 12; at+8 <= len(block); at += 8 {
				be.PutUint32(block[at:], 4711)
				be.PutUint16(block[at+6:], 2)
			}
		}
	}, 0, nil, false})
	live := 0
	for _, tx := range c.j.Scan().Transactions {
		if tx.State == jbd2.Live {
			live++
			if tx.Damage != 0 || len(tx.Blocks) < 4 {
				t.Errorf("%d: %v, %d copies", tx.Sequence, tx.Damage.Names(), len(tx.Blocks))
			}
		} else if tx.State != jbd2.Torn {
			t.Errorf("%d at log block %d is %v", tx.Sequence, tx.Start, tx.State)
		}
	}
	if live != 8 {
		t.Errorf("%d live transactions, want 8", live)
	}
	if got := c.j.Recoverable(); len(got.Transactions) != 8 || len(got.Blocks) == 0 {
		t.Errorf("%d transactions to be replayed", len(got.Transactions))
	}
}

// TestLap has a log that never ends: revoke blocks of one transaction all round.
func TestLap(t *testing.T) {
	for _, kind := range []jbd2.BlockType{jbd2.TypeRevoke, jbd2.TypeDescriptor} {
		c := wounded(t, wound{"", "ext3-like", func(_ *testing.T, l *logEditor) {
			b := build(l, jbd2.IncompatRevoke, 0, 5, 100)
			for range b.last - b.first {
				block := b.put(kind)
				be.PutUint32(block[12:], uint32(len(block)))
				be.PutUint16(block[12+6:], 8)
			}
		}, 0, nil, false})
		if r := c.j.Recoverable(); r.Reason != jbd2.EndLap || len(r.Transactions) != 0 {
			t.Errorf("%v: ends with %v, %d transactions", kind, r.Reason, len(r.Transactions))
		}
		if n := len(c.j.Scan().Transactions); n == 0 || n > 2000 {
			t.Errorf("%v: %d transactions", kind, n)
		}
	}
}

// TestScanReformat has a log made over one that another journal left, whose
// sequences were higher.
func TestScanReformat(t *testing.T) {
	for _, incompat := range []jbd2.Incompat{jbd2.IncompatRevoke, jbd2.IncompatRevoke | jbd2.IncompatCsumV3} {
		c := wounded(t, wound{"", "ext3-like", func(_ *testing.T, l *logEditor) {
			old := build(l, incompat, 0, 1, 5000)
			for range 5 {
				old.history()
			}
			kept := bytes.Clone(l.image)
			l.super()[0x30] ^= 0xff // s_uuid
			b := build(l, incompat, 0, 1, 2)
			for n := l.facts.First; n < l.facts.MaxLen; n++ {
				copy(l.block(n), kept[l.log.Offset(n):])
			}
			b.history()
			be.PutUint32(l.super()[0x1c:], 0)
			be.PutUint32(l.super()[0x18:], b.sequence)
			l.sealSuper()
		}, 0, nil, false})
		ahead, whole := 0, 0
		for i, tx := range c.j.Scan().Transactions {
			switch {
			case tx.Damage&jbd2.Ahead != 0:
				if ahead++; whole > 0 {
					t.Errorf("transaction %d is behind its betters", i)
				}
				for _, b := range tx.Blocks {
					if incompat&jbd2.IncompatCsumV3 != 0 && b.Checksum != jbd2.Bad {
						t.Errorf("%d: block %d is %v", tx.Sequence, b.FS, b.Checksum)
					}
				}
			case tx.State == jbd2.Stale:
				whole++
			default:
				t.Errorf("%d is %v %v", tx.Sequence, tx.State, tx.Damage.Names())
			}
		}
		if whole != 8 || ahead < 30 {
			t.Errorf("%d stale, %d ahead", whole, ahead)
		}
		for _, v := range c.j.Versions(3850) {
			if incompat&jbd2.IncompatCsumV3 != 0 && v.Sequence > 10 {
				t.Errorf("a version of transaction %d", v.Sequence)
			}
		}
	}
}

// TestInterrupted cuts the last transaction off at each of its blocks.
func TestInterrupted(t *testing.T) {
	for cut := range uint32(7) {
		c := wounded(t, wound{"", "ext3-like", func(_ *testing.T, l *logEditor) {
			b := build(l, jbd2.IncompatRevoke|jbd2.IncompatCsumV3, 0, 1, 100).history()
			start := b.next
			b.copies(3800, 3801)
			b.copies(3802, 3803)
			b.commitNow()
			for n := start + cut; n < b.next; n++ {
				clear(l.block(n))
			}
		}, 0, nil, false})
		r := c.j.Recoverable()
		n := len(c.j.Scan().Transactions)
		if len(r.Transactions) != 8 || r.Reason != jbd2.EndMagic || len(r.Warnings) > 0 {
			t.Errorf("cut at %d: %d transactions, %v, %v", cut, len(r.Transactions), r.Reason, r.Warnings)
		}
		if cut == 0 {
			continue
		}
		last := c.j.Scan().Transactions[n-1]
		if last.Sequence != 108 || last.State != jbd2.Torn || last.Damage&jbd2.NoCommit == 0 {
			t.Errorf("cut at %d: %d is %v %v", cut, last.Sequence, last.State, last.Damage.Names())
		}
		good := 0
		for _, b := range last.Blocks {
			if b.Checksum == jbd2.Good {
				good++
			}
		}
		if want := []int{0, 0, 1, 2, 2, 3, 4}[cut]; good != want {
			t.Errorf("cut at %d: %d good copies, want %d", cut, good, want)
		}
	}
}
