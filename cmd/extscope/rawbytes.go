package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A byteRange is a stretch of the file system, in bytes from its start.
type byteRange struct{ offset, length int64 }

// blockRanges reads ranges of blocks, as 100 or 100-199.
func blockRanges(f *ext.FS, args []string) ([]byteRange, error) {
	var out []byteRange
	for _, arg := range args {
		first, last, err := blockRange(arg)
		switch {
		case err != nil:
			return nil, err
		case last >= f.Super.BlocksCount:
			return nil, usagef("--range: no block %d: they are numbered 0 to %d", last, f.Super.BlocksCount-1)
		}
		out = append(out, byteRange{f.BlockOffset(layout.Block(first)), int64(last-first+1) * int64(f.BlockSize())})
	}
	return out, nil
}

// byteRanges reads ranges of bytes, as 1672+372.
func byteRanges(f *ext.FS, args []string) ([]byteRange, error) {
	var out []byteRange
	for _, arg := range args {
		from, length, ok := strings.Cut(arg, "+")
		at, err1 := strconv.ParseInt(from, 0, 64)
		n, err2 := strconv.ParseInt(length, 0, 64)
		if !ok || err1 != nil || err2 != nil || at < 0 || n < 0 {
			return nil, usagef("--bytes: %q is no place and length in bytes, as in 1672+372", arg)
		}
		if at > f.Size() || n > f.Size()-at {
			return nil, usagef("--bytes %s: the image has %d bytes of the file system", arg, f.Size())
		}
		out = append(out, byteRange{at, n})
	}
	return out, nil
}

// slackRanges are the bytes that a file has on disk behind its end: the rest of its
// last block, and blocks past it.
func slackRanges(f *ext.FS, in *ext.Inode) ([]byteRange, error) {
	var out []byteRange
	var errs []error
	bs := uint64(f.BlockSize())
	for r, err := range f.Map(in) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		end := (r.Logical + r.Len) * bs
		if r.Kind == ext.Index || end <= in.Size() {
			continue
		}
		skip := max(in.Size(), r.Logical*bs) - r.Logical*bs
		out = append(out, byteRange{f.BlockOffset(r.Physical) + int64(skip), int64(end - r.Logical*bs - skip)})
	}
	return out, errors.Join(errs...)
}

// copyRanges writes bytes of the file system as they are. What cannot be read comes
// out as zeros, and is told.
func copyRanges(ctx context.Context, e *env, f *ext.FS, w io.Writer, ranges []byteRange) error {
	buf := make([]byte, 1<<20)
	for _, r := range ranges {
		for at := int64(0); at < r.length; {
			if err := ctx.Err(); err != nil {
				return err
			}
			b := buf[:min(int64(len(buf)), r.length-at)]
			if n, err := f.ReadAt(b, r.offset+at); n < len(b) {
				clear(b[n:])
				e.damage(fmt.Errorf("byte %d: %w", r.offset+at+int64(n), err))
			}
			if _, err := w.Write(b); err != nil {
				return err
			}
			at += int64(len(b))
		}
	}
	return nil
}
