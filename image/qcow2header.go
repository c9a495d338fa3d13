package image

import (
	"bytes"
	"fmt"
	"strings"
)

const qcowMagic = "QFI\xfb"

// Bits of incompatible_features.
const (
	qcow2Dirty = 1 << iota
	qcow2Corrupt
	qcow2External
	qcow2Compression
	qcow2Extended

	qcow2Known = 1<<iota - 1
)

// Header extensions.
const (
	qcow2BackingFormat = 0xe2792aca
	qcow2FeatureNames  = 0x6803f857
	qcow2DataFile      = 0x44415441
)

// A qcow2Header is what the first cluster of a qcow2 file says, versions 2 and 3, or that
// of a qcow file, version 1 (docs/interop/qcow2.txt and block/qcow.c of QEMU). Offsets are
// bytes of the file.
type qcow2Header struct {
	version     uint32
	size        uint64 // of the image, in bytes
	clusterBits uint32
	l2Bits      uint32 // log2 of the entries of an L2 table
	crypt       uint32
	l1Size      uint64 // entries
	l1Offset    uint64
	refOffset   uint64 // of the refcount table
	refClusters uint32
	snapshots   uint32
	snapOffset  uint64
	features    uint64 // incompatible
	zstd        bool

	backing       string
	backingFormat string
	dataFile      string
	unknown       string // incompatible features that are not known, by name
	bare          bool   // version 2, and nothing follows the header in its cluster
}

// decodeQcow2Header decodes the start of a file: its first cluster, as far as it is there.
// The error is a *FormatError without a name.
func decodeQcow2Header(b []byte) (qcow2Header, error) {
	var h qcow2Header
	bad := func(at int64, format string, args ...any) (qcow2Header, error) {
		return h, &FormatError{Format: "qcow2", Offset: at, What: fmt.Sprintf(format, args...)}
	}
	if len(b) < 72 || string(b[:4]) != qcowMagic {
		return bad(0, "no header")
	}
	h.version = be.Uint32(b[4:])
	backingOffset, backingLen := be.Uint64(b[8:]), be.Uint32(b[16:])
	switch h.version {
	case 1:
		return decodeQcow1Header(b)
	case 2, 3:
	default:
		return bad(4, "version %d is not known", h.version)
	}
	h.clusterBits = be.Uint32(b[20:])
	h.size = be.Uint64(b[24:])
	h.crypt = be.Uint32(b[32:])
	h.l1Size = uint64(be.Uint32(b[36:]))
	h.l1Offset = be.Uint64(b[40:])
	h.refOffset = be.Uint64(b[48:])
	h.refClusters = be.Uint32(b[56:])
	h.snapshots = be.Uint32(b[60:])
	h.snapOffset = be.Uint64(b[64:])
	if h.clusterBits < 9 || h.clusterBits > 21 {
		return bad(20, "cluster_bits is %d, want 9 to 21", h.clusterBits)
	}
	b = b[:min(len(b), 1<<h.clusterBits)]
	length := uint32(72)
	if h.version == 3 {
		if len(b) < 104 {
			return bad(int64(len(b)), "the header is cut off")
		}
		h.features = be.Uint64(b[72:])
		length = be.Uint32(b[100:])
		if length < 104 || length%8 != 0 || int64(length) > int64(len(b)) {
			return bad(100, "header_length is %d", length)
		}
		if h.features&qcow2Compression != 0 {
			if length < 112 || b[104] > 1 {
				return bad(104, "the compression type is not known")
			}
			h.zstd = b[104] == 1
		}
	}
	h.l2Bits = h.clusterBits - 3
	if h.features&qcow2Extended != 0 {
		if h.clusterBits < 14 {
			return bad(20, "cluster_bits is %d, and extended L2 entries want 14 at least", h.clusterBits)
		}
		h.l2Bits--
	}
	h.bare = h.version == 2 && allZero(b[72:])
	end := uint64(len(b))
	if backingOffset != 0 {
		if backingOffset > uint64(len(b)) || uint64(backingLen) > uint64(len(b))-backingOffset || backingLen > 1023 {
			return bad(8, "the backing file's name, %d bytes at byte %d, is not in the first cluster", backingLen, backingOffset)
		}
		h.backing = string(b[backingOffset:][:backingLen])
		end = backingOffset
	}
	if err := h.extensions(b[:max(end, uint64(length))], int64(length)); err != nil {
		return h, err
	}
	return h, nil
}

// extensions decodes the header extensions from byte at of b on.
func (h *qcow2Header) extensions(b []byte, at int64) error {
	unknown := h.features &^ qcow2Known
	names := map[int]string{}
	for at+8 <= int64(len(b)) {
		kind, n := be.Uint32(b[at:]), int64(be.Uint32(b[at+4:]))
		if kind == 0 {
			break
		}
		if n > int64(len(b))-at-8 {
			return &FormatError{Format: "qcow2", Offset: at, What: fmt.Sprintf("header extension %#x of %d bytes leads out of the first cluster", kind, n)}
		}
		data := b[at+8:][:n]
		switch kind {
		case qcow2BackingFormat:
			h.backingFormat = string(data)
		case qcow2DataFile:
			h.dataFile = string(data)
		case qcow2FeatureNames:
			for ; len(data) >= 48; data = data[48:] {
				if data[0] == 0 { // incompatible
					names[int(data[1])] = cstring(data[2:48])
				}
			}
		}
		at += 8 + (n+7)&^7
	}
	var list []string
	for bit := range 64 {
		if unknown>>bit&1 != 0 {
			name := names[bit]
			if name == "" {
				name = "without a name"
			}
			list = append(list, fmt.Sprintf("%q (bit %d)", name, bit))
		}
	}
	h.unknown = strings.Join(list, ", ")
	return nil
}

// decodeQcow1Header decodes QCowHeader, of which the magic and version are known.
func decodeQcow1Header(b []byte) (qcow2Header, error) {
	h := qcow2Header{version: 1, size: be.Uint64(b[24:]), clusterBits: uint32(b[32]), l2Bits: uint32(b[33]), crypt: be.Uint32(b[36:]), l1Offset: be.Uint64(b[40:])}
	bad := func(at int64, format string, args ...any) (qcow2Header, error) {
		return h, &FormatError{Format: "qcow", Offset: at, What: fmt.Sprintf(format, args...)}
	}
	if h.clusterBits < 9 || h.clusterBits > 16 {
		return bad(32, "cluster_bits is %d, want 9 to 16", h.clusterBits)
	}
	if h.l2Bits < 9-3 || h.l2Bits > 16-3 {
		return bad(33, "l2_bits is %d, want 6 to 13", h.l2Bits)
	}
	if h.size > 1<<62 {
		return bad(24, "size is %d", h.size)
	}
	shift := h.clusterBits + h.l2Bits
	h.l1Size = (h.size + 1<<shift - 1) >> shift
	if offset, n := be.Uint64(b[8:]), be.Uint32(b[16:]); offset != 0 {
		if offset > uint64(len(b)) || uint64(n) > uint64(len(b))-offset || n > 1023 {
			return bad(8, "the backing file's name, %d bytes at byte %d, is too far away", n, offset)
		}
		h.backing = string(bytes.TrimRight(b[offset:][:n], "\x00"))
	}
	return h, nil
}
