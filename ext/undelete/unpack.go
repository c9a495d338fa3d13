package undelete

import (
	"encoding/binary"
	"time"

	"github.com/extscope/extscope/ext"
)

// An unpacker reads what pack wrote.
type unpacker struct {
	p *packer
	b []byte
}

func (u *unpacker) uvarint() uint64 {
	n, size := binary.Uvarint(u.b)
	u.b = u.b[size:]
	return n
}

func (u *unpacker) varint() int64 {
	n, size := binary.Varint(u.b)
	u.b = u.b[size:]
	return n
}

func (u *unpacker) byte() byte {
	b := u.b[0]
	u.b = u.b[1:]
	return b
}

func (u *unpacker) bytes(n uint64) []byte {
	b := u.b[:n:n]
	u.b = u.b[n:]
	return b
}

func (u *unpacker) maybe() []byte {
	n := u.uvarint()
	if n == 0 {
		return nil
	}
	return u.bytes(n - 1)
}

func (u *unpacker) word() string {
	if n := u.uvarint(); n > 0 {
		return u.p.words.list[n-1]
	}
	return string(u.bytes(u.uvarint()))
}

// dirOf gives the number of the directory of a candidate, -1 where its path is not known.
func (p *packer) dirOf(at uint32) int32 {
	u := unpacker{p, p.from(at)}
	return int32(u.uvarint()) - 1
}

// baseOf gives the last part of its path.
func (p *packer) baseOf(at uint32) []byte {
	u := unpacker{p, p.from(at)}
	if u.uvarint() == 0 {
		return nil
	}
	return u.bytes(u.uvarint())
}

// An age orders the candidates of one path.
type age struct {
	ino Ino
	gen uint32
	tx  moment
}

func (u *unpacker) age() age {
	return age{Ino(u.uvarint()), le.Uint32(u.bytes(4)), moment(u.varint())}
}

func (p *packer) ageOf(at uint32) age {
	u := unpacker{p, p.from(at)}
	if u.uvarint() != 0 {
		u.bytes(u.uvarint())
	}
	return u.age()
}

// unpack makes the candidate at a place, without its inode. Its names are not to be
// changed.
func (p *packer) unpack(at uint32) *Candidate {
	c := &Candidate{}
	u := unpacker{p, p.from(at)}
	var base []byte
	if dir := u.uvarint(); dir > 0 {
		base = u.bytes(u.uvarint())
		up := p.dirs.list[dir-1]
		c.Path = append(append(make([]byte, 0, len(up)+len(base)), up...), base...)
	}
	a := u.age()
	c.Ino, c.Gen, c.tx = a.ino, a.gen, a.tx
	bits := u.uvarint()
	for i, to := range []*bool{&c.SizeKnown, &c.Live, &c.inUse, &c.fast, &c.orphan, &c.complete, &c.residue, &c.unseen, &c.loose, &c.unsettled, &c.changed} {
		*to = bits>>i&1 != 0
	}
	c.Grade, c.Technique, c.Ext, c.Type = Grade(u.word()), Technique(u.word()), u.word(), uint16(u.uvarint())
	c.from = state{where: whereabouts(u.byte()), marks: stateMarks(u.byte())}
	switch c.from.where {
	case inCopy:
		c.from.tx = moment(u.varint())
	case inKept:
		c.from.kept = int32(u.uvarint())
	}
	switch {
	case bits&packNameLast != 0:
		c.Name = base
	case bits&packNamed != 0:
		c.Name = u.bytes(u.uvarint())
	}
	if bits&packTimed != 0 {
		sec := u.varint()
		c.DeletedAt = time.Unix(sec, int64(u.uvarint())).UTC()
	}
	c.Size, c.Links, c.gone, c.Sequence = u.uvarint(), uint16(u.uvarint()), moment(u.uvarint()), uint32(u.uvarint())
	c.Coverage = Coverage{Own: u.uvarint(), Free: u.uvarint(), Loose: u.uvarint(), Reused: u.uvarint(), Lost: u.uvarint()}
	c.Evidence = make([]string, u.uvarint())
	for i := range c.Evidence {
		c.Evidence[i] = u.word()
	}
	c.Target, c.Inline, c.MovedTo, c.Below = u.maybe(), u.maybe(), u.maybe(), u.maybe()
	if n := u.uvarint(); n > 0 {
		c.Others = make([][]byte, n)
		for i := range c.Others {
			c.Others[i] = u.maybe()
		}
	}
	u.maps(c)
	return c
}

// maps reads runs and nodes.
func (u *unpacker) maps(c *Candidate) {
	if n := u.uvarint(); n > 0 {
		c.Runs = make([]ext.Run, n)
	}
	at, place := uint64(0), Block(0)
	for i := range c.Runs {
		r := &c.Runs[i]
		r.Logical, r.Physical, r.Len = at+uint64(u.varint()), place+Block(u.varint()), u.uvarint()
		r.Kind = ext.RunKind(u.byte())
		at, place = r.Logical+r.Len, r.Physical+Block(r.Len)
	}
	if n := u.uvarint(); n > 0 {
		c.nodes = make([]Block, n)
	}
	place = 0
	for i := range c.nodes {
		place += Block(u.varint())
		c.nodes[i] = place
	}
}
