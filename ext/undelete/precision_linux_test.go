package undelete

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/replay"
)

var (
	rounds = flag.Int("rounds", 8, "how many rounds of random changes TestPrecision makes on each kind of file system")
	busyAs = flag.Uint64("workload-seed", 1, "what their random numbers start from")
)

// busySystems are the kinds of file systems that TestPrecision uses.
var busySystems = []struct{ name, fstype, mkfs, mount string }{
	{"ext4", "ext4", "-t ext4 -b 4096", ""},
	{"ext4-1k", "ext4", "-t ext4 -b 1024", ""},
	{"no-csum", "ext4", "-t ext4 -b 4096 -O ^metadata_csum", ""},
	{"fast-commit", "ext4", "-t ext4 -b 4096 -O fast_commit", ""},
	{"no-journal", "ext4", "-t ext4 -b 4096 -O ^has_journal", ""},
	{"data-journal", "ext4", "-t ext4 -b 4096", "data=journal"},
	{"bigalloc", "ext4", "-t ext4 -b 1024 -O bigalloc -C 16384", ""},
	{"inline", "ext4", "-t ext4 -b 1024 -I 512 -O inline_data", ""},
	{"i128", "ext4", "-t ext4 -b 4096 -I 128", ""},
	{"ext3", "ext3", "-t ext3 -b 4096 -O ^resize_inode", ""},
	{"ext3-1k", "ext3", "-t ext3 -b 1024", ""},
	{"discard", "ext4", "-t ext4 -b 4096", "discard"},
	{"nodelalloc", "ext4", "-t ext4 -b 4096", "nodelalloc"},
	{"fast-commit-no-csum", "ext4", "-t ext4 -b 4096 -O fast_commit,^metadata_csum", ""},
	{"data-journal-inline", "ext4", "-t ext4 -b 1024 -O inline_data", "data=journal"},
	{"ext3-data-journal", "ext3", "-t ext3 -b 1024", "data=journal"},
	{"small-journal", "ext4", "-t ext4 -b 1024 -J size=1", ""},
}

const (
	busySize     = 48 << 20
	busySteps    = 40 // of a round
	busyTogether = 4  // rounds from mount to umount
)

// A precision counts the contents that are called intact, each once.
type precision struct{ deleted, intact, exact int }

func (p *precision) add(q precision) {
	p.deleted += q.deleted
	p.intact += q.intact
	p.exact += q.exact
}

func (p precision) String() string {
	if p.intact == 0 {
		return fmt.Sprintf("%d deleted, none called intact", p.deleted)
	}
	return fmt.Sprintf("%d deleted, %d called intact, %d of them exact: precision %.5f", p.deleted, p.intact, p.exact, float64(p.exact)/float64(p.intact))
}

// A verdict is what some file is said to have held.
type verdict struct {
	lifeKey
	sum     [32]byte
	version bool // at some time; when it was deleted otherwise
}

// TestPrecision measures how often what is called intact is what a file held when it
// was deleted, or once held where it says so, byte for byte: on file systems that the
// kernel changes at random, of an image each few rounds, and of one that was copied
// while mounted, as if power had been cut. One in a thousand may be wrong.
func TestPrecision(t *testing.T) {
	exttest.Root(t)
	var all precision
	for number, s := range exttest.Some(2, busySystems) {
		t.Run(s.name, func(t *testing.T) {
			image := filepath.Join(t.TempDir(), "image")
			if err := os.WriteFile(image, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(image, busySize); err != nil {
				t.Fatal(err)
			}
			run(t, exttest.Tool(t, "mke2fs"), append(strings.Fields(s.mkfs), "-q", "-F", "-N", "1024", "-E", "lazy_itable_init=0", image)...)
			w := &workload{t: t, rng: rand.New(rand.NewPCG(*busyAs, uint64(number))), all: map[lifeKey]*busyFile{}, links: map[Ino][]string{}}
			verdicts := map[verdict]bool{}
			for done := 0; done < *rounds; done += busyTogether {
				w.mounted(image, s.fstype, s.mount)
				for _, name := range []string{image, image + ".cut"} {
					w.judge(name, verdicts)
				}
				if err := os.Remove(image + ".cut"); err != nil {
					t.Fatal(err)
				}
			}
			sum := precision{deleted: w.gone, intact: len(verdicts)}
			for _, exact := range verdicts {
				if exact {
					sum.exact++
				}
			}
			t.Log(sum)
			all.add(sum)
		})
	}
	t.Log(all)
	if wrong := all.intact - all.exact; wrong > max(all.intact/1000, 1) {
		t.Errorf("%d of %d are called intact and are not", wrong, all.intact)
	}
}

// mounted does some rounds on an image, and copies it before it ends.
func (w *workload) mounted(image, fstype, options string) {
	var err error
	w.m, err = exttest.MountAs(fstype, image, strings.Trim("noatime,"+options, ","))
	w.check(err)
	defer func() { w.check(w.m.Close()) }()
	for range busyTogether {
		for range busySteps {
			w.step()
		}
		if w.rng.IntN(2) == 0 {
			w.check(w.m.Sync())
		}
	}
	run(w.t, "cp", "--sparse=always", image, image+".cut")
	w.letGo()
	if w.rng.IntN(8) == 0 {
		time.Sleep(1100 * time.Millisecond) // mount times are in seconds
	}
}

// judge holds what Find calls intact against what was deleted.
func (w *workload) judge(image string, verdicts map[verdict]bool) {
	f, err := os.Open(image)
	w.check(err)
	defer f.Close()
	v, err := replay.Open(f, busySize, replay.Options{})
	w.check(err)
	r, err := Find(context.Background(), v, Options{Versions: true})
	w.check(err)
	for c := range r.All() {
		if c.Grade != Intact || c.Type == layout.ModeDir {
			continue
		}
		h := sha256.New()
		exact, held := false, "nothing that it ever held"
		if c.Type == layout.ModeSymlink {
			h.Write(c.Target)
			exact = slices.Contains(w.links[c.Ino], string(c.Target))
		} else {
			w.check(r.CopyContents(context.Background(), h, c, r.Contents(c, false)))
		}
		one := verdict{lifeKey{c.Ino, c.Gen}, [32]byte(h.Sum(nil)), c.Technique == OldVersion}
		if b := w.all[one.lifeKey]; b != nil && c.Type == layout.ModeRegular {
			if k := slices.Index(b.states, one.sum); k >= 0 {
				held = fmt.Sprintf("state %d of %d", k+1, len(b.states))
				exact = one.version || b.gone && one.sum == b.states[len(b.states)-1]
			}
		}
		if before, known := verdicts[one]; known {
			exact = exact && before
		} else if !exact {
			w.t.Logf("inode %d, generation %d, %s, is called intact, and is %s: %s", c.Ino, c.Gen, c.Technique, held, strings.Join(c.Evidence, "; "))
		}
		verdicts[one] = exact
	}
}
