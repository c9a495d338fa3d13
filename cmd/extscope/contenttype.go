package main

import (
	"context"
	"errors"
	"io"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/filetype"
	"github.com/extscope/extscope/ext/undelete"
	"github.com/extscope/extscope/report"
)

// contentType names the type of a file by its first bytes; of what is no regular file it is
// the zero Type.
func contentType(fs *ext.FS, in *ext.Inode) (filetype.Type, error) {
	if !in.IsRegular() || in.Size() == 0 {
		return filetype.Type{}, nil
	}
	head := make([]byte, min(in.Size(), filetype.Head))
	n, err := fs.File(in).ReadAt(head, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return filetype.Detect(head[:n]), err
}

// deletedType names the type of what a deleted file held.
func deletedType(ctx context.Context, r *undelete.Result, c *undelete.Candidate) filetype.Type {
	h := &headWriter{}
	_ = r.Copy(ctx, h, c) // it ends with errFull, or before: what there is, is judged
	return filetype.Detect(h.b)
}

// A headWriter keeps the first bytes.
type headWriter struct{ b []byte }

var errFull = errors.New("enough")

func (h *headWriter) Write(p []byte) (int, error) {
	n := min(len(p), filetype.Head-len(h.b))
	h.b = append(h.b, p[:n]...)
	if len(h.b) == filetype.Head {
		return n, errFull
	}
	return n, nil
}

// mimeValues are the columns mime and extension_disagrees.
func mimeValues(t filetype.Type, name []byte) (mime, disagrees report.Value) {
	if t.MIME == "" {
		return report.Null(), report.Null()
	}
	return report.Str(t.MIME), report.Bool(t.Disagrees(string(name)))
}

// disagreeMark stands behind a type that the name's extension does not stand for.
const disagreeMark = " (not what its extension says)"
