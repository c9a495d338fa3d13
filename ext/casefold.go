package ext

import (
	"bytes"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// foldName folds a name the way a casefolded directory compares and hashes
// names (s_encoding 1): the kernel's NFDICF form of Unicode 12.1, fs/unicode.
// Default ignorable code points go, every other one is case folded and
// decomposed, and combining marks are put in canonical order, though not across
// an ignorable. Code points that Unicode 12.1 does not have stay as they are.
//
// A name that is not UTF-8 has no folded form and is given back whole: without
// strict encoding such names are compared and hashed as bytes. The result may
// be name itself.
//
// Some kernels of late 2024 kept ignorable code points, until that change was
// taken back; names that hold one and were made there hash otherwise.
func foldName(name []byte) []byte {
	if isASCII(name) {
		return bytes.ToLower(name)
	}
	if !utf8.Valid(name) {
		return name
	}
	// Folding comes before canonical ordering, not between two of them: it
	// makes a letter of the mark U+0345, and marks must not move across that.
	var marks []mark
	var known []byte // code points to fold, up to the next that is too new
	caser := cases.Fold()
	flush := func() {
		if len(known) == 0 {
			return
		}
		marks = appendMarks(marks, caser.Bytes(known))
		known = known[:0]
	}
	for rest := name; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case unicode.Is(ignorable, r):
			flush()
			marks = append(marks, mark{-1, 0})
		case unicode.Is(unfolded, r):
			flush()
			marks = append(marks, mark{r, 0})
		default:
			known = append(known, rest[:n]...)
		}
		rest = rest[n:]
	}
	flush()
	orderMarks(marks)
	folded := make([]byte, 0, len(name))
	for _, m := range marks {
		if m.r >= 0 {
			folded = utf8.AppendRune(folded, m.r)
		}
	}
	return folded
}

// FoldName folds a name as a casefolded directory does to compare names: two
// that fold to the same are one. The result may be name itself.
func FoldName(name []byte) []byte { return foldName(name) }

// equalFold reports whether a casefolded directory takes a and b for one name.
func equalFold(a, b []byte) bool {
	return bytes.Equal(a, b) || bytes.Equal(foldName(a), foldName(b))
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// A mark is a code point with its canonical combining class: 0 for letters and
// all else that stays where it is. r is -1 where an ignorable code point was.
type mark struct {
	r     rune
	class uint8
}

// appendMarks adds the canonical decomposition of s, code point by code point.
// norm.NFD itself will not do: it breaks up more than 30 marks in a row.
func appendMarks(marks []mark, s []byte) []mark {
	for len(s) > 0 {
		p := norm.NFD.Properties(s)
		r, n := utf8.DecodeRune(s)
		if d := p.Decomposition(); d != nil {
			for len(d) > 0 {
				r, n := utf8.DecodeRune(d)
				marks = append(marks, mark{r, norm.NFD.Properties(d).CCC()})
				d = d[n:]
			}
		} else if isHangul(r) {
			marks = appendHangul(marks, r)
		} else {
			marks = append(marks, mark{r, p.CCC()})
		}
		s = s[n:]
	}
	return marks
}

// Hangul syllables decompose by arithmetic (The Unicode Standard, 3.12).
const (
	hangulBase, hangulCount   = 0xac00, 11172
	hangulLead, hangulVowel   = 0x1100, 0x1161
	hangulTail                = 0x11a7
	hangulVowels, hangulTails = 21, 28
)

func isHangul(r rune) bool { return r >= hangulBase && r < hangulBase+hangulCount }

func appendHangul(marks []mark, r rune) []mark {
	i := r - hangulBase
	marks = append(marks,
		mark{hangulLead + i/(hangulVowels*hangulTails), 0},
		mark{hangulVowel + i/hangulTails%hangulVowels, 0})
	if tail := i % hangulTails; tail != 0 {
		marks = append(marks, mark{hangulTail + tail, 0})
	}
	return marks
}

// orderMarks sorts each run of combining marks by class, keeping the order
// within a class.
func orderMarks(marks []mark) {
	for i := 0; i < len(marks); i++ {
		j := i
		for j < len(marks) && marks[j].class != 0 {
			j++
		}
		slices.SortStableFunc(marks[i:j], func(a, b mark) int { return int(a.class) - int(b.class) })
		i = j
	}
}

// ignorable holds the code points with the property Default_Ignorable_Code_Point.
var ignorable = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x00ad, 0x00ad, 1}, {0x034f, 0x034f, 1}, {0x061c, 0x061c, 1}, {0x115f, 0x1160, 1},
		{0x17b4, 0x17b5, 1}, {0x180b, 0x180e, 1}, {0x200b, 0x200f, 1}, {0x202a, 0x202e, 1},
		{0x2060, 0x206f, 1}, {0x3164, 0x3164, 1}, {0xfe00, 0xfe0f, 1}, {0xfeff, 0xfeff, 1},
		{0xffa0, 0xffa0, 1}, {0xfff0, 0xfff8, 1},
	},
	R32: []unicode.Range32{
		{0x1bca0, 0x1bca3, 1}, {0x1d173, 0x1d17a, 1}, {0xe0000, 0xe0fff, 1},
	},
	LatinOffset: 1,
}

// unfolded holds the code points that the kernel's tables leave alone though
// newer ones fold, decompose or reorder them: those that came after Unicode
// 12.1, up to 17.0, and Cherokee capitals, which fold to themselves and which
// package cases folds the other way round.
var unfolded = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x0897, 0x089f, 1}, {0x08ca, 0x08d2, 1}, {0x0c3c, 0x0c3c, 1}, {0x13a0, 0x13f5, 1},
		{0x1715, 0x1715, 1}, {0x1abf, 0x1add, 1}, {0x1ae0, 0x1aeb, 1}, {0x1c89, 0x1c89, 1},
		{0x1dfa, 0x1dfa, 1}, {0x2c2f, 0x2c2f, 1}, {0xa7c0, 0xa7c0, 1}, {0xa7c7, 0xa7c7, 1},
		{0xa7c9, 0xa7c9, 1}, {0xa7cb, 0xa7cc, 1}, {0xa7ce, 0xa7ce, 1}, {0xa7d0, 0xa7d0, 1},
		{0xa7d2, 0xa7d2, 1}, {0xa7d4, 0xa7d4, 1}, {0xa7d6, 0xa7d6, 1}, {0xa7d8, 0xa7d8, 1},
		{0xa7da, 0xa7da, 1}, {0xa7dc, 0xa7dc, 1}, {0xa7f5, 0xa7f5, 1}, {0xa82c, 0xa82c, 1},
	},
	R32: []unicode.Range32{
		{0x10570, 0x1057a, 1}, {0x1057c, 0x1058a, 1}, {0x1058c, 0x10592, 1}, {0x10594, 0x10595, 1},
		{0x105c9, 0x105c9, 1}, {0x105e4, 0x105e4, 1}, {0x10d50, 0x10d65, 1}, {0x10d69, 0x10d6d, 1},
		{0x10eab, 0x10eac, 1}, {0x10efa, 0x10efb, 1}, {0x10efd, 0x10eff, 1}, {0x10f82, 0x10f85, 1},
		{0x11070, 0x11070, 1}, {0x11383, 0x11383, 1}, {0x11385, 0x11385, 1}, {0x1138e, 0x1138e, 1},
		{0x11391, 0x11391, 1}, {0x113c5, 0x113c5, 1}, {0x113c7, 0x113c8, 1}, {0x113ce, 0x113d0, 1},
		{0x11938, 0x11938, 1}, {0x1193d, 0x1193e, 1}, {0x11943, 0x11943, 1}, {0x11f41, 0x11f42, 1},
		{0x16121, 0x16128, 1}, {0x1612f, 0x1612f, 1}, {0x16d68, 0x16d6a, 1}, {0x16ea0, 0x16eb8, 1},
		{0x16ff0, 0x16ff1, 1}, {0x1e08f, 0x1e08f, 1}, {0x1e2ae, 0x1e2ae, 1}, {0x1e4ec, 0x1e4ef, 1},
		{0x1e5ee, 0x1e5ef, 1}, {0x1e6e3, 0x1e6e3, 1}, {0x1e6e6, 0x1e6e6, 1}, {0x1e6ee, 0x1e6ef, 1},
		{0x1e6f5, 0x1e6f5, 1},
	},
}
