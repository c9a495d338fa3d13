package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// decode fills dst with cluster i.
func (q *qcow2) decode(dst []byte, i int64) error {
	off := i << q.head.clusterBits
	e := q.lookup(off, int64(len(dst)))
	if e.kind != qcow2Compressed {
		_, err := q.ReadAt(dst, off)
		return err
	}
	err := q.unpack(dst, e)
	if err != nil {
		return &DamageError{Name: q.name, Part: fmt.Sprintf("cluster %d", i), At: e.host, Offset: off, Length: int64(len(dst)), Err: err}
	}
	return nil
}

// unpack fills dst with a compressed cluster: a deflate stream without a header, or a
// zstd frame. What is behind it, up to a sector's end, does not belong to it.
func (q *qcow2) unpack(dst []byte, e qcow2Extent) error {
	buf, _ := q.packed.Get().(*[]byte)
	if buf == nil || cap(*buf) < e.packed {
		buf = new(make([]byte, e.packed))
	}
	defer q.packed.Put(buf)
	n, err := q.file.ReadAt((*buf)[:e.packed], e.host)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	src := (*buf)[:n]
	if !q.head.zstd {
		return inflateRaw(dst, src)
	}
	d, _ := q.zstd.Get().(*zstd.Decoder)
	if d == nil {
		d, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return err
		}
	}
	defer q.zstd.Put(d)
	if err = d.Reset(bytes.NewReader(src)); err != nil {
		return err
	}
	return fillFrom(d, dst)
}
