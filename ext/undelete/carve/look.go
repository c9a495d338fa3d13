package carve

import (
	"bytes"

	"github.com/extscope/extscope/ext/layout"
)

// kind is what a block looks like by itself.
type kind uint8

const (
	otherBlock kind = iota
	zeroBlock       // nothing but zeros
	textBlock       // text, with zeros behind it or not
	metaBlock       // the file system's own: directory, extent node, indirect block and the like
)

// A fact is what a scan keeps of a block.
type fact struct {
	kind   kind
	format uint8 // index in formats of what seems to start here, 0 for nothing
	tail   int   // zeros at the end
	anew   bool  // text that is the beginning of a file, whatever lies before
}

// minTail is how many zeros at the end of a block of unknown contents are taken
// for its file's end.
const minTail = 16

func look(b []byte, sp *space) fact {
	tail := zeroTail(b)
	switch {
	case tail == len(b):
		return fact{kind: zeroBlock, tail: tail}
	case isMeta(b), sp.indirect && isIndirect(b, sp):
		return fact{kind: metaBlock, tail: tail}
	}
	f := fact{kind: otherBlock, format: sniff(b), tail: tail}
	if isText(b[:len(b)-tail]) {
		f.kind, f.anew = textBlock, beginsAnew(0, b[:len(b)-tail])
	}
	return f
}

var zeros [256]byte

// zeroTail counts the zeros that b ends with.
func zeroTail(b []byte) int {
	n := len(b)
	for n >= len(zeros) && bytes.Equal(b[n-len(zeros):n], zeros[:]) {
		n -= len(zeros)
	}
	for n >= 8 && le.Uint64(b[n-8:]) == 0 {
		n -= 8
	}
	for n > 0 && b[n-1] == 0 {
		n--
	}
	return len(b) - n
}

// isMeta reports whether a block has the form of what the file system keeps for
// itself in blocks of their own.
func isMeta(b []byte) bool {
	switch {
	case le.Uint16(b) == 0xf30a: // eh_magic of an extent node
		entries, room, depth := le.Uint16(b[2:]), le.Uint16(b[4:]), le.Uint16(b[6:])
		return entries <= room && depth <= 5 && int(room) <= len(b)/12 && room > 0
	case le.Uint32(b) == 0xea020000: // h_magic of a block of extended attributes
		return true
	case be.Uint32(b) == 0xc03b3998: // h_magic of a journal block
		return be.Uint32(b[4:])-1 < 5
	case le.Uint32(b) == 0 && int(le.Uint16(b[4:])) >= len(b)-12: // a whole empty directory block
		return b[6] == 0
	}
	return isDir(b)
}

// isDir reports whether a block is filled by directory entries: each says how
// long it is, and they end where the block does.
func isDir(b []byte) bool {
	n, named := 0, 0
	for n+8 <= len(b) {
		ino, reclen, namelen := le.Uint32(b[n:]), int(le.Uint16(b[n+4:])), int(b[n+6])
		if b[n+7] > 8 && b[n+7] != 0xde { // file_type, or the mark of the checksum's place
			return false
		}
		if len(b) == 1<<16 && (reclen == 0 || reclen == 1<<16-1) {
			reclen = 1 << 16
		}
		if reclen < 8 || reclen%4 != 0 || n+reclen > len(b) || namelen > reclen-8 {
			return false
		}
		if ino != 0 && namelen > 0 {
			if bytes.IndexByte(b[n+8:][:namelen], 0) >= 0 || bytes.IndexByte(b[n+8:][:namelen], '/') >= 0 {
				return false
			}
			named++
		}
		n += reclen
	}
	return n == len(b) && named > 0
}

// isIndirect reports whether a block is a list of block numbers that are free:
// mostly ascending by one, zeros only behind them.
func isIndirect(b []byte, sp *space) bool {
	n, next, last := 0, 0, uint32(0)
	for ; n < len(b); n += 4 {
		v := le.Uint32(b[n:])
		if v == 0 {
			break
		}
		if _, ok := sp.index(layout.Block(v)); !ok || v == last {
			return false
		}
		if n > 0 && v == last+1 {
			next++
		}
		last = v
	}
	count := n / 4
	return count > 0 && zeroTail(b[n:]) == len(b)-n && next*2 >= count-1
}
