package report

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// appendJSON appends v as JSON on one line.
func appendJSON(dst []byte, v Value) []byte {
	switch v.kind {
	case kindStr, kindName:
		dst, _ = appendJSONString(dst, v.str)
	case kindInt:
		dst = strconv.AppendInt(dst, int64(v.num), 10)
	case kindUint, kindSize:
		dst = strconv.AppendUint(dst, v.num, 10)
	case kindTime:
		dst = append(appendRFC3339(append(dst, '"'), v.time()), '"')
	case kindBool:
		dst = strconv.AppendBool(dst, v.num != 0)
	case kindMode:
		dst = append(appendMode(append(dst, '"'), v.num), '"')
	case kindList:
		dst = append(dst, '[')
		for i, e := range v.list() {
			dst = appendJSON(comma(dst, i), e)
		}
		dst = append(dst, ']')
	case kindObject:
		dst = appendJSONObject(dst, v.object())
	case kindObjects:
		dst = append(dst, '[')
		for i, f := range v.objects() {
			dst = appendJSONObject(comma(dst, i), f)
		}
		dst = append(dst, ']')
	default:
		dst = append(dst, "null"...)
	}
	return dst
}

func appendJSONObject(dst []byte, fields Fields) []byte {
	dst = append(dst, '{')
	for i, f := range fields {
		dst = appendJSONKey(comma(dst, i), f.Key, "")
		dst = appendJSON(dst, f.Value)
		if f.Value.needsHex(false) {
			dst = appendJSONKey(append(dst, ','), f.Key, "_hex")
			dst = appendJSONHex(dst, f.Value)
		}
	}
	return append(dst, '}')
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

func appendJSONKey(dst []byte, key, suffix string) []byte {
	dst, _ = appendJSONString(dst, key+suffix)
	return append(dst, ':')
}

// needsHex says whether JSON can't hold the bytes of v, or of a name in the
// list v. Texts count as names if the column says so.
func (v Value) needsHex(texts bool) bool {
	switch v.kind {
	case kindName:
		return !utf8.ValidString(v.str)
	case kindStr:
		return texts && !utf8.ValidString(v.str)
	case kindList:
		for _, e := range v.list() {
			if e.kind != kindList && e.needsHex(texts) {
				return true
			}
		}
	}
	return false
}

// appendJSONHex appends the bytes of v in hex, of a list those of each element.
func appendJSONHex(dst []byte, v Value) []byte {
	switch v.kind {
	case kindStr, kindName:
		dst = append(dst, '"')
		for i := range len(v.str) {
			dst = append(dst, lowerHex[v.str[i]>>4], lowerHex[v.str[i]&15])
		}
		return append(dst, '"')
	case kindList:
		dst = append(dst, '[')
		for i, e := range v.list() {
			if e.kind == kindList {
				e = Null()
			}
			dst = appendJSONHex(comma(dst, i), e)
		}
		return append(dst, ']')
	}
	return append(dst, "null"...)
}

// appendMode appends permission bits as four octal digits.
func appendMode(dst []byte, m uint64) []byte {
	return append(dst, byte('0'+m>>9&7), byte('0'+m>>6&7), byte('0'+m>>3&7), byte('0'+m&7))
}

// jsonPlain are the bytes that a JSON string holds as they are.
var jsonPlain = func() [256]bool {
	t := plain
	t['"'], t['\\'] = false, false
	return t
}()

// appendJSONString appends s in quotes, and says whether s is UTF-8, so that
// the string holds just its bytes; else it holds Printable(s). Whatever doesn't
// show is a \u escape: JSON gets looked at in terminals too.
func appendJSONString(dst []byte, s string) (_ []byte, exact bool) {
	dst = append(dst, '"')
	i := 0
	for i < len(s) && jsonPlain[s[i]] {
		i++
	}
	dst = append(dst, s[:i]...)
	if i == len(s) {
		return append(dst, '"'), true
	}
	if exact = utf8.ValidString(s); !exact {
		s = string(appendSafe(nil, s, true)) // nothing in the plain part changes
	}
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r < utf8.RuneSelf && plain[byte(r)] || r >= utf8.RuneSelf && visible(r):
			dst = append(dst, s[i:i+n]...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			dst = appendJSONRune(appendJSONRune(dst, hi), lo)
		default:
			dst = appendJSONRune(dst, r)
		}
		i += n
	}
	return append(dst, '"'), exact
}

func appendJSONRune(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', lowerHex[r>>12&15], lowerHex[r>>8&15], lowerHex[r>>4&15], lowerHex[r&15])
}
