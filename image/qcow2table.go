package image

import (
	"errors"
	"fmt"
	"io"
	mathbits "math/bits"
)

// What an entry of an L2 table says of a cluster, or of a part of one.
type qcow2Kind uint8

const (
	qcow2Nothing    qcow2Kind = iota // what the backing file has there
	qcow2Zero                        //
	qcow2Plain                       // stored as it is
	qcow2Compressed                  //
	qcow2Bad                         // no valid entry
)

const (
	qcow2OffsetMask = 0x00fffffffffffe00
	qcow2Copied     = 1 << 63
	qcow2IsPacked   = 1 << 62
	qcow2AllZero    = 1
)

// A qcow2Extent is a range of the image that is of one kind, and lies together in the file.
type qcow2Extent struct {
	kind   qcow2Kind
	n      int64 // bytes of the image
	host   int64 // where they begin in the data file, or the compressed cluster in the file
	packed int   // bytes of the compressed cluster there
	err    error // why it is bad: a *DamageError
}

// loadL1 reads an L1 table, which has to be long enough for size bytes.
func (q *qcow2) loadL1(offset, entries uint64, size int64) ([]uint64, error) {
	need := uint64(size) >> q.tableBits
	if size&(1<<q.tableBits-1) != 0 {
		need++
	}
	bad := func(format string, args ...any) ([]uint64, error) {
		return nil, q.refuse(int64(offset&(1<<63-1)), "", format, args...)
	}
	switch {
	case entries < need:
		return bad("an L1 table of %d entries for an image of %d bytes, want %d", entries, size, need)
	case need > maxQcow2L1/8:
		return bad("an L1 table of %d entries is more than is read", need)
	case offset > uint64(q.fileSize) || need*8 > uint64(q.fileSize)-offset:
		return bad("the L1 table of %d entries is beyond the end of the file", need)
	}
	b, err := fetchAll(q.file, int64(offset), int(need*8))
	if err != nil {
		return bad("L1 table: %v", err)
	}
	l1 := make([]uint64, need)
	for i := range l1 {
		l1[i] = be.Uint64(b[i*8:])
	}
	return l1, nil
}

// maxQcow2L1 bounds an L1 table in bytes, as QEMU does (QCOW_MAX_L1_SIZE).
const maxQcow2L1 = 32 << 20

// tableAt is where the L2 table of entry i of the L1 table lies, 0 for none.
func (q *qcow2) tableAt(i int64) uint64 {
	if q.head.version == 1 {
		return q.l1[i]
	}
	return q.l1[i] & qcow2OffsetMask
}

// readTable reads the L2 table of entry i of the L1 table.
func (q *qcow2) readTable(dst []byte, i int64) error {
	at := q.tableAt(i)
	start := i << q.tableBits
	bad := func(err error) error {
		return &DamageError{Name: q.name, Part: fmt.Sprintf("L2 table %d", i), At: int64(at & (1<<63 - 1)),
			Offset: start, Length: min(1<<q.tableBits, q.size-start), Err: err}
	}
	if q.head.version != 1 && at&(1<<q.head.clusterBits-1) != 0 {
		return bad(errors.New("not at the start of a cluster"))
	}
	if at > uint64(q.fileSize) || uint64(len(dst)) > uint64(q.fileSize)-at {
		return bad(errors.New("beyond the end of the file"))
	}
	if n, err := q.file.ReadAt(dst, int64(at)); n < len(dst) {
		return bad(err)
	}
	return nil
}

// lookup tells what the image holds from byte off on, want bytes at most.
func (q *qcow2) lookup(off, want int64) qcow2Extent {
	end := off + min(want, q.size-off)
	i := off >> q.tableBits
	if q.tableAt(i) == 0 {
		for i++; i<<q.tableBits < end && q.tableAt(i) == 0; i++ {
		}
		return qcow2Extent{kind: qcow2Nothing, n: min(i<<q.tableBits, end) - off}
	}
	end = min(end, (i+1)<<q.tableBits)
	table, err := q.tables.get(i)
	if err != nil {
		return qcow2Extent{kind: qcow2Bad, n: end - off, err: err}
	}
	e := q.part(table, off)
	for e.n < end-off {
		next := q.part(table, off+e.n)
		if next.kind != e.kind || e.kind == qcow2Bad || e.kind == qcow2Plain && next.host != e.host+e.n {
			break
		}
		e.n += next.n
	}
	e.n = min(e.n, end-off)
	return e
}

// part tells what is at byte off, up to the end of the cluster, or of the subcluster where
// entries tell of these.
func (q *qcow2) part(table []byte, off int64) qcow2Extent {
	bits := q.head.clusterBits
	in := off & (1<<bits - 1)
	i := int(off>>bits) & (1<<q.head.l2Bits - 1)
	e := qcow2Extent{n: 1<<bits - in}
	if q.head.version == 1 {
		q.cluster1(&e, be.Uint64(table[i*8:]), in)
		return e
	}
	extended := q.head.features&qcow2Extended != 0
	width := 8
	if extended {
		width = 16
	}
	entry := be.Uint64(table[i*width:])
	bad := func(what string) qcow2Extent {
		e.kind = qcow2Bad
		if extended {
			e.n = min(e.n, 1<<(bits-5)-in&(1<<(bits-5)-1))
		}
		e.err = &DamageError{Name: q.name, Part: fmt.Sprintf("L2 entry of cluster %d", off>>bits),
			At: int64(q.tableAt(off>>q.tableBits)) + int64(i*width), Offset: off, Length: min(e.n, q.size-off), Err: errors.New(what)}
		return e
	}
	if entry&qcow2IsPacked != 0 {
		if q.data != q.file {
			return bad("compressed, which an external data file does not allow")
		}
		shift := 62 - (bits - 8)
		e.kind = qcow2Compressed
		e.host = int64(entry & (1<<shift - 1))
		e.packed = int((entry&(1<<62-1))>>shift+1)*512 - int(e.host&511)
		return e
	}
	host := int64(entry & qcow2OffsetMask)
	if host&(1<<bits-1) != 0 {
		return bad("not at the start of a cluster")
	}
	e.host = host + in
	allocated := host != 0 || q.data != q.file && entry&qcow2Copied != 0
	if extended {
		sub := in >> (bits - 5)
		bitmap := be.Uint64(table[i*16+8:]) >> sub
		stored, zero := uint32(bitmap)&(1<<(32-sub)-1), uint32(bitmap>>32)
		other := uint32(0) // a bit for each that is not as the first
		switch {
		case stored&zero&1 != 0:
			return bad("a subcluster is both stored and zero")
		case stored&1 != 0 && !allocated:
			return bad("a subcluster is stored and the cluster is nowhere")
		case zero&1 != 0:
			e.kind, other = qcow2Zero, ^zero|stored
		case stored&1 != 0:
			e.kind, other = qcow2Plain, ^stored|zero
		default:
			other = stored | zero
		}
		e.n = min(sub+int64(mathbits.TrailingZeros32(other)), 32)<<(bits-5) - in
		return e
	}
	switch {
	case entry&qcow2AllZero != 0 && q.head.version < 3:
		return bad("marked as zeros, which version 2 does not know")
	case entry&qcow2AllZero != 0:
		e.kind = qcow2Zero
	case allocated:
		e.kind = qcow2Plain
	}
	return e
}

// cluster1 decodes an entry of version 1.
func (q *qcow2) cluster1(e *qcow2Extent, entry uint64, in int64) {
	switch shift := 63 - q.head.clusterBits; {
	case entry == 0:
	case entry>>63 != 0:
		e.kind = qcow2Compressed
		e.host = int64(entry & (1<<shift - 1))
		e.packed = int(entry >> shift & (1<<q.head.clusterBits - 1))
	default:
		e.kind = qcow2Plain
		e.host = int64(entry) + in
	}
}

// plain reads what is stored as it is, for byte off of the image. A cluster that the file
// ends in is not there: zeros would be a guess.
func (q *qcow2) plain(p []byte, host, off int64) (int, error) {
	n, err := q.data.ReadAt(p, host)
	if n == len(p) {
		return n, nil
	}
	bad := &DamageError{Name: q.data.Name(), Part: fmt.Sprintf("cluster %d", (off+int64(n))>>q.head.clusterBits), At: host + int64(n),
		Offset: off + int64(n), Length: int64(len(p) - n), Err: err}
	if errors.Is(err, io.EOF) {
		bad.Err = errors.New("beyond the end of the file")
	}
	return n, bad
}
