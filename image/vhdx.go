package image

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	vhdxUnit      = 1 << 20 // all that is allocated begins at a multiple of it
	vhdxHeaderLen = 4 << 10
	vhdxTableLen  = 64 << 10 // of region and metadata tables
	vhdxMaxTable  = 2047     // entries of either
	vhdxChunk     = 1 << 23  // sectors that one block of sector bitmaps covers
)

// Offsets in the header section, MS-VHDX 2.2.
var (
	vhdxHeaders = [2]int64{64 << 10, 128 << 10}
	vhdxRegions = [2]int64{192 << 10, 256 << 10}
)

var (
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
	errChecksum = errors.New("checksum does not match")
)

// crc32cWithout is the CRC-32C of b, four bytes at skip of which count as zeros.
func crc32cWithout(b []byte, skip int) uint32 {
	sum := crc32.Update(0, castagnoli, b[:skip])
	sum = crc32.Update(sum, castagnoli, make([]byte, 4))
	return crc32.Update(sum, castagnoli, b[skip+4:])
}

// A vhdxHeader is one of the two headers, MS-VHDX 2.2.2.
type vhdxHeader struct {
	sequence   uint64
	dataWrite  string // GUID: what the disk holds now
	logID      [16]byte
	logVersion uint16
	version    uint16
	logLength  uint32 // bytes
	logOffset  uint64 // bytes of the file
}

// decodeVHDXHeader decodes 4 KiB. The error is errWrongType or errChecksum.
func decodeVHDXHeader(b []byte) (vhdxHeader, error) {
	if len(b) < vhdxHeaderLen || string(b[:4]) != "head" {
		return vhdxHeader{}, errWrongType
	}
	b = b[:vhdxHeaderLen]
	if crc32cWithout(b, 4) != le.Uint32(b[4:]) {
		return vhdxHeader{}, errChecksum
	}
	return vhdxHeader{
		sequence:   le.Uint64(b[8:]),
		dataWrite:  guidString(b[32:]),
		logID:      [16]byte(b[48:64]),
		logVersion: le.Uint16(b[64:]),
		version:    le.Uint16(b[66:]),
		logLength:  le.Uint32(b[68:]),
		logOffset:  le.Uint64(b[72:]),
	}, nil
}

// currentVHDXHeader is the valid header of the greater sequence number.
func currentVHDXHeader(r io.ReaderAt, name string, warnings *[]string) (vhdxHeader, error) {
	var h [2]vhdxHeader
	var err [2]error
	for i, at := range vhdxHeaders {
		h[i], err[i] = decodeVHDXHeader(fetch(r, at, vhdxHeaderLen))
	}
	for i := range h {
		if err[i] == nil && err[1-i] != nil {
			warnf(warnings, "the header at byte %d of %s is damaged: the other was used", vhdxHeaders[1-i], filepath.Base(name))
			return h[i], nil
		}
	}
	switch {
	case err[0] != nil:
		return vhdxHeader{}, &FormatError{name, "vhdx", vhdxHeaders[0], "neither of the two headers is valid", ""}
	case h[0].sequence == h[1].sequence && h[0] != h[1]:
		return vhdxHeader{}, &FormatError{name, "vhdx", vhdxHeaders[0] + 8, "two different headers of the same sequence number", ""}
	case h[1].sequence > h[0].sequence:
		return h[1], nil
	}
	return h[0], nil
}

// probeVHDX takes what a vhdx file identifier begins.
func probeVHDX(f *os.File, info fs.FileInfo, name string, _ Options) (*Image, error) {
	if !info.Mode().IsRegular() {
		return nil, errWrongType
	}
	im, _, err := openVHDX(f, info, name, nil)
	return im, err
}

// openVHDX opens a vhdx and gives the GUID that a child knows it by.
func openVHDX(f *os.File, info fs.FileInfo, name string, children lineage) (*Image, string, error) {
	id := fetch(f, 0, 520)
	if len(id) < 520 || string(id[:8]) != "vhdxfile" {
		return nil, "", errWrongType
	}
	var warnings []string
	h, err := currentVHDXHeader(f, name, &warnings)
	if err != nil {
		return nil, "", err
	}
	if h.version != 1 {
		return nil, "", &FormatError{name, "vhdx", -1, fmt.Sprintf("version %d is not supported", h.version), byQemu}
	}
	file, end, err := replayVHDXLog(f, info.Size(), name, h, &warnings)
	if err != nil {
		return nil, "", err
	}
	v := &vhdxFile{name: name, r: file, size: info.Size(), end: end, warnings: warnings}
	if err := v.readMetadata(); err != nil {
		return nil, "", err
	}
	d, err := v.disk(f)
	if err != nil {
		return nil, "", err
	}
	im := contain(d, name, "vhdx", info.Size())
	im.details = []Detail{
		{"subformat", v.subformat()},
		{"creator", utf16String(id[8:], le)},
		{"uuid", v.diskID},
	}
	im.warnings = append(v.warnings, d.survey(v.block)...)
	if v.sector != defaultSector {
		im.options.SectorSize = int(v.sector)
	}
	if v.hasParent {
		if d.parent, err = v.openParent(append(children, info)); err != nil {
			return nil, "", err
		}
		im.with(d.parent)
	}
	return im, h.dataWrite, nil
}

// A vhdxFile is what the regions of a vhdx say.
type vhdxFile struct {
	name     string
	r        io.ReaderAt // the log replayed
	size     int64       // of the file
	end      int64       // of the file with the log replayed
	warnings []string

	bat       vhdxRegion
	block     int64 // bytes
	leave     bool  // blocks stay allocated: fixed
	hasParent bool
	disksize  int64 // bytes
	diskID    string
	sector    int64 // bytes
	locator   []byte
}

func (v *vhdxFile) subformat() string {
	switch {
	case v.hasParent:
		return "differencing"
	case v.leave:
		return "fixed"
	}
	return "dynamic"
}

func (v *vhdxFile) bad(at int64, format string, args ...any) error {
	return &FormatError{v.name, "vhdx", at, fmt.Sprintf(format, args...), ""}
}

// States of entries of the block allocation table, MS-VHDX 2.5.1. What a read gives of
// blocks that are undefined or unmapped is left to the reader: zeros, as from qemu.
const (
	vhdxNotPresent = 0
	vhdxUndefined  = 1
	vhdxZero       = 2
	vhdxUnmapped   = 3
	vhdxPresent    = 6
	vhdxPartial    = 7
)

// disk reads the block allocation table. Behind the entries of each chunk of blocks is
// one for the bitmap of their sectors, which is in use only where a block is partially
// present.
func (v *vhdxFile) disk(closer io.Closer) (*blockDisk, error) {
	ratio := vhdxChunk * v.sector / v.block // blocks in a chunk: 16 or more
	blocks := (v.disksize + v.block - 1) / v.block
	chunks := (blocks + ratio - 1) / ratio
	entries := blocks
	if blocks > 0 {
		entries += (blocks - 1) / ratio
	}
	if v.hasParent {
		entries = chunks * (ratio + 1)
	}
	if entries*8 > min(v.bat.length, v.size) {
		return nil, v.bad(v.bat.offset, "block allocation table of %d bytes, too few for a disk of %d", v.bat.length, v.disksize)
	}
	d := &blockDisk{
		name: v.name, file: v.r, end: v.end, size: v.disksize, block: v.block, unit: vhdxUnit, closer: closer,
		entryAt: func(i int64) int64 { return v.bat.offset + 8*(i+i/ratio) },
	}
	var partial []uint64 // a bit for each block that is partially present
	var bitmaps []uint32 // a chunk: the place of its bitmaps, 0 for none
	if v.hasParent && blocks <= maxBlocks {
		partial, bitmaps = make([]uint64, (blocks+63)/64), make([]uint32, chunks)
	}
	err := d.setTable("vhdx", v.bat.offset, 8, entries, func(k int64, b []byte) {
		e := le.Uint64(b)
		place, chunk := e>>20, k/(ratio+1)
		fits := place > 0 && place < blockStates && e>>3&0x1ffff == 0
		i := k - chunk
		if k%(ratio+1) == ratio {
			if v.hasParent && e&7 == vhdxPresent && fits {
				bitmaps[chunk] = uint32(place)
			}
			return
		} else if i >= blocks {
			return
		}
		switch state := e & 7; {
		case state == vhdxNotPresent:
			d.table[i] = blockInherited
		case state == vhdxUndefined, state == vhdxZero, state == vhdxUnmapped:
			d.table[i] = blockZero
		case state == vhdxPresent && fits:
			d.table[i] = uint32(place)
		case state == vhdxPartial && fits && v.hasParent:
			d.table[i] = uint32(place)
			partial[i/64] |= 1 << (i % 64)
		default:
			d.table[i] = blockBroken
		}
	})
	if err != nil || !v.hasParent {
		return d, err
	}
	length := v.block / v.sector / 8 // bytes of a block's bitmap
	for i := range blocks {
		if partial[i/64]>>(i%64)&1 == 1 && bitmaps[i/ratio] == 0 {
			d.table[i] = blockBroken
		}
	}
	d.bitmaps = newSectorBitmaps(v.block, v.sector, false, func(i int64) (int64, bool) {
		return int64(bitmaps[i/ratio])*vhdxUnit + i%ratio*length, partial[i/64]>>(i%64)&1 == 1
	})
	return d, nil
}

// openParent opens the parent by the locator: relative path, volume and absolute path, in
// this order. It has to hold now what it held when the child was made.
func (v *vhdxFile) openParent(children lineage) (*Image, error) {
	keys, err := decodeVHDXLocator(v.locator)
	if err != nil {
		return nil, v.bad(-1, "parent locator: %v", err)
	}
	var paths []string
	for _, key := range []string{"relative_path", "volume_path", "absolute_win32_path"} {
		if keys[key] != "" {
			paths = append(paths, keys[key])
		}
	}
	return openParent(v.name, paths, children, func(f *os.File, info fs.FileInfo, path string) (*Image, error) {
		parent, id, err := openVHDX(f, info, path, children)
		if err != nil {
			return nil, notADisk(err, "vhdx")
		}
		if id != bareGUID(keys["parent_linkage"]) && id != bareGUID(keys["parent_linkage2"]) {
			parent.Close()
			return nil, &ParentError{id, bareGUID(keys["parent_linkage"])}
		}
		return parent, nil
	})
}
