package report

import "strings"

// Label is a JSON key as people read it.
func Label(key string) string { return strings.ReplaceAll(key, "_", " ") }

// section writes a section as a heading and a line for each field.
func (d *document) section(s Section) {
	if s.Title == "" || len(s.Fields) == 0 {
		return
	}
	d.part()
	d.buf = append(append(d.buf, Bold.Wrap(s.Title, d.color)...), '\n')
	d.buf = appendFieldLines(d.buf, s.Fields, 1)
}

// summary writes the summary: one line of plain values, then those of objects
// and lists on lines of their own.
func (d *document) summary(f Fields) {
	if len(f) == 0 {
		return
	}
	d.part()
	pairs := 0
	var deep Fields
	for _, field := range f {
		if field.Value.nested() {
			deep = append(deep, field)
			continue
		}
		d.buf = append(append(separate(d.buf, pairs, ", "), Label(field.Key)...), ": "...)
		d.buf = appendText(d.buf, field.Value)
		pairs++
	}
	if pairs > 0 {
		d.buf = append(d.buf, '\n')
	}
	d.buf = appendFieldLines(d.buf, deep, 0)
}

// appendFieldLines appends "key: value" lines with the values aligned, those of
// an object deeper under its key.
func appendFieldLines(dst []byte, fields Fields, depth int) []byte {
	width := 0
	for _, f := range fields {
		if !f.Value.nested() {
			width = max(width, len(f.Key))
		}
	}
	for _, f := range fields {
		dst = appendIndent(dst, depth)
		dst = append(append(dst, Label(f.Key)...), ':')
		switch {
		case f.Value.kind == kindObject && f.Value.nested():
			dst = appendFieldLines(append(dst, '\n'), f.Value.object(), depth+1)
			continue
		case f.Value.nested():
			dst = append(dst, '\n')
			for _, o := range f.Value.objects() {
				dst = appendObjectText(appendIndent(dst, depth+1), o)
				dst = append(dst, '\n')
			}
			continue
		}
		start := len(dst)
		for range width - len(f.Key) + 1 {
			dst = append(dst, ' ')
		}
		dst = append(trimRight(appendText(dst, f.Value), start), '\n')
	}
	return dst
}

// nested says whether v is shown on lines of its own.
func (v Value) nested() bool { return len(v.object()) > 0 || len(v.objects()) > 0 }
