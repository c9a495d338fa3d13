package exttest

import "encoding/binary"

// An ExtentRec maps blocks of a file: the first logical one, how many, and the first
// physical one.
type ExtentRec [3]int64

// PutExtentNode fills b with an extent node without a checksum: a leaf, or an index
// where depth is not 0, in which lengths do not count.
func PutExtentNode(b []byte, depth int, recs ...ExtentRec) {
	le := binary.LittleEndian
	le.PutUint16(b[0:], 0xf30a)
	le.PutUint16(b[2:], uint16(len(recs)))
	le.PutUint16(b[4:], uint16(len(b)/12-1))
	le.PutUint16(b[6:], uint16(depth))
	for i, r := range recs {
		e := b[12+12*i:]
		le.PutUint32(e, uint32(r[0]))
		if depth > 0 {
			le.PutUint32(e[4:], uint32(r[2]))
			continue
		}
		le.PutUint16(e[4:], uint16(r[1]))
		le.PutUint32(e[8:], uint32(r[2]))
	}
}
