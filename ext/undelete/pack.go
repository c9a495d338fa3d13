package undelete

import (
	"bytes"
	"encoding/binary"
)

// A packer keeps candidates in a tenth of the memory: as bytes, without the inodes, which
// are read again where they lie, and with what many have in common kept once.
//
// A candidate begins with its path and what orders those of one path; what follows is in
// the order of pack.
type packer struct {
	store
	words interned // evidence, techniques and other words
	dirs  interned // paths up to their last slash
	size  int64
	buf   []byte
}

// maxPacked bounds the bytes of all candidates.
const maxPacked = 4 << 30

// maxWords bounds the words that are kept once; others are kept with each candidate.
const maxWords = 1 << 16

// interned strings are kept once and have numbers.
type interned struct {
	list []string
	ids  map[string]int32
}

func (t *interned) id(s []byte) int32 {
	n, known := t.ids[string(s)]
	if !known {
		if t.ids == nil {
			t.ids = map[string]int32{}
		}
		own := string(s)
		n = int32(len(t.list))
		t.list = append(t.list, own)
		t.ids[own] = n
	}
	return n
}

// What is true of a candidate, as bits.
const (
	packSizeKnown = 1 << iota
	packLive
	packInUse
	packFast
	packOrphan
	packComplete
	packResidue
	packUnseen
	packLoose
	packUnsettled
	packChanged
	packTimed    // DeletedAt is not zero
	packNamed    // Name is not nil
	packNameLast // and is the last part of Path
)

// pack keeps a candidate, but for what is needed to judge it only; ok is false where there
// is no room.
func (p *packer) pack(c *Candidate) (at uint32, ok bool) {
	if p.size > maxPacked {
		return 0, false
	}
	b := p.buf[:0]
	var base []byte
	if c.Path == nil {
		b = append(b, 0)
	} else {
		cut := bytes.LastIndexByte(c.Path, '/') + 1
		base = c.Path[cut:]
		known := len(p.dirs.list)
		b = binary.AppendUvarint(b, uint64(p.dirs.id(c.Path[:cut]))+1)
		if len(p.dirs.list) > known {
			p.size += int64(cut)
		}
		b = appendBytes(b, base)
	}
	b = binary.AppendUvarint(b, uint64(c.Ino))
	b = le.AppendUint32(b, c.Gen)
	b = binary.AppendVarint(b, int64(c.tx))

	bits := uint64(0)
	for i, on := range []bool{c.SizeKnown, c.Live, c.inUse, c.fast, c.orphan, c.complete, c.residue, c.unseen, c.loose, c.unsettled, c.changed,
		!c.DeletedAt.IsZero(), c.Name != nil, c.Name != nil && c.Path != nil && bytes.Equal(c.Name, base)} {
		if on {
			bits |= 1 << i
		}
	}
	b = binary.AppendUvarint(b, bits)
	b = p.appendWord(b, string(c.Grade))
	b = p.appendWord(b, string(c.Technique))
	b = p.appendWord(b, c.Ext)
	b = binary.AppendUvarint(b, uint64(c.Type))
	b = append(b, byte(c.from.where), byte(c.from.marks))
	switch c.from.where {
	case inCopy:
		b = binary.AppendVarint(b, int64(c.from.tx))
	case inKept:
		b = binary.AppendUvarint(b, uint64(c.from.kept))
	}
	if bits&packNamed != 0 && bits&packNameLast == 0 {
		b = appendBytes(b, c.Name)
	}
	if bits&packTimed != 0 {
		b = binary.AppendVarint(b, c.DeletedAt.Unix())
		b = binary.AppendUvarint(b, uint64(c.DeletedAt.Nanosecond()))
	}
	for _, n := range []uint64{c.Size, uint64(c.Links), uint64(c.gone), uint64(c.Sequence), c.Coverage.Own, c.Coverage.Free, c.Coverage.Loose, c.Coverage.Reused, c.Coverage.Lost} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendUvarint(b, uint64(len(c.Evidence)))
	for _, s := range c.Evidence {
		b = p.appendWord(b, s)
	}
	for _, s := range [][]byte{c.Target, c.Inline, c.MovedTo, c.Below} {
		b = appendMaybe(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(c.Others)))
	for _, s := range c.Others {
		b = appendMaybe(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(c.Runs)))
	at64, place := uint64(0), Block(0)
	for _, r := range c.Runs {
		b = binary.AppendVarint(b, int64(r.Logical-at64))
		b = binary.AppendVarint(b, int64(r.Physical-place))
		b = binary.AppendUvarint(b, r.Len)
		b = append(b, byte(r.Kind))
		at64, place = r.Logical+r.Len, r.Physical+Block(r.Len)
	}
	b = binary.AppendUvarint(b, uint64(len(c.nodes)))
	place = 0
	for _, n := range c.nodes {
		b = binary.AppendVarint(b, int64(n-place))
		place = n
	}
	p.buf = b
	p.size += int64(len(b))
	return p.put(b)
}

// appendWord appends a word, or its number.
func (p *packer) appendWord(b []byte, s string) []byte {
	if n, known := p.words.ids[s]; known || len(p.words.list) < maxWords {
		if !known {
			n = p.words.id([]byte(s))
		}
		return binary.AppendUvarint(b, uint64(n)+1)
	}
	return append(binary.AppendUvarint(append(b, 0), uint64(len(s))), s...)
}

func appendBytes(b, s []byte) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }

// appendMaybe appends bytes that may be nil.
func appendMaybe(b, s []byte) []byte {
	if s == nil {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(s))+1), s...)
}
