package image

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"iter"

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

// xzCheckLen is how long a block's check is, by its type.
var xzCheckLen = [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

// xzCheck makes what computes a check; nil for a type that only has a length.
func xzCheck(typ byte) hash.Hash {
	switch typ {
	case 1:
		return crc32.NewIEEE()
	case 4:
		return crc64.New(crc64.MakeTable(crc64.ECMA))
	case 10:
		return sha256.New()
	}
	return nil
}

// An xzBlock is the header of a block.
type xzBlock struct {
	length int   // bytes of the header
	dict   int64 // bytes of the dictionary
	packed int64 // bytes of compressed data, -1 where the header does not say
	size   int64 // bytes that it unpacks to, likewise
}

var errXzFilter = errors.New("has a filter other than LZMA2, which is not read: unpack with: xz -dc IN > OUT")

// decodeXzBlock decodes a block header, which takes up to 1024 bytes.
func decodeXzBlock(b []byte) (xzBlock, error) {
	h := xzBlock{packed: -1, size: -1}
	if len(b) == 0 {
		return h, io.ErrUnexpectedEOF
	}
	if h.length = (int(b[0]) + 1) * 4; b[0] == 0 || h.length > len(b) {
		return h, io.ErrUnexpectedEOF
	}
	body, sum := b[1:h.length-4], le.Uint32(b[h.length-4:])
	if got := crc32.ChecksumIEEE(b[:h.length-4]); got != sum {
		return h, fmt.Errorf("block header: its checksum is %#08x, and %#08x is stored", got, sum)
	}
	flags := body[0]
	body = body[1:]
	if flags&0x40 != 0 {
		h.packed, body = xzNumber(body)
	}
	if flags&0x80 != 0 {
		h.size, body = xzNumber(body)
	}
	id, body := xzNumber(body)
	props, body := xzNumber(body)
	switch {
	case flags&0x3f != 0 || id != xzLZMA2:
		return h, errXzFilter
	case props != 1 || len(body) < 1 || body[0] > 40:
		return h, errors.New("block header: no dictionary size")
	case body[0] == 40:
		h.dict = 1<<32 - 1
	default:
		h.dict = (2 | int64(body[0]&1)) << (body[0]/2 + 11)
	}
	return h, nil
}

// xzNumber reads a number of seven bits a byte; -1 where there is none.
func xzNumber(b []byte) (int64, []byte) {
	var v int64
	for i := 0; i < 9 && i < len(b); i++ {
		v |= int64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return v, b[i+1:]
		}
	}
	return -1, nil
}

func appendXzNumber(b []byte, v int64) []byte {
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

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
		x.yield(part{what: fmt.Sprintf("%s at byte %d", what, at), err: err})
		return 0, false
	}
	switch {
	case len(head) < xzHeaderLen:
		return bad(at, "stream", io.ErrUnexpectedEOF)
	case crc32.ChecksumIEEE(head[6:8]) != le.Uint32(head[8:]) || head[6] != 0 || head[7] > 15:
		return bad(at, "stream", errors.New("header checksum does not match"))
	}
	check := head[7]
	if check == 0 || xzCheck(check) == nil {
		warnf(&x.p.warnings, "xz: the stream at byte %d has no checksums that are known (type %d)", at, check)
	}
	index := xzIndex{flags: [2]byte(head[6:8])}
	var blocks []part
	at += xzHeaderLen
	for {
		b := x.look.get(at, 1024)
		if len(b) > 0 && b[0] == 0 {
			break
		}
		block, end, err := x.block(at, b, check)
		if err == nil && len(blocks) >= xzMaxBlocks {
			err = fmt.Errorf("more than %d blocks", xzMaxBlocks)
		}
		if block.open != nil {
			blocks = append(blocks, block)
		}
		if err != nil {
			x.yieldAll(blocks)
			if block.open == nil {
				block.err = err
				x.yield(block)
			}
			return 0, false
		}
		index.packed = append(index.packed, end-at+int64(xzCheckLen[check]))
		index.sizes = append(index.sizes, block.size)
		at = (end+3)&^3 + int64(xzCheckLen[check])
	}
	want := index.bytes()
	stored := fetch(x.p.src, at, len(want)+9*len(blocks))
	whole := bytes.HasPrefix(stored, want)
	if !whole && index.correct(stored) {
		// A length inside of a block is damaged: the index has the right one.
		whole, want = true, index.bytes()
	}
	for i := range blocks {
		blocks[i].size, blocks[i].sure = index.sizes[i], blocks[i].sure || whole
	}
	if !x.yieldAll(blocks) {
		return 0, false
	}
	if !whole {
		x.p.mu.Lock()
		defer x.p.mu.Unlock()
		x.p.faults = append(x.p.faults, fmt.Errorf("xz: the index at byte %d is damaged or cut short: what lies behind it is not looked at", at))
		return 0, false
	}
	return at + int64(len(want)), true
}

func (x *xzFile) yieldAll(blocks []part) bool {
	for _, b := range blocks {
		if !x.yield(b) {
			return false
		}
	}
	return true
}

// block finds out about the block at byte at, whose header b begins with, and where its
// data end. With an error nothing behind it is known; it may still be opened.
func (x *xzFile) block(at int64, b []byte, check byte) (part, int64, error) {
	block := part{what: fmt.Sprintf("block at byte %d", at)}
	h, err := decodeXzBlock(b)
	if err != nil {
		return block, 0, err
	}
	data := at + int64(h.length)
	end, size, err := x.chunks(data)
	dict := max(min(h.dict, size), lzma.MinDictCap)
	if h.packed > 0 && h.size >= 0 && h.packed <= x.p.size-data {
		end, size, err, block.sure = data+h.packed, h.size, nil, true
	}
	block.size = size
	block.large = dict > 64<<20
	block.open = func() (io.ReadCloser, error) {
		if dict > xzMaxDict {
			return nil, fmt.Errorf("a dictionary of %d bytes is more than %d", dict, xzMaxDict)
		}
		in := bufio.NewReaderSize(x.p.section(data, end-data), 128<<10)
		r, err := lzma.Reader2Config{DictCap: int(dict)}.NewReader2(in)
		if err != nil {
			return nil, err
		}
		return &xzReader{r: r, p: x.p, at: end, check: check, sum: xzCheck(check)}, nil
	}
	return block, end, err
}

// An xzIndex is what the index of a stream has to say of its blocks.
type xzIndex struct {
	flags  [2]byte // of the stream
	packed []int64 // bytes of a block without padding
	sizes  []int64 // bytes that it unpacks to
}

// bytes is the index, with the footer behind it.
func (x *xzIndex) bytes() []byte {
	b := appendXzNumber([]byte{0}, int64(len(x.packed)))
	for i := range x.packed {
		b = appendXzNumber(appendXzNumber(b, x.packed[i]), x.sizes[i])
	}
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	b = le.AppendUint32(b, crc32.ChecksumIEEE(b))
	tail := append(le.AppendUint32(nil, uint32(len(b)/4-1)), x.flags[:]...)
	return append(append(le.AppendUint32(b, crc32.ChecksumIEEE(tail)), tail...), "YZ"...)
}

// correct takes sizes from a stored index that is sound and has the same blocks.
func (x *xzIndex) correct(stored []byte) bool {
	if len(stored) == 0 {
		return false
	}
	count, b := xzNumber(stored[1:])
	if count != int64(len(x.packed)) {
		return false
	}
	fixed := xzIndex{flags: x.flags, packed: x.packed}
	for _, packed := range x.packed {
		var n, size int64
		n, b = xzNumber(b)
		size, b = xzNumber(b)
		if n != packed || size < 0 {
			return false
		}
		fixed.sizes = append(fixed.sizes, size)
	}
	if !bytes.HasPrefix(stored, fixed.bytes()) {
		return false
	}
	*x = fixed
	return true
}

// chunks goes through the LZMA2 chunks at byte at: where they end and what they unpack
// to. The error says that the end could not be found.
func (x *xzFile) chunks(at int64) (end, size int64, err error) {
	for {
		b := x.look.get(at, 6)
		if len(b) == 0 {
			return x.p.size, size, io.ErrUnexpectedEOF
		}
		control := b[0]
		switch {
		case control == 0:
			return at + 1, size, nil
		case control > 2 && control < 0x80:
			return x.p.size, size, fmt.Errorf("an LZMA2 chunk of kind %d at byte %d", control, at)
		case len(b) < 6:
			return x.p.size, size, io.ErrUnexpectedEOF
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

// An xzReader unpacks one block and compares its check.
type xzReader struct {
	r     io.Reader
	p     *packed
	at    int64 // where the padding before the check begins
	check byte
	sum   hash.Hash // nil for none
}

func (x *xzReader) Read(b []byte) (int, error) {
	n, err := x.r.Read(b)
	if x.sum == nil {
		return n, err
	}
	x.sum.Write(b[:n])
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	pad := int(-x.at & 3)
	stored := fetch(x.p.src, x.at, pad+xzCheckLen[x.check])
	got := x.sum.Sum(nil)
	if x.check != 10 { // CRCs are stored the other way round
		for i, j := 0, len(got)-1; i < j; i, j = i+1, j-1 {
			got[i], got[j] = got[j], got[i]
		}
	}
	switch {
	case len(stored) < pad+len(got):
		return n, io.ErrUnexpectedEOF
	case !allZero(stored[:pad]) || !bytes.Equal(stored[pad:], got):
		return n, fmt.Errorf("its check is %x, and %x is stored", got, stored[pad:])
	}
	return n, err
}

func (x *xzReader) Close() error { return nil }
