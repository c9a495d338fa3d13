package image

import (
	"fmt"
	"math"
)

// A vmdkHeader is what the header of a sparse extent says, either form of it: struct
// SparseExtentHeader of VMware's Virtual Disk Format 5.0, or COWDisk_Header of ESX.
type vmdkHeader struct {
	esx          bool
	version      uint32
	flags        uint32
	capacity     int64 // bytes
	grain        int64 // bytes
	perTable     int64 // entries of a grain table
	descriptorAt int64 // byte of the file, 0 where there is none
	descriptor   int64 // its bytes
	directory    int64 // byte of the file; vmdkAtEnd
	redundant    int64 // likewise, 0 for none
	overhead     int64 // bytes before the first grain
	compression  uint16
	unclean      bool
	asText       bool // line ends are not what they were: the file was changed on its way
}

// flags
const (
	vmdkHasNewlines  = 1 << 0
	vmdkHasRedundant = 1 << 1
	vmdkHasZeroed    = 1 << 2 // a grain table entry of 1 is a grain of zeros
	vmdkCompressed   = 1 << 16
	vmdkMarkers      = 1 << 17
)

const (
	vmdkMagic     = "KDMV"
	vmdkEsxMagic  = "COWD"
	vmdkAtEnd     = -1 // GD_AT_END: the footer has it
	vmdkHeaderLen = 512
	// A grain is usually 64 KiB, and 1 GiB of memory is not for a header to ask for.
	maxVmdkGrain  = 1 << 20
	maxVmdkTables = 1 << 21    // 64 TiB in grains and tables of the usual size
	seSparse      = 0xcafebabe // SESPARSE_CONST_HEADER_MAGIC, as 64 bits
)

// decodeVmdkHeader decodes the first 512 bytes of a sparse extent, or its footer. The
// error, if any, is a *FormatError without a name.
func decodeVmdkHeader(b []byte) (vmdkHeader, error) {
	if len(b) < vmdkHeaderLen {
		return vmdkHeader{}, vmdkError(int64(len(b)), "header cut short")
	}
	switch string(b[:4]) {
	case vmdkMagic:
		return decodeHostedHeader(b)
	case vmdkEsxMagic:
		return decodeEsxHeader(b)
	}
	return vmdkHeader{}, vmdkError(0, fmt.Sprintf("magic number is %#x", le.Uint32(b)))
}

func decodeHostedHeader(b []byte) (vmdkHeader, error) {
	h := vmdkHeader{
		version:     le.Uint32(b[0x4:]),         // version
		flags:       le.Uint32(b[0x8:]),         // flags
		perTable:    int64(le.Uint32(b[0x2c:])), // numGTEsPerGT
		unclean:     b[0x48] != 0,               // uncleanShutdown
		compression: le.Uint16(b[0x4d:]),        // compressAlgorithm
	}
	if h.version < 1 || h.version > 3 {
		return h, vmdkError(0x4, fmt.Sprintf("version %d is not read", h.version))
	}
	if h.perTable < 1 || h.perTable > 512 {
		return h, vmdkError(0x2c, fmt.Sprintf("a grain table of %d entries", h.perTable))
	}
	for _, f := range []struct {
		at  int64
		set *int64
	}{
		{0xc, &h.capacity},      // capacity
		{0x14, &h.grain},        // grainSize
		{0x1c, &h.descriptorAt}, // descriptorOffset
		{0x24, &h.descriptor},   // descriptorSize
		{0x30, &h.redundant},    // rgdOffset
		{0x38, &h.directory},    // gdOffset
		{0x40, &h.overhead},     // overHead
	} {
		sectors := le.Uint64(b[f.at:])
		n, ok := mulOffset(sectors, vmdkSector)
		switch {
		case sectors == math.MaxUint64 && f.set == &h.directory:
			n = vmdkAtEnd
		case sectors == math.MaxUint64 && f.set == &h.redundant, h.flags&vmdkHasRedundant == 0 && f.set == &h.redundant:
			n = 0
		case !ok:
			return h, vmdkError(f.at, fmt.Sprintf("%d sectors are more than any file has", sectors))
		}
		*f.set = n
	}
	h.asText = h.flags&vmdkHasNewlines != 0 && string(b[0x49:0x4d]) != "\n \r\n"
	if h.compression > 1 {
		return h, vmdkError(0x4d, fmt.Sprintf("compression %d is not read", h.compression))
	}
	return h, h.check(0x14)
}

func decodeEsxHeader(b []byte) (vmdkHeader, error) {
	h := vmdkHeader{
		esx:       true,
		version:   le.Uint32(b[0x4:]),                      // version
		capacity:  int64(le.Uint32(b[0xc:])) * vmdkSector,  // numSectors
		grain:     int64(le.Uint32(b[0x10:])) * vmdkSector, // grainSize
		directory: int64(le.Uint32(b[0x14:])) * vmdkSector, // gdOffset
		perTable:  4096,                                    // COW_NUM_LEAF_ENTRIES
	}
	if h.version != 1 {
		return h, vmdkError(0x4, fmt.Sprintf("ESX sparse, version %d is not read", h.version))
	}
	return h, h.check(0x10)
}

// check judges what both headers have; at is where the grain size lies.
func (h *vmdkHeader) check(at int64) error {
	if h.grain < vmdkSector || h.grain > maxVmdkGrain || h.grain&(h.grain-1) != 0 {
		return vmdkError(at, fmt.Sprintf("a grain of %d bytes", h.grain))
	}
	return nil
}

// tables is how many grain tables the directory lists.
func (h *vmdkHeader) tables() int64 {
	covers := h.grain * h.perTable
	return h.capacity/covers + min(h.capacity%covers, 1)
}
