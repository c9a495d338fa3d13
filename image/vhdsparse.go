package image

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
)

// openDynamicVHD opens a dynamic or differencing vhd. A block is a bitmap of its sectors,
// filled up to whole sectors, and then these. A sector whose bit is 0 was never written:
// it is the parent's, or zeros.
func openDynamicVHD(f *os.File, info fs.FileInfo, name string, foot vhdFooter, h vhdHeader, children lineage) (*Image, error) {
	bad := func(at int64, format string, args ...any) (*Image, error) {
		return nil, &FormatError{name, "vhd", int64(foot.dataOffset) + at, fmt.Sprintf(format, args...), ""}
	}
	block := int64(h.block)
	room := int64(h.entries) * block // of disk that the table has entries for
	size := int64(foot.size())
	if foot.size() != foot.current {
		size = min(size, room)
	}
	switch {
	case h.version>>16 != 1:
		return bad(24, "dynamic disk header: version %d.%d is not supported", h.version>>16, h.version&0xffff)
	case block < vhdSector || block&(block-1) != 0:
		return bad(32, "block size of %d bytes", block)
	case size > room:
		return bad(28, "block table of %d entries of %d bytes, too few for a disk of %d", h.entries, block, size)
	case h.tableOffset > 1<<62:
		return bad(16, "block table at byte %d", h.tableOffset)
	}
	at := int64(h.tableOffset)
	bitmap := (block/vhdSector + 8*vhdSector - 1) / (8 * vhdSector) * vhdSector
	d := &blockDisk{
		name: name, file: f, end: info.Size(), size: size, block: block, base: bitmap, unit: vhdSector, closer: f,
		entryAt: func(i int64) int64 { return at + 4*i },
	}
	d.bitmaps = newSectorBitmaps(block, vhdSector, true, func(i int64) (int64, bool) {
		return int64(d.table[i]) * vhdSector, true
	})
	err := d.setTable("vhd", at, 4, (size+block-1)/block, func(i int64, b []byte) {
		switch s := be.Uint32(b); {
		case s == vhdFree:
			d.table[i] = blockInherited
		case s == 0 || s >= blockStates: // there is a footer at sector 0
			d.table[i] = blockBroken
		default:
			d.table[i] = s
		}
	})
	if err != nil {
		return nil, err
	}
	im := contain(d, name, "vhd", info.Size())
	im.warnings = d.survey(bitmap + block)
	if foot.kind == vhdDifferencing {
		paths := vhdParents(f, info.Size(), h)
		children = append(children, info)
		d.parent, err = openParent(name, paths, children, func(f *os.File, info fs.FileInfo, path string) (*Image, error) {
			parent, id, err := openVHD(f, info, path, children)
			if err != nil {
				return nil, notADisk(err, "vhd")
			}
			if id != h.parent {
				parent.Close()
				return nil, &ParentError{uuidString(id[:]), uuidString(h.parent[:])}
			}
			return parent, nil
		})
		if err != nil {
			return nil, err
		}
		im.with(d.parent)
	}
	return im, nil
}

// vhdParents lists the recorded paths of a parent, relative ones first.
func vhdParents(r io.ReaderAt, size int64, h vhdHeader) []string {
	var paths []string
	for _, platform := range []string{"W2ru", "W2ku", "MacX"} {
		for _, l := range h.locators {
			if l.platform != platform || l.length == 0 || l.length > 64<<10 || l.offset > uint64(size) {
				continue
			}
			b := fetch(r, int64(l.offset), int(l.length))
			if platform == "MacX" {
				paths = append(paths, fileURL(string(bytes.TrimRight(b, "\x00"))))
			} else {
				paths = append(paths, utf16String(b, le))
			}
		}
	}
	paths = append(paths, h.parentName)
	some := paths[:0]
	for _, p := range paths {
		if p != "" {
			some = append(some, p)
		}
	}
	return some
}

// fileURL is the path in a URL as "file://localhost/disk%201.vhd".
func fileURL(s string) string {
	s = strings.TrimPrefix(s, "file://")
	if path, err := url.PathUnescape(s); err == nil {
		return path
	}
	return s
}
