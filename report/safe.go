package report

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Printable is name in characters that no terminal obeys and no eye mistakes:
// \n \t and their like as in C, other controls and bytes that aren't UTF-8 as
// \xNN, and what can't be seen (bidirectional controls, format characters, odd
// blanks, unassigned code points) as \u{202e}. A backslash is doubled, so that
// Unprintable finds the bytes again.
func Printable(name []byte) string {
	for _, c := range name {
		if !plain[c] || c == '\\' {
			return string(AppendPrintable(nil, name))
		}
	}
	return string(name)
}

// AppendPrintable appends Printable(name) to dst.
func AppendPrintable(dst, name []byte) []byte { return appendSafe(dst, name, true) }

// plain are the bytes that stand for themselves everywhere.
var plain = func() (t [256]bool) {
	for c := ' '; c <= '~'; c++ {
		t[c] = true
	}
	return t
}()

// plainBytes is how many bytes at the head of s are plain, and with exact no backslashes
// either. It looks at eight at a time: what is below 0x20 borrows into its top bit, and so
// does a 0, which is what 0x7f and the backslash are made.
func plainBytes[T string | []byte](s T, exact bool) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	backslash := uint64(0x7f)
	if exact {
		backslash = '\\'
	}
	i := 0
	for ; i+8 <= len(s); i += 8 {
		v := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		del, back := v^0x7f*ones, v^backslash*ones
		if (v|(v-0x20*ones)&^v|(del-ones)&^del|(back-ones)&^back)&tops != 0 {
			break
		}
	}
	for i < len(s) && plain[s[i]] && (s[i] != '\\' || !exact) {
		i++
	}
	return i
}

// cEscapes are the controls that C has letters for, and cLetters those letters.
const cEscapes, cLetters = "\a\b\t\n\v\f\r", "abtnvfr"

const lowerHex = "0123456789abcdef"

// appendSafe appends s without anything that a terminal could obey; with exact
// it doubles backslashes too.
func appendSafe[T string | []byte](dst []byte, s T, exact bool) []byte {
	for i := 0; i < len(s); {
		start := i
		i += plainBytes(s[i:], exact)
		dst = append(dst, s[start:i]...)
		if i == len(s) {
			break
		}
		if c := s[i]; c < utf8.RuneSelf {
			dst = appendControl(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		switch {
		case r == utf8.RuneError && n == 1:
			dst = appendByte(dst, s[i])
		case visible(r):
			dst = append(dst, s[i:i+n]...)
		default:
			dst = append(dst, `\u{`...)
			dst = append(strconv.AppendUint(dst, uint64(r), 16), '}')
		}
		i += n
	}
	return dst
}

// appendControl appends the escape of an ASCII control, or of a backslash.
func appendControl(dst []byte, c byte) []byte {
	if c == '\\' {
		return append(dst, `\\`...)
	}
	if i := strings.IndexByte(cEscapes, c); i >= 0 {
		return append(dst, '\\', cLetters[i])
	}
	return appendByte(dst, c)
}

func appendByte(dst []byte, c byte) []byte {
	return append(dst, '\\', 'x', lowerHex[c>>4], lowerHex[c&15])
}

// visible says whether r, which is no ASCII, shows as itself. Marks and letters
// that are blank by their nature (variation selectors, Hangul fillers) don't:
// two names that differ by one look the same.
func visible(r rune) bool {
	if r <= 0xffff {
		return visibleBMP()[r/64]>>(r%64)&1 != 0
	}
	return isVisible(r)
}

func isVisible(r rune) bool {
	return unicode.IsPrint(r) &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// visibleBMP is isVisible for the basic plane, a bit each: tables of ranges
// would cost more than all the rest on a disk of Chinese names.
var visibleBMP = sync.OnceValue(func() *[1 << 16 / 64]uint64 {
	var bits [1 << 16 / 64]uint64
	for r := range rune(1 << 16) {
		if isVisible(r) {
			bits[r/64] |= 1 << (r % 64)
		}
	}
	return &bits
})

// Unprintable returns the bytes that Printable made s from.
func Unprintable(s string) ([]byte, error) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b = append(b, s[i])
			i++
			continue
		}
		var n int
		if b, n = appendUnescaped(b, s[i:]); n == 0 {
			return nil, fmt.Errorf("bad escape at byte %d of %q", i, s)
		}
		i += n
	}
	return b, nil
}

// appendUnescaped appends what the escape at the start of s stands for, and
// returns how many bytes of s that took, 0 for none that Printable makes.
func appendUnescaped(dst []byte, s string) ([]byte, int) {
	if len(s) < 2 {
		return dst, 0
	}
	switch c := s[1]; c {
	case '\\':
		return append(dst, '\\'), 2
	case 'x':
		if len(s) < 4 {
			return dst, 0
		}
		n, err := strconv.ParseUint(s[2:4], 16, 8)
		if err != nil {
			return dst, 0
		}
		return append(dst, byte(n)), 4
	case 'u':
		end := strings.IndexByte(s, '}')
		if end < 4 || s[2] != '{' {
			return dst, 0
		}
		n, err := strconv.ParseUint(s[3:end], 16, 32)
		if err != nil || n > unicode.MaxRune || !utf8.ValidRune(rune(n)) {
			return dst, 0
		}
		return utf8.AppendRune(dst, rune(n)), end + 1
	default:
		i := strings.IndexByte(cLetters, c)
		if i < 0 {
			return dst, 0
		}
		return append(dst, cEscapes[i]), 2
	}
}
