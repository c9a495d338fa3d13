package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/extscope/extscope/image"
	"github.com/extscope/extscope/report"
)

// image hashes the evidence.
func (o *hashOptions) image(ctx context.Context, e *env, name string) error {
	im, err := o.openImage(e, name)
	if err != nil {
		return err
	}
	defer im.Close()
	stored := im.Digests()
	if o.verify {
		if len(stored) == 0 {
			return usagef("%s: a %s image stores no digest to verify", name, im.Format())
		}
		for _, d := range stored {
			o.set.add(d.Algorithm)
		}
	}
	p := o.reading(e, "hash", im.Size())
	sums, err := hashEvidence(ctx, e, im, o.set, p)
	p.end()
	if err != nil {
		return err
	}
	if o.verify && sums != nil {
		for _, d := range stored {
			if i := o.set.index(d.Algorithm); i >= 0 && fmt.Sprintf("%x", sums[i]) != d.Hex {
				e.damage(fmt.Errorf("%s: %s is %x, the image stores %s", name, strings.ToUpper(d.Algorithm), sums[i], d.Hex))
			}
		}
	}
	switch o.format {
	case "sum":
		if len(im.Segments()) != 1 || im.Format() != "raw" && im.Format() != "block device" {
			return usagef("%s: the digest is that of the bytes in a %s image, not of its file: --format sum does not tell them apart", name, im.Format())
		}
		h := &hashed{path: []byte(name), sums: sums}
		return o.to(ctx, e, &opened{env: e, image: im}, func(w io.Writer, _ bool) error {
			return o.writeSums(e, w, func(yield func(*hashed) bool) {
				if sums != nil {
					yield(h)
				}
			})
		})
	case "dfxml":
		return usagef("--format dfxml is about files: it goes with PATH, --files, --deleted or --all")
	}
	return o.writeEvidence(ctx, e, im, sums, stored)
}

// writeEvidence writes a row for the evidence.
func (o *hashOptions) writeEvidence(ctx context.Context, e *env, im *image.Image, sums [][]byte, stored []image.Digest) error {
	columns := []report.Column{}
	row := report.Row{}
	for i, a := range o.set.list {
		columns = append(columns, report.Column{Key: a.key, Title: strings.ToUpper(a.key)})
		if sums == nil {
			row = append(row, report.Null())
		} else {
			row = append(row, report.Str(fmt.Sprintf("%x", sums[i])))
		}
	}
	columns = append(columns, report.Column{Key: "size", Title: "SIZE", Right: true})
	row = append(row, report.Size(uint64(im.Size())))
	if o.verify {
		columns = append(columns, report.Column{Key: "stored", Title: "STORED"}, report.Column{Key: "verified", Title: "VERIFIED"})
		row = append(row, report.Object(storedDigests(stored)), report.Bool(o.verified(sums, stored)))
	}
	columns = append(columns, report.Column{Key: "path", Title: "PATH", Name: true})
	row = append(row, report.Name([]byte(im.Name())))
	format, err := report.ParseFormat(o.format)
	if err != nil {
		return &usageError{err}
	}
	head := report.Fields{
		{Key: "path", Value: report.Name([]byte(im.Name()))},
		{Key: "format", Value: report.Str(im.Format())},
		{Key: "size", Value: report.Size(uint64(im.Size()))},
	}
	return o.to(ctx, e, &opened{env: e, image: im}, func(w io.Writer, terminal bool) error {
		return report.Write(w, &report.Report{
			Head: []report.Section{{Key: "image", Fields: head}},
			Tables: []*report.Table{{Key: "hashes", Columns: columns, Rows: func(yield func(report.Row, error) bool) {
				yield(row, nil)
			}}},
			OnError: e.damage,
		}, report.Options{Format: format, Width: width(w, terminal)})
	})
}

func (o *hashOptions) verified(sums [][]byte, stored []image.Digest) bool {
	for _, d := range stored {
		if i := o.set.index(d.Algorithm); sums == nil || i >= 0 && fmt.Sprintf("%x", sums[i]) != d.Hex {
			return false
		}
	}
	return true
}

func storedDigests(stored []image.Digest) (f report.Fields) {
	for _, d := range stored {
		f = append(f, report.Field{Key: d.Algorithm, Value: report.Str(d.Hex)})
	}
	return f
}

// hashPiece is how much of the evidence is read at once.
const hashPiece = 4 << 20

// hashEvidence reads all of an image once, and hashes one piece while the next is read.
// What cannot be read is told, piece by piece; then there is no digest, as it would be
// that of something else.
func hashEvidence(ctx context.Context, e *env, im *image.Image, set *digestSet, p *progress) ([][]byte, error) {
	pieces, free := make(chan []byte, 2), make(chan []byte, 3)
	for range cap(free) {
		free <- make([]byte, hashPiece)
	}
	m := set.summer()
	var wg sync.WaitGroup
	wg.Go(func() {
		for b := range pieces {
			var each sync.WaitGroup
			for _, h := range m.hashes[1:] {
				each.Go(func() { h.Write(b) })
			}
			m.hashes[0].Write(b)
			each.Wait()
			free <- b[:hashPiece]
		}
	})
	whole := true
	for off := int64(0); off < im.Size() && ctx.Err() == nil; {
		b := <-free
		n, err := im.ReadAt(b[:min(hashPiece, im.Size()-off)], off)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		off += int64(n)
		if err != nil {
			whole = false
			e.damage(err)
			off += max(damagedLength(err, off), 512)
		}
		pieces <- b[:n]
		p.done.Store(off)
	}
	close(pieces)
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !whole {
		return nil, nil
	}
	return m.sums(), nil
}

// damagedLength is how much from off on an error says cannot be read.
func damagedLength(err error, off int64) int64 {
	var damage *image.DamageError
	var missing *image.MissingError
	var absent *image.AbsentError
	var read *image.ReadError
	switch {
	case errors.As(err, &damage):
		return damage.Offset + damage.Length - off
	case errors.As(err, &missing):
		return missing.Offset + missing.Length - off
	case errors.As(err, &absent):
		return absent.Offset + absent.Length - off
	case errors.As(err, &read):
		return read.Offset + read.Length - off
	}
	return 0
}
