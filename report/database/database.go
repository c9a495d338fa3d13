// Package database keeps typed rows as they stream in: in tables of an SQLite file, or in
// a folder of CSV files. What the tables mean is left to the caller.
package database

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/extscope/extscope/report"
)

// A Table is a table to be made. Columns are those of a report: keys become the names of
// columns, and what kind a column is shows by its values.
type Table struct {
	Name    string
	Columns []Column
	Key     string   // the column that is the INTEGER PRIMARY KEY, "" without one
	Indexes []string // columns that get an index of their own, once all rows are there
}

// A Column is one column of a table. Times take two: seconds since 1970 and, under the
// name with _ns behind, the nanoseconds.
type Column struct {
	Name string
	Type string // INTEGER, TEXT, BLOB or "TIME"
}

// A Sink takes the rows of tables.
type Sink interface {
	// Add adds a row to a table, by its place in the list. The row may be used again.
	Add(table int, row report.Row) error
	// Close ends it: the rows are all there, or the error tells why not.
	Close() error
}

// batch is how many values a statement takes at once, at most: SQLite's limit is 32766.
const batch = 1000

// A file is an SQLite file being written.
type file struct {
	db     *sql.DB
	conn   *sql.Conn
	tables []Table
	views  []string
	full   []*sql.Stmt // that insert a batch
	rows   [][]any     // waiting
	widths []int       // values of a row
}

// Create makes an SQLite file that is not there yet. Views are statements that are run at
// the end.
func Create(name string, tables []Table, views []string) (Sink, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	f.Close()
	db, err := sql.Open("sqlite", dsn(name))
	if err != nil {
		return nil, err
	}
	s := &file{db: db, tables: tables, views: views, rows: make([][]any, len(tables))}
	ctx := context.Background()
	if s.conn, err = db.Conn(ctx); err != nil {
		db.Close()
		return nil, err
	}
	// The file is of no use until it is whole: nothing has to be kept safe on the way.
	statements := []string{"PRAGMA page_size = 8192", "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA locking_mode = EXCLUSIVE",
		"PRAGMA cache_size = -32768", "PRAGMA temp_store = FILE", "BEGIN"}
	for i := range tables {
		statements = append(statements, tables[i].create())
	}
	for _, q := range statements {
		if _, err := s.conn.ExecContext(ctx, q); err != nil {
			s.abandon()
			return nil, fmt.Errorf("%s: %w", q, err)
		}
	}
	for i := range tables {
		names, _ := tables[i].layout()
		s.widths = append(s.widths, len(names))
		stmt, err := s.conn.PrepareContext(ctx, tables[i].insert(batch/len(names)))
		if err != nil {
			s.abandon()
			return nil, err
		}
		s.full = append(s.full, stmt)
	}
	return s, nil
}

// dsn is the URI of a file: a name alone would be taken apart at a "?".
func dsn(name string) string {
	return (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(name)}).String()
}

func (s *file) abandon() {
	s.conn.Close()
	s.db.Close()
}

// layout gives the columns as they are stored.
func (t *Table) layout() (names, types []string) {
	for _, c := range t.Columns {
		if c.Type == "TIME" {
			names, types = append(names, c.Name, c.Name+"_ns"), append(types, "INTEGER", "INTEGER")
			continue
		}
		names, types = append(names, c.Name), append(types, c.Type)
	}
	return names, types
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (t *Table) create() string {
	names, types := t.layout()
	var b strings.Builder
	for i := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(names[i]) + " " + types[i])
		if names[i] == t.Key {
			b.WriteString(" PRIMARY KEY")
		}
	}
	return fmt.Sprintf("CREATE TABLE %s (%s)", quote(t.Name), b.String())
}

// insert is the statement that inserts so many rows.
func (t *Table) insert(rows int) string {
	names, _ := t.layout()
	one := "(?" + strings.Repeat(",?", len(names)-1) + ")"
	return "INSERT INTO " + quote(t.Name) + " VALUES " + one + strings.Repeat(","+one, rows-1)
}

func (s *file) Add(table int, row report.Row) error {
	t := &s.tables[table]
	for i, c := range t.Columns {
		v := report.Null()
		if i < len(row) {
			v = row[i]
		}
		if c.Type == "TIME" {
			sec, nsec := any(nil), any(nil)
			if at, ok := v.Time(); ok {
				sec, nsec = at.Unix(), int64(at.Nanosecond())
			}
			s.rows[table] = append(s.rows[table], sec, nsec)
			continue
		}
		s.rows[table] = append(s.rows[table], value(v))
	}
	if n := s.widths[table]; len(s.rows[table])/n == batch/n {
		_, err := s.full[table].Exec(s.rows[table]...)
		s.rows[table] = s.rows[table][:0]
		return err
	}
	return nil
}

// value is a value as SQLite keeps it: names that are not UTF-8 as blobs of their bytes.
func value(v report.Value) any {
	if n, ok := v.Number(); ok {
		return n
	}
	if b, ok := v.Raw(); ok {
		if utf8.ValidString(b) {
			return b
		}
		return []byte(b)
	}
	if v.IsNull() {
		return nil
	}
	return v.Text()
}

func (s *file) Close() error {
	defer s.abandon()
	ctx := context.Background()
	for i := range s.tables {
		if n := len(s.rows[i]) / s.widths[i]; n > 0 {
			if _, err := s.conn.ExecContext(ctx, s.tables[i].insert(n), s.rows[i]...); err != nil {
				return err
			}
		}
		s.full[i].Close()
		for _, column := range s.tables[i].Indexes {
			q := fmt.Sprintf("CREATE INDEX %s ON %s (%s)", quote(s.tables[i].Name+"_"+column), quote(s.tables[i].Name), quote(column))
			if _, err := s.conn.ExecContext(ctx, q); err != nil {
				return err
			}
		}
	}
	for _, q := range append(s.views, "COMMIT") {
		if _, err := s.conn.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}
