package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
)

// An Android sparse image: struct sparse_header and chunk_header of libsparse's
// sparse_format.h.
const (
	simgMagic     = 0xed26ff3a
	simgHeaderLen = 28
	simgChunkLen  = 12

	simgRaw      = 0xcac1
	simgFill     = 0xcac2
	simgDontCare = 0xcac3
	simgCRC      = 0xcac4
)

// A simgHeader is the head of the file.
type simgHeader struct {
	headerLen, chunkLen int64 // bytes of this header, and of a chunk's
	block               int64 // bytes
	blocks              int64 // of the image
	chunks              uint32
	crc                 uint32 // of the image, 0 for none
}

// decodeSimgHeader decodes the first 28 bytes of a sparse image. The error, if any, is a
// *FormatError without a name.
func decodeSimgHeader(b []byte) (simgHeader, error) {
	if len(b) < simgHeaderLen {
		return simgHeader{}, simgError(int64(len(b)), "header cut short")
	}
	h := simgHeader{
		headerLen: int64(le.Uint16(b[0x8:])),  // file_hdr_sz
		chunkLen:  int64(le.Uint16(b[0xa:])),  // chunk_hdr_sz
		block:     int64(le.Uint32(b[0xc:])),  // blk_sz
		blocks:    int64(le.Uint32(b[0x10:])), // total_blks
		chunks:    le.Uint32(b[0x14:]),        // total_chunks
		crc:       le.Uint32(b[0x18:]),        // image_checksum
	}
	_, fits := mulOffset(uint64(h.block), int(h.blocks))
	switch major := le.Uint16(b[0x4:]); {
	case le.Uint32(b) != simgMagic:
		return h, simgError(0, fmt.Sprintf("magic number is %#x", le.Uint32(b)))
	case major != 1:
		return h, simgError(0x4, fmt.Sprintf("version %d is not read", major))
	case h.headerLen < simgHeaderLen:
		return h, simgError(0x8, fmt.Sprintf("a header of %d bytes", h.headerLen))
	case h.chunkLen < simgChunkLen:
		return h, simgError(0xa, fmt.Sprintf("chunk headers of %d bytes", h.chunkLen))
	case h.block == 0 || h.block%4 != 0 || !fits:
		return h, simgError(0xc, fmt.Sprintf("%d blocks of %d bytes", h.blocks, h.block))
	}
	return h, nil
}

func simgError(offset int64, what string) *FormatError {
	return &FormatError{Format: "Android sparse", Offset: offset, What: what, Hint: "convert with: simg2img IN OUT"}
}

// A simgRange is a range of the image as chunks have it: stored, filled, zeros, or not
// to be had.
type simgRange struct {
	start int64 // byte of the image; it ends where the next one starts
	at    int64 // byte of the file: stored, or damaged from there on
	fill  uint32
	kind  uint16 // simgRaw, simgFill, simgDontCare; 0 for what is lost, to the end
}

// A simg is an Android sparse image. Ranges that it doesn't care about are zeros: that is
// what simg2img makes of them, and what img2simg leaves out as such. What a device has
// there after flashing no image can tell.
type simg struct {
	file     *os.File
	name     string
	fileSize int64
	size     int64
	ranges   []simgRange // in order, from 0 to size
	lost     error       // why the last one is
	bad      lostRanges  // what a failed checksum covers, unless that is accepted
	faults   []error
	warnings []string
}

// simgPiece matches names of the pieces that a large image is flashed by.
var simgPiece = regexp.MustCompile(`(?i)sparsechunk\.?\d+$`)

// probeSimg takes an Android sparse image.
func probeSimg(f *os.File, info fs.FileInfo, name string, o Options) (*Image, error) {
	head := fetch(f, 0, simgHeaderLen)
	if !info.Mode().IsRegular() || len(head) < 4 || le.Uint32(head) != simgMagic {
		return nil, errWrongType
	}
	h, err := decodeSimgHeader(head)
	if err != nil {
		err.(*FormatError).Name = name
		return nil, err
	}
	s := &simg{file: f, name: name, fileSize: info.Size(), size: h.block * h.blocks}
	sum := newSimgSum(s, h.crc != 0)
	at, end, whole := s.index(h, sum)
	if bad := sum.close(at, end, whole, o.AcceptDamage); !o.AcceptDamage {
		s.bad = s.bad.with(bad)
	}
	im := contain(s, name, "Android sparse", info.Size())
	if simgPiece.MatchString(filepath.Base(name)) {
		warnf(&im.warnings, "%s is named like one piece of several: what the others hold reads as zeros; to join them: simg2img PIECES... OUT", filepath.Base(name))
	}
	im.warnings = append(im.warnings, s.warnings...)
	im.faults = s.faults
	return im, nil
}

// index goes through the chunks, and tells as far as which byte of the file and of the
// image, and whether that was all. What a damaged one leaves unknown lasts to the end of the image: only a
// chunk's length tells where the next one begins.
func (s *simg) index(h simgHeader, sum *simgSum) (at, end int64, whole bool) {
	var off int64
	at = h.headerLen
	damaged := func(err error) (int64, int64, bool) {
		s.lose(off, at, "chunk header", err)
		return at, off, false
	}
	for n := uint32(0); n < h.chunks; n++ {
		b := fetch(s.file, at, simgChunkLen+4)
		if len(b) < simgChunkLen {
			return damaged(io.ErrUnexpectedEOF)
		}
		kind, blocks, total := le.Uint16(b), int64(le.Uint32(b[4:])), int64(le.Uint32(b[8:])) // chunk_type, chunk_sz, total_sz
		if blocks > (s.size-off)/h.block {
			return damaged(fmt.Errorf("%d blocks, of %d that are left", blocks, (s.size-off)/h.block))
		}
		length := blocks * h.block
		body := total - h.chunkLen
		data := at + h.chunkLen
		var want int64
		switch kind {
		case simgRaw:
			want = length
		case simgFill, simgCRC:
			want = 4
		case simgDontCare:
		default:
			return damaged(fmt.Errorf("kind %#x", kind))
		}
		if body != want || kind == simgCRC && blocks != 0 {
			return damaged(fmt.Errorf("kind %#x, %d blocks and %d bytes", kind, blocks, total))
		}
		var word []byte
		if want == 4 {
			if word = fetch(s.file, data, 4); len(word) < 4 {
				return damaged(io.ErrUnexpectedEOF)
			}
		}
		r := simgRange{start: off, at: data, kind: kind}
		switch kind {
		case simgFill:
			r.fill = le.Uint32(word)
		case simgCRC:
			sum.check(le.Uint32(word), data, off)
		}
		if length > 0 {
			s.add(r)
		}
		off += length
		at = data + body
		if at > s.fileSize {
			have := off - (at - s.fileSize)
			s.lose(have, s.fileSize, "chunk", fmt.Errorf("the file is cut short: %w", io.ErrUnexpectedEOF))
			return s.fileSize, have, false
		}
	}
	if whole = off == s.size; !whole {
		s.lose(off, at, "chunk", errors.New("there is no more"))
	} else if h.crc != 0 {
		sum.check(h.crc, 0x18, s.size)
	}
	if rest := s.fileSize - at; rest > 0 {
		warnf(&s.warnings, "%d bytes follow the last chunk", rest)
	}
	return at, off, whole
}

// lose tells that the image is lost from byte off on, for what lies at a byte of the file.
func (s *simg) lose(off, at int64, what string, err error) {
	s.lost = err
	if off < s.size {
		s.add(simgRange{start: off, at: at})
		s.faults = append(s.faults, &DamageError{s.name, what, at, off, s.size - off, err})
	} else {
		s.faults = append(s.faults, fmt.Errorf("%s at byte %d: %w", what, at, err))
	}
}

// add puts a range behind the others. What it continues it becomes part of.
func (s *simg) add(r simgRange) {
	if n := len(s.ranges); n > 0 && s.ranges[n-1].kind == simgDontCare && r.kind == simgDontCare {
		return
	}
	if r.start < s.size {
		s.ranges = append(s.ranges, r)
	}
}

// rangeAt finds the range of a byte, and how much of it follows.
func (s *simg) rangeAt(off int64) (simgRange, int64) {
	i := sort.Search(len(s.ranges), func(i int) bool { return s.ranges[i].start > off })
	end := s.size
	if i < len(s.ranges) {
		end = s.ranges[i].start
	}
	return s.ranges[i-1], end - off
}

func (s *simg) ReadAt(p []byte, off int64) (int, error) {
	for done := 0; done < len(p); {
		at := off + int64(done)
		if at >= s.size {
			return done, io.EOF
		}
		r, n := s.rangeAt(at)
		if bad := s.bad.next(at); bad != nil && r.kind != 0 {
			if at >= bad.off {
				return done, bad.error(at, int64(len(p)-done))
			}
			n = min(n, bad.off-at)
		}
		part := p[done:][:min(int64(len(p)-done), n)]
		switch {
		case r.kind == 0:
			return done, &DamageError{s.name, "chunk", r.at, at, int64(len(part)), s.lost}
		case r.kind == simgRaw:
			n, err := s.file.ReadAt(part, r.at+at-r.start)
			if n < len(part) {
				return done + n, inRange(err, s.name, at+int64(n), int64(len(part)-n))
			}
		case r.kind == simgFill && r.fill != 0:
			for i := range part {
				part[i] = byte(r.fill >> (8 * ((at + int64(i)) % 4)))
			}
		default:
			clear(part)
		}
		done += len(part)
	}
	return len(p), nil
}

// Map implements container.
func (s *simg) Map(off int64) (RangeKind, int64) {
	r, n := s.rangeAt(off)
	if bad := s.bad.next(off); bad != nil {
		if off >= bad.off {
			return Data, bad.end() - off
		}
		n = min(n, bad.off-off)
	}
	if r.kind == simgDontCare || r.kind == simgFill && r.fill == 0 {
		return Zero, n
	}
	return Data, n
}

func (s *simg) Size() int64  { return s.size }
func (s *simg) Close() error { return s.file.Close() }
