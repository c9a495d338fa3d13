package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	vhdFooterLen = 512
	vhdHeaderLen = 1024
	vhdSector    = 512
	vhdFree      = 0xffffffff // of a block allocation table
)

// Disk types of a vhd.
const (
	vhdFixed        = 2
	vhdDynamic      = 3
	vhdDifferencing = 4
)

var errVHDChecksum = errors.New("checksum does not match")

// A vhdFooter ends each vhd, and begins all but fixed ones: "Hard Disk Footer Format" of
// Microsoft's Virtual Hard Disk Image Format Specification.
type vhdFooter struct {
	version    uint32 // 0x00010000
	dataOffset uint64 // of the dynamic disk header, in bytes of the file
	created    time.Time
	creator    string // four characters: "win ", "qemu"
	current    uint64 // bytes of the disk
	geometry   uint64 // the same by cylinders, heads and sectors
	longest    bool   // the geometry is the largest that there is
	kind       uint32
	id         [16]byte
}

// decodeVHDFooter decodes 512 bytes. The error is errWrongType or, with what they say,
// errVHDChecksum.
func decodeVHDFooter(b []byte) (vhdFooter, error) {
	if len(b) < vhdFooterLen || string(b[:8]) != "conectix" {
		return vhdFooter{}, errWrongType
	}
	b = b[:vhdFooterLen]
	var err error
	if vhdChecksum(b, 64) != be.Uint32(b[64:]) {
		err = errVHDChecksum
	}
	cylinders, heads, sectors := uint64(be.Uint16(b[56:])), uint64(b[58]), uint64(b[59])
	return vhdFooter{
		version:    be.Uint32(b[12:]),
		dataOffset: be.Uint64(b[16:]),
		created:    time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(be.Uint32(b[24:])) * time.Second),
		creator:    string(b[28:32]),
		current:    be.Uint64(b[48:]),
		geometry:   cylinders * heads * sectors * vhdSector,
		longest:    cylinders == 65535 && heads == 16 && sectors == 255,
		kind:       be.Uint32(b[60:]),
		id:         [16]byte(b[68:84]),
	}, err
}

// vhdChecksum is the complement of the sum of all bytes but the four at skip.
func vhdChecksum(b []byte, skip int) uint32 {
	var sum uint32
	for i, c := range b {
		if i < skip || i >= skip+4 {
			sum += uint32(c)
		}
	}
	return ^sum
}

// bySize are creators whose disks are as long as the footer says. All others count by
// the geometry, as Virtual PC shows a disk, unless that is at its largest. It is qemu's
// rule, but for VirtualBox, which goes by its size, too.
var bySize = map[string]bool{
	"win ": true, "qem2": true, "d2v ": true, "tap\x00": true, "CTXS": true, "wa\x00\x00": true, "vbox": true,
}

// size is the length of the disk in bytes.
func (h vhdFooter) size() uint64 {
	if bySize[h.creator] || h.longest || h.geometry == 0 {
		return h.current
	}
	return h.geometry
}

// A vhdHeader is the "Dynamic Disk Header Format" of the same specification.
type vhdHeader struct {
	tableOffset uint64 // bytes
	version     uint32
	entries     uint32
	block       uint32 // bytes
	parent      [16]byte
	parentName  string
	locators    [8]vhdLocator
}

// A vhdLocator says where in the file a path of the parent is.
type vhdLocator struct {
	platform string // "W2ru", "W2ku", "MacX"
	length   uint32 // bytes
	offset   uint64 // bytes
}

func decodeVHDHeader(b []byte) (vhdHeader, error) {
	if len(b) < vhdHeaderLen || string(b[:8]) != "cxsparse" {
		return vhdHeader{}, errWrongType
	}
	b = b[:vhdHeaderLen]
	if vhdChecksum(b, 36) != be.Uint32(b[36:]) {
		return vhdHeader{}, errVHDChecksum
	}
	h := vhdHeader{
		tableOffset: be.Uint64(b[16:]),
		version:     be.Uint32(b[24:]),
		entries:     be.Uint32(b[28:]),
		block:       be.Uint32(b[32:]),
		parent:      [16]byte(b[40:56]),
		parentName:  utf16String(b[64:576], be),
	}
	for i := range h.locators {
		l := b[576+24*i:]
		h.locators[i] = vhdLocator{string(l[:4]), be.Uint32(l[8:]), be.Uint64(l[16:])}
	}
	return h, nil
}

// probeVHD takes what a vhd footer ends or begins.
func probeVHD(f *os.File, info fs.FileInfo, name string, o Options) (*Image, error) {
	if !info.Mode().IsRegular() {
		return nil, errWrongType
	}
	im, _, err := openVHD(f, info, name, nil)
	if errors.Is(err, errVHDChecksum) {
		// Nothing tells a fixed vhd from a raw image but its footer.
		if im, err = probeRaw(f, info, name, o); err == nil {
			warnf(&im.warnings, "%s ends like a vhd, but the checksum of that footer does not match: read as raw, the footer included", filepath.Base(name))
		}
	}
	return im, err
}

// openVHD opens a vhd and gives its UUID. The error is errWrongType for what is none, and
// errVHDChecksum for what is one only if a damaged footer is to be believed.
func openVHD(f *os.File, info fs.FileInfo, name string, children lineage) (*Image, [16]byte, error) {
	var warnings []string
	foot, data, header, err := findVHDFooter(f, info.Size(), name, &warnings)
	if err != nil {
		return nil, foot.id, err
	}
	var im *Image
	switch {
	case foot.version>>16 != 1:
		err = &FormatError{name, "vhd", data, fmt.Sprintf("version %d.%d is not supported", foot.version>>16, foot.version&0xffff), byQemu}
	case foot.size() > 1<<62:
		err = &FormatError{name, "vhd", data, fmt.Sprintf("disk of %d bytes", foot.size()), ""}
	case foot.kind == vhdFixed:
		im, err = openFixedVHD(f, info, name, foot, data)
	case foot.kind == vhdDynamic, foot.kind == vhdDifferencing:
		im, err = openDynamicVHD(f, info, name, foot, header, children)
	default:
		err = &FormatError{name, "vhd", data, fmt.Sprintf("disk type %d is not supported", foot.kind), ""}
	}
	if err != nil {
		return nil, foot.id, err
	}
	if foot.size() != foot.current {
		warnf(&warnings, "%s has %d bytes by its geometry, which counts where %q made it, and %d by its size", filepath.Base(name), foot.size(), cstring([]byte(foot.creator)), foot.current)
	}
	kinds := map[uint32]string{vhdFixed: "fixed", vhdDynamic: "dynamic", vhdDifferencing: "differencing"}
	im.details = append([]Detail{
		{"subformat", kinds[foot.kind]},
		{"creator", cstring([]byte(foot.creator))},
		{"created", foot.created.Format(time.RFC3339)},
		{"uuid", uuidString(foot.id[:])},
	}, im.details...)
	im.warnings = append(warnings, im.warnings...)
	return im, foot.id, nil
}

// findVHDFooter finds the footer: at the end, or else its copy at the start. Data is
// where the footer at the end begins, or the file ends. A footer of 511 bytes is what
// old versions of Virtual PC wrote: its last, reserved, byte is left off. What is not
// fixed has to have its header, too, or it is the end of a disk on which a vhd lies.
func findVHDFooter(f io.ReaderAt, size int64, name string, warnings *[]string) (foot vhdFooter, data int64, header vhdHeader, err error) {
	head, headErr := decodeVHDFooter(fetch(f, 0, vhdFooterLen))
	data = size - vhdFooterLen
	foot, err = decodeVHDFooter(fetch(f, data, vhdFooterLen))
	if err != nil {
		short, shortErr := decodeVHDFooter(append(fetch(f, data+1, vhdFooterLen-1), 0))
		if !errors.Is(shortErr, errWrongType) {
			foot, err, data = short, shortErr, data+1
		}
	}
	base := filepath.Base(name)
	switch {
	case err != nil && headErr == nil && head.kind != vhdFixed:
		warnf(warnings, "the footer at the end of %s is missing or damaged: its copy at the start was used", base)
		foot, err, data = head, nil, size
	case err != nil || foot.kind == vhdFixed: // has no copy
	case headErr != nil:
		warnf(warnings, "the copy of the footer at the start of %s is damaged", base)
	case foot != head:
		warnf(warnings, "the footer of %s and its copy at the start differ: the footer was used", base)
	}
	if err != nil {
		switch {
		case !errors.Is(headErr, errVHDChecksum):
		case errors.Is(err, errVHDChecksum) && foot == head && foot.kind != vhdFixed:
			warnf(warnings, "the checksum of the footer of %s does not match, but it is the same as its copy at the start", base)
			err = nil
		default:
			err = &FormatError{name, "vhd", 64, "neither the footer nor its copy at the start is valid", ""}
		}
	}
	if err != nil {
		return foot, data, header, err
	}
	if foot.kind != vhdDynamic && foot.kind != vhdDifferencing {
		return foot, data, header, nil
	}
	if foot.dataOffset < 1<<62 {
		header, err = decodeVHDHeader(fetch(f, int64(foot.dataOffset), vhdHeaderLen))
	} else {
		err = errWrongType
	}
	switch {
	case err == nil:
	case errors.Is(headErr, errWrongType):
		err = errWrongType
	case errors.Is(err, errWrongType):
		err = &FormatError{name, "vhd", int64(min(foot.dataOffset, 1<<62)), "no dynamic disk header where the footer has it", ""}
	default:
		err = &FormatError{name, "vhd", int64(foot.dataOffset) + 36, "dynamic disk header: " + err.Error(), ""}
	}
	return foot, data, header, err
}

// openFixedVHD opens a fixed vhd, which is a raw image before a footer.
func openFixedVHD(f *os.File, info fs.FileInfo, name string, foot vhdFooter, data int64) (*Image, error) {
	size := int64(foot.size())
	if foot.size() != foot.current {
		size = min(size, data)
	}
	if size > data {
		if _, s, _, ok := parseSegment(filepath.Base(name)); ok && !s.letters {
			return nil, errWrongType // the last segment has the footer of all
		}
	}
	im := single(f, name, "vhd", size)
	im.data = io.NewSectionReader(f, 0, data)
	im.segments[0].Size = info.Size()
	if size != data {
		warnf(&im.warnings, "%s is to hold a disk of %d bytes, but has %d before its footer", filepath.Base(name), size, data)
	}
	return im, nil
}
