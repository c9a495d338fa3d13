package report

import (
	"time"
	"unsafe"
)

type kind uint8

const (
	kindNull kind = iota
	kindStr
	kindName
	kindInt
	kindUint
	kindSize
	kindTime
	kindBool
	kindMode
	kindList
	kindObject
	kindObjects
)

// A Value is one typed value. The zero Value is null. All but lists and
// objects are made without allocating.
type Value struct {
	kind kind
	nsec uint32 // of a time
	num  uint64 // a number; of a time the seconds since 1970
	str  string
	ref  any // []Value, Fields, []Fields
}

// Null is the value that isn't there.
func Null() Value { return Value{} }

// Str is text: words of the program, or text out of evidence that nobody needs
// back byte for byte. What a terminal could obey is escaped, backslashes stay.
func Str(s string) Value { return Value{kind: kindStr, str: s} }

// Name is a name out of evidence, any bytes at all, shown so that the bytes can
// be told from it: by Printable in text, and in JSON with <key>_hex when they
// aren't UTF-8. b must not change until the row was written.
func Name(b []byte) Value {
	// Safe as long as b stays unchanged, which the row's contract says.
	return Value{kind: kindName, str: unsafe.String(unsafe.SliceData(b), len(b))}
}

// Bytes is Name for bytes that are no file name: a label, a link's target.
func Bytes(b []byte) Value { return Name(b) }

// Int is a signed number.
func Int(n int64) Value { return Value{kind: kindInt, num: uint64(n)} }

// Uint is an unsigned number.
func Uint(n uint64) Value { return Value{kind: kindUint, num: n} }

// Size is a number of bytes: 1.5K for people, 1536 in data.
func Size(n uint64) Value { return Value{kind: kindSize, num: n} }

// Time is a point in time, shown in UTC. The zero time is null.
func Time(t time.Time) Value {
	if t.IsZero() {
		return Value{}
	}
	return Value{kind: kindTime, num: uint64(t.Unix()), nsec: uint32(t.Nanosecond())}
}

// Bool is true or false.
func Bool(b bool) Value {
	if b {
		return Value{kind: kindBool, num: 1}
	}
	return Value{kind: kindBool}
}

// Mode is the permission bits of an inode, low 12 bits, shown in octal.
func Mode(m uint16) Value { return Value{kind: kindMode, num: uint64(m & 0o7777)} }

// List is a list of values.
func List(v []Value) Value { return Value{kind: kindList, ref: v} }

// Object is an object within a row or a section.
func Object(f Fields) Value { return Value{kind: kindObject, ref: f} }

// Objects is a list of objects.
func Objects(f []Fields) Value { return Value{kind: kindObjects, ref: f} }

// IsNull says whether there is no value.
func (v Value) IsNull() bool { return v.kind == kindNull }

// Bytes is the number of bytes that a Size is; ok is false for other values.
func (v Value) Bytes() (n uint64, ok bool) { return v.num, v.kind == kindSize }

// Elements are those of a List, nil for other values.
func (v Value) Elements() []Value { return v.list() }

// IsName says whether v is a name out of evidence.
func (v Value) IsName() bool { return v.kind == kindName }

// Text is v as the table format shows it, without colour; for a Style function
// and a Report's Text.
func (v Value) Text() string { return string(appendText(nil, v)) }

func (v Value) time() time.Time { return time.Unix(int64(v.num), int64(v.nsec)).UTC() }

func (v Value) list() []Value     { l, _ := v.ref.([]Value); return l }
func (v Value) object() Fields    { o, _ := v.ref.(Fields); return o }
func (v Value) objects() []Fields { o, _ := v.ref.([]Fields); return o }
