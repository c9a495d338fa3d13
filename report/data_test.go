package report

import (
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// names are what evidence holds: every one must come back out of data formats.
var names = []string{
	"", "plain", "two words", "=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "'=1", "''+", "'quoted'", "it's",
	`back\slash`, `\x41`, `say "hi"`, "a,b", "a;b", "a; b", "line\nline", "cr\rlf\n", "tab\t", "\x1b[31m\x07", "\x00",
	"\u202egnp", "\u2028\u2029", "\ufeff", "\u061c", "\u009b", "\u00ad", "日本語", "e\u0301", "🙂", "\U000e0041",
	"not\xffutf8", "\xff", "\xc3", "\xed\xa0\x80", "|", "<b>&amp;", " ends ", strings.Repeat("n", 255), strings.Repeat("\xfe", 300),
}

// oneColumn is a report of one name a row.
func oneColumn(values []string) *Report {
	return &Report{Tables: []*Table{{
		Key:     "rows",
		Columns: []Column{{Key: "n", Title: "N"}, {Key: "name", Title: "Name", Name: true}},
		Rows: func(yield func(Row, error) bool) {
			for i, v := range values {
				if !yield(Row{Int(-int64(i)), name(v)}, nil) {
					return
				}
			}
		},
	}}}
}

type jsonRowOut struct {
	N    int
	Name string
	Hex  *string `json:"name_hex"`
}

// original is the name that a JSON row tells of.
func (r jsonRowOut) original() (string, error) {
	if r.Hex == nil {
		return r.Name, nil
	}
	b, err := hex.DecodeString(*r.Hex)
	if err != nil {
		return "", err
	}
	if p, err := Unprintable(r.Name); err != nil || string(p) != string(b) {
		return "", fmt.Errorf("%s beside %s: %v", r.Name, *r.Hex, err)
	}
	return string(b), nil
}

func checkJSONRow(row jsonRowOut, i int, want string) error {
	switch got, err := row.original(); {
	case err != nil:
		return err
	case got != want:
		return fmt.Errorf("got %q, want %q", got, want)
	case (row.Hex == nil) != utf8.ValidString(want):
		return fmt.Errorf("%q: name_hex there %v", want, row.Hex != nil)
	case row.N != -i:
		return fmt.Errorf("row %d says %d", i, row.N)
	}
	return nil
}

func TestJSONGivesNamesBack(t *testing.T) {
	text := write(t, oneColumn(names), Options{Format: JSON})
	if what := hostile(strings.ReplaceAll(text, "\n", "")); what != "" {
		t.Errorf("JSON holds %s", what)
	}
	var out struct{ Rows []jsonRowOut }
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Rows) != len(names) {
		t.Fatalf("%d rows", len(out.Rows))
	}
	for i, row := range out.Rows {
		if err := checkJSONRow(row, i, names[i]); err != nil {
			t.Error(err)
		}
	}
	lines := strings.Split(strings.TrimSuffix(write(t, oneColumn(names), Options{Format: NDJSON}), "\n"), "\n")
	if len(lines) != len(names) {
		t.Fatalf("%d lines", len(lines))
	}
	for i, line := range lines {
		var row jsonRowOut
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if err := checkJSONRow(row, i, names[i]); err != nil {
			t.Error(err)
		}
	}
}

// unguard takes away the quote mark that keeps a spreadsheet from computing.
func unguard(cell string) string {
	if rest := strings.TrimLeft(cell, "'"); len(rest) < len(cell) && rest != "" && strings.ContainsRune("=+-@", rune(rest[0])) {
		return cell[1:]
	}
	return cell
}

func TestCSVGivesNamesBack(t *testing.T) {
	text := write(t, oneColumn(names), Options{Format: CSV})
	if what := hostile(strings.ReplaceAll(text, "\r\n", "")); what != "" {
		t.Errorf("CSV holds %s", what)
	}
	if n := strings.Count(text, "\r\n"); n != 1+len(names) || n != strings.Count(text, "\n") {
		t.Errorf("%d lines", n)
	}
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 1+len(names) || !slices.Equal(records[0], []string{"n", "name"}) {
		t.Fatalf("%d records, header %q", len(records), records[0])
	}
	for i, record := range records[1:] {
		if record[0] != fmt.Sprint(-i) { // no guard: it is a number
			t.Errorf("row %d says %s", i, record[0])
		}
		if cell := record[1]; cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			t.Errorf("%q: a spreadsheet computes %s", names[i], cell)
		}
		if got, err := Unprintable(unguard(record[1])); err != nil || string(got) != names[i] {
			t.Errorf("%s: got %q, %v, want %q", record[1], got, err, names[i])
		}
	}
}

func TestCSVLists(t *testing.T) {
	paths := []string{"=a", "b;c", "d; e", "\xff", ""}
	var list []Value
	for _, p := range paths {
		list = append(list, name(p))
	}
	text := write(t, &Report{Tables: []*Table{{
		Columns: []Column{{Key: "paths"}, {Key: "counts"}},
		Rows:    rowsOf(Row{List(list), List([]Value{Int(-1), Int(2)})}),
	}}}, Options{Format: CSV})
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, cell := range strings.Split(unguard(records[1][0]), "; ") {
		b, err := Unprintable(cell)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(b))
	}
	if !slices.Equal(got, paths) {
		t.Errorf("got %q, want %q", got, paths)
	}
	if records[1][1] != "-1; 2" {
		t.Errorf("numbers %q", records[1][1])
	}
}

func TestMarkdownEscapes(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"a|b", `a\|b`},
		{"a\nb", `a\\nb`},
		{"<img src=x>&lt;", `&lt;img src=x&gt;&amp;lt;`},
		{"__init__.py", `\_\_init\_\_.py`},
		{"*`~~[x](y)$z$", "\\*\\`\\~\\~\\[x\\](y)\\$z\\$"},
		{`\|`, `\\\\\|`}, // a doubled backslash and a pipe, each escaped
		{"http://a WwW.b", "http&#58;//a WwW&#46;b"},
		{"日本\u202e", `日本\\u{202e}`},
		{" ", `\\x20`},
	} {
		text := write(t, oneColumn([]string{tt.name}), Options{Format: Markdown})
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if len(lines) != 3 || !strings.HasSuffix(strings.TrimRight(strings.TrimSuffix(lines[2], "|"), " "), "| "+tt.want) {
			t.Errorf("%q: want %s in\n%s", tt.name, tt.want, text)
		}
	}
}

func TestOptionalAndShortRows(t *testing.T) {
	r := func() *Report {
		return &Report{Tables: []*Table{{
			Key:     "rows",
			Columns: []Column{{Key: "a", Title: "A", Optional: true}, {Key: "b", Title: "B"}, {Key: "c", Title: "C", Optional: true}},
			Rows:    rowsOf(Row{}, Row{Null(), Int(1)}, Row{Int(1), Null(), Int(2), Int(3)}),
		}}}
	}
	for f, want := range map[Format]string{
		NDJSON:      "{\"b\":null}\n{\"b\":1}\n{\"a\":1,\"b\":null,\"c\":2}\n",
		CSV:         "a,b,c\r\n,,\r\n,1,\r\n1,,2\r\n",
		TableFormat: "A  B  C\n-  -  -\n-  1  -\n1  -  2\n",
	} {
		if got := write(t, r(), Options{Format: f}); got != want {
			t.Errorf("%s: got %q, want %q", f, got, want)
		}
	}
}

// Text that a program made may quote a name already: its backslashes stay, but
// what is not UTF-8 is told exactly where the column holds names.
func TestStrInNameColumn(t *testing.T) {
	r := &Report{Tables: []*Table{{
		Key:     "rows",
		Columns: []Column{{Key: "name", Title: "Name", Name: true}, {Key: "detail", Title: "Detail"}},
		Rows:    rowsOf(Row{Str("a\xff"), Str(`b\x1b` + "\xff")}),
	}}}
	if got, want := write(t, r, Options{Format: NDJSON}), `{"name":"a\\xff","name_hex":"61ff","detail":"b\\\\x1b\\xff"}`+"\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := write(t, r, Options{}), "Name   Detail\na\\xff  b\\x1b\\xff\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
