package image

import (
	"cmp"
	"slices"
)

// maxZeroRead bounds what is read to tell that partitions are all zeros, over
// all the partitions of an image.
const maxZeroRead = 256 << 20

// fill completes partitions that a table named: how much of each is there, what
// it holds, and what is odd about it. No oddity removes a partition.
func (f *finder) fill(t *Table) {
	for i := range t.Partitions {
		p := &t.Partitions[i]
		p.Available = max(min(p.Length, f.size-p.Start), 0)
		if p.Start < 0 || p.Start > f.size {
			p.Available = 0
		}
		switch {
		case p.Length == 0:
			warnf(&t.Warnings, "partition %d has no length", p.Number)
			p.Content = Content{Type: typeNoLength}
			continue
		case p.Available == 0:
			warnf(&t.Warnings, "partition %d lies beyond the end of the image (bytes %d to %d of %d)", p.Number, p.Start, p.Start+p.Length-1, f.size)
			p.Content = Content{Type: typeBeyond}
			continue
		case p.Available < p.Length:
			warnf(&t.Warnings, "partition %d is cut off by the end of the image: %d of %d bytes are there", p.Number, p.Available, p.Length)
		}
		if p.Kind == "extended" {
			p.Content = Content{Type: typeExtended}
			continue
		}
		p.Content = identify(section(f.r, p.Start, p.Available), p.Available, f.zeros)
	}
	overlaps(t)
}

// overlaps warns of partitions that share bytes. A logical partition shares
// those of the extended one it lies in by design.
func overlaps(t *Table) {
	var order []*Partition
	for i := range t.Partitions {
		if p := &t.Partitions[i]; p.Length > 0 {
			order = append(order, p)
		}
	}
	slices.SortStableFunc(order, func(a, b *Partition) int { return cmp.Compare(a.Start, b.Start) })
	for _, extended := range []bool{false, true} {
		var widest *Partition // that reaches furthest of those before
		for _, p := range order {
			// Two passes: all but the extended ones against each other, then
			// all but the logical ones.
			if !extended && p.Kind == "extended" || extended && p.Kind == "logical" {
				continue
			}
			if widest != nil && p.Start < widest.Start+widest.Length &&
				(!extended || p.Kind == "extended" || widest.Kind == "extended") {
				warnf(&t.Warnings, "partitions %d and %d overlap", widest.Number, p.Number)
			}
			if widest == nil || p.Start+p.Length > widest.Start+widest.Length {
				widest = p
			}
		}
	}
}

// holds tells whether any partition of t begins with something known. One that
// begins where the image does proves nothing.
func holds(t *Table) bool {
	return slices.ContainsFunc(t.Partitions, func(p Partition) bool {
		return p.Start > 0 && known(p.Content)
	})
}
