package audit_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

var fieldChanges = flag.Int("fields", 10, "how many fields of each image TestFields changes; 0 for every one, in several ways")
var fieldImages = flag.String("field-images", strings.Join(featureSets, " "), "the images whose fields TestFields changes")

// featureSets are the images whose fields are changed.
var featureSets = []string{"matrix/ext2-1k", "matrix/ext3-1k", "matrix/ext4-1k", "matrix/ext4-4k", "matrix/bigalloc-16k", "matrix/ea-inode-1k",
	"matrix/encrypt-1k", "matrix/inline-data", "matrix/orphan-file", "matrix/uninit-bg", "matrix/meta-bg", "matrix/casefold", "matrix/quota"}

// TestFields changes one field of a good image at a time, with its checksum put
// right and without, and holds the audit against e2fsck: whenever e2fsck has
// something to say, the audit must, of the same inode. How often that holds is
// printed.
func TestFields(t *testing.T) {
	e2fsck := exttest.Tool(t, "e2fsck")
	var all tally
	for number, name := range strings.Fields(*fieldImages) {
		t.Run(strings.TrimPrefix(name, "matrix/"), func(t *testing.T) {
			m := newMutant(t, name)
			fields := m.fields()
			random := rand.New(rand.NewPCG(*mutateAs, uint64(number)))
			var sum tally
			try := func(f field, way int, seal bool) {
				m.change(f, way, random, seal)
				sum.add(m.compare(e2fsck, f, way, seal))
				m.restore()
			}
			for range *fieldChanges {
				try(fields[random.IntN(len(fields))], random.IntN(ways), random.IntN(3) > 0)
			}
			if *fieldChanges == 0 {
				for _, f := range fields {
					for way := range ways {
						try(f, way, true)
					}
					try(f, 0, false)
				}
			}
			t.Log(sum)
			all.sum(sum)
		})
	}
	t.Log("in all:", all)
	if all.noticed*100 < all.complained*95 {
		t.Errorf("e2fsck finds fault with %d changes, the audit with %d of those", all.complained, all.noticed)
	}
}

// A tally counts changes.
type tally struct{ changes, complained, noticed, same, alone int }

func (t *tally) sum(o tally) {
	t.changes += o.changes
	t.complained += o.complained
	t.noticed += o.noticed
	t.same += o.same
	t.alone += o.alone
}

func (t *tally) add(complained, noticed, same bool) {
	t.changes++
	if complained {
		t.complained++
		if noticed {
			t.noticed++
		}
		if same {
			t.same++
		}
	} else if noticed {
		t.alone++
	}
}

func (t tally) String() string {
	rate := func(n int) float64 { return 100 * float64(n) / float64(max(t.complained, 1)) }
	return fmt.Sprintf("%d fields changed; e2fsck complains of %d, the audit too of %d (%.1f %%), naming the same inode or where there is none of %d (%.1f %%); the audit alone finds fault with %d",
		t.changes, t.complained, t.noticed, rate(t.noticed), t.same, rate(t.same), t.alone)
}

// A mutant is an image in memory and in a file, in which one place differs.
type mutant struct {
	t     *testing.T
	image []byte
	file  *os.File
	fs    *ext.FS // as it was
	undo  []patch
}

type patch struct {
	at  int64
	old []byte
}

func newMutant(t *testing.T, name string) *mutant {
	m := &mutant{t: t, image: exttest.Bytes(t, name)}
	var err error
	if m.file, err = os.Create(filepath.Join(t.TempDir(), "image")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.file.Close() })
	if _, err := m.file.Write(m.image); err != nil {
		t.Fatal(err)
	}
	good := bytes.Clone(m.image)
	if m.fs, err = ext.Open(bytes.NewReader(good), int64(len(good)), ext.Options{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// write changes bytes.
func (m *mutant) write(at int64, b []byte) {
	m.undo = append(m.undo, patch{at, bytes.Clone(m.image[at:][:len(b)])})
	copy(m.image[at:], b)
	if _, err := m.file.WriteAt(b, at); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mutant) restore() {
	for i := len(m.undo) - 1; i >= 0; i-- {
		p := m.undo[i]
		copy(m.image[p.at:], p.old)
		if _, err := m.file.WriteAt(p.old, p.at); err != nil {
			m.t.Fatal(err)
		}
	}
	m.undo = nil
}

const ways = 4

// change changes a field in one of several ways.
func (m *mutant) change(f field, way int, random *rand.Rand, seal bool) {
	b := bytes.Clone(m.image[f.at:][:f.width])
	switch way {
	case 0:
		bit := random.IntN(8 * f.width)
		b[bit/8] ^= 1 << (bit % 8)
	case 1:
		clear(b)
	case 2:
		for i := range b {
			b[i] = 0xff
		}
	case 3:
		b[0]++
	}
	m.write(f.at, b)
	if seal && f.seal != nil {
		f.seal()
	}
}

// compare runs both on the changed image.
func (m *mutant) compare(e2fsck string, f field, way int, seal bool) (complained, noticed, same bool) {
	said, status := m.e2fsck(e2fsck)
	// What it does not know it does not judge, and the audit knows no present.
	complained = (status != 0 || strings.Count(said, "? no") > strings.Count(said, "is in the future")) && !strings.Contains(said, "unsupported feature")
	fsys, err := ext.Open(bytes.NewReader(m.image), int64(len(m.image)), ext.Options{})
	if err != nil {
		return complained, true, true // refused, with the reason
	}
	ctx, cancel := context.WithTimeout(m.t.Context(), 20*time.Second)
	defer cancel()
	r, err := audit.Run(ctx, fsys, audit.Options{Skip: observation})
	if err != nil {
		m.t.Errorf("%s: %v", f.name, err)
		return complained, false, false
	}
	noticed = len(r.Findings)+len(r.Unreadable) > 0
	same = noticed && sameInode(said, r.Findings)
	if (complained && !same || !complained && noticed) && testing.Verbose() {
		m.t.Logf("%s (way %d, sealed %v): noticed %v; e2fsck says %.400q", f.name, way, seal, noticed, said)
		for i, x := range r.Findings {
			if i < 3 {
				m.t.Logf("    %s: inode %d: %s", x.Kind, x.Ino, x.Detail)
			}
		}
	}
	return complained, noticed, same
}

func observation(k audit.Kind) bool {
	return k == audit.RottenLink || k == audit.SymlinkLoop || k == audit.OddTime
}

// e2fsck gives what e2fsck says of the image, and its exit status.
func (m *mutant) e2fsck(tool string) (string, int) {
	ctx, cancel := context.WithTimeout(m.t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, "-fn", m.file.Name())
	cmd.Env = append(os.Environ(), "LC_ALL=C", "E2FSCK_TIME=2000000000")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// ownNames are what e2fsck calls inodes that have no number in its words.
var ownNames = map[string]ext.Ino{"ad block inode": layout.BadBlocksIno, "esize inode": layout.ResizeIno, "Root inode": layout.RootIno}

var inodeNumber = regexp.MustCompile(`(?i)inode #?(\d+)|\((\d+)\)`)

// sameInode reports whether a finding is about an inode that e2fsck names, or
// e2fsck names none.
func sameInode(said string, findings []*audit.Finding) bool {
	inos := map[ext.Ino]bool{}
	for _, f := range findings {
		inos[f.Ino], inos[f.Target] = true, true
		for _, ino := range f.Inodes {
			inos[ino] = true
		}
	}
	named := false
	for name, ino := range ownNames {
		if strings.Contains(said, name) {
			named = true
			if inos[ino] {
				return true
			}
		}
	}
	for _, match := range inodeNumber.FindAllStringSubmatch(said, -1) {
		n, err := strconv.ParseUint(match[1]+match[2], 10, 32)
		if err == nil && n > 0 {
			named = true
			if inos[ext.Ino(n)] {
				return true
			}
		}
	}
	return !named
}
