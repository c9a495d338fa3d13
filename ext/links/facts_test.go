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
// counts than a word has room for.
func TestFacts(t *testing.T) {
	const inodes, workers, each = 64, 4, 20000
	f := newFacts(inodes)
	links := []uint16{0, 1, 2, storedMost - 1, storedMost, storedMost + 1, 65000, 65535}
	for ino := range Ino(inodes) {
		f.set(ino, layout.ModeSymlink|stateEncrypt, links[int(ino)%len(links)])
	}
	type entry struct{ ino, dir Ino }
	entries := make([][]entry, workers)
	want := map[Ino]uint32{}
	lowest := map[Ino]Ino{}
	for w := range entries {
		random := rand.New(rand.NewPCG(1, uint64(w)))
		for range each {
			e := entry{Ino(random.IntN(8) * random.IntN(8)), Ino(random.IntN(1 << 20))}
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
				if old := f.count(e.ino, e.dir); old != 0 && e.dir != 0 && old != e.dir {
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
		if got := f.links(ino); got != uint32(links[int(ino)%len(links)]) || f.linked(ino) != (got > 0) {
			t.Errorf("inode %d has %d links", ino, got)
		}
		if got := f.names(ino); got != want[ino] {
			t.Errorf("inode %d has %d names, want %d", ino, got, want[ino])
		}
		if f.parent(ino) != lowest[ino] || f.state(ino) != layout.ModeSymlink|stateEncrypt {
			t.Errorf("inode %d: parent %d, want %d, state %#x", ino, f.parent(ino), lowest[ino], f.state(ino))
		}
	}
	f.mark(1, stateReach)
	f.moveTo(1, 7)
	f.unmark(1, stateEncrypt)
	if f.state(1) != layout.ModeSymlink|stateReach || f.parent(1) != 7 || f.links(1) != 1 || f.names(1) != want[1] {
		t.Errorf("marked, inode 1 has state %#x, parent %d, %d links", f.state(1), f.parent(1), f.links(1))
	}
}

func TestFactsPlain(t *testing.T) {
	for name, tt := range map[string]struct {
		state, links uint16
		names        int
		dir          Ino
		plain        bool
	}{
		"file":            {layout.ModeRegular, 1, 1, 12, true},
		"hard links":      {layout.ModeRegular, 3, 3, 12, true},
		"too few":         {layout.ModeRegular, 2, 1, 12, false},
		"too many":        {layout.ModeRegular, 1, 2, 12, false},
		"many":            {layout.ModeRegular, storedMost, storedMost, 12, false},
		"no name":         {layout.ModeRegular, 1, 0, 0, false},
		"a dot only":      {layout.ModeRegular, 1, 1, 0, false},
		"directory":       {layout.ModeDir, 2, 2, 12, false},
		"value of xattrs": {layout.ModeRegular | stateEA, 1, 1, 12, false},
		"symlink":         {layout.ModeSymlink | stateEncrypt, 1, 1, 12, true},
	} {
		f := newFacts(1)
		f.set(0, tt.state, tt.links)
		for range tt.names {
			f.count(0, tt.dir)
		}
		if f.plain(0) != tt.plain {
			t.Errorf("%s: plain is %v", name, f.plain(0))
		}
	}
}

func TestMissing(t *testing.T) {
	tree := &Tree{seed: maphash.MakeSeed(), inodes: newFacts(100)}
	l := &lookups{t: tree}
	ask := func(dir Ino, name string, ino Ino) {
		q := query{hash: maphash.String(tree.seed, name), dir: dir}
		l.asked = append(l.asked, q)
		s := l.answers.at(q.key())
		s.key, s.ino = q.key(), uint32(ino)
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
