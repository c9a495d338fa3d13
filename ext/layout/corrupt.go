package layout

import "fmt"

// A CorruptError reports an on-disk value that cannot be right.
type CorruptError struct {
	Struct string // what was being read, as in "extent node"
	Field  string // the field's on-disk name, as in "eh_magic"
	Offset int64  // where the field lies: bytes from the start of the file system
	Value  uint64 // what was found there
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("corrupt %s: %s is %#x at byte %d", e.Struct, e.Field, e.Value, e.Offset)
}
