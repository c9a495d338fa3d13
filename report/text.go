package report

import "strconv"

// appendText appends v for people to read, on one line and without colour.
func appendText(dst []byte, v Value) []byte {
	if v.empty() {
		return append(dst, '-')
	}
	switch v.kind {
	case kindStr:
		return appendSafe(dst, v.str, false)
	case kindName:
		return appendNameText(dst, v.str)
	case kindInt:
		return strconv.AppendInt(dst, int64(v.num), 10)
	case kindUint:
		return strconv.AppendUint(dst, v.num, 10)
	case kindSize:
		return appendHumanSize(dst, v.num)
	case kindTime:
		return appendDateTime(dst, v.time(), ' ')
	case kindBool:
		if v.num != 0 {
			return append(dst, "yes"...)
		}
		return append(dst, "no"...)
	case kindMode:
		return appendMode(dst, v.num)
	case kindObject:
		return appendObjectText(dst, v.object())
	case kindList:
		for i, e := range v.list() {
			dst = appendText(separate(dst, i, ", "), e)
		}
	case kindObjects:
		for i, f := range v.objects() {
			dst = appendObjectText(separate(dst, i, "; "), f)
		}
	}
	return dst
}

// appendNameText appends the printable form of a name. Blanks at its ends are
// escaped as well, since between columns nobody would see them.
func appendNameText(dst []byte, name string) []byte {
	first, last := 0, len(name)
	if last > first && name[first] == ' ' {
		dst = append(dst, `\x20`...)
		first++
	}
	tail := last > first && name[last-1] == ' '
	if tail {
		last--
	}
	dst = appendSafe(dst, name[first:last], true)
	if tail {
		dst = append(dst, `\x20`...)
	}
	return dst
}

func appendObjectText(dst []byte, fields Fields) []byte {
	for i, f := range fields {
		dst = append(append(separate(dst, i, " "), f.Key...), '=')
		dst = appendText(dst, f.Value)
	}
	return dst
}

func separate(dst []byte, i int, sep string) []byte {
	if i > 0 {
		return append(dst, sep...)
	}
	return dst
}

// empty says whether v is null or holds nothing; a text of no characters holds that.
func (v Value) empty() bool {
	switch v.kind {
	case kindNull:
		return true
	case kindList, kindObject, kindObjects:
		return len(v.list())+len(v.object())+len(v.objects()) == 0
	}
	return false
}
