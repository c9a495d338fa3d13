package carve

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/extscope/extscope/ext/filetype"
)

// Text has no structure that says where it ends, but the kernel's zeros do: text
// is the blocks full of it, up to one that ends in zeros. Where it begins is the
// question: what is left of a file whose first blocks are in use again begins
// with some block, too. See begins.
var textFormat = format{name: "text", typ: "text/plain", ext: ".txt", walk: walkText}

// typeHead is how much of a text its type is told by.
const typeHead = 4096

// chunkSize is what is allocated at once while a file grows. On ext2 and ext3 the
// next chunk mostly lies elsewhere, and only an indirect block says where.
const chunkSize = 64 << 10

// textBytes tells which bytes text has: 1 for ASCII, 2 for the rest of 8 bits.
var textBytes = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= 0x80:
			t[c] = 2
		case c >= ' ' && c < 0x7f, c == '\t', c == '\n', c == '\r', c == '\f', c == '\b', c == 0x1b:
			t[c] = 1
		}
	}
	return t
}()

// isText reports whether b, a block or what zeros leave of one, is text: ASCII,
// UTF-8 that may be cut at both ends, or one of the 8-bit codes.
func isText(b []byte) bool {
	high := 0
	for _, c := range b {
		k := textBytes[c]
		if k == 0 {
			return false
		}
		high += int(k >> 1)
	}
	if high == 0 || len(b) == 0 {
		return len(b) > 0
	}
	if cutUTF8(b) {
		return true
	}
	// No control character among so many bytes is proof enough; among few,
	// letters have to prevail.
	return len(b) >= 128 && high*20 < len(b)*19 || high*3 < len(b)
}

// cutUTF8 reports whether b is UTF-8 but for a character cut at either end.
func cutUTF8(b []byte) bool {
	for i := 0; i < 3 && len(b) > 0 && b[0]&0xc0 == 0x80; i++ {
		b = b[1:]
	}
	for i := 1; i <= 3 && i <= len(b); i++ {
		if c := b[len(b)-i]; c&0xc0 == 0xc0 {
			if !utf8.FullRune(b[len(b)-i:]) {
				b = b[:len(b)-i]
			}
			break
		}
	}
	return utf8.Valid(b)
}

func walkText(s *stream) verdict {
	var head []byte
	var end byte // the last byte of the block before
	for off := int64(0); ; off += s.size {
		b := s.at(off, int(s.size))
		if b == nil {
			return verdict{}
		}
		tail := zeroTail(b)
		text := b[:len(b)-tail]
		if !isText(text) {
			return verdict{}
		}
		if off > 0 && beginsAnew(end, text) {
			return verdict{}
		}
		if off == chunkSize && s.unproven() {
			s.c.fresh, _, _ = s.block(uint64(off / s.size))
			return verdict{}
		}
		end = text[len(text)-1]
		if len(head) < typeHead {
			head = append(head, text...)
		}
		if tail > 0 {
			return endText(head, off+int64(len(text)))
		}
	}
}

// endText judges text that came to an end: by its head and its size.
func endText(head []byte, size int64) verdict {
	if size == int64(len(head)) && looksLikeLink(head) {
		return verdict{}
	}
	typ := filetype.Detect(head)
	if typ.Is("text/plain") && !begins(head) {
		return verdict{}
	}
	v := verdict{size: size, typ: typ.MIME, ext: typ.Extension}
	v.why = fmt.Sprintf("%s up to the zeros that end its last block", typ.MIME)
	return v
}

// looksLikeLink reports whether a whole file is but a path: the target of a
// symbolic link that is too long for its inode has a block like that.
func looksLikeLink(b []byte) bool {
	return len(b) >= 60 && bytes.IndexByte(b, '/') >= 0 && bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, ' ') < 0
}

// unknownFormat is what has no form that is known here: blocks without zeros up
// to one that zeros end, right behind the end of another file.
var unknownFormat = format{name: "unknown", typ: "application/octet-stream", walk: walkUnknown}

func walkUnknown(s *stream) verdict {
	for off := int64(0); ; off += s.size {
		b := s.at(off, int(s.size))
		if b == nil {
			return verdict{}
		}
		tail := zeroTail(b)
		switch {
		case tail == len(b), isMeta(b), off > 0 && sniff(b) != 0, isText(b[:len(b)-tail]):
			return verdict{}
		case tail >= minTail:
			return verdict{size: off + int64(len(b)-tail), loose: true, why: "blocks without a known form up to the zeros that end the last"}
		}
	}
}
