package main

import (
	"fmt"
	"io"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/report"
)

// textSpill is how much of a listing gathers before it is written, in bytes.
const textSpill = 48 << 10

// A listing gathers lines in the look of the coreutils.
type listing struct {
	w     io.Writer
	buf   []byte
	color bool
}

func (t *listing) spill() error {
	if len(t.buf) < textSpill {
		return nil
	}
	return t.flush()
}

func (t *listing) flush() error {
	_, err := t.w.Write(t.buf)
	t.buf = t.buf[:0]
	return err
}

// name appends a name, or a path, so that no terminal obeys it.
func (t *listing) name(name []byte, style report.Style) {
	if t.color && style != report.None {
		t.buf = append(t.buf, style.Wrap(report.Printable(name), true)...)
		return
	}
	t.buf = report.AppendPrintable(t.buf, name)
}

// mark ends the line of a name that was taken away.
func (t *listing) mark(e *ext.WalkEntry) {
	if e.Removed {
		t.buf = append(t.buf, report.Dim.Wrap(removedMark, t.color)...)
	}
}

// target appends where a symlink leads. The error is damage.
func (t *listing) target(fs *ext.FS, e *ext.WalkEntry, in *ext.Inode) error {
	target, err := fs.Readlink(in)
	if err != nil {
		return about(e, err)
	}
	t.buf = append(t.buf, " -> "...)
	t.name(target, report.None)
	return nil
}

// about says which name an error is about.
func about(e *ext.WalkEntry, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s (inode %d): %w", e.Path, e.Ino, err)
}
