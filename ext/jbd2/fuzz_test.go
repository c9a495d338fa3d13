package jbd2_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// formats are all the ways log blocks can be laid out.
func formats() (all []jbd2.Format) {
	for _, wide := range []bool{false, true} {
		for _, csum := range []int{0, 2, 3} {
			all = append(all, jbd2.Format{BlockSize: 1024, Wide: wide, Csum: csum, CommitSum: csum == 0, Seed: 42})
		}
	}
	return all
}

// pieces gives blocks of a case's log, by type, to begin with.
func pieces(f *testing.F, add func(b []byte)) {
	for _, name := range []string{"ext4-1k", "ext3-1k", "data-journal-1k", "fast-commit-1k"} {
		c := openCrash(f, name)
		facts := c.j.Facts()
		for n := range uint32(200) {
			b := make([]byte, facts.Superblock.BlockSize)
			if c.j.Log().ReadBlock(b, n) != nil {
				continue
			}
			if _, ok := jbd2.DecodeHeader(b); ok {
				add(b)
			}
		}
		for n := facts.FCFirst; n < min(facts.FCFirst+5, facts.FCLast); n++ {
			b := make([]byte, facts.Superblock.BlockSize)
			if c.j.Log().ReadBlock(b, n) == nil {
				add(b)
			}
		}
	}
}

func FuzzBlock(f *testing.F) {
	pieces(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, format := range formats() {
			tags, err := format.AppendTags(nil, b, 4096)
			checkOffset(t, err, len(b))
			if len(tags) > len(b)/8 {
				t.Fatalf("%d tags in %d bytes", len(tags), len(b))
			}
			for _, tag := range tags {
				format.TagChecksum(tag, 5, b)
			}
			revokes, err := format.Revokes(b, 4096)
			checkOffset(t, err, len(b))
			n := 0
			for range revokes {
				n++
			}
			if n > len(b)/4 {
				t.Fatalf("%d revokes in %d bytes", n, len(b))
			}
			c, err := jbd2.DecodeCommit(b, 4096)
			checkOffset(t, err, len(b))
			if y := c.Time().Year(); y > 9999 {
				t.Fatalf("year %d", y)
			}
			format.TailChecksum(b)
			format.CommitChecksum(b)
		}
	})
}

func checkOffset(t *testing.T, err error, size int) {
	t.Helper()
	if c, ok := err.(*layout.CorruptError); ok && (c.Offset < 4096 || c.Offset > int64(4096+size)+32) {
		t.Fatalf("%v: not within %d bytes", err, size)
	}
}

func FuzzSuperblock(f *testing.F) {
	pieces(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := jbd2.DecodeSuperblock(b, 4096)
		checkOffset(t, err, len(b))
		if err != nil {
			return
		}
		checkOffset(t, s.Check(4096, 1100, 1024), len(b))
		s.Format(1024)
		_ = s.Compat.String() + s.Incompat.String() + s.ROCompat.String()
	})
}

func FuzzFCRecord(f *testing.F) {
	pieces(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			r, n, err := jbd2.DecodeFCRecord(b, 4096)
			checkOffset(t, err, len(b))
			if err != nil {
				return
			}
			if n < 4 || n > len(b) {
				t.Fatalf("%v of %d bytes in %d", r.Tag, n, len(b))
			}
			b = b[n:]
		}
	})
}

func FuzzRecoverSuperblock(f *testing.F) {
	c := openCrash(f, "ext4-1k")
	f.Add(bytes.Clone(c.image[1024:2048]), true)
	f.Fuzz(func(t *testing.T, b []byte, aborted bool) {
		if jbd2.RecoverSuperblock(b, aborted) == nil {
			sb, err := layout.DecodeSuperblock(b, 1024)
			if err != nil || sb.Incompat&layout.IncompatRecover != 0 {
				t.Fatalf("%v, %v", sb, err)
			}
		}
	})
}

// The log that FuzzJournal makes of its input: the first blocks, and those of the
// fast-commit area; zeros between.
const (
	fuzzHead  = 64
	fuzzTotal = 1088
	fuzzTail  = 64
)

type fuzzLog []byte

func (l fuzzLog) ReadAt(p []byte, off int64) (int, error) {
	const size = fuzzTotal * 1024
	if off < 0 || off >= size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), size-off))
	clear(p[:n])
	l.put(p[:n], off, 0, fuzzHead*1024, 0)
	l.put(p[:n], off, (fuzzTotal-fuzzTail)*1024, size, fuzzHead*1024)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// put copies what p, which starts at off, shows of the bytes from first to last;
// they are those of l from at on.
func (l fuzzLog) put(p []byte, off, first, last, at int64) {
	last = min(last, first+int64(len(l))-at)
	from, to := max(off, first), min(off+int64(len(p)), last)
	if from < to {
		copy(p[from-off:to-off], l[at+from-first:])
	}
}

func FuzzJournal(f *testing.F) {
	seed := func(name string, from uint32) {
		c := openCrash(f, name)
		b := make([]byte, 1024)
		var input []byte
		read := func(n uint32) {
			if c.j.Log().ReadBlock(b, n) != nil {
				clear(b)
			}
			input = append(input, b...)
		}
		read(0)
		be.PutUint32(input[0x10:], fuzzTotal)
		be.PutUint32(input[0x1c:], 1)
		be.PutUint32(input[0x54:], fuzzTail)
		for n := range uint32(fuzzHead - 1) {
			read(from + n)
		}
		if first := c.j.Facts().FCFirst; first != 0 {
			read(first - 1)
			for n := range uint32(8) {
				read(first + n)
			}
		}
		be.PutUint32(input[0xfc:], 0)
		if sb, err := jbd2.DecodeSuperblock(input, 0); err == nil && sb.Format(1024).Csum != 0 {
			be.PutUint32(input[0xfc:], layout.CRC32C(^uint32(0), input[:1024]))
		}
		f.Add(input)
	}
	for _, name := range []string{"ext4-1k", "ext3-1k", "fast-commit-1k", "wrapped"} {
		c := openCrash(f, name)
		seed(name, c.j.Facts().Start)
		seed(name, 1)
	}
	for _, form := range builds {
		c := openCrash(f, "ext3-like")
		l := &logEditor{make([]byte, 64<<10), jbd2.NewLog(bytes.NewReader(nil), 1024, []jbd2.Run{{Len: fuzzHead}}), c.j.Facts(), c.j.Format(), nil}
		copy(l.image, c.image[c.j.Facts().Offset:][:1024])
		l.facts.MaxLen = fuzzHead
		be.PutUint32(l.image[0xc:], 1024)
		b := build(l, form.incompat, form.compat, 1, form.sequence)
		b.uuids = form.uuids
		b.history()
		be.PutUint32(l.image[0x10:], fuzzTotal)
		l.sealSuper()
		f.Add(l.image)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		// The checksum of the superblock is made right, to come further.
		if len(input) >= 1024 {
			if sb, err := jbd2.DecodeSuperblock(input, 0); err == nil && sb.Format(1024).Csum != 0 {
				input = bytes.Clone(input)
				be.PutUint32(input[0xfc:], 0)
				be.PutUint32(input[0xfc:], layout.CRC32C(^uint32(0), input[:1024]))
			}
		}
		j, err := jbd2.Open(jbd2.NewLog(fuzzLog(input), 1024, []jbd2.Run{{First: 0, Start: 0, Len: fuzzTotal}}))
		if err != nil {
			return
		}
		exercise(t, j.Within(2000))
	})
}

// exercise uses all of a journal, and holds it against itself.
func exercise(t *testing.T, j *jbd2.Journal) {
	r := j.Recoverable()
	blocks := j.Log().Blocks()
	copies := 0
	for i, tx := range r.Transactions {
		copies += len(tx.Blocks)
		if tx.Sequence != r.Start+uint32(i) {
			t.Fatalf("transaction %d is %d", i, tx.Sequence)
		}
	}
	if copies > int(blocks) || len(r.Blocks) > copies {
		t.Fatalf("%d copies, %d replayed, in %d blocks", copies, len(r.Blocks), blocks)
	}
	for _, w := range r.Warnings {
		_ = w.String()
	}
	a := j.Scan()
	copies = 0
	for _, tx := range a.Transactions {
		copies += len(tx.Blocks)
		for _, c := range tx.Blocks {
			if c.Log >= blocks {
				t.Fatalf("log block %d", c.Log)
			}
		}
	}
	if copies > int(blocks) {
		t.Fatalf("%d copies in %d blocks", copies, blocks)
	}
	for _, i := range []int{0, len(a.Transactions) / 2, len(a.Transactions) - 1} {
		if i >= 0 && i < len(a.Transactions) {
			checkMoment(t, j, i)
		}
	}
	page := make([]byte, j.Log().BlockSize())
	for _, tx := range a.Transactions[:min(3, len(a.Transactions))] {
		for _, c := range tx.Blocks[:min(3, len(tx.Blocks))] {
			for _, v := range j.Versions(c.FS) {
				_ = j.ReadCopy(page, v.Copy)
			}
		}
	}
	list := j.FastCommits()
	for i, fc := range list {
		if fc.Valid && i > 0 && !list[i-1].Valid {
			t.Fatalf("fast commit %d is valid, not the one before", i)
		}
	}
	o := j.Overlay(bytes.NewReader(make([]byte, 64<<10)), r.Blocks)
	p := make([]byte, 5000)
	for off := int64(0); off < 70<<10; off += 4321 {
		_, _ = o.ReadAt(p, off)
	}
	_ = o.Patch(3000, []byte("patched"))
	_ = o.MarkRecovered(true)
}
