package image

import (
	"bytes"
	"fmt"
	"hash/crc32"
)

// An xzIndex is what the index of a stream has to say of its blocks.
type xzIndex struct {
	packed []int64 // bytes of a block without padding
	sizes  []int64 // bytes that it unpacks to
}

// decodeXzIndex decodes the index that b begins with, which takes 18 bytes a block and 32
// at most, and the footer of its stream behind it; how long the two are, and whether both
// are as they have to be.
func decodeXzIndex(b []byte, flags [2]byte) (x xzIndex, n int64, ok bool) {
	if len(b) == 0 {
		return x, 0, false
	}
	count, rest := xzNumber(b[1:])
	if count < 0 || count > min(xzMaxBlocks, int64(len(rest)/2)) {
		return x, 0, false
	}
	for range count {
		var packed, size int64
		packed, rest = xzNumber(rest)
		if size, rest = xzNumber(rest); packed <= 0 || size < 0 {
			return x, 0, false
		}
		x.packed, x.sizes = append(x.packed, packed), append(x.sizes, size)
	}
	want := x.bytes(flags)
	return x, int64(len(want)), bytes.HasPrefix(b, want)
}

// bytes is the index, with the footer behind it.
func (x *xzIndex) bytes(flags [2]byte) []byte {
	b := appendXzNumber([]byte{0}, int64(len(x.packed)))
	for i := range x.packed {
		b = appendXzNumber(appendXzNumber(b, x.packed[i]), x.sizes[i])
	}
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	b = le.AppendUint32(b, crc32.ChecksumIEEE(b))
	tail := append(le.AppendUint32(nil, uint32(len(b)/4-1)), flags[:]...) // backward_size
	return append(append(le.AppendUint32(b, crc32.ChecksumIEEE(tail)), tail...), "YZ"...)
}

// lastIndex is the index that the file ends in, if it is sound: where the first of its
// blocks begins, and how long it is with its footer.
func (x *xzFile) lastIndex(flags [2]byte) (index xzIndex, first, n int64, ok bool) {
	const look = 64 << 10 // with the padding that may follow
	end := x.p.size &^ 3
	b := fetch(x.p.src, max(end-look, 0), int(min(end, look)))
	for len(b) >= 4 && le.Uint32(b[len(b)-4:]) == 0 {
		b, end = b[:len(b)-4], end-4
	}
	if len(b) < xzHeaderLen {
		return index, 0, 0, false
	}
	length := (int64(le.Uint32(b[len(b)-8:])) + 1) * 4 // backward_size
	first = end - xzHeaderLen - length
	if first < xzHeaderLen || length > 32+18*xzMaxBlocks {
		return index, 0, 0, false
	}
	if index, n, ok = decodeXzIndex(fetch(x.p.src, first, int(end-first)), flags); n != end-first {
		return index, 0, 0, false
	}
	for _, packed := range index.packed {
		if packed > first {
			return index, 0, 0, false
		}
		first -= (packed + 3) &^ 3
	}
	return index, first, n, ok && first >= xzHeaderLen
}

// otherIndex tells of an index at byte at that is not that of the blocks before it. If it
// is sound all the same, none of them is in a sure place from the first on that it does not
// have.
func (x *xzFile) otherIndex(at int64, flags [2]byte, blocks []part, packed []int64) {
	err := fmt.Errorf("xz: the index at byte %d is damaged or cut short: what lies behind it is not looked at", at)
	stored, _, ok := decodeXzIndex(fetch(x.p.src, at, int(min(32+18*xzMaxBlocks, x.p.size-at))), flags)
	same, length := 0, int64(0)
	for same < min(len(packed), len(stored.packed)) && packed[same] == stored.packed[same] {
		same++
	}
	for _, b := range blocks[same:] {
		length += b.size
	}
	if ok && length > 0 {
		err = fmt.Errorf("it has %d blocks, the first %d of them as they are here", len(stored.packed), same)
		err = &DamageError{x.p.name, "xz index", at, x.p.off - length, length, err}
	}
	x.p.mu.Lock()
	defer x.p.mu.Unlock()
	x.p.faults = append(x.p.faults, err)
}
