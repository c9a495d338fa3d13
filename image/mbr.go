package image

import (
	"fmt"
	"io"
	"slices"
)

const (
	mbrLen         = 512
	mbrSlotsAt     = 0x1be
	mbrSlotLen     = 16
	mbrSlots       = 4
	typeProtective = 0xee
)

// An mbrSlot is one of the four entries of an MBR or EBR. Its numbers count
// sectors, and in an EBR from elsewhere than the start of the disk.
type mbrSlot struct {
	flag  byte // 0x80 bootable, 0x00 not; anything else is odd
	typ   byte
	start uint32
	count uint32
}

func (s mbrSlot) used() bool     { return s.count != 0 || s.typ != 0 && s.start != 0 }
func (s mbrSlot) oddFlag() bool  { return s.flag&0x7f != 0 }
func (s mbrSlot) extended() bool { return s.typ == 0x05 || s.typ == 0x0f || s.typ == 0x85 }

// An mbrTable is a decoded boot sector.
type mbrTable struct {
	diskID string // disk signature as blkid prints it; "" if zero
	slots  [mbrSlots]mbrSlot
}

// decodeMBR decodes the first 512 bytes of a disk, or an EBR: struct
// msdos_partition, block/partitions/msdos.c. It is false if the 0x55aa is not
// there; whether what is there means anything is judged by doubts.
func decodeMBR(b []byte) (mbrTable, bool) {
	var t mbrTable
	if len(b) < mbrLen || b[0x1fe] != 0x55 || b[0x1ff] != 0xaa {
		return t, false
	}
	if id := le.Uint32(b[0x1b8:]); id != 0 { // disk signature
		t.diskID = fmt.Sprintf("%08x", id)
	}
	for i := range t.slots {
		e := b[mbrSlotsAt+i*mbrSlotLen:][:mbrSlotLen]
		t.slots[i] = mbrSlot{
			flag:  e[0x0],             // boot_ind
			typ:   e[0x4],             // sys_ind
			start: le.Uint32(e[0x8:]), // start_sect
			count: le.Uint32(e[0xc:]), // nr_sects
		}
	}
	return t, true
}

// used lists the slots that are not empty.
func (t mbrTable) used() []mbrSlot {
	var used []mbrSlot
	for _, s := range t.slots {
		if s.used() {
			used = append(used, s)
		}
	}
	return used
}

func (t mbrTable) protective() bool {
	return slices.ContainsFunc(t.used(), func(s mbrSlot) bool { return s.typ == typeProtective })
}

// doubts counts what a real table would not have: bytes that merely end in
// 0x55aa (boot code, another sector's contents) collect several.
func (t mbrTable) doubts() int {
	n := 0
	for i, s := range t.slots {
		if s.oddFlag() {
			n++
		}
		if !s.used() {
			continue
		}
		if s.start == 0 || s.count == 0 || s.typ == 0 {
			n++
		}
		for _, o := range t.slots[:i] {
			if o.used() && overlap(int64(s.start), int64(s.count), int64(o.start), int64(o.count)) {
				n++
			}
		}
	}
	return n
}

func overlap(a, alen, b, blen int64) bool { return a < b+blen && b < a+alen }

// mbrPartitions turns a boot sector's slots into partitions, following the
// chain of logical ones.
func mbrPartitions(r io.ReaderAt, size int64, t mbrTable, sector int, warnings *[]string) []Partition {
	var parts, logical []Partition
	for i, s := range t.slots {
		n := i + 1
		if s.oddFlag() {
			warnf(warnings, "MBR slot %d: boot flag is %#02x, want 0x00 or 0x80", n, s.flag)
		}
		if !s.used() {
			continue
		}
		if s.typ == 0 {
			warnf(warnings, "MBR slot %d: type 0x00 (unused), yet it names %d sectors", n, s.count)
		}
		p := t.partition(n, s, int64(s.start), sector)
		p.Kind = "primary"
		parts = append(parts, p)
		if s.extended() {
			parts[len(parts)-1].Kind = "extended"
			logical = append(logical, t.logical(r, size, n, s, sector, len(logical), warnings)...)
		}
	}
	return append(parts, logical...)
}

// partition makes partition n of a slot that starts at sector first of the disk.
func (t mbrTable) partition(n int, s mbrSlot, first int64, sector int) Partition {
	p := Partition{
		Number: n, Scheme: "mbr",
		Start: first * int64(sector), Length: int64(s.count) * int64(sector),
		TypeCode: fmt.Sprintf("0x%02x", s.typ), TypeName: mbrTypes[s.typ],
		Bootable: s.flag&0x80 != 0,
	}
	if t.diskID != "" {
		p.UUID = fmt.Sprintf("%s-%02x", t.diskID, n)
	}
	return p
}
