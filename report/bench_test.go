package report

import (
	"fmt"
	"io"
	"testing"
	"time"
)

// listingOf is n rows of eleven columns, as find makes them.
func listingOf(n int) *Report {
	path := []byte("/usr/share/doc/package/examples/file-0000000.txt")
	var row Row
	return &Report{Tables: []*Table{{
		Key: "entries",
		Columns: []Column{
			{Key: "path", Name: true, Data: true},
			{Key: "inode", Title: "Inode", Right: true},
			{Key: "type", Title: "Type"},
			{Key: "mode", Title: "Mode"},
			{Key: "links", Title: "Links", Right: true},
			{Key: "uid", Title: "UID", Right: true},
			{Key: "gid", Title: "GID", Right: true},
			{Key: "size", Title: "Size", Right: true},
			{Key: "mtime", Title: "Modified"},
			{Key: "name", Title: "Name", Name: true},
			{Key: "target", Title: "Target", Name: true, Optional: true},
		},
		Rows: func(yield func(Row, error) bool) {
			for i := range n {
				for at, rest := len(path)-5, i; at > len(path)-12; at, rest = at-1, rest/10 {
					path[at] = byte('0' + rest%10)
				}
				row = append(row[:0],
					Name(path), Uint(uint64(i)), Str("file"), Mode(0o644), Uint(1), Uint(1000), Uint(1000),
					Size(uint64(i)*1000), Time(time.Unix(1700000000+int64(i), 123456789)), Name(path[32:]), Null())
				if !yield(row, nil) {
					return
				}
			}
		},
	}}}
}

func BenchmarkWrite(b *testing.B) {
	const rows = 150_000
	for _, name := range Formats() {
		b.Run(fmt.Sprintf("%s/%d", name, rows), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Write(io.Discard, listingOf(rows), Options{Format: Format(name)}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}

func BenchmarkAppendPrintable(b *testing.B) {
	for _, name := range []string{"an ordinary name, 40 bytes or so.tar.gz", "日本語の名前、まあまあ長い", "\x1b[31m\xff\u202e hostile"} {
		b.Run(fmt.Sprintf("%.8q", name), func(b *testing.B) {
			dst, src := []byte(nil), []byte(name)
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendPrintable(dst[:0], src)
			}
		})
	}
}
