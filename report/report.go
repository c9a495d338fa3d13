// Package report turns typed tables into text: aligned columns, JSON, NDJSON,
// CSV and Markdown. A command says what its values are, each format decides
// how they look. The package knows nothing of file systems; it holds every
// string for hostile, since names in evidence are whatever bytes someone put
// there.
package report

import (
	"fmt"
	"io"
	"iter"
	"strings"
)

// A Report is all that a command has to say: what it looked at, the rows it
// found, and the sum of them.
type Report struct {
	Head   []Section
	Tables []*Table

	// Summary, if not nil, is called after all rows were written, so it may
	// count while they pass. NDJSON and CSV have no room for it and leave it
	// uncalled.
	Summary func() Fields

	// Text, if not nil, writes the whole of the table format, as a listing in
	// the look of ls needs. It escapes names itself, by Printable.
	Text func(w io.Writer) error

	// OnError, if not nil, is told each error that a table's rows yielded.
	OnError func(error)
}

// A Section is one object of facts ahead of the rows, "image" say.
type Section struct {
	Key    string // JSON key
	Title  string // heading in table and Markdown; with none it isn't shown there
	Fields Fields
}

// A Table is a sequence of rows under one set of columns.
type Table struct {
	Key     string // JSON key, "entries" say
	Title   string // heading in Markdown and HTML, in place of the key
	Columns []Column

	// Limit, if not 0, is how many rows Markdown and HTML show: documents that
	// people read. They say how many there are, and that the command All, if not
	// "", prints them.
	Limit int
	All   string

	// Rows yields each row, or an error in its place; a row beside an error is
	// not looked at. A producer may use a row's memory again once yield
	// returned, that of its names included.
	Rows iter.Seq2[Row, error]
}

// A Column says what stands at one place of every row.
type Column struct {
	Key      string            // JSON key, in snake_case
	Title    string            // table header
	Right    bool              // align to the right
	Name     bool              // names: JSON has <Key>_hex beside it when bytes aren't UTF-8
	Data     bool              // in JSON, NDJSON and CSV only
	Optional bool              // JSON leaves the key out when the value is null
	Style    func(Value) Style // colour by value, may be nil
}

// A Row holds a value for each column; those missing at the end are null.
type Row []Value

// A Field is a value with its JSON key, in snake_case.
type Field struct {
	Key   string
	Value Value
}

// Fields is an object that keeps its order.
type Fields []Field

// A Format is the name of an output format.
type Format string

// The formats, as --format takes them.
const (
	TableFormat Format = "table"
	JSON        Format = "json"
	NDJSON      Format = "ndjson"
	CSV         Format = "csv"
	Markdown    Format = "markdown"
)

// Formats lists the names that ParseFormat knows.
func Formats() []string {
	return []string{string(TableFormat), string(JSON), string(NDJSON), string(CSV), string(Markdown)}
}

// ParseFormat returns the format of that name.
func ParseFormat(name string) (Format, error) {
	switch f := Format(name); f {
	case TableFormat, JSON, NDJSON, CSV, Markdown:
		return f, nil
	}
	return "", fmt.Errorf("unknown format %q, want one of %s", name, strings.Join(Formats(), ", "))
}

// Options say how to write a report.
type Options struct {
	Format Format // "" is the table
	Color  bool   // SGR colours, in the table format only
	Width  int    // of the terminal, in columns; 0 is unknown
}

// Write writes r to w, in pieces of some 64 KiB. It returns the first error of w, and asks the rows for
// no more after it; errors among the rows go to r.OnError and end nothing.
func Write(w io.Writer, r *Report, o Options) error {
	s := newSink(w)
	var err error
	switch o.Format {
	case TableFormat, "":
		err = writeText(s, r, o)
	case JSON:
		err = writeJSON(s, r)
	case NDJSON:
		err = writeNDJSON(s, r)
	case CSV:
		err = writeCSV(s, r)
	case Markdown:
		err = writeMarkdown(s, r)
	default:
		_, err = ParseFormat(string(o.Format))
	}
	if err != nil {
		return err
	}
	return s.flush()
}

// each calls f for every row of t until f returns an error.
func (r *Report) each(t *Table, f func(Row) error) error {
	if t.Rows == nil {
		return nil
	}
	for row, err := range t.Rows {
		if err != nil {
			if r.OnError != nil {
				r.OnError(err)
			}
			continue
		}
		if err := f(row); err != nil {
			return err
		}
	}
	return nil
}

// CutNote tells, where Limit left some of a table's rows out, how many there are;
// "" where it did not.
func (t *Table) CutNote(rows int) string {
	if t.Limit <= 0 || rows <= t.Limit {
		return ""
	}
	note := fmt.Sprintf("Cut: the first %s of %s rows are shown.", Grouped(uint64(t.Limit)), Grouped(uint64(rows)))
	if t.All != "" {
		note += " All of them: " + t.All
	}
	return note
}

// at returns the value in column i, null when the row is too short.
func (r Row) at(i int) Value {
	if i < len(r) {
		return r[i]
	}
	return Value{}
}
