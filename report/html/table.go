package html

import (
	"strconv"
	"unicode/utf8"

	"github.com/extscope/extscope/report"
)

const (
	pageRows   = 50   // rows that the script shows at once
	filterRows = 10   // no more than that need no filter
	cellBytes  = 2048 // of a text that are shown
	cellLines  = 20   // elements of a list that are shown
	keptWord   = 20   // letters of a text that stays on one line
)

// A tableView is a table as the template shows it.
type tableView struct {
	ID, Title string
	Columns   []columnView
	Rows      []rowView
	Total     string
	Cut       string // how many rows there are, and
	All       string // the command that prints them
	Sorts     bool   // there is something to sort,
	Filters   bool   // and to filter
}

type columnView struct{ Title, Class string }

type rowView struct {
	Cells []cell
	Later bool // not on the first page
}

// A cell is a value as it stands in the page.
type cell struct {
	Text  string
	Lines []string // of a list, in place of Text
	Exact string   // of a size, the number of bytes
	Class string
}

func (d *Document) table(id string, t *report.Table) *tableView {
	v := &tableView{ID: id, Title: printable(t.Title)}
	var columns []int
	for i, c := range t.Columns {
		if c.Data {
			continue
		}
		columns = append(columns, i)
		v.Columns = append(v.Columns, columnView{c.Title, columnClass(&c)})
	}
	rows := 0
	for row, err := range t.Rows {
		if err != nil {
			if d.OnError != nil {
				d.OnError(err)
			}
			continue
		}
		if rows++; t.Limit > 0 && rows > t.Limit {
			continue // counted
		}
		r := rowView{Cells: make([]cell, len(columns)), Later: rows > pageRows}
		for i, c := range columns {
			value := report.Null()
			if c < len(row) {
				value = row[c]
			}
			r.Cells[i] = cellOf(value, v.Columns[i].Class)
			if style := t.Columns[c].Style; style != nil && !value.IsNull() {
				r.Cells[i].Class = join(r.Cells[i].Class, class(style(value)))
			}
		}
		v.Rows = append(v.Rows, r)
	}
	v.Total = report.Grouped(uint64(rows))
	v.Sorts, v.Filters = len(v.Rows) > 1, len(v.Rows) > filterRows
	if t.CutNote(rows) != "" {
		v.Cut = "This table is cut: the first " + report.Grouped(uint64(t.Limit)) + " of " + v.Total + " rows are shown."
		v.All = printable(t.All)
	}
	return v
}

func columnClass(c *report.Column) string {
	switch {
	case c.Right:
		return "n"
	case c.Name:
		return "p"
	}
	return ""
}

// cellOf is a value, with what is too long for a page cut and counted.
func cellOf(v report.Value, class string) cell {
	c := cell{Class: class}
	if list := v.Elements(); len(list) > 1 {
		for i, e := range list {
			if i == cellLines {
				c.Lines = append(c.Lines, "… and "+report.Grouped(uint64(len(list)-i))+" more")
				break
			}
			c.Lines = append(c.Lines, short(e.Text()))
		}
		c.Class = join(c.Class, listClass(list[0]))
		return c
	} else if len(list) == 1 {
		c.Class = join(c.Class, listClass(list[0]))
	}
	if v.IsName() && class != "p" {
		c.Class = join(c.Class, "p")
	}
	c.Text = short(v.Text())
	if c.Class == "" && len(c.Text) <= keptWord {
		c.Class = "k"
	}
	if n, ok := v.Bytes(); ok {
		c.Exact = strconv.FormatUint(n, 10)
	}
	return c
}

func listClass(v report.Value) string {
	if v.IsName() {
		return "p"
	}
	return ""
}

// short cuts what fills a page by itself, and says so.
func short(s string) string {
	if len(s) <= cellBytes {
		return s
	}
	cut := cellBytes
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + " … (" + report.Grouped(uint64(len(s)-cut)) + " more bytes)"
}

// join is two class names together.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " " + b
}
