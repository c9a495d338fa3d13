package carve

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/layout"
)

// A disk is made of blocks; files are put on it one behind another.
type disk struct {
	size int
	b    []byte
	free []Run
}

// put adds a file's blocks, free or in use, and gives the run.
func (d *disk) put(data []byte, free bool) Run {
	run := Run{layout.Block(len(d.b) / d.size), uint64((len(data) + d.size - 1) / d.size)}
	d.b = append(d.b, data...)
	d.b = append(d.b, make([]byte, int(run.Len)*d.size-len(data))...)
	if n := len(d.free); free && n > 0 && d.free[n-1].Start+layout.Block(d.free[n-1].Len) == run.Start {
		d.free[n-1].Len += run.Len
	} else if free {
		d.free = append(d.free, run)
	}
	return run
}

func (d *disk) find(t testing.TB, o Options) []Piece {
	t.Helper()
	o.BlockSize = d.size
	pieces, err := Find(t.Context(), bytes.NewReader(d.b), d.free, o)
	if err != nil {
		t.Fatal(err)
	}
	checkPieces(t, pieces, d.free, d.size)
	return pieces
}

// content gives the bytes of a piece.
func (d *disk) content(p Piece) []byte {
	var out []byte
	for _, r := range p.Runs {
		out = append(out, d.b[int(r.Start)*d.size:][:int(r.Len)*d.size]...)
	}
	return out[:p.Size]
}

// has reports whether one of the pieces is a file.
func (d *disk) has(pieces []Piece, data []byte) bool {
	for _, p := range pieces {
		if bytes.Equal(d.content(p), data) {
			return true
		}
	}
	return false
}

// checkPieces holds pieces against what Find promises of them.
func checkPieces(t testing.TB, pieces []Piece, free []Run, size int) {
	t.Helper()
	in := map[layout.Block]bool{}
	for _, r := range free {
		for i := range r.Len {
			in[r.Start+layout.Block(i)] = true
		}
	}
	last := layout.Block(0)
	for i, p := range pieces {
		blocks := uint64(0)
		if i > 0 && p.Runs[0].Start <= last {
			t.Errorf("piece at %d behind one at %d", p.Runs[0].Start, last)
		}
		last = p.Runs[0].Start
		for _, r := range p.Runs {
			blocks += r.Len
			for i := range r.Len {
				if b := r.Start + layout.Block(i); !in[b] {
					t.Errorf("block %d is not free, or in two pieces", b)
				} else {
					delete(in, b)
				}
			}
		}
		if p.Size <= 0 || (p.Size+int64(size)-1)/int64(size) != int64(blocks) {
			t.Errorf("size %d in %d blocks of %d", p.Size, blocks, size)
		}
		if p.Type == "" || p.Why == "" {
			t.Errorf("a piece without type or evidence: %+v", p)
		}
	}
}

// TestFind has all samples side by side, as deleted files lie.
func TestFind(t *testing.T) {
	for _, size := range []int{1024, 4096, 65536} {
		d := &disk{size: size}
		d.put([]byte("something else"), false)
		want := samples(t)
		runs := make([]Run, len(want))
		for i, s := range want {
			runs[i] = d.put(s.data, true)
		}
		pieces := d.find(t, Options{})
		at := map[layout.Block]Piece{}
		for _, p := range pieces {
			at[p.Runs[0].Start] = p
		}
		for i, s := range want {
			p, ok := at[runs[i].Start]
			switch {
			case !ok:
				t.Errorf("%d: %s: not found", size, s.name)
			case !bytes.Equal(d.content(p), s.data):
				t.Errorf("%d: %s: %d bytes, want %d: %s", size, s.name, p.Size, len(s.data), p.Why)
			case p.Type != s.typ || p.Ext != s.ext || !p.Complete:
				t.Errorf("%d: %s: %s %s, complete %t, want %s %s", size, s.name, p.Type, p.Ext, p.Complete, s.typ, s.ext)
			}
		}
		if len(pieces) != len(want) {
			t.Errorf("%d: %d pieces of %d files", size, len(pieces), len(want))
		}
	}
}

// TestDamage cuts each sample, and puts a block of something else into it: what
// is found may not pass for the file.
func TestDamage(t *testing.T) {
	const size = 1024
	text := bytes.Repeat([]byte("another's text, "), size/16)
	for _, s := range samples(t) {
		blocks := (len(s.data) + size - 1) / size
		for b := 1; b < blocks; b++ {
			d := &disk{size: size}
			d.put(s.data[:b*size], true)
			d.put(make([]byte, 4*size), true)
			for _, p := range d.find(t, Options{}) {
				// A format of members may end behind one of them.
				if p.Complete && !strings.HasPrefix(p.Why, "gzip") && p.Size > 1 && p.Runs[0].Start == 0 && s.checked {
					t.Errorf("%s cut behind %d blocks: %s", s.name, b, p.Why)
				}
			}
			if !s.checked || b == blocks-1 {
				continue
			}
			d = &disk{size: size}
			bad := bytes.Clone(s.data)
			copy(bad[b*size:], text)
			d.put(bad, true)
			for _, p := range d.find(t, Options{}) {
				if p.Runs[0].Start == 0 && int(p.Size) > b*size {
					t.Errorf("%s with another's block %d: %s", s.name, b, p.Why)
				}
			}
		}
	}
}

// TestBehind has files that go on behind blocks in use, and behind another
// deleted file.
func TestBehind(t *testing.T) {
	const size = 1024
	for _, s := range samples(t) {
		if !s.checked || len(s.data) < 2*size {
			continue
		}
		d := &disk{size: size}
		d.put(s.data[:size], true)
		d.put(sampleText(3*size), false)
		d.put(s.data[size:], true)
		if !d.has(d.find(t, Options{}), s.data) {
			t.Errorf("%s behind blocks in use: not found", s.name)
		}
		d = &disk{size: size}
		d.put(s.data[:size], true)
		other := sampleText(3*size + 100)
		d.put(other, true)
		d.put(s.data[size:], true)
		pieces := d.find(t, Options{})
		if !d.has(pieces, s.data) || !d.has(pieces, other) {
			t.Errorf("%s around another file: not found", s.name)
		}
	}
	// Nothing proves that text goes on.
	d := &disk{size: size}
	text := sampleText(5000)
	d.put(text[:2*size], true)
	d.put(make([]byte, size), false)
	d.put(text[2*size:], true)
	if pieces := d.find(t, Options{}); len(pieces) > 0 {
		t.Errorf("text behind blocks in use: %+v", pieces)
	}
}

// TestIndirect lays a file out as ext2 does: its indirect block elsewhere, and
// the blocks behind it wherever.
func TestIndirect(t *testing.T) {
	const size = 1024
	text := sampleText(40*size + 100)
	d := &disk{size: size}
	d.put([]byte("in use"), false)
	indirect := d.put(make([]byte, size), true)
	d.put([]byte("in use"), false)
	d.put(text[30*size:], true) // blocks 30 to 40 of the file
	d.put([]byte("Another file.\n"), true)
	first := d.put(text[:30*size], true)
	d.put([]byte("One more file.\n"), true)
	for i := range 29 {
		b := first.Start + 12 + layout.Block(i)
		if i >= 18 {
			b = indirect.Start + 2 + layout.Block(i-18)
		}
		le.PutUint32(d.b[int(indirect.Start)*size+4*i:], uint32(b))
	}
	pieces := d.find(t, Options{Indirect: true})
	if !d.has(pieces, text) || len(pieces) != 3 {
		t.Errorf("%+v", pieces)
	}
	if pieces := d.find(t, Options{}); d.has(pieces, text) {
		t.Error("found without indirect blocks")
	}
}

// TestIndirectLoop has an indirect block that leads back to its own blocks.
func TestIndirectLoop(t *testing.T) {
	const size = 1024
	d := &disk{size: size}
	text := sampleText(300 * size)
	first := d.put(text[:12*size], true)
	d.put(text[12*size:300*size], true)
	indirect := d.put(make([]byte, size), true)
	for i := range 256 {
		le.PutUint32(d.b[int(indirect.Start)*size+4*i:], uint32(first.Start)+12+uint32(i))
	}
	for i := 200; i < 256; i++ { // back to the first of them
		le.PutUint32(d.b[int(indirect.Start)*size+4*i:], uint32(first.Start)+11+uint32(i-200))
	}
	d.find(t, Options{Indirect: true})
}

// TestSearch has files that break off at the end of a chunk, and go on before or
// far behind, with nothing to say where.
func TestSearch(t *testing.T) {
	const size = 4096
	var large, photo, packed bytes.Buffer
	must(t, png.Encode(&large, picture(250, 200)))
	must(t, jpeg.Encode(&photo, picture(700, 600), &jpeg.Options{Quality: 90}))
	w := gzip.NewWriter(&packed)
	w.Write(noise(rand.NewChaCha8([32]byte{5}), 150000))
	must(t, w.Close())
	for name, data := range map[string][]byte{"png": large.Bytes(), "jpeg": photo.Bytes(), "gzip": packed.Bytes()} {
		if len(data) < 2*chunkSize {
			t.Fatalf("%s: %d bytes", name, len(data))
		}
		stuff := noise(rand.NewChaCha8([32]byte{6}), 20*chunkSize)
		for _, order := range [][]int{{0, 1}, {1, 0}} {
			d := &disk{size: size}
			for _, part := range order {
				if part == 0 {
					d.put(data[:chunkSize], true)
				} else {
					d.put(data[chunkSize:], true)
				}
				for len(d.b)%chunkSize != 0 {
					d.put(make([]byte, size), true)
				}
				d.put(stuff, true)
			}
			if pieces := d.find(t, Options{}); !d.has(pieces, data) {
				t.Errorf("%s, parts %v: not found", name, order)
			}
		}
	}
}

// TestUnproven has text on ext2 whose indirect block is gone: what lies behind its
// first chunk is another file.
func TestUnproven(t *testing.T) {
	const size = 4096
	d := &disk{size: size}
	d.put(sampleText(16*size), true)
	next := append([]byte("[next]\n"), sampleText(5000)...)
	d.put(next, true)
	if pieces := d.find(t, Options{Indirect: true}); len(pieces) != 1 || !d.has(pieces, next) {
		t.Errorf("%+v", pieces)
	}
}

// TestSplice has a file right behind the first blocks of a text that goes on
// elsewhere.
func TestSplice(t *testing.T) {
	const size = 1024
	for _, next := range []string{"#!/bin/sh\necho\n", "package main\n\nfunc main() {}\n", "id;date;what\n1;2020-01-02;a\n2;2020-01-03;b\n", "// Copyright\n\n"} {
		d := &disk{size: size}
		d.put(sampleText(3*size), true)
		d.put([]byte(next), true)
		if pieces := d.find(t, Options{}); len(pieces) != 1 || !d.has(pieces, []byte(next)) {
			t.Errorf("%q: %+v", next, pieces)
		}
	}
}

// TestNotFiles has blocks of the file system's own.
func TestNotFiles(t *testing.T) {
	const size = 1024
	block := func(s string) []byte { return append([]byte(s), make([]byte, size-len(s))...) }
	dir := block("\x02\x00\x00\x00\x0c\x00\x01\x02.\x00\x00\x00\x02\x00\x00\x00\xf4\x03\x02\x02..")
	node := block("\x0a\xf3\x01\x00\x54\x00\x00\x00\x00\x00\x00\x00")
	link := block(strings.Repeat("../a/long/way/", 6) + "target")
	xattr := block("\x00\x00\x02\xea\x01\x00\x00\x00")
	d := &disk{size: size}
	for _, b := range [][]byte{dir, node, link, xattr, make([]byte, 5*size)} {
		d.put(b, true)
	}
	if pieces := d.find(t, Options{}); len(pieces) > 0 {
		t.Errorf("%+v", pieces)
	}
}

// TestUnknown has contents of no known form: a piece of them needs a file right
// before it, and is never complete.
func TestUnknown(t *testing.T) {
	const size = 1024
	data := noise(rand.NewChaCha8([32]byte{3}), 5000)
	data[0], data[4999] = 'Z', 'Z'
	d := &disk{size: size}
	d.put(samplePNG(t), true)
	d.put(data, true)
	if pieces := d.find(t, Options{}); len(pieces) != 2 || pieces[1].Complete || !d.has(pieces, data) {
		t.Errorf("%+v", pieces)
	}
	d = &disk{size: size}
	d.put(data, true)
	if pieces := d.find(t, Options{}); len(pieces) != 0 {
		t.Errorf("%+v", pieces)
	}
}

func TestClusters(t *testing.T) {
	d := &disk{size: 1024}
	d.put([]byte("At the start of a cluster.\n"), true)
	d.put([]byte("Not at the start of one.\n"), true)
	if pieces := d.find(t, Options{ClusterBlocks: 16}); len(pieces) != 1 {
		t.Errorf("%+v", pieces)
	}
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		free []Run
		o    Options
		err  string
	}{
		{nil, Options{BlockSize: 1000}, "block size 1000"},
		{nil, Options{BlockSize: 1024, ClusterBlocks: -1}, "negative cluster size"},
		{[]Run{{5, 1}, {2, 1}}, Options{BlockSize: 1024}, "free runs must be sorted, disjoint and not empty"},
		{[]Run{{5, 3}, {7, 1}}, Options{BlockSize: 1024}, "free runs must be sorted, disjoint and not empty"},
		{[]Run{{5, 0}}, Options{BlockSize: 1024}, "free runs must be sorted, disjoint and not empty"},
		{[]Run{{1 << 62, 1 << 62}}, Options{BlockSize: 1024}, "free runs must be sorted, disjoint and not empty"},
	} {
		if _, err := Find(t.Context(), bytes.NewReader(nil), tt.free, tt.o); err == nil || err.Error() != tt.err {
			t.Errorf("%v: %v, want %s", tt.free, err, tt.err)
		}
	}
}

// badReader cannot read one block.
type badReader struct {
	io.ReaderAt
	from, to int64
}

var errBad = errors.New("bad sector")

func (r badReader) ReadAt(b []byte, off int64) (int, error) {
	if off < r.to && off+int64(len(b)) > r.from {
		return 0, errBad
	}
	return r.ReaderAt.ReadAt(b, off)
}

func TestUnreadable(t *testing.T) {
	const size = 1024
	d := &disk{size: size}
	first, second := sampleText(3000), samplePNG(t)
	d.put(first, true)
	bad := d.put(sampleText(size), true)
	d.put(second, true)
	r := badReader{bytes.NewReader(d.b), int64(bad.Start) * size, int64(bad.Start+1) * size}
	pieces, err := Find(t.Context(), r, d.free, Options{BlockSize: size})
	if !errors.Is(err, errBad) {
		t.Errorf("error %v", err)
	}
	if len(pieces) != 2 || !d.has(pieces, first) || !d.has(pieces, second) {
		t.Errorf("%+v", pieces)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Find(ctx, bytes.NewReader(make([]byte, 1<<20)), []Run{{0, 1024}}, Options{BlockSize: 1024}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestProgress(t *testing.T) {
	d := &disk{size: 1024}
	d.put(make([]byte, 3<<20), true)
	for _, indirect := range []bool{false, true} {
		last := int64(0)
		d.find(t, Options{Indirect: indirect, Progress: func(done, total int64) {
			if done < last || done > total || total != 3<<20 {
				t.Errorf("%d of %d after %d", done, total, last)
			}
			last = done
		}})
		if last != 3<<20 {
			t.Errorf("ended at %d", last)
		}
	}
}

func TestBegins(t *testing.T) {
	for _, tt := range []struct {
		text string
		want bool
	}{
		{"A title\n\nAnd what it is about.\n", true},
		{"ings of this kind, and\nothers that are not\n", false},
		{"#include <stdio.h>\nint main(void);\n", true},
		{"package main\n\nimport \"fmt\"\n", true},
		{"kage main\n\nimport \"fmt\"\n", false},
		{"name = value\nother = 5\n# more\n", true},
		{"[section]\nname = value\n", true},
		{"  indented code }\n", false},
		{"            GNU GENERAL PUBLIC LICENSE\n", true},
		{"1690000000 host app: x\n1690000005 host app: y\n1690000009 host app: z\n1690000011 host app: z\n", true},
		{"st app: x\n1690000005 host app: y\n1690000009 host app: z\n1690000011 host app: z\n", false},
		{"id;date;what\n15;2020-01-02;a\n16;2020-01-03;b\n17;2020-01-03;b\n", true},
		{"-02;a\n15;2020-01-02;a\n16;2020-01-03;b\n17;2020-01-03;b\n", false},
		{`8, "a": [1, 2]}, {"b": 4}` + "\n", false},
		{"</td><td>\n", false},
		{"1. First\n2. Second\n", true},
		{"kJ8s\n" + strings.Repeat("QUJD", 19) + "\n" + strings.Repeat("QUJD", 19) + "\n", false},
		{"Überschrift\n", true},
		{"\r\nA line\r\n", true},
		{"", false},
	} {
		if got := begins([]byte(tt.text)); got != tt.want {
			t.Errorf("%q: %t", tt.text, got)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	d := &disk{size: 4096}
	for len(d.b) < 64<<20 {
		for _, s := range samples(b) {
			d.put(s.data, true)
		}
		d.put(make([]byte, 1<<20), true)
	}
	b.SetBytes(int64(len(d.b)))
	for b.Loop() {
		d.find(b, Options{})
	}
}
