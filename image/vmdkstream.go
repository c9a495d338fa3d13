package image

import (
	"errors"
	"fmt"
)

var errGrainsLost = errors.New("the file is cut short, and its last grains with it")

// Markers of a streamOptimized extent: struct SparseMetaDataMarker and SparseGrainMarker.
const (
	markerEnd       = 0
	markerTable     = 1
	markerDirectory = 2
	markerFooter    = 3
	grainMarkerLen  = 12
)

// footer takes over the header that lies behind the grains: the second sector from the
// end, between a marker and the end-of-stream marker.
func (g *vmdkGrains) footer() error {
	at := g.fileSize/vmdkSector*vmdkSector - 3*vmdkSector
	if at < vmdkHeaderLen {
		return vmdkError(g.fileSize, "the file ends before its footer")
	}
	b, err := fetchAll(g.file, at, 3*vmdkSector)
	if err != nil {
		return err
	}
	if le.Uint32(b[0x8:]) != 0 || le.Uint32(b[0xc:]) != markerFooter {
		return vmdkError(at, "no footer at the end of the file")
	}
	h, err := decodeVmdkHeader(b[vmdkSector:])
	if err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	if h.capacity != g.capacity || h.grain != g.grain || h.directory == vmdkAtEnd {
		return vmdkError(at+vmdkSector, "the footer is not that of the header")
	}
	g.vmdkHeader = h
	return nil
}

// scan finds the grains of a streamOptimized extent by going from marker to marker, in
// place of a grain directory that is lost. They are stored in the order of the disk, so
// what lies behind the last one is not known, unless the stream's end was met.
func (g *vmdkGrains) scan() error {
	if g.flags&vmdkMarkers == 0 {
		return vmdkError(0x38, "no grain directory, and no markers to find grains by")
	}
	count := g.vmdkHeader.tables()
	if count > maxVmdkTables {
		return vmdkError(-1, fmt.Sprintf("%d grain tables", count))
	}
	g.tables, g.bad = make([][]uint32, count), map[int64]error{}
	g.end = 0
	defer func() {
		if g.end < g.capacity {
			g.faultf("the markers end before the stream does: what lies behind byte %d of the disk is lost", g.end)
		}
	}()
	var tables int64
	covers := g.grain * g.perTable
	for at := max(g.overhead, vmdkSector); ; {
		m := fetch(g.file, at, 16)
		if len(m) < 16 {
			return nil
		}
		lba, size := le.Uint64(m), int64(le.Uint32(m[8:]))
		switch {
		case size == 0 && le.Uint32(m[12:]) == markerEnd && lba == 0:
			g.end = g.capacity
			return nil
		case size == 0 && le.Uint32(m[12:]) <= markerFooter:
			n, ok := mulOffset(lba, vmdkSector)
			if !ok || n > g.fileSize-at-vmdkSector {
				return nil
			}
			at += vmdkSector + n
			continue
		}
		off, ok := mulOffset(lba, vmdkSector)
		length := (grainMarkerLen + size + vmdkSector - 1) / vmdkSector * vmdkSector
		if !ok || size == 0 || size > 2*g.grain || off%g.grain != 0 || off >= g.capacity || off < g.end || at/vmdkSector > 1<<32-1 || at+grainMarkerLen+size > g.fileSize {
			return nil // what follows no marker leads to
		}
		t := off / covers
		if g.tables[t] == nil {
			if tables++; tables*g.perTable*4 > max(g.fileSize, 1<<20) {
				return vmdkError(at, "grains too far apart to be right")
			}
			g.tables[t] = make([]uint32, g.perTable)
		}
		g.tables[t][off%covers/g.grain] = uint32(at / vmdkSector)
		g.end = min(off+g.grain, g.capacity)
		at += length
	}
}

// unpackGrain decodes the compressed grain at sector e into dst, which is the whole
// grain, or what the disk has of the last one. Sector is where it belongs.
func (g *vmdkGrains) unpackGrain(dst []byte, e uint32, sector uint64) error {
	at := int64(e) * vmdkSector
	size := min(2*g.grain, g.fileSize-at)
	if g.flags&vmdkMarkers != 0 {
		m, err := fetchAll(g.file, at, grainMarkerLen)
		if err != nil {
			return err
		}
		at += grainMarkerLen
		if lba := le.Uint64(m); lba != sector {
			return fmt.Errorf("its marker is that of sector %d", lba)
		}
		size = int64(le.Uint32(m[8:]))
		if size == 0 || size > 2*g.grain {
			return fmt.Errorf("%d compressed bytes", size)
		}
	}
	packed, err := fetchAll(g.file, at, int(size))
	if err != nil {
		return err
	}
	return inflateZlib(dst, packed, int(g.grain))
}
