package image

import (
	"fmt"
	"io"
)

// A finder looks for the partition table of one image.
type finder struct {
	r      io.ReaderAt
	size   int64
	zeros  *int64 // bytes that may still be read to tell zeros for certain
	search bool   // also for a GPT's backup that nothing points to
	mbr    mbrTable
	hasMBR bool // byte 510 reads 0x55aa

	// leftover tells that of the GPT only the backup is there, with neither
	// a primary header nor a protective MBR: as when a file system was made
	// on the whole disk, which leaves the end of it alone.
	leftover bool
}

// readTable reads the table of the size bytes of r, which is that of a disk. Bytes that are
// read to tell zeros are taken from zeros.
func readTable(r io.ReaderAt, size int64, sector int, zeros *int64) (*Table, error) {
	f := &finder{r: r, size: size, zeros: zeros, search: true}
	return f.find(sector)
}

// find reads the table.
func (f *finder) find(sector int) (*Table, error) {
	r, size := f.r, f.size
	head, headErr := fetchAll(r, 0, int(min(size, mbrLen)))
	if f.mbr, f.hasMBR = diskfsMBR(r, size); !f.hasMBR {
		f.mbr, f.hasMBR = decodeMBR(head)
	}
	sectors := []int{512, 4096}
	if sector != 0 {
		sectors = []int{sector}
	}
	whole := (&signatures{r: r, size: size}).signature()
	g := f.gptTable(sectors)
	t := f.choose(g, f.mbrTable(sectors))
	if t == nil && headErr != nil {
		return nil, headErr
	}
	if headErr != nil {
		warnf(&t.Warnings, "the first sector can't be read: %v", headErr)
	}
	leftover := t != nil && t == g && f.leftover
	if t == nil || known(whole) && (leftover || !holds(t)) {
		return f.wholeDisk(t, whole, sectors[0]), nil
	}
	if known(whole) {
		warnf(&t.Warnings, "the image as a whole looks like %s, too: ignored, since partitions of the table hold something known", whole)
	}
	if more := len(t.Warnings) - maxWarnings; more > 0 {
		t.Warnings = append(t.Warnings[:maxWarnings:maxWarnings], fmt.Sprintf("and %d more warnings", more))
	}
	return t, nil
}

// maxWarnings bounds what is said about a table of thousands of bad entries.
const maxWarnings = 256

// gptTable finds the GPT of the first sector size that has a sound one, or a
// damaged one where none is sound.
func (f *finder) gptTable(sectors []int) *Table {
	var found *Table
	var foundGPT *gptTable
	for _, sector := range sectors {
		var warnings []string
		g := findGPT(f.r, f.size, sector, f.mbr, f.search, &warnings)
		if g == nil {
			continue
		}
		if found != nil && (foundGPT.sound() || !g.sound()) {
			warnf(&found.Warnings, "there is another GPT, for %d-byte sectors: ignored", sector)
			continue
		}
		if g.sound() && g.at == int64(sector) {
			if entries, ok := diskfsGPT(f.r, f.size, sector); ok {
				g.entries = entries
			}
		}
		t := &Table{Scheme: "gpt", SectorSize: sector, DiskID: g.header.disk}
		t.Partitions = g.partitions(&warnings)
		t.Warnings = warnings
		found, foundGPT = t, g
	}
	if found == nil {
		return nil
	}
	f.fill(found)
	_, primary := decodeGPTHeader(fetch(f.r, int64(found.SectorSize), found.SectorSize))
	f.leftover = !primary && !f.mbr.protective()
	return found
}

// mbrTable reads the MBR; nil if there is none. An MBR does not tell its sector
// size: it is 4096 where only that makes partitions begin with something known.
func (f *finder) mbrTable(sectors []int) *Table {
	if !f.hasMBR || len(f.mbr.used()) == 0 {
		return nil
	}
	var first *Table
	for _, sector := range sectors {
		t := &Table{Scheme: "mbr", SectorSize: sector, DiskID: f.mbr.diskID}
		t.Partitions = mbrPartitions(f.r, f.size, f.mbr, sector, &t.Warnings)
		f.fill(t)
		if holds(t) {
			if first != nil {
				warnf(&t.Warnings, "the MBR counts sectors of %d bytes, not %d: only so do its partitions hold anything known", sector, first.SectorSize)
			}
			return t
		}
		if first == nil {
			first = t
		}
	}
	if f.mbr.doubts() > 1 {
		return nil // bytes that end in 0x55aa, not a table
	}
	return first
}

// choose decides between a GPT and an MBR, either of which may be nil. A real
// GPT has an MBR with an entry of type 0xee; without one it may be what a former
// partitioning left behind.
func (f *finder) choose(g, m *Table) *Table {
	switch {
	case g == nil && m == nil:
		return nil
	case g == nil:
		if f.mbr.protective() {
			warnf(&m.Warnings, "the MBR announces a GPT (type 0xee), but none was found")
		}
		return m
	case !f.hasMBR || m == nil:
		warnf(&g.Warnings, "the GPT has no protective MBR")
		return g
	case f.mbr.protective():
		for _, s := range f.mbr.used() {
			if s.typ != typeProtective {
				warnf(&g.Warnings, "hybrid MBR: beside the protective entry it names %d sectors of type 0x%02x (%s) at sector %d; the GPT was used",
					s.count, s.typ, mbrTypes[s.typ], s.start)
			}
		}
		return g
	case holds(g) && !holds(m):
		warnf(&g.Warnings, "the MBR is not protective (no type 0xee), but only the partitions of the GPT hold anything known")
		return g
	}
	warnf(&m.Warnings, "there is a GPT of %d partitions, too: ignored, since the MBR is not protective (no type 0xee)", len(g.Partitions))
	return m
}

// wholeDisk is the table of an image without one, or whose table t is not to be
// believed.
func (f *finder) wholeDisk(t *Table, whole Content, sector int) *Table {
	w := &Table{Scheme: "none", SectorSize: sector}
	if t != nil {
		w.SectorSize = t.SectorSize
		// Every FAT, NTFS and exFAT file system begins with a boot sector.
		if !bootSector(whole) {
			why := "none of its partitions holds anything known"
			if holds(t) {
				why = "only the GPT's backup is left"
			}
			warnf(&w.Warnings, "there is something like a partition table (%s, %d partitions) in an image that as a whole is %s: ignored, since %s",
				t.Scheme, len(t.Partitions), whole, why)
		}
	} else if !known(whole) {
		whole = identify(f.r, f.size, f.zeros)
		if whole.Type == typeMBR && len(f.mbr.used()) == 0 {
			w.Scheme, w.DiskID = "mbr", f.mbr.diskID
			warnf(&w.Warnings, "the MBR names no partition")
			return w
		}
	}
	w.Partitions = []Partition{{
		Number: 1, Scheme: "none", Kind: "whole", Length: f.size, Available: f.size, Content: whole,
	}}
	return w
}
