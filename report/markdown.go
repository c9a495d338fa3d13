package report

import (
	"bytes"

	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// writeMarkdown writes GitHub's Markdown: a heading and a list for each section,
// a table for each table that has rows, a list for the summary.
func writeMarkdown(s *sink, r *Report) error {
	d := &document{sink: s}
	for _, section := range r.Head {
		if section.Title == "" || len(section.Fields) == 0 {
			continue
		}
		d.part()
		d.heading(section.Title)
		d.list(section.Fields)
	}
	for _, t := range r.Tables {
		heading := t.Title
		if heading == "" && len(r.Tables) > 1 {
			heading = Label(t.Key)
		}
		if err := writeMarkdownTable(d, r, t, heading); err != nil {
			return err
		}
	}
	if r.Summary != nil {
		if f := r.Summary(); len(f) > 0 {
			d.part()
			d.list(f)
		}
	}
	return s.err
}

func (d *document) heading(text string) {
	d.buf = append(d.buf, "## "...)
	d.buf = append(appendMarkdown(d.buf, []byte(text)), "\n\n"...)
}

func (d *document) list(fields Fields) {
	for _, f := range fields {
		d.buf = append(appendMarkdown(append(d.buf, "- "...), []byte(Label(f.Key))), ": "...)
		d.buf = append(appendMarkdown(d.buf, appendText(nil, f.Value)), '\n')
	}
}

// writeMarkdownTable lets tablewriter render the first rows; those after them
// are drawn here, in the same columns.
func writeMarkdownTable(d *document, r *Report, t *Table, heading string) error {
	m := &markdownTable{columns: shown(t)}
	if len(m.columns) == 0 {
		return nil
	}
	begin := func() error {
		d.part()
		if heading != "" {
			d.heading(heading)
		}
		return m.renderWindow(d.sink, t)
	}
	rows, begun := 0, false
	err := r.each(t, func(row Row) error {
		rows++
		switch {
		case t.Limit > 0 && rows > t.Limit:
			return nil // counted
		case rows <= window:
			m.window = append(m.window, m.texts(row))
			return d.err
		case !begun:
			if err := begin(); err != nil {
				return err
			}
			begun = true
		}
		d.buf = m.appendRow(d.buf, row)
		return d.spill()
	})
	if err != nil || rows == 0 {
		return err
	}
	if !begun {
		if err := begin(); err != nil {
			return err
		}
	}
	if note := t.CutNote(rows); note != "" {
		d.part()
		d.buf = append(appendMarkdown(d.buf, []byte(note)), '\n')
	}
	return d.err
}

// A markdownTable writes one table.
type markdownTable struct {
	columns []int // those shown
	window  [][]string
	widths  []int
	right   []bool
	text    []byte // scratch
	cell    []byte // scratch
}

func (m *markdownTable) texts(row Row) []string {
	cells := make([]string, len(m.columns))
	for i, c := range m.columns {
		cells[i] = string(m.appendCell(nil, row.at(c)))
	}
	return cells
}

func (m *markdownTable) appendCell(dst []byte, v Value) []byte {
	if v.empty() {
		return dst
	}
	m.text = appendText(m.text[:0], v)
	return appendMarkdown(dst, m.text)
}

func (m *markdownTable) renderWindow(s *sink, t *Table) error {
	header := make([]string, len(m.columns))
	align := make([]tw.Align, len(m.columns))
	m.widths = make([]int, len(m.columns))
	m.right = make([]bool, len(m.columns))
	for i, c := range m.columns {
		column := &t.Columns[c]
		header[i] = string(appendMarkdown(nil, []byte(column.Title)))
		align[i] = tw.AlignLeft
		if m.right[i] = column.Right; column.Right {
			align[i] = tw.AlignRight
		}
		m.widths[i] = max(1, displayWidth([]byte(header[i]))) // 3 with the blanks, as the rule has at least
		for _, row := range m.window {
			m.widths[i] = max(m.widths[i], displayWidth([]byte(row[i])))
		}
		// The window is padded to its longest cell, rows without number are not.
		m.widths[i] = min(m.widths[i], maxColumn)
	}
	pad := tw.Padding{Left: " ", Right: " "}
	return renderCells(s, renderer.NewMarkdown(), pad, align, header, m.window)
}

// appendRow appends a row that comes after the window.
func (m *markdownTable) appendRow(dst []byte, row Row) []byte {
	dst = append(dst, '|')
	for i, c := range m.columns {
		m.cell = m.appendCell(m.cell[:0], row.at(c))
		pad := spaces[:max(0, m.widths[i]-displayWidth(m.cell))]
		dst = append(dst, ' ')
		if m.right[i] {
			dst = append(append(dst, pad...), m.cell...)
		} else {
			dst = append(append(dst, m.cell...), pad...)
		}
		dst = append(dst, ' ', '|')
	}
	return append(dst, '\n')
}

// appendMarkdown appends text, which is on one line and printable already, so
// that Markdown shows just its characters: no emphasis, no HTML, no link, no
// cell's end.
func appendMarkdown(dst, text []byte) []byte {
	for i, c := range text {
		switch c {
		case '\\', '`', '*', '_', '[', ']', '~', '|', '$':
			dst = append(dst, '\\', c)
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		case '&':
			dst = append(dst, "&amp;"...)
		case ':': // GitHub makes a link of any bare http://
			if bytes.HasPrefix(text[i:], []byte("://")) {
				dst = append(dst, "&#58;"...)
				continue
			}
			dst = append(dst, c)
		case '.': // and of www.
			if i >= 3 && bytes.EqualFold(text[i-3:i], []byte("www")) {
				dst = append(dst, "&#46;"...)
				continue
			}
			dst = append(dst, c)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
