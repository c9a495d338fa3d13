package image

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// GUIDs of regions, metadata items and parent locators, as guidString writes them.
const (
	vhdxBATRegion      = "2dc27766-f623-4200-9d64-115e9bfd4a08"
	vhdxMetadataRegion = "8b7ca206-4790-4b9a-b8fe-575f050f886e"

	vhdxFileParameters = "caa16737-fa36-4d43-b3b6-33f0aa44e76b"
	vhdxDiskSize       = "2fa54224-cd1b-4876-b211-5dbed83bf4b8"
	vhdxDiskID         = "beca12ab-b2e6-4523-93ef-c309e000c746"
	vhdxLogicalSector  = "8141bf1d-a96f-4709-ba47-f233a8faab5f"
	vhdxPhysicalSector = "cda348c7-445d-4471-9cc9-e9885251c556"
	vhdxParentLocator  = "a8d35f2d-b30b-454d-abf7-d3d84834ab0c"

	vhdxLocatorType = "b04aefb7-d19e-4a81-b789-25b8e9445913"
)

// A vhdxRegion is an entry of the region table, MS-VHDX 2.2.3.2.
type vhdxRegion struct {
	id             string
	offset, length int64 // bytes of the file
	required       bool
}

// decodeVHDXRegions decodes the 64 KiB of a region table.
func decodeVHDXRegions(b []byte) ([]vhdxRegion, error) {
	if len(b) < vhdxTableLen || string(b[:4]) != "regi" {
		return nil, errWrongType
	}
	b = b[:vhdxTableLen]
	if crc32cWithout(b, 4) != le.Uint32(b[4:]) {
		return nil, errChecksum
	}
	n := le.Uint32(b[8:])
	if n > vhdxMaxTable {
		return nil, fmt.Errorf("%d entries", n)
	}
	regions := make([]vhdxRegion, n)
	for i := range regions {
		e := b[16+32*i:][:32]
		offset := le.Uint64(e[16:])
		if offset < vhdxUnit || offset > 1<<62 {
			return nil, fmt.Errorf("entry %d: offset %d", i, offset)
		}
		regions[i] = vhdxRegion{guidString(e), int64(offset), int64(le.Uint32(e[24:])), le.Uint32(e[28:])&1 == 1}
	}
	return regions, nil
}

// A vhdxItem is an entry of the metadata table, MS-VHDX 2.6.1.2.
type vhdxItem struct {
	id             string
	offset, length uint32 // bytes of the region
	user, required bool
}

// decodeVHDXMetadata decodes the 64 KiB of a metadata table.
func decodeVHDXMetadata(b []byte) ([]vhdxItem, error) {
	if len(b) < vhdxTableLen || string(b[:8]) != "metadata" {
		return nil, errors.New("no signature")
	}
	n := le.Uint16(b[10:])
	if n > vhdxMaxTable {
		return nil, fmt.Errorf("%d entries", n)
	}
	items := make([]vhdxItem, n)
	for i := range items {
		e := b[32+32*i:][:32]
		flags := le.Uint32(e[24:])
		items[i] = vhdxItem{guidString(e), le.Uint32(e[16:]), le.Uint32(e[20:]), flags&1 == 1, flags&4 == 4}
	}
	return items, nil
}

// regions reads the region table: the first of the two that is valid.
func (v *vhdxFile) regions() ([]vhdxRegion, error) {
	var tables [2][]vhdxRegion
	var errs [2]error
	for i, at := range vhdxRegions {
		if tables[i], errs[i] = decodeVHDXRegions(fetch(v.r, at, vhdxTableLen)); errors.Is(errs[i], errWrongType) {
			errs[i] = errors.New("no signature")
		}
	}
	base := filepath.Base(v.name)
	switch {
	case errs[0] != nil && errs[1] != nil:
		return nil, v.bad(vhdxRegions[0], "region table: %v", errs[0])
	case errs[0] != nil:
		warnf(&v.warnings, "the region table of %s is damaged (%v): its copy was used", base, errs[0])
		return tables[1], nil
	case errs[1] != nil:
		warnf(&v.warnings, "the copy of the region table of %s is damaged (%v)", base, errs[1])
	case !slices.Equal(tables[0], tables[1]):
		warnf(&v.warnings, "the region table of %s and its copy differ: the first was used", base)
	}
	return tables[0], nil
}

// readMetadata reads what the metadata region says of the disk, and finds the block
// allocation table.
func (v *vhdxFile) readMetadata() error {
	regions, err := v.regions()
	if err != nil {
		return err
	}
	var meta vhdxRegion
	for _, r := range regions {
		switch {
		case r.id == vhdxBATRegion:
			v.bat = r
		case r.id == vhdxMetadataRegion:
			meta = r
		case r.required:
			return v.bad(vhdxRegions[0], "region %s, which is required, is not known", r.id)
		}
	}
	if v.bat.offset == 0 || meta.offset == 0 {
		return v.bad(vhdxRegions[0], "region table without a block allocation table or metadata")
	}
	items, err := decodeVHDXMetadata(fetch(v.r, meta.offset, vhdxTableLen))
	if err != nil {
		return v.bad(meta.offset, "metadata table: %v", err)
	}
	found := map[string][]byte{}
	for _, item := range items {
		switch item.id {
		case vhdxFileParameters, vhdxDiskSize, vhdxDiskID, vhdxLogicalSector, vhdxPhysicalSector, vhdxParentLocator:
			if item.user {
				continue
			}
			if item.length > vhdxUnit || int64(item.offset)+int64(item.length) > meta.length {
				return v.bad(meta.offset+int64(item.offset), "metadata item %s of %d bytes at byte %d of a region of %d", item.id, item.length, item.offset, meta.length)
			}
			found[item.id] = fetch(v.r, meta.offset+int64(item.offset), int(item.length))
		default:
			if item.required {
				return v.bad(meta.offset, "metadata item %s, which is required, is not known", item.id)
			}
		}
	}
	return v.describe(meta, found)
}

// describe takes over the metadata items.
func (v *vhdxFile) describe(meta vhdxRegion, found map[string][]byte) error {
	for id, n := range map[string]int{vhdxFileParameters: 8, vhdxDiskSize: 8, vhdxLogicalSector: 4} {
		if len(found[id]) < n {
			return v.bad(meta.offset, "metadata item %s is missing or too short", id)
		}
	}
	v.block = int64(le.Uint32(found[vhdxFileParameters]))
	flags := le.Uint32(found[vhdxFileParameters][4:])
	v.leave, v.hasParent = flags&1 == 1, flags&2 == 2
	v.sector = int64(le.Uint32(found[vhdxLogicalSector]))
	size := le.Uint64(found[vhdxDiskSize])
	if id := found[vhdxDiskID]; len(id) >= 16 {
		v.diskID = guidString(id)
	}
	v.locator = found[vhdxParentLocator]
	switch {
	case v.block < vhdxUnit || v.block > 256*vhdxUnit || v.block&(v.block-1) != 0:
		return v.bad(meta.offset, "block size of %d bytes", v.block)
	case v.sector != 512 && v.sector != 4096:
		return v.bad(meta.offset, "logical sector size of %d bytes", v.sector)
	case size > 64<<40:
		return v.bad(meta.offset, "disk of %d bytes", size)
	}
	v.disksize = int64(size)
	return nil
}

// decodeVHDXLocator decodes the keys and values of a parent locator, MS-VHDX 2.6.2.6.
func decodeVHDXLocator(b []byte) (map[string]string, error) {
	if len(b) < 20 {
		return nil, io.ErrUnexpectedEOF
	}
	if t := guidString(b); t != vhdxLocatorType {
		return nil, fmt.Errorf("type %s is not known", t)
	}
	text := func(offset uint32, length uint16) (string, bool) {
		if int64(offset)+int64(length) > int64(len(b)) {
			return "", false
		}
		return utf16String(b[offset:][:length], le), true
	}
	keys := map[string]string{}
	n := int(le.Uint16(b[18:]))
	if 20+12*n > len(b) {
		return nil, fmt.Errorf("%d keys in %d bytes", n, len(b))
	}
	for i := range n {
		e := b[20+12*i:][:12]
		key, ok := text(le.Uint32(e), le.Uint16(e[8:]))
		value, fits := text(le.Uint32(e[4:]), le.Uint16(e[10:]))
		if !ok || !fits {
			return nil, fmt.Errorf("key %d lies beyond its end", i)
		}
		keys[key] = value
	}
	return keys, nil
}

// bareGUID is a GUID in braces as guidString writes it.
func bareGUID(s string) string { return strings.ToLower(strings.Trim(s, "{}")) }
