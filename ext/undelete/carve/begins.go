package carve

import (
	"bytes"
	"regexp"
	"unicode"
	"unicode/utf8"
)

// begins judges whether plain text begins with b, or goes on with it: what is
// left of a file whose first blocks are in use again starts anywhere in a line,
// and mostly in a word. Lines that look alike, as in logs and tables, are the
// best measure: the first has to be like the others, or a head that has as many
// columns. Else it goes by what files begin with.
func begins(b []byte) bool {
	first, rest, more := bytes.Cut(b, []byte("\n"))
	if more && len(rest) > 0 {
		if like, of := alike(first, rest); of {
			return like || opener(b) || len(first) > 0 && !unicode.IsDigit(rune(first[0])) && sameColumns(first, rest)
		}
	}
	if inBase64(first, rest) {
		return false
	}
	r, n := utf8.DecodeRune(b)
	switch {
	case r == utf8.RuneError && n <= 1:
		return len(b) > 0 && b[0] >= 0xc0 // an 8-bit code, or a character that is cut
	case r == 0xfeff, unicode.IsUpper(r):
		return true
	case unicode.IsDigit(r):
		return number.Match(first)
	case unicode.IsLower(r), r == '_':
		return opensLine(first, rest)
	case r == ' ', r == '\t':
		return opensBody(b)
	case r == '\n', r == '\r':
		return len(bytes.TrimLeft(b, "\r\n")) > 0 && begins(bytes.TrimLeft(b, "\r\n"))
	case r < 0x80:
		return opener(b)
	}
	return true
}

// opener reports whether b begins with a sign that opens something, rather than
// one that goes on or closes.
func opener(b []byte) bool {
	next := byte('\n')
	if len(b) > 1 {
		next = b[1]
	}
	switch b[0] {
	case '#', '{', '[', '@', '%', '(', '$', '~', '\f', 0x1b:
		return true
	case '<':
		return next != '/'
	case '/':
		return next == '/' || next == '*' || textBytes[next] == 1 && next > ' '
	case '"', '\'':
		return next > ' ' && bytes.IndexByte([]byte(",:;)]}>."), next) < 0 && (next != b[0] || len(b) > 2 && b[2] == next)
	case '-', '=', '*', '`', '+':
		return next == b[0] || next == ' ' || next == '{' || next == '['
	case ';':
		return next == ';' || next == ' '
	case '.':
		return next == '.' || next == '\\' || next|0x20 >= 'a' && next|0x20 <= 'z'
	}
	return false
}

// inBase64 reports whether b begins in the middle of base64: its lines are equally
// long, but for a first that is cut.
func inBase64(first, rest []byte) bool {
	second, _, more := bytes.Cut(rest, []byte("\n"))
	second = bytes.TrimRight(second, "\r")
	first = bytes.TrimRight(first, "\r")
	return more && len(second) >= 48 && base64Line(second) && base64Line(first) && len(first) < len(second)
}

func base64Line(b []byte) bool {
	for _, c := range b {
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '=') {
			return false
		}
	}
	return true
}

// beginsAnew reports whether a block that lies behind one full of text, whose last
// line is not at its end, is surely not the rest of that line but the beginning
// of another file: text files that grew have their last blocks elsewhere.
func beginsAnew(before byte, b []byte) bool {
	if before == '\n' {
		return false
	}
	first, rest, more := bytes.Cut(b[:min(len(b), 4096)], []byte("\n"))
	if !more || len(first) > 256 {
		return false
	}
	if tableHead.Match(first) && sameColumns(first, rest) {
		if second, _, _ := bytes.Cut(rest, []byte("\n")); bytes.ContainsAny(second, "0123456789") {
			return true // the head of a table
		}
	}
	return anew.Match(first) || sourceLine.Match(first) && (len(rest) == 0 || rest[0] == '\n' || rest[0] == '\r' || sourceLine.Match(rest))
}

// opensBody judges a file that begins with white space: a title that is
// centred, or text that is indented throughout.
func opensBody(b []byte) bool {
	t := bytes.TrimLeft(b, " \t\r\n")
	if len(t) == 0 {
		return false
	}
	r, _ := utf8.DecodeRune(t)
	return len(b)-len(t) >= 2 && !unicode.IsLower(r) && bytes.IndexByte([]byte("})],;"), t[0]) < 0 && begins(t)
}

// shape is what a line begins with: 0 for a digit, a and A for letters, other
// characters as they are.
func shape(line []byte) (s [4]byte) {
	for i := range s {
		if i == len(line) {
			break
		}
		switch c := line[i]; {
		case c >= '0' && c <= '9':
			s[i] = '0'
		case c >= 'a' && c <= 'z':
			s[i] = 'a'
		case c >= 'A' && c <= 'Z':
			s[i] = 'A'
		default:
			s[i] = c
		}
	}
	return s
}

// alike reports whether most lines begin in one way that is not just a word or
// an indent, and if so whether the first does, too.
func alike(first, rest []byte) (like, most bool) {
	shapes, lines := map[[4]byte]int{}, 0
	for len(rest) > 0 && lines < 64 {
		var line []byte
		var more bool
		if line, rest, more = bytes.Cut(rest, []byte("\n")); !more {
			break // cut by the block's end
		}
		shapes[shape(line)]++
		lines++
	}
	for s, n := range shapes {
		if n*3 > lines*2 && lines >= 3 && bytes.ContainsAny(s[:], "0[") {
			return shape(first) == s, true
		}
	}
	return false, false
}

// sameColumns reports whether the first line has as many columns as the second
// and third: the head of a table.
func sameColumns(first, rest []byte) bool {
	second, rest, _ := bytes.Cut(rest, []byte("\n"))
	third, _, more := bytes.Cut(rest, []byte("\n"))
	for _, sep := range []string{";", "\t", ",", "|"} {
		n := bytes.Count(first, []byte(sep))
		if n > 0 && n == bytes.Count(second, []byte(sep)) && (!more || n == bytes.Count(third, []byte(sep))) {
			return true
		}
	}
	return false
}

var (
	// firstWord is what source code and the like begins with where that is small.
	firstWord = regexp.MustCompile(`^(package|import|from|module|use|using|namespace|export|include|require|library|source|def|class|function|func|fn|pub|var|let|const|type|interface|struct|enum|union|typedef|extern|static|inline|int|void|char|unsigned|double|float|long|bool|template|program|unit|if|for|while|set|local|declare|create|select|insert|update|delete|alter|drop|begin|body|html|div|span|table|define|global|option|syntax|return|async|abstract|public|private|protected|final|mod|extension|with|pragma|print|echo|exec|eval|cd|all|target|default|diff|commit|tree|blob|object|version|name|title|author|date|id|key|ssh-[a-z0-9]+|ecdsa-[a-z0-9-]+)\b`)
	// anew is a line that is nowhere but at a file's beginning.
	anew = regexp.MustCompile(`^(#!/|<\?xml |<\?php|<!DOCTYPE |<html[ >]|-----BEGIN |%!PS|\{\\rtf|# -\*- |# vim: |From \S+@|(From|To|Subject|Return-Path|Received|Date|Message-ID): |\[[A-Za-z0-9_. -]+\]\r?$|// Copyright |/\* Copyright |# Copyright |package [a-z_0-9]+;?\r?$)`)
	// tableHead is the names of three columns or more.
	tableHead = regexp.MustCompile(`^"?[A-Za-z_][A-Za-z_.\- ]*"?([;,\t|]"?[A-Za-z_][A-Za-z_.\- ]*"?){2,}\r?$`)
	// sourceLine is one that source code begins with: a comment or a declaration.
	sourceLine = regexp.MustCompile(`^(//+ |/\*|# |#include [<"]|#if(n?def)? |import |from \S+ import |package |'use strict'|"use strict"|"""|;; |-- |%% )`)
	// number is what a line that begins with one may go on with: it is counted, a
	// date, an address, or alone.
	number = regexp.MustCompile(`^[0-9]+([.)] |[-/:.][0-9]|[ \t]+[A-Za-z0-9#]|\s*$)`)
	// setting is a line of settings: a name and its value.
	setting = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.\-/]*(\[[^\]]*\])?[ \t]*[:=]([ \t]|\S|$)`)
)

// opensLine judges a first line that begins with a small letter.
func opensLine(first, rest []byte) bool {
	if firstWord.Match(first) {
		return true
	}
	if len(rest) == 0 {
		return len(first) < 256 && bytes.Count(first, []byte(" ")) < 3
	}
	if setting.Match(first) { // as are most lines
		lines, settings := 0, 0
		for len(rest) > 0 && lines < 32 {
			var line []byte
			line, rest, _ = bytes.Cut(rest, []byte("\n"))
			line = bytes.TrimSpace(line)
			if len(line) == 0 || bytes.IndexByte([]byte("#;[!/-"), line[0]) >= 0 {
				continue
			}
			lines++
			if setting.Match(line) {
				settings++
			}
		}
		return settings*2 >= lines
	}
	return sameColumns(first, rest)
}
