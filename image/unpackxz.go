package image

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"slices"

	"github.com/ulikunitz/xz/lzma"
)

// The .xz file format, version 1.1.0.
const (
	xzMagic     = "\xfd7zXZ\x00"
	xzHeaderLen = 12 // of a stream; its footer is as long
	xzLZMA2     = 0x21
	xzMaxBlocks = 1 << 18   // of a stream; the usual ones have 24 MiB
	xzMaxDict   = 256 << 20 // 64 MiB is what xz -9 asks for
)

// xzParts are the blocks of all streams of a file. The chunks of their LZMA2 data say how
// long they are, so that all blocks are found without unpacking any; the index is held
// against that.
func xzParts(p *packed) iter.Seq[part] {
	return func(yield func(part) bool) {
		x := &xzFile{p: p, look: peeker{r: p.src}, yield: yield}
		for at := int64(0); at < p.size; {
			head := x.look.get(at, xzHeaderLen)
			if at > 0 && len(head) >= 4 && le.Uint32(head) == 0 {
				at += 4 // stream padding
				continue
			}
			if at > 0 && !bytes.HasPrefix(head, []byte(xzMagic)) {
				p.behind(at, p.size-at)
				return
			}
			var ok bool
			if at, ok = x.stream(at, head); !ok {
				return
			}
		}
	}
}

type xzFile struct {
	p     *packed
	look  peeker
	yield func(part) bool
}

// stream goes through the stream at byte at, and tells where it ends; false if nothing
// behind it is to be had.
func (x *xzFile) stream(at int64, head []byte) (int64, bool) {
	bad := func(at int64, what string, err error) (int64, bool) {
		x.yield(part{what: what, at: at, size: -1, err: err})
		return 0, false
	}
	switch {
	case len(head) < xzHeaderLen:
		return bad(at, "stream", io.ErrUnexpectedEOF)
	case crc32.ChecksumIEEE(head[6:8]) != le.Uint32(head[8:]) || head[6] != 0 || head[7] > 15:
		return bad(at, "stream", errors.New("header checksum does not match"))
	}
	flags, check := [2]byte(head[6:8]), head[7]
	if check == 0 || xzCheck(check) == nil {
		warnf(&x.p.warnings, "xz: the stream at byte %d has no checksums that are known (type %d)", at, check)
	}
	first := at + xzHeaderLen
	blocks, packed, at, err := x.blocks(first, check)
	stored, n, whole := xzIndex{}, int64(0), false
	if err == nil {
		stored, n, whole = decodeXzIndex(fetch(x.p.src, at, 32+18*len(blocks)), flags)
		whole = whole && slices.Equal(stored.packed, packed)
	}
	if !whole {
		// A damaged block may have led astray. The index at the end of the file knows them.
		var start int64
		if stored, start, n, whole = x.lastIndex(flags); whole && start == first {
			blocks, at = x.indexed(first, &stored, check)
		} else {
			whole = false
		}
	}
	for i := range blocks {
		if whole {
			blocks[i].size, blocks[i].sure = stored.sizes[i], true
		}
		if !x.yield(blocks[i]) {
			return 0, false
		}
	}
	switch {
	case whole:
		return at + n, true
	case err != nil:
		if n := len(blocks); n == 0 || blocks[n-1].at != at {
			return bad(at, "block", err)
		}
	default:
		x.otherIndex(at, flags, blocks, packed)
	}
	return 0, false
}

// blocks goes through the blocks from byte at on: how many bytes each has in the file
// without its padding, and where the last ends. Where one is damaged it tells of the place
// of that; it may be opened all the same, and is the last then.
func (x *xzFile) blocks(at int64, check byte) (blocks []part, packed []int64, end int64, err error) {
	for {
		b := x.look.get(at, 1024)
		if len(b) > 0 && b[0] == 0 {
			return blocks, packed, at, nil
		}
		if len(blocks) >= xzMaxBlocks {
			return blocks, packed, at, fmt.Errorf("more than %d blocks", xzMaxBlocks)
		}
		h, err := decodeXzBlock(b)
		if err != nil {
			return blocks, packed, at, err
		}
		data := at + int64(h.length)
		end, size, err := x.chunks(data, x.p.size)
		most, sure := size, false
		if h.packed > 0 && h.size >= 0 && h.packed <= x.p.size-data {
			end, size, err, sure = data+h.packed, h.size, nil, true
		}
		block := x.block(at, data, end, min(h.dict, most), check)
		block.size, block.sure = size, sure
		blocks = append(blocks, block)
		if err != nil {
			return blocks, packed, at, err
		}
		packed = append(packed, end-at+int64(xzCheckLen[check]))
		at = (end+3)&^3 + int64(xzCheckLen[check])
	}
}

// indexed makes the blocks from byte at on as the index has them, and tells where they end.
func (x *xzFile) indexed(at int64, index *xzIndex, check byte) (blocks []part, end int64) {
	for i, packed := range index.packed {
		h, err := decodeXzBlock(fetch(x.p.src, at, int(min(packed, 1024))))
		data, end := at+int64(h.length), at+packed-int64(xzCheckLen[check])
		if err == nil && data > end {
			err = io.ErrUnexpectedEOF
		}
		block := part{what: "block", at: at, open: func() (io.ReadCloser, error) { return nil, err }}
		if err == nil {
			_, most, _ := x.chunks(data, end)
			block = x.block(at, data, end, min(h.dict, most, index.sizes[i]), check)
		}
		blocks = append(blocks, block)
		at += (packed + 3) &^ 3
	}
	return blocks, at
}

// block is the block at byte at of the file whose LZMA2 data lie from data to end.
func (x *xzFile) block(at, data, end, dict int64, check byte) part {
	dict = max(dict, lzma.MinDictCap)
	return part{what: "block", at: at, large: dict > 64<<20, open: func() (io.ReadCloser, error) {
		if dict > xzMaxDict {
			return nil, fmt.Errorf("a dictionary of %d bytes is more than %d", dict, xzMaxDict)
		}
		in := bufio.NewReaderSize(x.p.section(data, end-data), 128<<10)
		r, err := lzma.Reader2Config{DictCap: int(dict)}.NewReader2(in)
		if err != nil {
			return nil, err
		}
		return &xzReader{r: r, p: x.p, at: end, check: check, sum: xzCheck(check)}, nil
	}}
}

// chunks goes through the LZMA2 chunks from byte at to limit: where they end and what they
// unpack to. The error says that the end could not be found.
func (x *xzFile) chunks(at, limit int64) (end, size int64, err error) {
	for {
		b := x.look.get(at, 6)
		if len(b) == 0 || at >= limit {
			return limit, size, io.ErrUnexpectedEOF
		}
		control := b[0]
		switch {
		case control == 0:
			return at + 1, size, nil
		case control > 2 && control < 0x80:
			return limit, size, fmt.Errorf("an LZMA2 chunk of kind %d at byte %d", control, at)
		case len(b) < 6:
			return limit, size, io.ErrUnexpectedEOF
		case control < 0x80: // not compressed
			n := int64(be.Uint16(b[1:])) + 1
			at, size = at+3+n, size+n
		default:
			size += int64(control&0x1f)<<16 + int64(be.Uint16(b[1:])) + 1
			at += 5 + int64(be.Uint16(b[3:])) + 1
			if control >= 0xc0 {
				at++
			}
		}
	}
}
