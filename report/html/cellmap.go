package html

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/extscope/extscope/report"
)

// A CellMap is a picture of a long row of like units, blocks of a disk say, in
// which each cell stands for so many of them, and shows what they are.
type CellMap struct {
	Title, Text string
	Unit        string   // what is counted: "block"
	Group       string   // what GroupSize of them make up: "group"
	States      []string // the last is the ground that cells are drawn on
	First       uint64   // number of the first unit
	Total       uint64   // units
	PerCell     uint64
	GroupSize   uint64     // units of a group
	Cells       [][]uint64 // for each cell, units by state
}

// MaxCells is how many cells a map may sensibly have.
const MaxCells = 4096

const (
	cellPitch = 13 // a cell and the gap behind it
	cellSide  = 12
	mapCols   = 64
	cellThin  = 2 // what is there at all gets that height
)

// A cellView is a CellMap as the template shows it.
type cellView struct {
	*CellMap
	ID            string
	Width, Height int
	Cols          int
	Paths         []pathView
	Legend        []legendView
	Data          string // counts of the cells, for the script
	Table         *tableView
}

type pathView struct {
	State int
	D     string
}

type legendView struct {
	State       int
	Name, Total string
}

func (m *CellMap) view(id string) *cellView {
	cols := min(mapCols, max(1, len(m.Cells)))
	rows := (len(m.Cells) + cols - 1) / cols
	v := &cellView{CellMap: m, ID: id, Cols: cols, Width: cols * cellPitch, Height: rows * cellPitch}
	paths := make([]strings.Builder, len(m.States))
	totals := make([]uint64, len(m.States))
	var data strings.Builder
	for i, counts := range m.Cells {
		x, bottom := i%cols*cellPitch, i/cols*cellPitch+cellSide
		for k, h := range heights(counts) {
			totals[k] += counts[k]
			if k > 0 {
				data.WriteByte(',')
			}
			data.WriteString(strconv.FormatUint(counts[k], 10))
			if h > 0 {
				fmt.Fprintf(&paths[k], "M%d %dh%dv-%dh-%dz", x, bottom, cellSide, h, cellSide)
				bottom -= h
			}
		}
		data.WriteByte(';')
	}
	v.Data = strings.TrimSuffix(data.String(), ";")
	for k, name := range m.States {
		v.Paths = append(v.Paths, pathView{k, paths[k].String()})
		v.Legend = append(v.Legend, legendView{k, name, report.Grouped(totals[k])})
	}
	v.Table = m.numbers(id, cols)
	return v
}

// heights shares the height of a cell out by count. Whatever is there shows.
func heights(counts []uint64) []int {
	h := make([]int, len(counts))
	total := uint64(0)
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return h
	}
	left, most := cellSide, 0
	for k, n := range counts {
		if n > 0 {
			h[k] = max(cellThin, int(float64(n)/float64(total)*cellSide+0.5))
		}
		if left -= h[k]; h[k] > h[most] {
			most = k
		}
	}
	h[most] = max(0, h[most]+left)
	return h
}

// numbers is the table of what the picture shows, a row for each of its lines.
func (m *CellMap) numbers(id string, cols int) *tableView {
	t := &report.Table{Columns: []report.Column{{Title: "FIRST " + strings.ToUpper(m.Unit), Right: true}, {Title: "LAST", Right: true}}}
	for _, s := range m.States {
		t.Columns = append(t.Columns, report.Column{Title: strings.ToUpper(s), Right: true})
	}
	t.Title = "The numbers of the picture, a row for each line of cells"
	t.Rows = func(yield func(report.Row, error) bool) {
		for i := 0; i < len(m.Cells); i += cols {
			end := min(i+cols, len(m.Cells))
			first := m.First + uint64(i)*m.PerCell
			row := report.Row{report.Uint(first), report.Uint(min(m.First+uint64(end)*m.PerCell, m.First+m.Total) - 1)}
			for k := range m.States {
				sum := uint64(0)
				for _, counts := range m.Cells[i:end] {
					sum += counts[k]
				}
				row = append(row, report.Uint(sum))
			}
			if !yield(row, nil) {
				return
			}
		}
	}
	return (&Document{}).table(id+"-t", t)
}
