package main

import (
	"strings"
	"testing"
	"time"
)

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", ".hidden/and/slashes", true},
		{"a*c", "abbbc", true},
		{"a*c", "abbbd", false},
		{"*.tar.*", "x.tar.gz", true},
		{"a**b", "ab", true},
		{"?", "é", true},
		{"?", "\xff", true},
		{"??", "é", false},
		{"\xff", "\xff", true},
		{"\xff", "\xfe", false},
		{"*\xff", "a\xff", true},
		{"[a-c]x", "bx", true},
		{"[!a-c]x", "bx", false},
		{"[^a-c]x", "dx", true},
		{"[]]", "]", true},
		{"[!]]", "]", false},
		{"[a-]", "-", true},
		{"[à-ü]", "é", true},
		{"[[:digit:]x]", "7", true},
		{"[[:digit:]x]", "x", true},
		{"[[:alpha:]]", "7", false},
		{"[abc", "[abc", true},
		{"[abc", "a", false},
		{`\*`, "*", true},
		{`\*`, "x", false},
		{`a\`, `a\`, true},
		{`[\]]`, "]", true},
		{"[\xf0-\xff]", "\xfe", true},
		{"[\xf0-\xff]", "\x80", false},
		{"A", "a", false},
	} {
		if got := (glob{[]byte(tt.pattern), false}).match([]byte(tt.name)); got != tt.want {
			t.Errorf("%q against %q: got %v", tt.pattern, tt.name, got)
		}
	}
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{{"ReadMe*", "README.md", true}, {"[a-c]", "B", true}, {"É", "é", true}, {"a", "b", false}, {"\xe9", "\xc9", false}} {
		if got := (glob{[]byte(tt.pattern), true}).match([]byte(tt.name)); got != tt.want {
			t.Errorf("%q against %q, in either case: got %v", tt.pattern, tt.name, got)
		}
	}
	// Patterns that make simple matchers go back again and again.
	start := time.Now()
	(glob{[]byte(strings.Repeat("*a", 100) + "b"), false}).match([]byte(strings.Repeat("a", 4096)))
	if d := time.Since(start); d > time.Minute { // a millisecond, or no end to it
		t.Errorf("a hard pattern took %v", d)
	}
}

func FuzzGlob(f *testing.F) {
	f.Add([]byte("[!a-z]*\\?"), []byte("A\xffb"))
	f.Fuzz(func(t *testing.T, pattern, name []byte) {
		if len(pattern) > 300 || len(name) > 300 {
			return
		}
		got := glob{pattern, false}.match(name)
		if got && !(glob{append(pattern[:len(pattern):len(pattern)], '*'), false}).match(name) && !strings.ContainsAny(string(pattern), `\[`) {
			t.Errorf("%q matches %q, with a star behind it does not", pattern, name)
		}
		glob{pattern, true}.match(name)
		// Escaped whole, a name matches itself and nothing longer.
		var quoted []byte
		for _, c := range name {
			if c < 0x80 {
				quoted = append(quoted, '\\')
			}
			quoted = append(quoted, c)
		}
		if !(glob{quoted, false}).match(name) || (glob{quoted, false}).match(append(name[:len(name):len(name)], 'x')) {
			t.Errorf("%q does not match itself", name)
		}
	})
}

func TestParsePerm(t *testing.T) {
	for s, want := range map[string]permTest{
		"644":          {0o644, 0},
		"-4000":        {0o4000, '-'},
		"/222":         {0o222, '/'},
		"u=rwx,go=rx":  {0o755, 0},
		"-u+s":         {0o4000, '-'},
		"/o=t":         {0o1000, '/'},
		"a+r,g-r":      {0o404, 0},
		"+x":           {0o111, 0},
		"u=rw,u=r":     {0o400, 0},
		"ug=rws,o=rwt": {0o7666, 0},
	} {
		if got, err := parsePerm(s); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "-", "9", "10000", "q+r", "u", "u=q", "u+r,", "0x1"} {
		if got, err := parsePerm(s); err == nil {
			t.Errorf("%q: got %+v", s, got)
		}
	}
}

func TestParseSizeAndTime(t *testing.T) {
	for s, want := range map[string]struct {
		c    count
		unit uint64
	}{"3": {count{3, 0}, 512}, "+2k": {count{2, '+'}, 1024}, "-10c": {count{10, '-'}, 1}, "0G": {count{0, 0}, 1 << 30}, "+7w": {count{7, '+'}, 2}} {
		c, unit, err := parseSize(s)
		if err != nil || c != want.c || unit != want.unit {
			t.Errorf("%s: got %+v %d, %v", s, c, unit, err)
		}
	}
	for _, s := range []string{"", "k", "+", "1K", "1.5M", "--1", "+-1", "18446744073709551616"} {
		if c, unit, err := parseSize(s); err == nil {
			t.Errorf("%q: got %+v %d", s, c, unit)
		}
	}
	for s, want := range map[string]int64{"1970-01-02": 86400, "@-5": -5, "2025-03-01T09:00:00Z": 1740819600,
		"2025-03-01T10:00:00+01:00": 1740819600, "2025-03-01 09:00:00": 1740819600, "2025-03-01 09:00": 1740819600} {
		if got, err := parseWhen(s); err != nil || got.Unix() != want {
			t.Errorf("%s: got %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "@", "yesterday", "2025-13-01"} {
		if got, err := parseWhen(s); err == nil {
			t.Errorf("%q: got %v", s, got)
		}
	}
}
