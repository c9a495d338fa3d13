package ext

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

// What "dx_hash -c -e utf8 -h half_md4 NAME" of debugfs 1.47 printed. Its table
// is the kernel's.
var foldHashes = []struct {
	name        string
	hash, minor uint32
}{
	{"ABC", 0xd196a868, 0xc420eb28},
	{"Stra\u00dfe", 0x7e099ecc, 0x63e35612},
	{"STRASSE", 0x7e099ecc, 0x63e35612},
	{"\ufb01le", 0x19ccbc2, 0xb9c649b1},
	{"\u0130", 0x6f15178c, 0xe54606f5},
	{"\u03a3\u0391\u03a3", 0x95e50948, 0x75e6e896},
	{"\u0390", 0xf45c067e, 0x496e3c68},
	{"\u00c5", 0x6fa90dea, 0x9d346e67},
	{"\u212b", 0x6fa90dea, 0x9d346e67},
	{"\u1fbc", 0xc0ad7cba, 0x7201f4d0},
	{"a\u0345\u0301", 0x79ff6882, 0x13c49001},
	{"\uac00\ud7a3", 0xcc6da006, 0x5e6c8cb0},
	{"\u13a0", 0x6c673cb6, 0xee388c86},
	{"\uab70", 0x6c673cb6, 0xee388c86},
	{"\u13f8", 0xadb1203a, 0x67ec1862},
	{"so\u00adft", 0xb494421c, 0x806a7664},
	{"zero\u200dwidth", 0x62726686, 0x9099d13a},
	{"a\u0301\u00ad\u0323", 0x56b80ebc, 0x4081ede8},
	{"a\u0301\u0323", 0x2d435924, 0xd786b08e},
	{"\U0001f6fc", 0x24d3ef60, 0xbfcd874f},
	{"A\u0897\u0323", 0x356722f6, 0x6f3df8da},
	{"A\U0001e900", 0x395c6f8a, 0xea4c8396},
	{"\ua7c7", 0x1de3947c, 0xd723a50},
	{"\u0130\u034f", 0x6f15178c, 0xe54606f5},
	{"\u2065X", 0x497ef0fe, 0xec1ae8f9},
	{"\uff21", 0xa8048272, 0x73d891d6},
	{"A\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323", 0x487fbb94, 0xe03aa86},
	{"\ufb03", 0xb11efd5c, 0xfda01c5a},
	{"\u0958", 0x82c68c8a, 0x53439f1c},
	{"\u01c4", 0x43e27be0, 0xb22a54b5},
	{"\u3164", 0xefcdab88, 0x98badcfe},
	{"\U0001d15e", 0x63b5d856, 0x81c41220},
	{"\U0001d7ec", 0x816f102e, 0x71d2e251},
	{"\u03f4\u2126\u212a", 0xf8c4d476, 0xd7dd29a7},
	{"\U000e0001x", 0x497ef0fe, 0xec1ae8f9},
}

func foldHash(name []byte) string {
	hash, minor := layout.DirHash(layout.HashHalfMD4, [4]uint32{}, foldName(name))
	return fmt.Sprintf("%#x %#x", hash, minor)
}

func TestFoldNameHash(t *testing.T) {
	for _, tt := range foldHashes {
		want := fmt.Sprintf("%#x %#x", tt.hash, tt.minor)
		if got := foldHash([]byte(tt.name)); got != want {
			t.Errorf("%+q folds to %+q: hash %s, want %s", tt.name, foldName([]byte(tt.name)), got, want)
		}
	}
}

func TestEqualFold(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"Makefile", "MAKEFILE", true},
		{"Makefile", "Makefiles", false},
		{"stra\u00dfe", "STRASSE", true},
		{"caf\u00e9", "CAFE\u0301", true},
		{"so\u00adft", "Soft", true},
		{"\ua7c7", "\ua7c8", false}, // newer than Unicode 12.1
		{"A\xff", "A\xff", true},
		{"A\xff", "a\xff", false}, // not UTF-8: bytes
		{"\xed\xa0\x80A", "\xed\xa0\x80a", false},
		{"", "\u00ad", true},
		{"", "", true},
	} {
		if got := equalFold([]byte(tt.a), []byte(tt.b)); got != tt.want {
			t.Errorf("%+q and %+q: %v", tt.a, tt.b, got)
		}
	}
}

// TestFoldNameDebugfs asks debugfs about every code point that any table folds,
// decomposes, reorders or ignores, and about every 64th of the others, each
// between two marks.
func TestFoldNameDebugfs(t *testing.T) {
	tool := exttest.Tool(t, "debugfs")
	var names []string
	var script bytes.Buffer
	caser := cases.Fold()
	for r := rune(0x80); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		b := []byte(string(r))
		p := norm.NFD.Properties(b)
		plain := p.CCC() == 0 && p.Decomposition() == nil && bytes.Equal(caser.Bytes(b), b)
		if plain && r%64 != 0 && (r < 0xff00 || r > 0xffff) {
			continue
		}
		name := "A\u0301" + string(r) + "\u0323"
		names = append(names, name)
		fmt.Fprintf(&script, "dx_hash -c -e utf8 -h half_md4 %s\n", name)
	}
	file := filepath.Join(t.TempDir(), "commands")
	if err := os.WriteFile(file, script.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tool, "-f", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for scan := bufio.NewScanner(bytes.NewReader(out)); scan.Scan(); {
		name, ok := strings.CutPrefix(scan.Text(), "Hash of ")
		if !ok {
			continue
		}
		i := strings.LastIndex(name, " is 0x")
		var hash, minor uint32
		if _, err := fmt.Sscanf(name[i:], " is 0x%x (minor 0x%x)", &hash, &minor); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		name = name[:i]
		n++
		if got, want := foldHash([]byte(name)), fmt.Sprintf("%#x %#x", hash, minor); got != want {
			t.Errorf("%+q folds to %+q: hash %s, want %s", name, foldName([]byte(name)), got, want)
		}
	}
	if n != len(names) {
		t.Fatalf("%d answers to %d questions", n, len(names))
	}
}

func FuzzFoldName(f *testing.F) {
	for _, tt := range foldHashes {
		f.Add([]byte(tt.name))
	}
	f.Add([]byte("A\xff"))
	f.Fuzz(func(t *testing.T, name []byte) {
		folded := foldName(name)
		if utf8.Valid(name) != utf8.Valid(folded) {
			t.Errorf("%q folds to %q", name, folded)
		}
		// Folding again changes nothing, unless marks had an ignorable between.
		hidden := bytes.ContainsFunc(name, func(r rune) bool { return unicode.Is(ignorable, r) })
		if again := foldName(folded); !hidden && !bytes.Equal(again, folded) {
			t.Errorf("%+q folds to %+q, then to %+q", name, folded, again)
		}
		// No code point decomposes to more than 18 others of four bytes.
		if len(folded) > 72*len(name) {
			t.Errorf("%d bytes fold to %d", len(name), len(folded))
		}
	})
}

func BenchmarkFoldName(b *testing.B) {
	for _, name := range []string{"a plain name.TXT", "Stra\u00dfe nach \u00c5lesund"} {
		b.Run(fmt.Sprintf("%+q", name), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				foldName([]byte(name))
			}
		})
	}
}
