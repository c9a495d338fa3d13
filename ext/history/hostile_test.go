package history_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/ext/replay"
)

// everything asks all that can be asked of the journal of an image.
func everything(t testing.TB, image []byte) {
	t.Helper()
	everythingOf(t, bytes.NewReader(image), int64(len(image)))
}

func everythingOf(t testing.TB, image io.ReaderAt, size int64) {
	t.Helper()
	ctx := context.Background()
	v, err := replay.Open(image, size, replay.Options{})
	if err != nil {
		return
	}
	for range replay.Diff(ctx, v) {
	}
	l, err := history.Open(v)
	if err != nil {
		return
	}
	for i := range l.Transactions() {
		uses, err := l.Uses(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		for k, u := range uses {
			_ = l.ChangedInodes(l.Transactions()[i].Blocks[k], i, u)
			_ = l.DirPath(u, i)
		}
	}
	for ino := range history.Ino(40) {
		versions, _ := l.InodeVersions(ino)
		for k := range versions {
			_, _ = l.Target(&versions[k])
			if k > 0 {
				_, _ = l.NameChanges(&versions[k-1], &versions[k])
			}
		}
	}
	for _, i := range []int{0, len(l.Transactions()) / 2, len(l.Transactions()) - 1} {
		if i < 0 || i >= len(l.Transactions()) {
			continue
		}
		p, err := l.At(i)
		if err != nil {
			continue
		}
		root, err := p.FS.Inode(2)
		if err != nil {
			continue
		}
		left := 200
		for e, err := range p.FS.Walk(ctx, root, []byte("/"), ext.WalkOptions{Doubt: p.Doubt}) {
			if left--; left == 0 {
				break
			}
			if err != nil {
				continue
			}
			if in, err := e.Inode(); err == nil && in.IsRegular() && in.Size() < 1<<20 {
				_, _ = l.Coverage(i, in)
				_, _ = p.FS.Copy(io.Discard, in)
			}
		}
	}
	_, _ = l.When("2026-01-01")
	if _, err := l.Former(ctx, func(links.Ino) bool { return true }); err != nil {
		t.Fatal(err)
	}
	tree, err := links.Survey(ctx, l.FS, links.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tree := range []*links.Tree{nil, tree} {
		if _, err := l.Lost(ctx, tree, allMissing{2, 11, 12, 13}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, _, err := l.Find(ctx, "/inbox/note"); err != nil {
		t.Fatal(err)
	}
}

// allMissing are all names, in some directories.
type allMissing []history.Ino

func (m allMissing) Dirs([]byte) []history.Ino { return m }
func (m allMissing) Any(history.Ino) bool      { return true }

// within fails where the work hangs.
func within(t testing.TB, work func()) {
	t.Helper()
	dog := time.AfterFunc(2*time.Minute, func() {
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		panic(t.Name() + " hangs")
	})
	defer dog.Stop()
	work()
}

// TestHostile asks everything of damaged journals, and of hostile file systems.
func TestHostile(t *testing.T) {
	for _, name := range exttest.Some(30, exttest.HostileJournalNames()) {
		t.Run(name, func(t *testing.T) {
			within(t, func() { everything(t, exttest.HostileJournal(t, name)) })
		})
	}
}
