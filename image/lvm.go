package image

import (
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

const (
	lvmSector    = 512
	lvmHeaderLen = 512 // of a metadata area
	lvmMagic     = " LVM2 x[5A%r0N*>"
	maxLVMAreas  = 16 // data or metadata areas of a physical volume; LVM2 writes at most two
)

// lvmCRC is the checksum that all of LVM2's structures have: CRC-32 without the last
// inversion, begun with its own value. calc_crc, lib/misc/crc.c.
func lvmCRC(parts ...[]byte) uint32 {
	crc := ^uint32(0xf597a6cf)
	for _, p := range parts {
		crc = crc32.Update(crc, crc32.IEEETable, p)
	}
	return ^crc
}

// An lvmExtent is a byte range of a physical volume: struct disk_locn.
type lvmExtent struct{ start, size uint64 }

// An lvmLabel is what marks a physical volume: struct label_header and struct pv_header,
// lib/label/label.h and lib/format_text/layout.h of LVM2.
type lvmLabel struct {
	crcOK bool
	uuid  string // as LVM2 writes it, with hyphens
	size  uint64 // of the device, bytes
	meta  []lvmExtent
}

// decodeLVMLabel decodes a sector. It is false if there is no label in it.
func decodeLVMLabel(b []byte) (lvmLabel, bool) {
	if len(b) < lvmSector || string(b[:8]) != "LABELONE" || string(b[0x18:0x20]) != "LVM2 001" { // id, type
		return lvmLabel{}, false
	}
	b = b[:lvmSector]
	l := lvmLabel{crcOK: lvmCRC(b[0x14:]) == le.Uint32(b[0x10:])} // crc_xl
	off := le.Uint32(b[0x14:])                                    // offset_xl
	if off < 0x20 || off > lvmSector-0x28 {
		return l, true
	}
	pv := b[off:]
	l.uuid = lvmUUID(pv[:0x20])      // pv_uuid
	l.size = le.Uint64(pv[0x20:])    // device_size_xl
	rest := pv[0x28:]                // disk_areas_xl
	_, rest = decodeLVMExtents(rest) // data areas
	l.meta, _ = decodeLVMExtents(rest)
	return l, true
}

// decodeLVMExtents decodes a list that ends with an empty extent, and gives what lies
// behind it.
func decodeLVMExtents(b []byte) (list []lvmExtent, rest []byte) {
	for len(b) >= 0x10 {
		e := lvmExtent{le.Uint64(b[0x0:]), le.Uint64(b[0x8:])}
		b = b[0x10:]
		if e.start == 0 {
			return list, b
		}
		if len(list) < maxLVMAreas {
			list = append(list, e)
		}
	}
	return list, nil
}

// lvmUUID writes the 32 letters and digits of an ID as LVM2 does; "" if they are others.
func lvmUUID(b []byte) string {
	id := string(b)
	if len(id) != 32 || !isAlnum(id) {
		return ""
	}
	return strings.Join([]string{id[:6], id[6:10], id[10:14], id[14:18], id[18:22], id[22:26], id[26:]}, "-")
}

// An lvmArea is the header of a metadata area: struct mda_header, and its first struct
// raw_locn, which is of the text that counts.
type lvmArea struct {
	crcOK       bool
	version     uint32
	start, size uint64    // bytes of the physical volume, header included
	text        lvmExtent // from the start of the area; it goes on behind the header where the area ends
	textCRC     uint32
	ignored     bool // LVM2 keeps nothing current here
}

// decodeLVMArea decodes a header. It is false if there is none.
func decodeLVMArea(b []byte) (lvmArea, bool) {
	if len(b) < lvmHeaderLen || string(b[0x4:0x14]) != lvmMagic {
		return lvmArea{}, false
	}
	b = b[:lvmHeaderLen]
	return lvmArea{
		crcOK:   lvmCRC(b[0x4:]) == le.Uint32(b[0x0:]),               // checksum_xl
		version: le.Uint32(b[0x14:]),                                 // version
		start:   le.Uint64(b[0x18:]),                                 // start
		size:    le.Uint64(b[0x20:]),                                 // size
		text:    lvmExtent{le.Uint64(b[0x28:]), le.Uint64(b[0x30:])}, // raw_locns[0].offset, .size
		textCRC: le.Uint32(b[0x38:]),                                 // .checksum
		ignored: le.Uint32(b[0x3c:])&1 != 0,                          // .flags, RAW_LOCN_IGNORED
	}, true
}

// readLVMLabel looks for a label in the first four sectors.
func readLVMLabel(r io.ReaderAt, size int64) (l lvmLabel, at int64, ok bool) {
	b := fetch(r, 0, int(min(size, 4*lvmSector)))
	for ; at+lvmSector <= int64(len(b)); at += lvmSector {
		if l, ok = decodeLVMLabel(b[at:]); ok {
			return l, at, true
		}
	}
	return l, 0, false
}

// An lvmText is what a metadata area holds.
type lvmText struct {
	text  []byte
	at    int64 // byte of the physical volume
	crcOK bool
}

// readLVMText reads the text of the metadata area e of a physical volume. It is nil
// without an error where there is none.
func readLVMText(r io.ReaderAt, size int64, e lvmExtent) (*lvmText, error) {
	if size < lvmHeaderLen || e.start > uint64(size-lvmHeaderLen) {
		return nil, fmt.Errorf("metadata area at byte %d: beyond the end", e.start)
	}
	bad := func(format string, args ...any) (*lvmText, error) {
		return nil, fmt.Errorf("metadata area at byte %d: "+format, append([]any{e.start}, args...)...)
	}
	b, err := fetchAll(r, int64(e.start), lvmHeaderLen)
	if err != nil {
		return bad("%w", err)
	}
	a, ok := decodeLVMArea(b)
	switch {
	case !ok:
		return bad("no header")
	case !a.crcOK:
		return bad("checksum of the header does not match")
	case a.version != 1:
		return bad("version %d is not supported", a.version)
	case a.start != e.start:
		return bad("says that it starts at byte %d", a.start)
	case a.ignored || a.text.start == 0 || a.text.size == 0:
		return nil, nil
	case a.size < lvmHeaderLen || a.size > uint64(size)-e.start,
		a.text.start < lvmHeaderLen || a.text.start >= a.size || a.text.size > a.size-lvmHeaderLen:
		return bad("text of %d bytes at byte %d does not fit into its %d bytes", a.text.size, a.text.start, a.size)
	case a.text.size > maxLVMText:
		return bad("text of %d bytes, more than %d", a.text.size, maxLVMText)
	}
	t := &lvmText{at: int64(e.start + a.text.start)}
	first := min(a.text.size, a.size-a.text.start)
	if t.text, err = fetchAll(r, t.at, int(first)); err != nil {
		return bad("text: %w", err)
	}
	if first < a.text.size { // it goes round
		more, err := fetchAll(r, int64(e.start+lvmHeaderLen), int(a.text.size-first))
		if err != nil {
			return bad("text: %w", err)
		}
		t.text = append(t.text, more...)
	}
	t.crcOK = lvmCRC(t.text) == a.textCRC
	return t, nil
}
