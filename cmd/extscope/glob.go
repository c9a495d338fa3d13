package main

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// A glob is a pattern of fnmatch(3), as find takes it: * for anything, slashes
// and leading dots too, ? for one character, [a-z] and [!a-z] for one of a set,
// and a backslash ahead of what stands for itself. A character is one of UTF-8,
// or a byte that is not.
type glob struct {
	pattern []byte
	fold    bool // letters match in either case
}

// match takes time in the lengths' product at most: only the last * met is ever
// gone back to.
func (g glob) match(name []byte) bool {
	p, n := 0, 0
	starP, starN := -1, 0
	for n < len(name) {
		c, size := utf8.DecodeRune(name[n:])
		if size == 1 && c == utf8.RuneError {
			c = -rune(name[n]) // no character: only the same byte is like it
		}
		if p < len(g.pattern) && g.pattern[p] == '*' {
			starP, starN = p, n
			p++
			continue
		}
		if next, ok := g.one(p, c); ok {
			p, n = next, n+size
			continue
		}
		if starP < 0 {
			return false
		}
		_, size = utf8.DecodeRune(name[starN:])
		starN += size
		p, n = starP+1, starN
	}
	for p < len(g.pattern) && g.pattern[p] == '*' {
		p++
	}
	return p == len(g.pattern)
}

// one matches c against the part of the pattern at p, and tells where the next
// begins.
func (g glob) one(p int, c rune) (next int, ok bool) {
	if p == len(g.pattern) {
		return p, false
	}
	switch g.pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		if end, in, isSet := g.set(p, c); isSet {
			return end, in
		}
	case '\\':
		if p+1 < len(g.pattern) {
			p++
		}
	}
	r, next := g.char(p)
	return next, g.same(r, c)
}

// char is the pattern's character at p.
func (g glob) char(p int) (r rune, next int) {
	r, size := utf8.DecodeRune(g.pattern[p:])
	if size == 1 && r == utf8.RuneError {
		r = -rune(g.pattern[p])
	}
	return r, p + size
}

func (g glob) same(a, b rune) bool {
	return a == b || g.fold && a > 0 && b > 0 && foldRune(a) == foldRune(b)
}

func foldRune(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }

// set matches c against the bracket expression at p. isSet is false where the
// bracket is never closed and stands for itself.
func (g glob) set(p int, c rune) (end int, in, isSet bool) {
	i := p + 1
	negated := i < len(g.pattern) && (g.pattern[i] == '!' || g.pattern[i] == '^')
	if negated {
		i++
	}
	for first := true; i < len(g.pattern); first = false {
		if g.pattern[i] == ']' && !first {
			return i + 1, in != negated, true
		}
		if rest, found := bytes.CutPrefix(g.pattern[i:], []byte("[:")); found {
			if name, _, found := bytes.Cut(rest, []byte(":]")); found {
				in = in || inClass(string(name), c)
				i += len(name) + 4
				continue
			}
		}
		var lo, hi rune
		if lo, i = g.setChar(i); i < 0 {
			return 0, false, false
		}
		hi = lo
		if i+1 < len(g.pattern) && g.pattern[i] == '-' && g.pattern[i+1] != ']' {
			if hi, i = g.setChar(i + 1); i < 0 {
				return 0, false, false
			}
		}
		in = in || g.within(lo, hi, c)
	}
	return 0, false, false
}

// setChar is the character at i of a bracket expression; next is negative where
// the pattern ends.
func (g glob) setChar(i int) (r rune, next int) {
	if g.pattern[i] == '\\' {
		if i++; i == len(g.pattern) {
			return 0, -1
		}
	}
	return g.char(i)
}

func (g glob) within(lo, hi, c rune) bool {
	if g.same(lo, c) || g.same(hi, c) {
		return true
	}
	if lo < 0 || hi < 0 { // bytes that are no character, held as negatives
		return c < 0 && lo < 0 && hi < 0 && -lo <= -c && -c <= -hi
	}
	if lo <= c && c <= hi {
		return true
	}
	if !g.fold || c < 0 {
		return false
	}
	l, u := unicode.ToLower(c), unicode.ToUpper(c)
	return lo <= l && l <= hi || lo <= u && u <= hi
}

func inClass(name string, c rune) bool {
	if c < 0 {
		return false
	}
	switch name {
	case "alpha":
		return unicode.IsLetter(c)
	case "digit":
		return '0' <= c && c <= '9'
	case "alnum":
		return unicode.IsLetter(c) || unicode.IsDigit(c)
	case "upper":
		return unicode.IsUpper(c)
	case "lower":
		return unicode.IsLower(c)
	case "space":
		return unicode.IsSpace(c)
	case "blank":
		return c == ' ' || c == '\t'
	case "punct":
		return unicode.IsPunct(c) || unicode.IsSymbol(c)
	case "cntrl":
		return unicode.IsControl(c)
	case "print":
		return unicode.IsPrint(c)
	case "graph":
		return unicode.IsGraphic(c) && !unicode.IsSpace(c)
	case "xdigit":
		return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
	}
	return false
}
