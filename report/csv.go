package report

import (
	"bytes"
	"strings"
)

// writeCSV writes a header and the rows of each table that has rows, with an
// empty line between tables. Lines end in CR LF, as RFC 4180 says.
func writeCSV(s *sink, r *Report) error {
	tables := 0
	for _, t := range r.Tables {
		rows := 0
		err := r.each(t, func(row Row) error {
			if rows == 0 {
				if tables > 0 {
					s.buf = append(s.buf, "\r\n"...)
				}
				s.buf = appendCSVHeader(s.buf, t)
				tables++
			}
			rows++
			s.buf = appendCSVRow(s.buf, t, row)
			return s.spill()
		})
		if err != nil {
			return err
		}
	}
	if tables == 0 && len(r.Tables) > 0 {
		s.buf = appendCSVHeader(s.buf, r.Tables[0])
	}
	return nil
}

func appendCSVHeader(dst []byte, t *Table) []byte {
	for i, c := range t.Columns {
		dst = append(comma(dst, i), c.Key...)
	}
	return append(dst, "\r\n"...)
}

func appendCSVRow(dst []byte, t *Table, row Row) []byte {
	for i := range t.Columns {
		dst = comma(dst, i)
		v := row.at(i)
		start := len(dst)
		dst = appendPlain(dst, v)
		switch v.kind {
		case kindStr, kindName, kindList, kindObject, kindObjects:
			dst = quoteCSV(dst, start, startsWithText(v))
		}
	}
	return append(dst, "\r\n"...)
}

// startsWithText says whether what v begins with may be anyone's words; a
// number's minus sign must stay bare.
func startsWithText(v Value) bool {
	l := v.list()
	return v.kind == kindStr || v.kind == kindName || len(l) > 0 && startsWithText(l[0])
}

// quoteCSV makes a cell of dst[start:]. With guard it puts a quote mark before
// what a spreadsheet would take for a formula, and before what already looks
// guarded, so that taking one quote mark away is always right.
func quoteCSV(dst []byte, start int, guard bool) []byte {
	cell := dst[start:]
	if rest := bytes.TrimLeft(cell, "'"); guard && len(rest) > 0 && strings.IndexByte("=+-@\t\r", rest[0]) >= 0 {
		dst = append(dst, 0)
		copy(dst[start+1:], dst[start:])
		dst[start] = '\''
		cell = dst[start:]
	}
	// Blanks at the ends are quoted for readers that would drop them.
	if !bytes.ContainsAny(cell, ",\"\r\n") && len(bytes.TrimSpace(cell)) == len(cell) {
		return dst
	}
	quoted := bytes.ReplaceAll(cell, []byte(`"`), []byte(`""`)) // a copy
	dst = append(append(dst[:start], '"'), quoted...)
	return append(dst, '"')
}

// appendPlain appends v for a program to read: exact numbers, RFC 3339 times,
// names as Printable makes them, lists joined by "; ", objects as JSON.
func appendPlain(dst []byte, v Value) []byte {
	switch v.kind {
	case kindNull:
		return dst
	case kindStr:
		return appendSafe(dst, v.str, false)
	case kindName:
		return appendSafe(dst, v.str, true)
	case kindTime:
		return appendRFC3339(dst, v.time())
	case kindMode:
		return appendMode(dst, v.num)
	case kindList:
		for i, e := range v.list() {
			if i > 0 {
				dst = append(dst, "; "...)
			}
			start := len(dst)
			dst = appendPlain(dst, e)
			if e.kind == kindName && bytes.IndexByte(dst[start:], ';') >= 0 {
				// The separator within a name is escaped; Unprintable knows that.
				dst = append(dst[:start], bytes.ReplaceAll(dst[start:], []byte(";"), []byte(`\x3b`))...)
			}
		}
		return dst
	}
	return appendJSON(dst, v)
}
