package report

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzCells puts any bytes into every kind of cell that takes bytes.
func FuzzCells(f *testing.F) {
	for _, n := range names {
		f.Add([]byte(n), "detail "+n, int64(len(n))<<33)
	}
	f.Fuzz(func(t *testing.T, b []byte, s string, n int64) {
		row := Row{
			Int(n), Size(uint64(n)), Name(b), Str(s), List([]Value{Name(b), Str(s), Int(n), Null()}),
			Object(Fields{{"name", Name(b)}, {"text", Str(s)}}), Objects([]Fields{{{"name", Name(b)}}}), Name(b),
		}
		make := func() *Report {
			table := &Table{Key: "rows", Rows: rowsOf(row, row)}
			for _, key := range []string{"int", "size", "name", "text", "list", "object", "objects", "last"} {
				table.Columns = append(table.Columns, Column{Key: key, Title: key, Name: key == "name"})
			}
			return &Report{
				Head:    []Section{{Key: "head", Title: "Head", Fields: Fields{{"name", Name(b)}, {"text", Str(s)}, {"list", row[4]}}}},
				Tables:  []*Table{table},
				Summary: func() Fields { return Fields{{"name", Name(b)}, {"object", row[5]}} },
			}
		}

		text := write(t, make(), Options{Format: JSON})
		if !json.Valid([]byte(text)) {
			t.Fatalf("not JSON: %s", text)
		}
		if what := hostile(strings.ReplaceAll(text, "\n", "")); what != "" {
			t.Fatalf("JSON holds %s: %q", what, text)
		}

		text = write(t, make(), Options{Format: NDJSON})
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if len(lines) != 2 || !json.Valid([]byte(lines[0])) || lines[0] != lines[1] {
			t.Fatalf("not two lines of JSON: %q", text)
		}
		var out struct {
			Int  int64
			Name string
			Hex  *string `json:"name_hex"`
		}
		if err := json.Unmarshal([]byte(lines[0]), &out); err != nil {
			t.Fatal(err)
		}
		if got, err := (jsonRowOut{Name: out.Name, Hex: out.Hex}).original(); err != nil || got != string(b) || out.Int != n {
			t.Fatalf("name %q came back as %q, %v", b, got, err)
		}

		text = write(t, make(), Options{Format: CSV})
		records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || len(records) != 3 || strings.Count(text, "\n") != 3 {
			t.Fatalf("not three CSV records: %v in %q", err, text)
		}
		for i, cell := range records[1][2:] {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Fatalf("cell %d is a formula: %q", i+2, cell)
			}
		}
		if got, err := Unprintable(unguard(records[1][2])); err != nil || string(got) != string(b) {
			t.Fatalf("name %q came back as %q, %v", b, got, err)
		}

		// Heading, three fields, an empty line, header, two rows, an empty
		// line, and the summary's three or, with an object in it, four lines.
		text = write(t, make(), Options{})
		if what := hostile(strings.ReplaceAll(text, "\n", "")); what != "" {
			t.Fatalf("table holds %s: %q", what, text)
		}
		if n := strings.Count(text, "\n"); n != 1+3+1+1+2+1+4 {
			t.Fatalf("table has %d lines: %q", n, text)
		}

		text = write(t, make(), Options{Format: Markdown})
		if what := hostile(strings.ReplaceAll(text, "\n", "")); what != "" {
			t.Fatalf("Markdown holds %s: %q", what, text)
		}
		if n := strings.Count(text, "\n"); n != 2+3+1+2+2+1+2 {
			t.Fatalf("Markdown has %d lines: %q", n, text)
		}
	})
}
