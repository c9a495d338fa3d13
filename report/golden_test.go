package report

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// rowsOf is a producer that uses the memory of its row again, as it may.
func rowsOf(rows ...Row) func(func(Row, error) bool) {
	return func(yield func(Row, error) bool) {
		var row Row
		for _, r := range rows {
			row = append(row[:0], r...)
			if !yield(row, nil) {
				return
			}
			for i := range row {
				row[i] = Str("used again")
			}
		}
	}
}

func name(s string) Value { return Name([]byte(s)) }

// The first and the last second that a 256-byte ext4 inode can hold.
var (
	firstTime = time.Unix(-1<<31, 0)
	lastTime  = time.Unix(-1<<31+1<<34-1, 999_999_999)
)

// listing is a report as ls makes one, of names that nobody would choose.
func listing() *Report {
	var rows []Row
	add := func(n string, size uint64, mtime time.Time, target Value) {
		kind := Str("file")
		if !target.IsNull() {
			kind = Str("symlink")
		}
		rows = append(rows, Row{
			kind, Mode(0o644), Size(size), Time(mtime), Uint(uint64(len(rows) + 11)),
			name("/" + n), name(n), target, Bool(size > 1<<20),
		})
	}
	add("plain", 0, time.Unix(0, 0), Null())
	add("two words", 1023, time.Unix(1700000000, 123456789), Null())
	add("-rf", 1025, firstTime, Null())
	add("=1+1", 10<<20, lastTime, Null())
	add("@sum", 1<<62, time.Time{}, Null())
	add("'=1", 1<<64-1, time.Time{}, Null())
	add("tab\tnew\nline\r", 1, firstTime, Null())
	add("\x1b[2J\x1b]0;owned\a", 1, lastTime, name("/\x1b[31m"))
	add("\u202egnp.exe", 1, lastTime, name("a|b"))
	add("not\xffutf8\x80", 1, lastTime, name("\xc3"))
	add("back\\slash \"quoted\", comma; |pipe|", 1, lastTime, Null())
	add("<b>*bold*</b> `code` [x](http://www.example.org) a@b &amp; $x$ ~~y~~", 1, lastTime, Null())
	add("日本語", 1, lastTime, Null())
	add("e\u0301a\u0308", 1, lastTime, name("🙂"))
	add("\ufeffzero\u200bwidth\u00ad\u2028\u3164\ufe0f\U000e0041\ue000\u0378", 1, lastTime, Null())
	add(" ends ", 1, lastTime, Null())
	add(" ", 1, lastTime, Null())
	add(strings.Repeat("long", 75), 1, lastTime, Null())
	add("\u0085\x7f\x00", 1, lastTime, Null())
	return &Report{
		Head: []Section{
			{Key: "image", Fields: Fields{{"path", Str("a.img")}, {"size", Size(1 << 30)}}},
			{Key: "filesystem", Fields: Fields{{"label", Bytes([]byte("l\xff"))}, {"block_size", Uint(4096)}}},
		},
		Tables: []*Table{{
			Key: "entries",
			Columns: []Column{
				{Key: "type", Title: "Type"},
				{Key: "mode", Title: "Mode"},
				{Key: "size", Title: "Size", Right: true},
				{Key: "mtime", Title: "Modified"},
				{Key: "inode", Title: "Inode", Right: true},
				{Key: "path", Name: true, Data: true},
				{Key: "name", Title: "Name", Name: true, Style: func(v Value) Style {
					if strings.HasPrefix(v.Text(), "日") {
						return Dir
					}
					return None
				}},
				{Key: "target", Title: "Target", Name: true, Optional: true},
				{Key: "large", Title: "Large", Style: func(v Value) Style {
					if v.Text() == "yes" {
						return Warn
					}
					return None
				}},
			},
			Rows: rowsOf(rows...),
		}},
		Summary: func() Fields { return Fields{{"entries", Int(int64(len(rows)))}} },
	}
}

// facts is a report as info makes one: sections, and tables with deep values.
func facts() *Report {
	features := []Value{Str("extents"), Str("64bit")}
	return &Report{
		Head: []Section{
			{Key: "image", Fields: Fields{{"path", Str("a.img")}}},
			{Key: "superblock", Title: "Superblock", Fields: Fields{
				{"label", Bytes([]byte("root|\x1b"))},
				{"free_blocks", Uint(1 << 40)},
				{"size", Size(1536)},
				{"last_mounted", Null()},
				{"written", Time(lastTime)},
				{"clean", Bool(false)},
				{"offset", Int(-5)},
				{"features", List(features)},
				{"journal", Object(Fields{{"sequence", Uint(7)}, {"empty", Bool(true)}, {"names", List([]Value{name("a"), name("\xff")})}})},
				{"copies", Objects([]Fields{{{"group", Uint(1)}, {"ok", Bool(true)}}, {{"group", Uint(3)}, {"ok", Bool(false)}}})},
				{"nothing", Object(nil)},
			}},
		},
		Tables: []*Table{
			{Key: "groups", Columns: []Column{{Key: "group", Title: "Group", Right: true}, {Key: "flags", Title: "Flags"}},
				Rows: rowsOf(Row{Uint(0), List(features)}, Row{Uint(1), List(nil)}, Row{Uint(2)})},
			{Key: "none", Columns: []Column{{Key: "x", Title: "X"}}},
			{Key: "inode_paths", Columns: []Column{
				{Key: "inode", Title: "Inode", Right: true},
				{Key: "paths", Title: "Paths", Name: true},
				{Key: "runs", Title: "Runs"},
				{Key: "delta", Title: "Delta", Right: true},
			}, Rows: rowsOf(
				Row{Uint(12), List([]Value{name("/a; b"), name("/\xff")}), Objects([]Fields{{{"logical", Uint(0)}, {"physical", Null()}}, {{"logical", Uint(1)}, {"physical", Uint(99)}}}), Int(-3)},
				Row{Uint(13), List([]Value{name("=b")}), Objects(nil), Int(4)},
			)},
		},
		Summary: func() Fields {
			return Fields{{"groups", Int(3)}, {"counts", Object(Fields{{"bad-inode", Int(1)}, {"odd-time", Int(20)}})}}
		},
	}
}

func empty() *Report {
	return &Report{
		Head:    []Section{{Key: "image", Fields: Fields{{"path", Str("a.img")}}}},
		Tables:  []*Table{{Key: "links", Columns: []Column{{Key: "inode", Title: "Inode"}, {Key: "path", Title: "Path"}}, Rows: rowsOf()}},
		Summary: func() Fields { return nil },
	}
}

func write(t testing.TB, r *Report, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for _, r := range []struct {
		name string
		make func() *Report
	}{{"listing", listing}, {"facts", facts}, {"empty", empty}} {
		for _, f := range []struct {
			suffix string
			o      Options
		}{
			{"table", Options{}},
			{"color", Options{Color: true, Width: 80}},
			{"json", Options{Format: JSON}},
			{"ndjson", Options{Format: NDJSON}},
			{"csv", Options{Format: CSV}},
			{"md", Options{Format: Markdown}},
		} {
			file := filepath.Join("testdata", r.name+"."+f.suffix)
			t.Run(r.name+"."+f.suffix, func(t *testing.T) {
				got := write(t, r.make(), f.o)
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("differs from %s:\n%s", file, got)
				}
			})
		}
	}
}

func TestEmptyTableLeavesNoTrace(t *testing.T) {
	if got := write(t, empty(), Options{}); got != "" {
		t.Errorf("table format of an empty table: %q", got)
	}
	if got := write(t, empty(), Options{Format: NDJSON}); got != "" {
		t.Errorf("ndjson of an empty table: %q", got)
	}
	if got := write(t, empty(), Options{Format: CSV}); got != "inode,path\r\n" {
		t.Errorf("csv of an empty table: %q", got)
	}
}

func TestParseFormat(t *testing.T) {
	for _, name := range Formats() {
		if f, err := ParseFormat(name); err != nil || string(f) != name {
			t.Errorf("%s: %q, %v", name, f, err)
		}
	}
	if _, err := ParseFormat("xml"); err == nil {
		t.Error("xml: no error")
	}
	if err := Write(&bytes.Buffer{}, listing(), Options{Format: "xml"}); err == nil {
		t.Error("written as xml")
	}
}

// A Report's own text takes the place of the table format, and only of that.
func TestOwnText(t *testing.T) {
	r := listing()
	r.Text = func(w io.Writer) error {
		_, err := w.Write([]byte("own\n"))
		return err
	}
	if got := write(t, r, Options{}); got != "own\n" {
		t.Errorf("got %q", got)
	}
	if got := write(t, r, Options{Format: NDJSON}); strings.Contains(got, "own\n") {
		t.Error("ndjson has the text")
	}
	full := errors.New("full")
	if err := Write(failing{full}, r, Options{}); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
}
