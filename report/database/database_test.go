package database

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/extscope/extscope/report"
)

var tables = []Table{
	{Name: "thing", Key: "id", Columns: []Column{{"id", "INTEGER"}, {"name", "TEXT"}, {"at", "TIME"}}, Indexes: []string{"name"}},
	{Name: "transaction", Columns: []Column{{"n", "INTEGER"}}},
}

func fill(t *testing.T, s Sink) {
	t.Helper()
	for i := range int64(5000) {
		row := report.Row{report.Int(i), report.Name([]byte{'n', byte(i)}), report.Time(time.Unix(i-10, i))}
		if i%7 == 0 {
			row = row[:1]
		}
		if err := s.Add(0, row); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Add(1, report.Row{report.Uint(1 << 40)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCreate has the same rows give the same file, and looks at what is in it.
func TestCreate(t *testing.T) {
	var files [2][]byte
	name := ""
	for i := range files {
		name = filepath.Join(t.TempDir(), "a?b#c.db")
		s, err := Create(name, tables, []string{`CREATE VIEW named AS SELECT * FROM thing WHERE name IS NOT NULL`})
		if err != nil {
			t.Fatal(err)
		}
		fill(t, s)
		if files[i], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the same rows give another file")
	}
	db, err := sql.Open("sqlite", dsn(name))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for query, want := range map[string]any{
		"PRAGMA integrity_check":                                       "ok",
		"SELECT count(*) FROM thing":                                   int64(5000),
		"SELECT count(*) FROM named":                                   int64(4285),
		"SELECT at FROM thing WHERE id = 1":                            int64(-9),
		"SELECT at_ns FROM thing WHERE id = 1":                         int64(1),
		"SELECT count(*) FROM thing WHERE id % 7 = 0 AND at IS NULL":   int64(715),
		"SELECT typeof(name) FROM thing WHERE id = 200":                "blob",
		"SELECT typeof(name) FROM thing WHERE id = 100":                "text",
		`SELECT n FROM "transaction"`:                                  int64(1 << 40),
		"SELECT count(*) FROM sqlite_master WHERE name = 'thing_name'": int64(1),
	} {
		var got any
		if err := db.QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", query, got, err, want)
		}
	}
	if _, err := Create(name, tables, nil); err == nil {
		t.Error("a file that is there is written over")
	}
}

func TestCreateFolder(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	s, err := CreateFolder(root, tables)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s)
	b, err := os.ReadFile(filepath.Join(dir, "thing.csv"))
	if err != nil || !bytes.HasPrefix(b, []byte("id,name,at\r\n0,,\r\n1,n\\x01,1969-12-31T23:59:51.000000001Z\r\n")) {
		t.Errorf("%v: %.100q", err, b)
	}
	if _, err := CreateFolder(root, tables); err == nil {
		t.Error("files that are there are written over")
	}
}
