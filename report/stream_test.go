package report

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

type short struct{}

func (short) Write(p []byte) (int, error) { return len(p) / 2, nil }

// counting is a table that would go on for ever.
func counting(asked *int) *Report {
	return &Report{Tables: []*Table{{
		Key:     "rows",
		Columns: []Column{{Key: "n", Title: "N", Right: true}, {Key: "text", Title: "Text"}},
		Rows: func(yield func(Row, error) bool) {
			for ; yield(Row{Int(int64(*asked)), Str("some words")}, nil); *asked++ {
			}
		},
	}}}
}

// A reader that went away must end the work, not merely the output.
func TestWriteErrorEndsRows(t *testing.T) {
	closed := errors.New("closed pipe")
	for _, name := range Formats() {
		asked := 0
		if err := Write(failing{closed}, counting(&asked), Options{Format: Format(name)}); !errors.Is(err, closed) {
			t.Errorf("%s: error %v", name, err)
		}
		if limit := 2*sinkSize/len("1234 some words") + window; asked > limit {
			t.Errorf("%s: asked for %d rows after the reader had gone", name, asked)
		}
		asked = 0
		if err := Write(short{}, counting(&asked), Options{Format: Format(name)}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: short write gave %v", name, err)
		}
	}
}

func TestErrorsAmongRows(t *testing.T) {
	bad := errors.New("inode 12: corrupt")
	for _, name := range Formats() {
		r := &Report{Tables: []*Table{{
			Key:     "rows",
			Columns: []Column{{Key: "n", Title: "N"}},
			Rows: func(yield func(Row, error) bool) {
				_ = yield(nil, bad) && yield(Row{Str("one")}, nil) && yield(nil, bad) && yield(Row{Str("two")}, nil)
			},
		}}}
		without := write(t, r, Options{Format: Format(name)})
		var told []error
		r.OnError = func(err error) { told = append(told, err) }
		got := write(t, r, Options{Format: Format(name)})
		if !slices.Equal(told, []error{bad, bad}) {
			t.Errorf("%s: told of %v", name, told)
		}
		if got != without || !strings.Contains(got, "one") || !strings.Contains(got, "two") {
			t.Errorf("%s: got\n%s", name, got)
		}
	}
}

// many repeats ten rows, so that each must look the same wherever it stands.
func many(n int) *Report {
	texts := []string{"a", "日本語", "e\u0301", "\x1b[1m", "🙂🙂", "two words", "", "a|b", " x ", strings.Repeat("w", 90)}
	return &Report{Tables: []*Table{{
		Key: "rows",
		Columns: []Column{
			{Key: "text", Title: "Text", Style: func(Value) Style { return Good }},
			{Key: "right", Title: "Right", Right: true},
			{Key: "size", Title: "Size", Right: true, Style: func(Value) Style { return Bad }},
			{Key: "last", Title: "Last"},
		},
		Rows: func(yield func(Row, error) bool) {
			for i := range n {
				text := texts[i%10]
				if !yield(Row{name(text), name(texts[(i+3)%10]), Size(uint64(i%10) * 700), name(text)}, nil) {
					return
				}
			}
		},
	}}}
}

// Rows in the window go through tablewriter, those after it don't: the look
// must be the same.
func TestWindowLooksLikeTheRest(t *testing.T) {
	for _, o := range []Options{{}, {Color: true}, {Width: 40}} {
		lines := strings.Split(write(t, many(window+20), o), "\n")
		if len(lines) != 1+window+20+1 {
			t.Fatalf("%d lines", len(lines))
		}
		for i := range 20 {
			if a, b := lines[1+i], lines[1+window+i]; a != b {
				t.Errorf("%+v: row %d\nin the window %q\nafter it      %q", o, i, a, b)
			}
		}
	}
	// Markdown's window is padded to its longest cell, what follows is not.
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	lines := strings.Split(write(t, many(window+20), Options{Format: Markdown}), "\n")
	for i := range 20 {
		if a, b := lines[2+i], lines[2+window+i]; squeeze(a) != squeeze(b) {
			t.Errorf("markdown row %d\nin the window %q\nafter it      %q", i, a, b)
		}
	}
}

func TestColumnsAlign(t *testing.T) {
	codes := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for _, o := range []Options{{}, {Color: true}} {
		for i, line := range strings.Split(strings.TrimSuffix(write(t, many(9), o), "\n"), "\n")[1:] {
			line = codes.ReplaceAllString(line, "")
			// The size, in the third column, ends at one place in every row
			// but the one that a cell longer than its column pushes.
			want := len("two words") + 2 + maxColumn + 2 + len("1.4K")
			if i == 6 {
				want += 90 - maxColumn
			}
			size := HumanSize(uint64(i) * 700)
			at := strings.LastIndex(line, size)
			if at < 0 {
				t.Fatalf("no %s in %q", size, line)
			}
			if got := displayWidth([]byte(line[:at+len(size)])); got != want {
				t.Errorf("color %v: size ends at %d, want %d, in %q", o.Color, got, want, line)
			}
		}
	}
}

func TestDisplayWidth(t *testing.T) {
	for _, tt := range []struct {
		text string
		want int
	}{
		{"", 0}, {"two words", 9}, {"日本語", 6}, {"ｱ", 1}, {"Ａ", 2}, {"e\u0301", 1}, {"🙂", 2}, {"한", 2}, {"§", 1},
		{Bad.Wrap("日", true), 2}, {Dir.Wrap("x", true), 1},
	} {
		if got := DisplayWidth(tt.text); got != tt.want {
			t.Errorf("%q: %d, want %d", tt.text, got, tt.want)
		}
	}
}

func TestWrap(t *testing.T) {
	for s := range Special + 2 { // one past the last
		if got := s.Wrap("text", false); got != "text" {
			t.Errorf("style %d, off: %q", s, got)
		}
		got := s.Wrap("text", true)
		if plain := s == None || s > Special; plain != (got == "text") {
			t.Errorf("style %d, on: %q", s, got)
		}
	}
}

// The same report is the same bytes, whatever the analyst's locale.
func TestLocaleChangesNothing(t *testing.T) {
	if os.Getenv("REPORT_LOCALE") == "child" {
		r := &Report{Tables: []*Table{{
			Columns: []Column{{Key: "a", Title: "A"}, {Key: "b", Title: "B"}},
			Rows:    rowsOf(Row{Str("§±×"), Str("x")}, Row{Str("日本"), Str("y")}),
		}}}
		fmt.Print(write(t, r, Options{}))
		return
	}
	child := func(env ...string) string {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLocaleChangesNothing$")
		cmd.Env = append(os.Environ(), append(env, "REPORT_LOCALE=child")...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		table, _, _ := strings.Cut(string(out), "PASS")
		return table
	}
	a, b := child("LC_ALL=C"), child("LC_ALL=ja_JP.UTF-8", "RUNEWIDTH_EASTASIAN=1", "TERM_PROGRAM=")
	if a != b || a != "A     B\n§±×   x\n日本  y\n" {
		t.Errorf("got %q and %q", a, b)
	}
}

func TestLinesEndInNoBlank(t *testing.T) {
	for i, line := range strings.Split(write(t, many(window+20), Options{}), "\n") {
		if strings.HasSuffix(line, " ") {
			t.Errorf("line %d: %q", i, line)
		}
	}
}

// Ten times the rows need no more memory.
func TestMemoryStaysFlat(t *testing.T) {
	peak := func(f string, n int) uint64 {
		var most uint64
		r := many(n)
		rows := r.Tables[0].Rows
		r.Tables[0].Rows = func(yield func(Row, error) bool) {
			i := 0
			rows(func(row Row, err error) bool {
				if i++; i%(n/4) == 0 {
					var m runtime.MemStats
					runtime.GC()
					runtime.ReadMemStats(&m)
					most = max(most, m.HeapAlloc)
				}
				return yield(row, err)
			})
		}
		if err := Write(io.Discard, r, Options{Format: Format(f)}); err != nil {
			t.Fatal(err)
		}
		return most
	}
	for _, f := range Formats() {
		few, lots := peak(f, 4_000), peak(f, 40_000)
		if lots > few+1<<20 {
			t.Errorf("%s: %d bytes for 4000 rows, %d for 40000", f, few, lots)
		}
	}
}

func TestEmptyCellsKeepTheirRow(t *testing.T) {
	r := &Report{Tables: []*Table{{
		Columns: []Column{{Key: "a", Title: "A"}, {Key: "b", Title: "B"}},
		Rows:    rowsOf(Row{Str("x"), Str("y")}, Row{Str(""), Str("")}, Row{Str("x"), Str("y")}),
	}}}
	if got, want := write(t, r, Options{}), "A  B\nx  y\n\nx  y\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func ExampleWrite() {
	r := &Report{Tables: []*Table{{
		Key:     "entries",
		Columns: []Column{{Key: "size", Title: "Size", Right: true}, {Key: "name", Title: "Name", Name: true}},
		Rows: func(yield func(Row, error) bool) {
			_ = yield(Row{Size(1536), Name([]byte("a.txt"))}, nil) &&
				yield(Row{Size(7), Name([]byte("b\x1b[2J"))}, nil)
		},
	}}}
	var out strings.Builder
	for _, f := range []Format{TableFormat, NDJSON} {
		if err := Write(&out, r, Options{Format: f}); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Print(out.String())
	// Output:
	// Size  Name
	// 1.5K  a.txt
	//    7  b\x1b[2J
	// {"size":1536,"name":"a.txt"}
	// {"size":7,"name":"b\u001b[2J"}
}
