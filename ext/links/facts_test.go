package links

import (
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/extscope/extscope/ext/layout"
)

// TestFacts counts names from several goroutines, with more of them and higher link
// counts than a word has room for, and with more directories than it can tell apart.
func TestFacts(t *testing.T) {
	t.Run("few directories", func(t *testing.T) { testFacts(t, 1000) })
	t.Run("many directories", func(t *testing.T) { testFacts(t, parentMost+1000) })
}

func testFacts(t *testing.T, dirs int) {
	const workers, each = 4, 20000
	const firstFile, firstDir = 64, 1000 // directories lie below and above files
	inodes := firstDir + dirs - firstFile
	f := newFacts(inodes, workers)
	links := []uint16{0, 1, 2, countMost - 1, countMost, countMost + 1, 65000, 65535}
	isDir := func(ino Ino) bool { return ino < firstFile || ino >= firstDir }
	linksOf := func(ino Ino) uint16 {
		return links[int(ino/2)%len(links)]
	}
	for ino := range Ino(inodes) {
		switch {
		case isDir(ino):
			f.set(int(ino)%workers, ino, layout.ModeDir, stateCasefold, linksOf(ino))
		case ino%2 == 0:
			f.set(0, ino, layout.ModeSymlink, 0, linksOf(ino))
		default:
			f.set(0, ino, layout.ModeRegular, stateEA, linksOf(ino))
		}
	}
	if list := f.gather(dirsMost); list != nil || (f.parents != nil) != (dirs > parentMost) {
		t.Fatal(len(list), f.parents != nil)
	}
	place := func(dir Ino) uint32 {
		if dir == 0 {
			return 0
		}
		return f.place(dir)
	}
	type entry struct{ ino, dir Ino }
	entries := make([][]entry, workers)
	want := map[Ino]uint32{}
	lowest := map[Ino]Ino{}
	for w := range entries {
		random := rand.New(rand.NewPCG(1, uint64(w)))
		for range each {
			e := entry{Ino(random.IntN(12) * random.IntN(12)), Ino(random.IntN(inodes))}
			if !isDir(e.dir) {
				e.dir = 0
			}
			entries[w] = append(entries[w], e)
			want[e.ino]++
			if e.dir != 0 && (lowest[e.ino] == 0 || e.dir < lowest[e.ino]) {
				lowest[e.ino] = e.dir
			}
		}
	}
	others := make([][]entry, workers) // what is known of an inode's directories, but for the lowest
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for _, e := range entries[w] {
				if old := f.count(e.ino, place(e.dir)); old != 0 && e.dir != 0 && old != e.dir {
					others[w] = append(others[w], entry{e.ino, max(old, e.dir)})
				}
			}
		})
	}
	wg.Wait()
	told := map[entry]bool{}
	for _, e := range slices.Concat(others...) {
		told[e] = true
	}
	for _, e := range slices.Concat(entries...) {
		if e.dir != 0 && e.dir != lowest[e.ino] && !told[e] {
			t.Fatalf("nobody was told that directory %d names inode %d", e.dir, e.ino)
		}
	}
	for ino := range Ino(inodes) {
		if got := f.links(ino); got != uint32(linksOf(ino)) || f.linked(ino) != (got > 0) {
			t.Errorf("inode %d has %d links", ino, got)
		}
		if got := f.names(ino); got != want[ino] {
			t.Errorf("inode %d has %d names, want %d", ino, got, want[ino])
		}
		kind, state := uint16(layout.ModeSymlink), uint16(0)
		switch {
		case isDir(ino):
			kind, state = layout.ModeDir, stateCasefold
		case ino%2 == 1:
			kind, state = layout.ModeRegular, stateEA
		}
		if f.parent(ino) != lowest[ino] || f.kind(ino) != kind || f.state(ino) != state {
			t.Errorf("inode %d: parent %d, want %d, type %#x, state %#x", ino, f.parent(ino), lowest[ino], f.kind(ino), f.state(ino))
		}
	}
	f.mark(2, stateReach)
	f.moveTo(2, 7)
	f.unmark(2, stateCasefold)
	f.mark(firstFile, stateReach) // no directory
	if f.state(2) != stateReach || f.parent(2) != 7 || f.links(2) != 1 || f.names(2) != want[2] || f.state(firstFile) != 0 {
		t.Errorf("marked, inode 2 has state %#x, parent %d, %d links", f.state(2), f.parent(2), f.links(2))
	}
}

func TestFactsPlain(t *testing.T) {
	for name, tt := range map[string]struct {
		kind, state, links uint16
		names              int
		dir                Ino
		plain              bool
	}{
		"file":            {layout.ModeRegular, 0, 1, 1, 1, true},
		"hard links":      {layout.ModeRegular, 0, 3, 3, 1, true},
		"too few":         {layout.ModeRegular, 0, 2, 1, 1, false},
		"too many":        {layout.ModeRegular, 0, 1, 2, 1, false},
		"many":            {layout.ModeRegular, 0, countMost, countMost, 1, false},
		"no name":         {layout.ModeRegular, 0, 1, 0, 0, false},
		"a dot only":      {layout.ModeRegular, 0, 1, 1, 0, false},
		"directory":       {layout.ModeDir, 0, 2, 2, 1, false},
		"value of xattrs": {layout.ModeRegular, stateEA, 1, 1, 1, false},
		"symlink":         {layout.ModeSymlink, 0, 1, 1, 1, true},
	} {
		f := newFacts(2, 1)
		f.set(0, 0, tt.kind, tt.state, tt.links)
		f.set(0, 1, layout.ModeDir, 0, 2)
		f.gather(dirsMost)
		for range tt.names {
			if tt.dir == 0 {
				f.count(0, 0)
			} else {
				f.count(0, f.place(tt.dir))
			}
		}
		if f.plain(0) != tt.plain {
			t.Errorf("%s: plain is %v", name, f.plain(0))
		}
	}
}

// TestFactsTooMany has more directories than there is room for.
func TestFactsTooMany(t *testing.T) {
	f := newFacts(10, 2)
	for ino := range Ino(10) {
		f.set(int(ino)%2, ino, layout.ModeDir, 0, 2)
	}
	left := f.gather(7)
	if len(left) != 3 || left[0].ino != 7 || len(f.dirs) != 7 {
		t.Fatal(left, len(f.dirs))
	}
	for ino := range Ino(10) {
		f.count(ino, f.place(6))
		if f.linked(ino) != (ino < 7) || f.parent(ino) != 6 || f.names(ino) != 1 {
			t.Errorf("inode %d: in use %v, parent %d, %d names", ino, f.linked(ino), f.parent(ino), f.names(ino))
		}
	}
	if f.place(7) != 0 || f.state(7) != 0 {
		t.Errorf("a directory that was left out stands at %d", f.place(7))
	}
}

func TestMissing(t *testing.T) {
	tree := &Tree{seed: maphash.MakeSeed(), inodes: newFacts(100, 1)}
	l := &lookups{t: tree}
	ask := func(dir Ino, name string, ino Ino) {
		q := query{hash: maphash.String(tree.seed, name), dir: dir}
		l.asked = append(l.asked, q)
		l.answers.enter(q.key(), ino)
	}
	l.answers = newTable(8)
	ask(30, "gone", 0)
	ask(20, "gone", 0)
	ask(20, "gone", 0)
	ask(40, "gone", 12)
	ask(50, "lost", 0)
	m := l.missing()
	for name, want := range map[string][]Ino{"gone": {20, 30}, "lost": {50}, "other": nil} {
		if got := m.Dirs([]byte(name)); !slices.Equal(got, want) {
			t.Errorf("%s is missing from %d, want %d", name, got, want)
		}
	}
	if !m.Any(20) || !m.Any(50) || m.Any(40) || m.Any(1<<30) {
		t.Error("another set of directories")
	}
}
