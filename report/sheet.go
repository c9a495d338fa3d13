package report

import (
	"io"
	"time"
)

// A Sheet writes the rows of one table as CSV, one call a row.
type Sheet struct {
	s *sink
	t *Table
}

// NewSheet writes the header to w.
func NewSheet(w io.Writer, columns []Column) *Sheet {
	s := &Sheet{newSink(w), &Table{Columns: columns}}
	s.s.buf = appendCSVHeader(s.s.buf, s.t)
	return s
}

// Add writes a row.
func (s *Sheet) Add(row Row) error {
	s.s.buf = appendCSVRow(s.s.buf, s.t, row)
	return s.s.spill()
}

// Flush writes what is left.
func (s *Sheet) Flush() error { return s.s.flush() }

// Time gives the time that v is, if it is one.
func (v Value) Time() (time.Time, bool) { return v.time(), v.kind == kindTime }

// Number gives a number, a size, a mode or a truth (1 or 0) as what databases keep; numbers
// beyond an int64 wrap around.
func (v Value) Number() (int64, bool) {
	switch v.kind {
	case kindInt, kindUint, kindSize, kindMode, kindBool:
		return int64(v.num), true
	}
	return 0, false
}

// Raw gives text or a name as it is, nothing escaped.
func (v Value) Raw() (string, bool) { return v.str, v.kind == kindStr || v.kind == kindName }
