package report

// writeJSON writes one object: a key for each section of the head, for each
// table an array with a line for each row, and the summary.
func writeJSON(s *sink, r *Report) error {
	s.buf = append(s.buf, '{')
	top := 0
	key := func(k string) {
		s.buf = append(comma(s.buf, top), "\n  "...)
		s.buf = append(appendJSONKey(s.buf, k, ""), ' ')
		top++
	}
	for _, section := range r.Head {
		key(section.Key)
		s.buf = appendJSONIndented(s.buf, Object(section.Fields), 1)
	}
	for _, t := range r.Tables {
		key(t.Key)
		s.buf = append(s.buf, '[')
		rows := 0
		line := newJSONRow(t, "")
		err := r.each(t, func(row Row) error {
			s.buf = append(comma(s.buf, rows), "\n    "...)
			s.buf = line.append(s.buf, row)
			rows++
			return s.spill()
		})
		if err != nil {
			return err
		}
		if rows > 0 {
			s.buf = append(s.buf, "\n  "...)
		}
		s.buf = append(s.buf, ']')
	}
	if r.Summary != nil {
		summary := r.Summary()
		key("summary")
		s.buf = appendJSONIndented(s.buf, Object(summary), 1)
	}
	if top > 0 {
		s.buf = append(s.buf, '\n')
	}
	s.buf = append(s.buf, "}\n"...)
	return nil
}

// appendJSONIndented appends v with a line for each field of an object and each
// object of a list; depth is how deep the line lies that it starts on.
func appendJSONIndented(dst []byte, v Value, depth int) []byte {
	switch {
	case v.kind == kindObject && len(v.object()) > 0:
		dst = append(dst, '{')
		n := 0
		line := func(key, suffix string) {
			dst = appendIndent(append(comma(dst, n), '\n'), depth+1)
			dst = append(appendJSONKey(dst, key, suffix), ' ')
			n++
		}
		for _, f := range v.object() {
			line(f.Key, "")
			dst = appendJSONIndented(dst, f.Value, depth+1)
			if f.Value.needsHex(false) {
				line(f.Key, "_hex")
				dst = appendJSONHex(dst, f.Value)
			}
		}
		return append(appendIndent(append(dst, '\n'), depth), '}')
	case v.kind == kindObjects && len(v.objects()) > 0:
		dst = append(dst, '[')
		for i, f := range v.objects() {
			dst = appendIndent(append(comma(dst, i), '\n'), depth+1)
			dst = appendJSONObject(dst, f)
		}
		return append(appendIndent(append(dst, '\n'), depth), ']')
	}
	return appendJSON(dst, v)
}

func appendIndent(dst []byte, depth int) []byte {
	for range depth {
		dst = append(dst, "  "...)
	}
	return dst
}

// A jsonRow is a table's columns made ready to write rows as objects.
type jsonRow struct {
	head    string // what each object starts with
	columns []Column
	keys    []string // `"key":`
	hexKeys []string // `,"key_hex":`
}

// newJSONRow prepares t's columns. With a table name every row says it first.
func newJSONRow(t *Table, name string) *jsonRow {
	j := &jsonRow{head: "{", columns: t.Columns}
	if name != "" {
		b, _ := appendJSONString(appendJSONKey([]byte("{"), "table", ""), name)
		j.head = string(b)
	}
	for _, c := range t.Columns {
		j.keys = append(j.keys, string(appendJSONKey(nil, c.Key, "")))
		j.hexKeys = append(j.hexKeys, string(appendJSONKey([]byte(","), c.Key, "_hex")))
	}
	return j
}

func (j *jsonRow) append(dst []byte, row Row) []byte {
	dst = append(dst, j.head...)
	first := len(j.head) == 1
	for i := range j.columns {
		c := &j.columns[i]
		v := Null()
		if i < len(row) {
			v = row[i]
		}
		if c.Optional && v.kind == kindNull {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, j.keys[i]...)
		dst = appendJSON(dst, v)
		if (c.Name || v.kind == kindName || v.kind == kindList) && v.needsHex(c.Name) {
			dst = append(dst, j.hexKeys[i]...)
			dst = appendJSONHex(dst, v)
		}
	}
	return append(dst, '}')
}
