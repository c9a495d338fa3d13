package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	vdiHeaderLen = 0x1c8
	vdiMaxBlock  = 256 << 20  // bytes; VirtualBox makes them of 1 MiB
	vdiFree      = 0xffffffff // a block that was never written
	vdiDiscarded = 0xfffffffe // zeros
)

const byVBox = "convert with: VBoxManage clonemedium IN OUT --format RAW"

// Types of a vdi.
const (
	vdiDynamic      = 1
	vdiFixed        = 2
	vdiUndo         = 3
	vdiDifferencing = 4
)

var vdiTypes = map[uint32]string{vdiDynamic: "dynamic", vdiFixed: "fixed", vdiUndo: "undo", vdiDifferencing: "differencing"}

// A vdiHeader is VDIPREHEADER and VDIHEADER1 of VirtualBox's VDICore.h: versions 1.x.
type vdiHeader struct {
	text           string // who made it
	version        uint32 // 0x00010001
	kind           uint32
	blocks         uint32 // offset of the block map
	data           uint32 // offset of the first block
	size           uint64 // bytes of the disk
	block, extra   uint32 // bytes of a block, and of what lies before it
	count          uint32 // blocks of the disk
	id, modified   [16]byte
	parent, parMod [16]byte // the parent's id, and its modified when the child was made
}

// decodeVDIHeader decodes the first bytes of a file; errWrongType is for those of another.
func decodeVDIHeader(b []byte) (vdiHeader, error) {
	if len(b) < vdiHeaderLen || le.Uint32(b[0x40:]) != 0xbeda107f {
		return vdiHeader{}, errWrongType
	}
	h := vdiHeader{text: strings.Trim(cstring(b[:0x40]), "<> \n"), version: le.Uint32(b[0x44:])}
	if h.version>>16 != 1 {
		if string(b[:4]) != "<<< " {
			return h, errWrongType // four bytes in the code of a boot sector
		}
		return h, nil
	}
	h.kind = le.Uint32(b[0x4c:])
	h.blocks, h.data = le.Uint32(b[0x154:]), le.Uint32(b[0x158:])
	h.size = le.Uint64(b[0x170:])
	h.block, h.extra, h.count = le.Uint32(b[0x178:]), le.Uint32(b[0x17c:]), le.Uint32(b[0x180:])
	h.id, h.modified = [16]byte(b[0x188:]), [16]byte(b[0x198:])
	h.parent, h.parMod = [16]byte(b[0x1a8:]), [16]byte(b[0x1b8:])
	return h, nil
}

// probeVDI takes what a vdi header begins.
func probeVDI(f *os.File, info fs.FileInfo, name string, _ Options) (*Image, error) {
	if !info.Mode().IsRegular() {
		return nil, errWrongType
	}
	h, err := decodeVDIHeader(fetch(f, 0, vdiHeaderLen))
	if err != nil {
		return nil, err
	}
	return openVDI(f, info, name, h, nil)
}

func openVDI(f *os.File, info fs.FileInfo, name string, h vdiHeader, children lineage) (*Image, error) {
	bad := func(at int64, hint, format string, args ...any) (*Image, error) {
		return nil, &FormatError{name, "vdi", at, fmt.Sprintf(format, args...), hint}
	}
	block, data := int64(h.block), int64(h.data)
	switch {
	case h.version>>16 != 1:
		return bad(0x44, byVBox, "version %d.%d is not supported", h.version>>16, h.version&0xffff)
	case vdiTypes[h.kind] == "":
		return bad(0x4c, byVBox, "type %d is not supported", h.kind)
	case block < defaultSector || block%defaultSector != 0 || block > vdiMaxBlock || h.extra > vdiMaxBlock:
		return bad(0x178, "", "block size of %d bytes, and %d before each", block, h.extra)
	case h.size > 1<<62 || int64(h.size) > int64(h.count)*block:
		return bad(0x180, "", "%d blocks of %d bytes, too few for a disk of %d", h.count, block, h.size)
	}
	d := &blockDisk{
		name: name, file: f, end: info.Size(), size: int64(h.size), block: block,
		base: data + int64(h.extra), unit: block + int64(h.extra), closer: f,
		entryAt: func(i int64) int64 { return int64(h.blocks) + 4*i },
	}
	err := d.setTable("vdi", int64(h.blocks), 4, (d.size+block-1)/block, func(i int64, b []byte) {
		switch s := le.Uint32(b); {
		case s == vdiFree:
			d.table[i] = blockInherited
		case s == vdiDiscarded:
			d.table[i] = blockZero
		case s >= h.count:
			d.table[i] = blockBroken
		default:
			d.table[i] = s
		}
	})
	if err != nil {
		return nil, err
	}
	im := contain(d, name, "vdi", info.Size())
	im.details = []Detail{{"subformat", vdiTypes[h.kind]}, {"creator", h.text}, {"uuid", guidString(h.id[:])}}
	im.warnings = d.survey(d.unit)
	if h.kind == vdiDifferencing || h.kind == vdiUndo {
		if d.parent, err = openVDIParent(name, h, append(children, info)); err != nil {
			return nil, err
		}
		im.with(d.parent)
	}
	return im, nil
}

// openVDIParent opens the file of the evidence's folder whose UUID is the parent's: no
// path is recorded. It has to be as it was when the child was made.
func openVDIParent(name string, h vdiHeader, children lineage) (*Image, error) {
	want := guidString(h.parent[:])
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	failed := error(&ReferenceError{name, "parent", want, errors.New("no vdi of this UUID lies beside it")})
	for _, e := range entries {
		if !e.Type().IsRegular() || e.Name() == filepath.Base(name) {
			continue
		}
		im, err := openBeside(name, e.Name(), func(f *os.File, info fs.FileInfo, path string) (*Image, error) {
			p, err := decodeVDIHeader(fetch(f, 0, vdiHeaderLen))
			switch {
			case err != nil:
				return nil, err
			case p.id != h.parent || p.version>>16 != 1:
				return nil, errWrongType
			case h.parMod != [16]byte{} && p.modified != h.parMod:
				return nil, &ParentError{guidString(p.modified[:]), guidString(h.parMod[:])}
			}
			if err := children.check(info); err != nil {
				return nil, err
			}
			return openVDI(f, info, path, p, children)
		})
		if err == nil {
			return im, nil
		}
		if !errors.Is(err, errWrongType) && !errors.Is(err, fs.ErrPermission) {
			failed = err
		}
	}
	return nil, failed
}
