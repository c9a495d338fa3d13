package undelete_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/replay"
	"github.com/extscope/extscope/ext/undelete"
)

func find(t testing.TB, image, device []byte, o undelete.Options) *undelete.Result {
	t.Helper()
	opt := replay.Options{}
	if device != nil {
		opt.External, opt.ExternalSize = bytes.NewReader(device), int64(len(device))
	}
	v, err := replay.Open(bytes.NewReader(image), int64(len(image)), opt)
	if err != nil {
		t.Fatal(err)
	}
	r, err := undelete.Find(context.Background(), v, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sum is the SHA-256 of a candidate's contents.
func sum(t testing.TB, r *undelete.Result, c *undelete.Candidate) string {
	t.Helper()
	h := sha256.New()
	if err := r.Copy(context.Background(), h, c); err != nil {
		t.Errorf("%s: %v", c.Path, err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// TestChanges looks for every file that the recorded changes removed: by inode and
// generation, under the name that it had last, and with its contents where those are
// called intact.
func TestChanges(t *testing.T) {
	for _, name := range []string{"journal/history", "journal/history-ext3", "journal/history-fast"} {
		t.Run(name, func(t *testing.T) {
			r := find(t, exttest.Bytes(t, name), nil, undelete.Options{})
			intact := 0
			for _, c := range exttest.Changes(t, name) {
				if c.Removed == nil || c.Removed.Links > 1 && c.Removed.Type != "directory" {
					continue
				}
				path := c.Path
				if c.Op == "replace" {
					path = c.Other
				}
				found := candidate(r, c.Removed, path)
				if found == nil {
					if name == "journal/history-fast" && c.Number > 20 && c.Number < 26 {
						continue // the fast commit that made it was written over
					}
					t.Errorf("change %d, %s %s: inode %d, generation %d is not among the deleted", c.Number, c.Op, path, c.Removed.Ino, c.Removed.Generation)
					continue
				}
				if found.Type != layout.ModeRegular || found.Grade != undelete.Intact {
					continue
				}
				intact++
				if got := sum(t, r, found); got != c.Removed.SHA256 {
					t.Errorf("change %d, %s: called intact, and is not: %v", c.Number, path, found.Evidence)
				}
			}
			t.Logf("%d intact", intact)
		})
	}
}

// candidate finds a removed file among the candidates.
func candidate(r *undelete.Result, facts *exttest.InodeFacts, path string) *undelete.Candidate {
	for c := range r.All() {
		if uint64(c.Ino) != facts.Ino || facts.Generation != 0 && c.Gen != facts.Generation {
			continue
		}
		if string(c.Path) == path {
			return c
		}
		for _, o := range c.Others {
			if string(o) == path {
				return c
			}
		}
	}
	return nil
}

// TestCrash finds in each crashed image the files that are there at home, and which the
// journal deletes: what the kernel showed of them without replay is the truth.
func TestCrash(t *testing.T) {
	for _, name := range exttest.CrashCases(t) {
		t.Run(name, func(t *testing.T) {
			home, ok := exttest.HomeTruth(t, name)
			if !ok {
				t.Skip("the kernel could not walk the home blocks")
			}
			type key struct {
				ino uint64
				gen uint32
			}
			there := map[key]bool{}
			for _, o := range exttest.Truth(t, name) {
				there[key{o.Ino, o.Generation}] = true
			}
			image, device := exttest.CrashBytes(t, name)
			r := find(t, image, device, undelete.Options{})
			gone, named, intact := 0, 0, 0
			for _, o := range home {
				if o.Type != "file" && o.Type != "directory" || there[key{o.Ino, o.Generation}] {
					continue
				}
				gone++
				var found *undelete.Candidate
				for c := range r.All() {
					if uint64(c.Ino) == o.Ino && c.Gen == o.Generation && !c.Live {
						found = c
					}
				}
				if found == nil {
					t.Errorf("%s (inode %d) is not among the deleted", o.Path, o.Ino)
					continue
				}
				if bytes.Equal(found.Path, o.Path) {
					named++
				}
				if o.Type == "file" && found.Grade == undelete.Intact {
					intact++
					if got := sum(t, r, found); got != o.SHA256 && found.Size <= 64<<20 {
						t.Errorf("%s: called intact, and is not: %v", o.Path, found.Evidence)
					}
				}
			}
			t.Logf("%d gone, %d under the path they had at home, %d intact", gone, named, intact)
		})
	}
}
