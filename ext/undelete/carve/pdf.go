package carve

import (
	"bytes"
	"fmt"
	"strconv"
)

// maxPDF bounds how far the end of a PDF is looked for behind the last end found.
const maxPDF = 256 << 20

// walkPDF looks for the %%EOF that ends the file. One counts if the startxref
// before it names the place of a cross-reference table or stream; each update
// of a PDF adds another, and the last is the one that zeros follow.
func walkPDF(s *stream) verdict {
	mark := []byte("%%EOF")
	good := verdict{}
	for off := int64(5); off < maxPDF; {
		b := s.some(off)
		if b == nil {
			return good
		}
		i := bytes.Index(b, mark)
		if i < 0 {
			if s.strangerIn(off, off+int64(len(b))) {
				return good
			}
			off += int64(max(len(b)-len(mark)+1, 1))
			continue
		}
		end := off + int64(i+len(mark))
		if s.strangerIn(off, end) {
			return good
		}
		off = end
		refs, ok := s.pdfRefs(end - int64(len(mark)))
		if !ok {
			continue
		}
		for n := 0; n < 2; n++ {
			if c := s.at(end, 1); c != nil && (c[0] == '\r' || c[0] == '\n') {
				end++
			}
		}
		v := verdict{size: end, why: "last %%EOF, its startxref names a cross-reference", sure: refs > 0}
		if refs > 0 {
			v.why += fmt.Sprintf(" whose %d offsets all hold", refs)
		}
		if end%s.size == 0 {
			good = v
			continue
		}
		rest := s.at(end, int(s.size-end%s.size))
		if rest != nil && zeroTail(rest) == len(rest) {
			return v
		}
	}
	return good
}

// strangerIn reports whether a block between two offsets starts another PDF, or
// is nothing but zeros.
func (s *stream) strangerIn(from, to int64) bool {
	for off := (from + s.size - 1) / s.size * s.size; off < to; off += s.size {
		if b := s.at(off, 5); b == nil || off > 0 && string(b) == "%PDF-" {
			return true
		}
	}
	return false
}

// pdfRefs checks the startxref before an end mark. refs counts the offsets of a
// table that name the objects they should.
func (s *stream) pdfRefs(mark int64) (refs int, ok bool) {
	from := max(mark-64, 0)
	b := s.at(from, int(mark-from))
	i := bytes.LastIndex(b, []byte("startxref"))
	if i < 0 {
		return 0, false
	}
	at, err := strconv.ParseInt(string(bytes.TrimSpace(b[i+9:])), 10, 64)
	if err != nil || at <= 0 || at >= mark {
		return 0, false
	}
	head := s.at(at, int(min(mark-at, 20)))
	if head == nil {
		return 0, false
	}
	head = bytes.TrimLeft(head, "\r\n\t ")
	if bytes.HasPrefix(head, []byte("xref")) {
		return s.pdfTable(at, mark)
	}
	return 0, isObject(head)
}

// isObject reports whether b begins as an indirect object: "12 0 obj".
func isObject(b []byte) bool {
	f := bytes.Fields(b)
	return len(f) >= 3 && digits(f[0]) && digits(f[1]) && bytes.HasPrefix(f[2], []byte("obj"))
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// maxRefs is how many offsets of a table are followed.
const maxRefs = 4096

// pdfTable follows the entries of a cross-reference table: twenty bytes each, in
// sections that say how many there are.
func (s *stream) pdfTable(at, mark int64) (refs int, ok bool) {
	off := at
	line := func() []byte {
		b := s.at(off, int(min(mark-off, 64)))
		if b == nil {
			return nil
		}
		n := bytes.IndexAny(b, "\r\n")
		if n < 0 {
			return nil
		}
		l := bytes.Clone(b[:n])
		for n < len(b) && (b[n] == '\r' || b[n] == '\n' || b[n] == ' ') {
			n++
		}
		off += int64(n)
		return l
	}
	line() // xref
	tried := 0
	for {
		f := bytes.Fields(line())
		if len(f) != 2 {
			return refs, tried == 0 || refs > 0
		}
		first, err1 := strconv.ParseInt(string(f[0]), 10, 32)
		n, err2 := strconv.ParseInt(string(f[1]), 10, 32)
		if err1 != nil || err2 != nil || n < 0 || off+n*20 > mark {
			return refs, false
		}
		for i := range n {
			if tried >= maxRefs {
				return refs, true
			}
			e := s.at(off, 20)
			if e == nil {
				return refs, false
			}
			off += 20
			if e[17] != 'n' {
				continue
			}
			to, err := strconv.ParseInt(string(e[:10]), 10, 64)
			if err != nil || to >= mark {
				return refs, false
			}
			if to == 0 {
				continue
			}
			tried++
			want := strconv.FormatInt(first+i, 10)
			o := s.at(to, int(min(mark-to, 24)))
			if f := bytes.Fields(o); len(f) >= 3 && string(f[0]) == want && bytes.HasPrefix(f[2], []byte("obj")) {
				refs++
			} else if !bytes.Contains(o, []byte("obj")) {
				return refs, false
			}
		}
	}
}
