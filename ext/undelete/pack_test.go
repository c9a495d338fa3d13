package undelete

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/replay"
)

// TestPack gets back what it packed, and in the order of paths.
func TestPack(t *testing.T) {
	long := bytes.Repeat([]byte("n"), storeChunk+1)
	list := []Candidate{
		{},
		{Ino: math.MaxUint32, Gen: math.MaxUint32, Type: layout.ModeRegular, Size: math.MaxUint64, Links: math.MaxUint16, SizeKnown: true, Path: []byte("/a/b"), Name: []byte("b"),
			Others: [][]byte{[]byte("/c"), []byte("/")}, Live: true, MovedTo: []byte("/d"), DeletedAt: time.Unix(-1<<31, 999999999).UTC(), Sequence: math.MaxUint32,
			Technique: InodeJournal, Ext: ".pdf", Evidence: []string{"one", "", "two"}, Grade: Intact, Coverage: Coverage{1, 2, 3, 4, math.MaxUint64},
			Runs:  []ext.Run{{Logical: 7, Physical: 1 << 47, Len: 3}, {Logical: 2, Physical: 5, Len: 1 << 40, Kind: ext.Unwritten}},
			nodes: []Block{9, 3, 1 << 47}, from: state{where: inCopy, tx: 70000, marks: markFast}, tx: latest, gone: latest, inUse: true, complete: true, changed: true},
		{Ino: 12, Name: []byte("name"), Below: []byte("@12/a"), Target: []byte{}, Inline: long, from: state{where: inKept, kept: 7}, tx: strayUncovered, fast: true, orphan: true,
			residue: true, unseen: true, loose: true, unsettled: true},
		{Ino: 13, Path: []byte("/a b"), Name: []byte("other")}, // a blank is less than a slash
		{Ino: 14, Path: []byte("/a/")},
		{Ino: 15, Path: []byte("/a")},
		{Ino: 16, Path: long},
		{Ino: 16, Gen: 1, Path: long},
	}
	r := &Result{}
	for i := range list {
		c := list[i]
		if c.Evidence == nil {
			c.Evidence = []string{}
		}
		r.add(&c)
		if got := r.Outline(i); !reflect.DeepEqual(*got, c) {
			t.Errorf("%d: got\n%+v\nwant\n%+v", i, *got, c)
		}
	}
	r.sort()
	slices.SortStableFunc(list, func(a, b Candidate) int {
		return cmp.Or(-cmp.Compare(min(len(a.Path), 1), min(len(b.Path), 1)), bytes.Compare(a.Path, b.Path), cmp.Compare(a.Ino, b.Ino), cmp.Compare(a.Gen, b.Gen))
	})
	for i := range list {
		if got := r.Outline(i); !bytes.Equal(got.Path, list[i].Path) || got.Ino != list[i].Ino || got.Gen != list[i].Gen {
			t.Errorf("place %d has inode %d, want %d", i, got.Ino, list[i].Ino)
		}
	}
}

// TestPackWords keeps words that are too many to have numbers.
func TestPackWords(t *testing.T) {
	var p packer
	for i := range maxWords + 10 {
		word := fmt.Sprint("word ", i)
		at, ok := p.pack(&Candidate{Evidence: []string{word, "often"}})
		if got := p.unpack(at).Evidence; !ok || got[0] != word || got[1] != "often" {
			t.Fatalf("got %q, want %q", got, word)
		}
	}
	if len(p.words.list) != maxWords {
		t.Errorf("%d words have numbers, want %d", len(p.words.list), maxWords)
	}
}

// TestLives finds incarnations again, those of one number by age.
func TestLives(t *testing.T) {
	const count = 10 * tableRows
	var all lives
	for i := range uint32(count) {
		l := all.make(lifeKey{Ino(i % 100), i})
		l.first = moment(count - i)
	}
	if err := all.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range uint32(count) {
		if l := all.of(lifeKey{Ino(i % 100), i}); l == nil || l.gen != i {
			t.Fatalf("generation %d is %v", i, l)
		}
	}
	if all.of(lifeKey{1, 2}) != nil || all.first(100) != nil {
		t.Error("what was not added is there")
	}
	seen := 0
	for ino := range Ino(100) {
		last := moment(-1)
		for l := all.first(ino); l != nil; l = all.next(l) {
			if l.first < last || l.ino != ino {
				t.Fatalf("inode %d: %d comes behind %d", l.ino, l.first, last)
			}
			last = l.first
			seen++
		}
	}
	if seen != count {
		t.Errorf("%d are linked, want %d", seen, count)
	}
}

// TestReadAgain holds the inodes of candidates, which are read again when they are asked
// for, against those that the search had.
func TestReadAgain(t *testing.T) {
	for _, name := range exttest.GoneCases(t) {
		image, _ := exttest.GoneImage(t, name)
		v, err := replay.Open(bytes.NewReader(image), int64(len(image)), replay.Options{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := search(context.Background(), v, Options{Versions: true})
		if err != nil {
			t.Fatal(err)
		}
		for c := range f.result.All() {
			if !c.from.known() {
				continue
			}
			if c.In == nil || c.In.Ino != c.Ino || c.In.Generation != c.Gen || c.In.Mode&layout.ModeMask != c.Type {
				t.Errorf("%s: inode %d generation %d has %+v", name, c.Ino, c.Gen, c.In)
			}
		}
	}
}
