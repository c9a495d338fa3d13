package jbd2_test

import (
	"bytes"
	"io"
	"runtime"
	"testing"

	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// bigLog makes a log of 4 KiB blocks full of transactions of a hundred copies,
// all of them to be replayed.
func bigLog(t testing.TB, blocks uint32, incompat jbd2.Incompat, compat jbd2.Compat) []byte {
	t.Helper()
	image := make([]byte, int(blocks)*4096)
	be.PutUint32(image, jbd2.Magic)
	be.PutUint32(image[4:], 4)
	be.PutUint32(image[0xc:], 4096)
	be.PutUint32(image[0x10:], blocks)
	be.PutUint32(image[0x14:], 1)
	log := jbd2.NewLog(bytes.NewReader(image), 4096, []jbd2.Run{{Len: blocks}})
	l := &logEditor{image: image, log: log, facts: jbd2.Facts{Superblock: jbd2.Superblock{First: 1, MaxLen: blocks}}}
	b := build(l, incompat, compat, 1, 10)
	n := layout.Block(0)
	for b.next+110 < blocks {
		var list []layout.Block
		for range 100 {
			n++
			list = append(list, 1000+n*7919%50021)
		}
		b.copies(list...)
		b.commitNow()
	}
	return image
}

func openBytes(t testing.TB, r io.ReaderAt, blocks uint32) *jbd2.Journal {
	t.Helper()
	j, err := jbd2.Open(jbd2.NewLog(r, 4096, []jbd2.Run{{Len: blocks}}))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// BenchmarkJournal measures what opening a dirty image and listing its log cost,
// in bytes of log a second.
func BenchmarkJournal(b *testing.B) {
	const blocks = 16 << 10
	for _, form := range []struct {
		name     string
		incompat jbd2.Incompat
	}{{"csum v3", jbd2.IncompatRevoke | jbd2.IncompatCsumV3}, {"plain", jbd2.IncompatRevoke}} {
		image := bigLog(b, blocks, form.incompat, 0)
		for _, what := range []struct {
			name string
			do   func(j *jbd2.Journal)
		}{
			{"recoverable", func(j *jbd2.Journal) { j.Recoverable() }},
			{"scan", func(j *jbd2.Journal) { j.Scan() }},
		} {
			b.Run(form.name+"/"+what.name, func(b *testing.B) {
				b.SetBytes(blocks * 4096)
				b.ReportAllocs()
				for b.Loop() {
					what.do(openBytes(b, bytes.NewReader(image), blocks))
				}
			})
		}
	}
}

// TestMemory bounds what a journal of 64 MiB leaves in memory: numbers.
func TestMemory(t *testing.T) {
	const blocks = 16 << 10
	image := bigLog(t, blocks, jbd2.IncompatRevoke|jbd2.IncompatCsumV3, 0)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	j := openBytes(t, bytes.NewReader(image), blocks)
	r, a := j.Recoverable(), j.Scan()
	runtime.GC()
	runtime.ReadMemStats(&after)
	if len(r.Transactions) < 100 || len(a.Transactions) != len(r.Transactions) {
		t.Fatalf("%d transactions to be replayed, %d found", len(r.Transactions), len(a.Transactions))
	}
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > 100*blocks {
		t.Errorf("%d bytes for %d blocks", used, blocks)
	}
	runtime.KeepAlive(j)
	runtime.KeepAlive(image)
}
