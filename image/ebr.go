package image

import "io"

// maxLogical bounds a chain of logical partitions.
const maxLogical = 128

// logical follows the chain of extended boot records in slot s, which is
// partition number parent. Each EBR is a sector laid out as an MBR: it names one
// logical partition, counted from the EBR itself, and the next EBR, counted from
// the start of the extended partition. done is how many logical partitions are
// numbered already. Compare parse_extended, block/partitions/msdos.c.
func (t mbrTable) logical(r io.ReaderAt, size int64, parent int, s mbrSlot, sector, done int, warnings *[]string) []Partition {
	var parts []Partition
	base := int64(s.start)
	end := base + int64(s.count)
	seen := map[int64]bool{}
	for ebr := base; ; {
		at := ebr * int64(sector)
		switch {
		case seen[ebr]:
			warnf(warnings, "logical partitions: the chain returns to the EBR at byte %d", at)
			return parts
		case len(seen) >= maxLogical || done+len(parts) >= maxLogical:
			warnf(warnings, "logical partitions: the chain is longer than %d, the rest was not followed", maxLogical)
			return parts
		case at > size-mbrLen:
			warnf(warnings, "logical partitions: the EBR at byte %d lies beyond the end of the image", at)
			return parts
		}
		seen[ebr] = true
		b, err := fetchAll(r, at, mbrLen)
		if err != nil {
			warnf(warnings, "logical partitions: EBR at byte %d: %v", at, err)
			return parts
		}
		record, ok := decodeMBR(b)
		if !ok {
			warnf(warnings, "logical partitions: no 0x55aa at the end of the EBR at byte %d", at)
			return parts
		}
		next := int64(-1)
		for i, e := range record.slots {
			switch {
			case !e.used():
			case e.extended():
				if next < 0 {
					next = base + int64(e.start)
				}
			case i > 1 && (e.count == 0 || ebr+int64(e.start)+int64(e.count) > end):
				// The last two slots are unused by the rules; some tools leave
				// junk there, and only what fits may be a partition.
			default:
				n := 5 + done + len(parts)
				if e.oddFlag() {
					warnf(warnings, "partition %d: boot flag is %#02x, want 0x00 or 0x80", n, e.flag)
				}
				p := t.partition(n, e, ebr+int64(e.start), sector)
				p.Kind, p.Parent = "logical", parent
				if ebr+int64(e.start)+int64(e.count) > end {
					warnf(warnings, "partition %d reaches beyond the extended partition %d it lies in", n, parent)
				}
				parts = append(parts, p)
			}
		}
		if next < 0 {
			return parts
		}
		ebr = next
	}
}
