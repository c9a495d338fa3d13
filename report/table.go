package report

import (
	"io"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// window is how many rows size the columns. The widest of them go through
// tablewriter, which measures them; all rows are drawn one by one with the same widths,
// so that memory doesn't grow with their number.
const window = 1000

// writeText writes the table format: sections, tables, summary, with an empty
// line between; a table without rows leaves no trace.
func writeText(s *sink, r *Report, o Options) error {
	if r.Text != nil {
		return r.Text(s)
	}
	d := &document{sink: s, color: o.Color}
	for _, section := range r.Head {
		d.section(section)
	}
	for _, t := range r.Tables {
		heading := ""
		if len(r.Tables) > 1 {
			heading = Label(t.Key)
		}
		if err := writeTable(d, r, t, heading, o); err != nil {
			return err
		}
	}
	if r.Summary != nil {
		d.summary(r.Summary())
	}
	return s.err
}

// A document puts an empty line between its parts.
type document struct {
	*sink
	color bool
	parts int
}

func (d *document) part() {
	if d.parts > 0 {
		d.buf = append(d.buf, '\n')
	}
	d.parts++
}

func writeTable(d *document, r *Report, t *Table, heading string, o Options) error {
	w := &tableWriter{columns: shown(t), color: o.Color, total: o.Width}
	for _, i := range w.columns {
		w.lines.right = append(w.lines.right, t.Columns[i].Right)
	}
	if len(w.columns) == 0 {
		return nil
	}
	begin := func() error {
		d.part()
		if heading != "" {
			d.buf = append(append(d.buf, Bold.Wrap(heading, o.Color)...), '\n')
		}
		return w.renderWindow(d.sink, t)
	}
	rows := 0
	err := r.each(t, func(row Row) error {
		rows++
		switch {
		case rows <= window:
			w.window = append(w.window, w.texts(t, row))
			return d.err
		case rows == window+1:
			if err := begin(); err != nil {
				return err
			}
		}
		d.buf = w.appendRow(d.buf, t, row)
		return d.spill()
	})
	if err != nil || rows == 0 || rows > window {
		return err
	}
	return begin()
}

// shown are the columns of t that people see.
func shown(t *Table) []int {
	var columns []int
	for i, c := range t.Columns {
		if !c.Data {
			columns = append(columns, i)
		}
	}
	return columns
}

// A tableWriter draws one table. It is also tablewriter's renderer: tablewriter
// measures, and each line is drawn here.
type tableWriter struct {
	tw.Renderer
	lines   lines
	columns []int // those shown
	color   bool
	total   int        // columns of the terminal, 0 if unknown
	window  [][]string // cells of the first rows
	out     *sink
	cell    []byte // scratch
}

// texts are the cells of a row that must outlive it.
func (w *tableWriter) texts(t *Table, row Row) []string {
	cells := make([]string, len(w.columns))
	for i, c := range w.columns {
		v := row.at(c)
		cells[i] = styled(t.Columns[c], v, w.color).Wrap(v.Text(), w.color)
	}
	return cells
}

func styled(c Column, v Value, color bool) Style {
	if color && c.Style != nil {
		return c.Style(v)
	}
	return None
}

// renderWindow writes the header and the window, and fixes the widths.
func (w *tableWriter) renderWindow(s *sink, t *Table) error {
	w.out = s
	bare := tw.Rendition{
		Borders:  tw.BorderNone,
		Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
	}
	w.Renderer = renderer.NewBlueprint(bare)
	header := make([]string, len(w.columns))
	for i, c := range w.columns {
		header[i] = Bold.Wrap(t.Columns[c].Title, w.color)
	}
	if err := renderCells(s, w, tw.PaddingNone, nil, header, w.widest()); err != nil {
		return err
	}
	for _, row := range w.window {
		w.draw(row)
	}
	return s.err
}

// widest picks, for each column, the first row of the window whose cell is widest:
// tablewriter takes ten times as long for a row as drawing it does.
func (w *tableWriter) widest() [][]string {
	rows := make([][]string, len(w.columns))
	for i := range w.columns {
		most := -1
		for _, row := range w.window {
			w.cell = append(w.cell[:0], row[i]...)
			if n := displayWidth(w.cell); n > most {
				most, rows[i] = n, row
			}
		}
	}
	return rows
}

// Header is called by tablewriter once it has measured.
func (w *tableWriter) Header(headers [][]string, ctx tw.Formatting) {
	widths := make([]int, len(w.columns))
	for i := range widths {
		widths[i] = ctx.Row.Widths.Get(i)
	}
	w.lines.setWidths(widths, w.total)
	for _, h := range headers {
		w.draw(h)
	}
}

// draw draws a row of the window, or the header.
func (w *tableWriter) draw(row []string) {
	start := len(w.out.buf)
	for i := range w.columns {
		w.cell = append(w.cell[:0], row[i]...)
		w.out.buf = w.lines.appendCell(w.out.buf, w.cell, i, displayWidth(w.cell))
	}
	w.out.buf = append(trimRight(w.out.buf, start), '\n')
	_ = w.out.spill() // the sink keeps the error
}

// Start, Row, Footer, Line and Close draw nothing.
func (w *tableWriter) Row([]string, tw.Formatting)      {}
func (w *tableWriter) Start(io.Writer) error            { return nil }
func (w *tableWriter) Footer([][]string, tw.Formatting) {}
func (w *tableWriter) Line(tw.Formatting)               {}
func (w *tableWriter) Close() error                     { return nil }

// appendRow appends a row that comes after the window.
func (w *tableWriter) appendRow(dst []byte, t *Table, row Row) []byte {
	start := len(dst)
	for i, c := range w.columns {
		v := row.at(c)
		w.cell = appendText(w.cell[:0], v)
		width := displayWidth(w.cell)
		if style := styled(t.Columns[c], v, w.color); style != None {
			w.cell = append(w.cell[:0], style.Wrap(string(w.cell), true)...)
		}
		dst = w.lines.appendCell(dst, w.cell, i, width)
	}
	return append(trimRight(dst, start), '\n')
}

// renderCells lets tablewriter render cells that are ready: no wrapping, no
// trimming, no title case.
func renderCells(w io.Writer, r tw.Renderer, pad tw.Padding, align []tw.Align, header []string, rows [][]string) error {
	cell := tw.CellConfig{
		Formatting: tw.CellFormatting{AutoWrap: tw.WrapNone, AutoFormat: tw.Off},
		Padding:    tw.CellPadding{Global: pad},
		Alignment:  tw.CellAlignment{Global: tw.AlignLeft, PerColumn: align},
	}
	table := tablewriter.NewTable(w,
		tablewriter.WithEastAsian(tw.Off), // see displayWidth
		tablewriter.WithConfig(tablewriter.Config{Header: cell, Row: cell}),
		tablewriter.WithTrimSpace(tw.Off),
		tablewriter.WithTrimTab(tw.Off),
		tablewriter.WithTrimLine(tw.Off),
		tablewriter.WithRenderer(r),
	)
	table.Header(header)
	if err := table.Bulk(rows); err != nil {
		return err
	}
	return table.Render()
}
