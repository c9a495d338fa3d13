package report

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"", ""},
		{"plain name.txt", "plain name.txt"},
		{" ~", " ~"},
		{"a\nb\tc\rd", `a\nb\tc\rd`},
		{"\a\b\v\f", `\a\b\v\f`},
		{"\x00\x1b[31m\x7f", `\x00\x1b[31m\x7f`},
		{`back\slash`, `back\\slash`},
		{`\x41`, `\\x41`},
		{"\xff\xc3(", `\xff\xc3(`},
		{"\xed\xa0\x80", `\xed\xa0\x80`}, // a surrogate is no UTF-8
		{"\xc0\xaf", `\xc0\xaf`},         // neither is a long form
		{"\xf4\x90\x80\x80", `\xf4\x90\x80\x80`},
		{"é日本🙂", "é日本🙂"},
		{"e\u0301", "e\u0301"},
		{"\ufffd", "\ufffd"},
		{"\u009b31m", `\u{9b}31m`}, // CSI in one character
		{"\u202egnp", `\u{202e}gnp`},
		{"\u2066\u2069\u200e\u200f\u061c\ufeff", `\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}\u{feff}`},
		{"\u2028\u2029", `\u{2028}\u{2029}`},
		{"\u00a0\u3000", `\u{a0}\u{3000}`},
		{"\u3164\ufe0f\U000e0100", `\u{3164}\u{fe0f}\u{e0100}`},
		{"\ue000\u0378\U0010ffff", `\u{e000}\u{378}\u{10ffff}`},
	} {
		if got := Printable([]byte(tt.name)); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.name, got, tt.want)
		}
		got, err := Unprintable(tt.want)
		if err != nil || string(got) != tt.name {
			t.Errorf("%s: back to %q, %v, want %q", tt.want, got, err, tt.name)
		}
	}
}

func TestUnprintableRefuses(t *testing.T) {
	for _, s := range []string{
		`\`, `a\`, `\q`, `\x`, `\x4`, `\xzz`, `\x+1`, `\u`, `\u202e`, `\u{`, `\u{}`, `\u{202e`, `\u{d800}`, `\u{110000}`, `\u{1_0}`,
	} {
		if b, err := Unprintable(s); err == nil {
			t.Errorf("%s: got %q, no error", s, b)
		}
	}
}

// Names nearly always are plain ASCII; then nothing is allocated.
func TestAppendPrintableAllocates(t *testing.T) {
	name := []byte("an ordinary name, 40 bytes or so.tar.gz")
	dst := make([]byte, 0, 100)
	if n := testing.AllocsPerRun(100, func() { dst = AppendPrintable(dst[:0], name) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// hostile says what in text a terminal could obey or a reader be fooled by.
func hostile(text string) string {
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
			return "bytes that are no UTF-8"
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return "a control"
		case strings.ContainsRune("\u2028\u2029\u200e\u200f\u061c\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", r):
			return "a format character"
		}
	}
	return ""
}

func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"", "a", "\\", "\\x41", "\xff", "\u202e", "\n", "\u009b", "日本", "\xed\xa0\x80", "\U000e0001"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, name []byte) {
		s := Printable(name)
		if what := hostile(s); what != "" {
			t.Fatalf("%q became %q, with %s", name, s, what)
		}
		back, err := Unprintable(s)
		if err != nil || !bytes.Equal(back, name) {
			t.Fatalf("%q became %s became %q, %v", name, s, back, err)
		}
		if app := AppendPrintable([]byte("x"), name); string(app) != "x"+s {
			t.Fatalf("appended %q, returned %q", app, s)
		}
	})
}

func FuzzUnprintable(f *testing.F) {
	for _, s := range []string{`\x41`, `\u{41}`, `\`, `\u{}`, `\\`, `\n`, `\u{110000}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := Unprintable(s)
		if err != nil {
			return
		}
		// Other spellings of a name are taken too, but never for another name.
		if again, err := Unprintable(Printable(b)); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q is %q is %q, %v", s, b, again, err)
		}
	})
}

// TestPlainBytes puts each byte at each place of texts of all lengths up to 24, between bytes
// next to those that are not plain.
func TestPlainBytes(t *testing.T) {
	for _, around := range []byte{' ', '!', '[', ']', '~'} {
		for n := range 25 {
			text := bytes.Repeat([]byte{around}, n)
			for at := range n {
				for c := range 256 {
					text[at] = byte(c)
					for _, exact := range []bool{false, true} {
						want := n
						if c < ' ' || c > '~' || exact && c == '\\' {
							want = at
						}
						if got := plainBytes(text, exact); got != want {
							t.Fatalf("%q, exact %v: %d, want %d", text, exact, got, want)
						}
					}
				}
				text[at] = around
			}
		}
	}
}
