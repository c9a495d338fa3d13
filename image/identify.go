package image

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Content names what a range of bytes holds.
type Content struct {
	Type   string // "ext4", "xfs", "LVM2 member", "qcow2 image", "zeros", "unknown data" …; never ""
	Detail string // more for people: a version, what converts it, what else was seen
	Label  string // of the file system or volume
	UUID   string // of the file system or volume, as blkid writes it
	IsExt  bool   // package ext can read it, perhaps only by a backup superblock
}

// Types of content that nothing was recognised in.
const (
	typeUnknown    = "unknown data"
	typeZeros      = "zeros"
	typeEmpty      = "empty file"
	typeShort      = "file too short"
	typeUnreadable = "unreadable"
	typeMBR        = "MBR partition table"
	typeGPT        = "GPT partition table"
	typeExtended   = "extended partition"
	typeBeyond     = "beyond the end of the image"
	typeNoLength   = "empty partition"
	typeUnread     = "unsupported volume"
)

// Types of content that volumes lie in.
const (
	typeLVM   = "LVM2 member"
	typeMD    = "Linux RAID member"
	typeLUKS1 = "LUKS1"
	typeLUKS2 = "LUKS2"
)

// known tells whether c was recognised as something of its own: no table, and
// not merely the backup of a file system that is gone.
func known(c Content) bool {
	switch c.Type {
	case "", typeUnknown, typeZeros, typeEmpty, typeShort, typeUnreadable, typeMBR, typeGPT,
		typeExtended, typeBeyond, typeNoLength, typeUnread:
		return false
	}
	return true
}

// Unknown reports whether nothing tells what the bytes are, though there are some.
func (c Content) Unknown() bool { return c.Type == typeUnknown || c.Type == typeZeros }

// String is c in a few words, safe to print: `xfs file system (label "data")`.
func (c Content) String() string {
	var b strings.Builder
	b.WriteString(c.Type)
	if fileSystems[c.Type] {
		b.WriteString(" file system")
	}
	var more []string
	if c.Label != "" {
		more = append(more, fmt.Sprintf("label %q", c.Label))
	}
	if c.Detail != "" {
		more = append(more, c.Detail)
	}
	if len(more) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(more, "; "))
	}
	return b.String()
}

// minFS is the least a file system takes: an ext superblock ends at byte 2048.
const minFS = 2048

// maxZeros is the size up to which Identify reads everything before it says
// that all is zeros.
const maxZeros = 64 << 20

// Identify names what the size bytes of r are. It reads some 100 KiB here and
// there, and up to 64 MiB where all it sees is zeros.
func Identify(r io.ReaderAt, size int64) Content {
	budget := int64(maxZeros)
	return identify(r, size, &budget)
}

// identify is Identify with a budget for telling zeros, from which what was
// read is taken.
func identify(r io.ReaderAt, size int64, budget *int64) Content {
	if size <= 0 {
		return Content{Type: typeEmpty}
	}
	s := &signatures{r: r, size: size}
	if c := s.signature(); known(c) {
		return c
	}
	if size < minFS {
		return Content{Type: typeShort, Detail: fmt.Sprintf("%d bytes, %s", size, s.begins())}
	}
	for _, try := range []func() (Content, bool){s.table, s.extBackup, func() (Content, bool) { return s.zeros(budget) }} {
		if c, ok := try(); ok {
			return c
		}
	}
	if _, err := fetchAll(r, 0, 512); err != nil {
		return Content{Type: typeUnreadable, Detail: err.Error()}
	}
	return Content{Type: typeUnknown, Detail: s.begins()}
}

// signatures looks for what file systems, volumes and files begin or end with.
type signatures struct {
	r    io.ReaderAt
	size int64
	head []byte // the first headLen bytes, once read
}

// headLen holds all fixed places but the rare far ones.
const headLen = 72 << 10

// at is the n bytes at off; shorter where there is less. Off may be negative
// for "not there". The caller must not change them.
func (s *signatures) at(off int64, n int) []byte {
	if s.head == nil {
		s.head = fetch(s.r, 0, int(min(s.size, headLen)))
		if s.head == nil {
			s.head = []byte{}
		}
	}
	if off >= 0 && off+int64(n) <= int64(len(s.head)) {
		return s.head[off:][:n]
	}
	if off < 0 || off >= s.size {
		return nil
	}
	return fetch(s.r, off, int(min(int64(n), s.size-off)))
}

// whole is the n bytes at off, or nil if not all of them are there.
func (s *signatures) whole(off int64, n int) []byte {
	if b := s.at(off, n); len(b) == n {
		return b
	}
	return nil
}

// has tells whether the bytes at off are magic.
func (s *signatures) has(off int64, magic string) bool {
	return string(s.at(off, len(magic))) == magic
}

// signature is what has a signature of its own. The order is what tells a live
// signature from one left behind: mke2fs clears bytes 0 to 1023, so what stands
// there was written after any ext superblock; what others put elsewhere mke2fs
// may have left.
func (s *signatures) signature() Content {
	for _, stage := range []func() (Content, bool){
		s.container, s.volume, s.ext, s.fileSystem, s.endVolume, s.packed, s.footer,
	} {
		if c, ok := stage(); ok {
			return c
		}
	}
	return Content{Type: typeUnknown}
}

// begins shows the first bytes.
func (s *signatures) begins() string {
	b := s.at(0, 16)
	return fmt.Sprintf("begins %x", b)
}

// table names a partition table where none is looked for: inside a partition.
func (s *signatures) table() (Content, bool) {
	for _, sector := range []int64{512, 4096} {
		if h, ok := decodeGPTHeader(s.at(sector, 512)); ok && h.crcOK {
			return Content{Type: typeGPT, UUID: h.disk}, true
		}
	}
	m, ok := decodeMBR(s.at(0, mbrLen))
	if !ok || m.doubts() > 1 {
		return Content{}, false
	}
	if len(m.used()) == 0 && m.diskID == "" {
		return Content{}, false
	}
	return Content{Type: typeMBR, UUID: m.diskID}, true
}

// zeros tells whether all is zeros, by reading it whole while the budget lasts
// and samples beyond.
func (s *signatures) zeros(budget *int64) (Content, bool) {
	if !allZero(s.at(0, int(min(s.size, headLen)))) {
		return Content{}, false
	}
	if _, err := fetchAll(s.r, 0, int(min(s.size, 512))); err != nil {
		return Content{}, false
	}
	if h, ok := s.r.(interface{ Hole(int64) (int64, bool) }); ok {
		if n, absent := h.Hole(0); n >= s.size && !absent {
			return Content{Type: typeZeros}, true
		}
	}
	step, piece := int64(1<<20), int64(1<<20)
	sampled := s.size > maxZeros || s.size > *budget
	if sampled {
		step, piece = max(s.size/256, 4096), 4096
	}
	b := make([]byte, min(piece, s.size))
	for off := int64(0); off < s.size; {
		n, err := s.r.ReadAt(b[:min(int64(len(b)), s.size-off)], off)
		*budget -= int64(n)
		if !allZero(b[:n]) || err != nil && !errors.Is(err, io.EOF) {
			return Content{}, false
		}
		last := s.size - int64(len(b)) // the end is always looked at
		if off < last {
			off = min(off+step, last)
		} else {
			off = s.size
		}
	}
	if sampled {
		return Content{Type: typeZeros, Detail: "zeros where sampled, in 256 places"}, true
	}
	return Content{Type: typeZeros}, true
}

// fileSystems are the types String calls file systems.
var fileSystems = func() map[string]bool {
	m := map[string]bool{}
	for _, t := range slices.Concat(extTypes, otherFileSystems) {
		m[t] = true
	}
	return m
}()
