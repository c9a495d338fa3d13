package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/undelete"
	"github.com/extscope/extscope/report/html"
)

// What a unit of the block map is: an index into blockStates.
const (
	unitUsed = iota
	unitMeta
	unitIntact
	unitOverwritten
	unitUnread
	unitFree
)

var blockStates = []string{"used", "metadata", "deleted, still there", "deleted, overwritten", "unreadable", "free"}

// A unitSpan is a range of units, the last not included.
type unitSpan struct{ from, to uint64 }

// A blockMap counts what blocks hold. A unit is what a bit of a block bitmap stands for: a
// block, or under bigalloc a cluster.
type blockMap struct {
	*html.CellMap
	fs    *ext.FS
	unit  uint64 // blocks of it
	layer [3]struct {
		state byte
		spans []unitSpan
	}
}

func (c *caseReport) blockSection(ctx context.Context) (html.Section, error) {
	m, err := c.blockMap(ctx)
	s := html.Section{ID: "blocks", Title: "Blocks"}
	if m != nil {
		s.Parts = []html.Part{{CellMap: m.CellMap}}
	}
	return s, err
}

func (c *caseReport) blockMap(ctx context.Context) (*blockMap, error) {
	f := c.fs
	m := &blockMap{fs: f, unit: uint64(f.ClusterBlocks())}
	m.CellMap = &html.CellMap{
		Title: "What the blocks hold", Unit: "block", Group: "group", States: blockStates,
		First: uint64(f.Super.FirstDataBlock) / m.unit, GroupSize: uint64(f.Super.BlocksPerGroup) / m.unit,
	}
	if m.unit > 1 {
		m.Unit = "cluster"
	}
	if f.Super.BlocksCount <= uint64(f.Super.FirstDataBlock) {
		return nil, nil
	}
	m.Total = (f.Super.BlocksCount - uint64(f.Super.FirstDataBlock) + m.unit - 1) / m.unit
	for m.PerCell = 1; (m.Total+m.PerCell-1)/m.PerCell > html.MaxCells; m.PerCell *= 2 {
	}
	each := fmt.Sprintf("a %s", m.Unit)
	if m.PerCell > 1 {
		each = fmt.Sprintf("%d %ss", m.PerCell, m.Unit)
	}
	m.Text = fmt.Sprintf("Each cell is %s, from left to right and then down; it is filled by what there is of each state. Metadata is the file system's own, its journal included; \"still there\" are blocks of deleted files that nothing has used since, \"overwritten\" those that something has.", each)
	m.Cells = make([][]uint64, (m.Total+m.PerCell-1)/m.PerCell)
	for i := range m.Cells {
		m.Cells[i] = make([]uint64, len(blockStates))
	}
	m.gather(c)
	return m, m.count(ctx)
}

// gather makes the layers: deleted files first, so that metadata lies above them.
func (m *blockMap) gather(c *caseReport) {
	var kept, lost, meta []unitSpan
	for d := range c.deleted.Outlines() {
		if len(d.Runs) == 0 || d.Live || d.Technique == undelete.OldVersion {
			continue
		}
		for _, r := range d.Runs {
			lost = m.add(lost, r.Physical, r.Len)
		}
		for _, r := range c.deleted.Contents(d, false).Runs {
			kept = m.add(kept, r.Physical, r.Len)
		}
	}
	for r := range m.fs.Metadata() {
		meta = m.add(meta, r.Start, r.Len)
	}
	if s := m.fs.Super; s.JournalInum != 0 && c.journalKind() == "internal" {
		if in, err := m.fs.Inode(s.JournalInum); err == nil {
			for r, err := range m.fs.MapWithin(in, m.fs.NewNodeBudget()) {
				if err == nil {
					meta = m.add(meta, r.Physical, r.Len)
				}
			}
		}
	}
	for i, spans := range [][]unitSpan{lost, kept, meta} {
		m.layer[i].state = []byte{unitOverwritten, unitIntact, unitMeta}[i]
		m.layer[i].spans = merged(spans)
	}
}

// add adds a run of blocks to a list.
func (m *blockMap) add(list []unitSpan, start ext.Block, n uint64) []unitSpan {
	from, last := uint64(start), uint64(start)+n-1
	if n == 0 || last < from || from/m.unit < m.First {
		return list
	}
	return append(list, unitSpan{from/m.unit - m.First, min(last/m.unit-m.First+1, m.Total)})
}

// merged are the same units in order, each once.
func merged(list []unitSpan) (out []unitSpan) {
	slices.SortFunc(list, func(a, b unitSpan) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	for _, s := range list {
		if s.from >= s.to {
			continue
		}
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}

// count goes through the groups. Units of those whose descriptor or bitmap cannot be had
// count as unreadable.
func (m *blockMap) count(ctx context.Context) error {
	var units []byte
	for g := range m.fs.Groups() {
		if err := ctx.Err(); err != nil {
			return err
		}
		start := uint64(m.fs.GroupStart(g))/m.unit - m.First
		n := (uint64(m.fs.GroupBlocks(g)) + m.unit - 1) / m.unit
		bitmap, _, err := m.fs.BlockBitmap(g)
		if err != nil {
			continue
		}
		units = units[:0]
		for i := range min(n, uint64(len(bitmap))*8) {
			state := byte(unitFree)
			if bitmap[i/8]>>(i%8)&1 != 0 {
				state = unitUsed
			}
			units = append(units, state)
		}
		m.paint(units, start)
		for i, state := range units {
			if cell := (start + uint64(i)) / m.PerCell; cell < uint64(len(m.Cells)) {
				m.Cells[cell][state]++
			}
		}
	}
	for i, counts := range m.Cells {
		size := min(m.PerCell, m.Total-uint64(i)*m.PerCell)
		for _, n := range counts {
			size -= min(n, size)
		}
		counts[unitUnread] += size
	}
	return nil
}

// paint puts the layers over the units of a group, which come in order.
func (m *blockMap) paint(units []byte, start uint64) {
	end := start + uint64(len(units))
	for i := range m.layer {
		l := &m.layer[i]
		for len(l.spans) > 0 && l.spans[0].from < end {
			s := l.spans[0]
			for u := max(s.from, start); u < min(s.to, end); u++ {
				units[u-start] = l.state
			}
			if s.to > end {
				break
			}
			l.spans = l.spans[1:]
		}
	}
}
