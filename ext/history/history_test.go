package history_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/ext/replay"
)

func open(t testing.TB, name string) *history.Log {
	t.Helper()
	return openBytes(t, exttest.Bytes(t, name))
}

func openBytes(t testing.TB, image []byte) *history.Log {
	t.Helper()
	v, err := replay.Open(bytes.NewReader(image), int64(len(image)), replay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := history.Open(v)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestChanges looks for every one of the recorded changes in the history of its inode:
// those with a transaction of their own in a version of that sequence, those in a fast
// commit where the area was not written over since.
func TestChanges(t *testing.T) {
	for _, name := range []string{"journal/history", "journal/history-ext3", "journal/history-fast"} {
		t.Run(name, func(t *testing.T) {
			l := open(t, name)
			found := 0
			changes := exttest.Changes(t, name)
			for _, c := range changes {
				facts := c.InodeFacts
				if facts.Ino == 0 && c.Removed != nil {
					facts = *c.Removed
					facts.Links--
				}
				versions, err := l.InodeVersions(history.Ino(facts.Ino))
				if err != nil {
					t.Fatal(err)
				}
				if slices.ContainsFunc(versions, func(v history.InodeVersion) bool { return isChange(&v, c, facts) }) {
					found++
				} else if overwritten(c) {
					t.Logf("change %d was in a fast commit that is gone", c.Number)
					found++
				} else {
					t.Errorf("change %d, %s %s: not in the history of inode %d", c.Number, c.Op, c.Path, facts.Ino)
					for _, v := range versions {
						t.Logf("  %s %d: links %d, size %d, mode %o, uid %d, gen %d, mtime %v, ctime %v",
							v.Source, v.Sequence, v.In.Links, v.In.Size(), v.In.Mode, v.In.UID, v.In.Generation, v.In.Mtime, v.In.Ctime)
					}
				}
			}
			t.Logf("%d of %d changes", found, len(changes))
		})
	}
}

// overwritten reports whether a change was in a fast commit of history-fast that a
// later one took the place of: 38, 39 and 26 to 34 are left.
func overwritten(c exttest.Change) bool {
	left := c.Number == 38 || c.Number == 39 || c.Number >= 26 && c.Number <= 34
	return c.Sequence == 0 && !left
}

func isChange(v *history.InodeVersion, c exttest.Change, facts exttest.InodeFacts) bool {
	in := v.In
	switch {
	case v.Source == history.FromCommit && c.Sequence != 0:
		if int32(c.Sequence-v.Sequence) < 0 || int32(c.Sequence-v.Last) > 0 {
			return false
		}
	case v.Source == history.FromFast && c.Sequence == 0:
		if v.Sequence != c.FastCommitOf {
			return false
		}
	default:
		return false
	}
	if c.Op == "unlink" || c.Op == "rmdir" {
		return uint64(in.Links) == facts.Links || c.Op == "rmdir" && in.Links == 0
	}
	return fmt.Sprintf("%04o", in.Mode&0o7777) == facts.Mode && in.UID == facts.UID && in.GID == facts.GID &&
		uint64(in.Links) == facts.Links && in.Size() == uint64(facts.Size) &&
		in.Mtime.Unix() == facts.Mtime[0] && in.Ctime.Unix() == facts.Ctime[0] &&
		(facts.Generation == 0 || in.Generation == facts.Generation)
}

// TestCauses holds what becomes of the targets of rotten links against what was done to
// them.
func TestCauses(t *testing.T) {
	const name = "journal/rot"
	l := open(t, name)
	tree, err := links.Survey(context.Background(), l.FS, links.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := tree.Symlinks(context.Background(), links.SymlinkOptions{Past: l})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]links.Symlink{}
	for s := range all {
		got[string(s.Path)] = s
	}
	for _, want := range exttest.RottenLinks(t, name) {
		s, ok := got[want.Path]
		cause := cmp.Or(s.Cause, "none")
		if want.Cause == "never" {
			want.Cause = links.CauseUnknown
		}
		if !ok || cause != want.Cause {
			t.Errorf("%s (%s): cause %q, want %q", want.Path, want.How, cause, want.Cause)
			continue
		}
		switch want.Cause {
		case links.CauseRenamed:
			if !slices.Contains(want.MovedTo, string(s.MovedTo)) {
				t.Errorf("%s (%s): moved to %s, want %v", want.Path, want.How, s.MovedTo, want.MovedTo)
			}
		case links.CauseDeleted:
			if s.MissingIno != history.Ino(want.Ino) || s.Deleted.IsZero() || s.Sequence == 0 {
				t.Errorf("%s (%s): inode %d, want %d; deleted %v in %d", want.Path, want.How, s.MissingIno, want.Ino, s.Deleted, s.Sequence)
			}
		}
	}
}

// What the log knows of a name does not hang on how many directories it is asked for in:
// asked for in all of them, it tells of those that the recipe deleted.
func TestLostEverywhere(t *testing.T) {
	const name = "journal/rot"
	l := open(t, name)
	tree, err := links.Survey(t.Context(), l.FS, links.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	var dirs allMissing
	for _, ino := range tree.Special() {
		if tree.Reached(ino) {
			dirs = append(dirs, ino)
		}
	}
	list, err := l.Lost(t.Context(), tree, dirs)
	if err != nil {
		t.Fatal(err)
	}
	deleted := 0
	for _, want := range exttest.RottenLinks(t, name) {
		if want.Cause != links.CauseDeleted {
			continue
		}
		deleted++
		if !slices.ContainsFunc(list, func(n links.LostName) bool { return n.Ino == history.Ino(want.Ino) && n.Gone && n.Sequence != 0 }) {
			t.Errorf("%s (%s): inode %d is not among what is lost in any of %d directories", want.Path, want.How, want.Ino, len(dirs))
		}
	}
	if deleted == 0 || len(dirs) < 5 {
		t.Errorf("%d deleted, %d directories", deleted, len(dirs))
	}
}
