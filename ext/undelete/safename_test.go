package undelete

import (
	"io/fs"
	"strings"
	"testing"
)

func TestSafeName(t *testing.T) {
	for _, tt := range []struct{ name, want, windows string }{
		{"report.txt", "report.txt", "report.txt"},
		{"žluťoučký 日本", "žluťoučký 日本", "žluťoučký 日本"},
		{"", "@", "@"},
		{".", `\x2e`, "%2e"},
		{"..", `\x2e\x2e`, "%2e%2e"},
		{"...", `\x2e\x2e\x2e`, "%2e%2e%2e"},
		{".profile", ".profile", ".profile"},
		{"../../etc/passwd", `..\x2f..\x2fetc\x2fpasswd`, "..%2f..%2fetc%2fpasswd"},
		{"a\x00b", `a\x00b`, "a%00b"},
		{"a\nb\x1b[31m", `a\x0ab\x1b[31m`, "a%0ab%1b[31m"},
		{"a\u0085b", `a\xc2\x85b`, "a%c2%85b"},
		{"\xff\xfe", `\xff\xfe`, "%ff%fe"},
		{`C:\x`, `C:\x5cx`, "C%3a%5cx"},
		{"con", `\x63on`, "%63on"},
		{"AUX.c", `\x41UX.c`, "%41UX.c"},
		{"com7", `\x63om7`, "%63om7"},
		{"console", "console", "console"},
		{"com10", "com10", "com10"},
		{"end.", `end\x2e`, "end%2e"},
		{"end ..", `end\x20\x2e\x2e`, "end%20%2e%2e"},
		{"what?", "what?", "what%3f"},
		{"100%", "100%", "100%25"},
	} {
		if got := safeName([]byte(tt.name), false); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.name, got, tt.want)
		}
		if got := safeName([]byte(tt.name), true); got != tt.windows {
			t.Errorf("%q on Windows: %q, want %q", tt.name, got, tt.windows)
		}
	}
}

// TestSafeNameLength holds the longest names to what a file's name may be, and apart.
func TestSafeNameLength(t *testing.T) {
	a, b := strings.Repeat("\xff", 254)+"a", strings.Repeat("\xff", 254)+"b"
	for _, name := range []string{strings.Repeat("x", 255), strings.Repeat("\n", 255), strings.Repeat("é", 127), a, b} {
		got := SafeName([]byte(name))
		if len(got) > maxName || !fs.ValidPath(got) {
			t.Errorf("%q: %q is no name", name, got)
		}
		if more := withSuffix(got, ".@12"); len(more) > maxName || !strings.HasSuffix(more, ".@12") {
			t.Errorf("%q: %q is no name", name, more)
		}
	}
	if SafeName([]byte(a)) == SafeName([]byte(b)) {
		t.Error("two names became one")
	}
}

// FuzzSafeName looks for names that lead elsewhere.
func FuzzSafeName(f *testing.F) {
	for _, s := range []string{"a", "..", "nul", "a/b", "\xff", "x\x00", `a\b`, " . "} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, name []byte) {
		for _, windows := range []bool{false, true} {
			got := safeName(name, windows)
			if got == "." || !fs.ValidPath(got) || strings.ContainsAny(got, "/\x00\n\x1b") || len(got) > maxName || reserved([]byte(got)) {
				t.Errorf("%q became %q", name, got)
			}
		}
	})
}
