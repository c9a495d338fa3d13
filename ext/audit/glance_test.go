package audit_test

import (
	"bytes"
	"context"
	"flag"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/exttest"
)

var glances = flag.Int("glances", 40, "how many changed files of each image TestGlance looks at")

// What a glance at an inode passes over, the long way finds nothing wrong with: with a
// few bytes of a file's inode changed, and its checksum put right, both find the same.
func TestGlance(t *testing.T) {
	known, tried := 0, *glances
	if exttest.Race {
		tried /= 10
	}
	for number, name := range featureSets {
		m := newMutant(t, name)
		n, err := audit.Plain(t.Context(), m.fs)
		if err != nil {
			t.Fatal(err)
		}
		known += n
		var files []*ext.Inode
		for ino := ext.Ino(1); uint32(ino) <= m.fs.InodesCount(); ino++ {
			if in, err := m.fs.Inode(ino); err == nil && in.IsRegular() && in.Links > 0 {
				files = append(files, in)
			}
		}
		random := rand.New(rand.NewPCG(*mutateAs, uint64(number)))
		for i := range tried {
			in := files[random.IntN(len(files))]
			for range 1 + random.IntN(2) {
				s := spot{in.Offset, in.Offset + int64(len(in.Raw))}
				was := bytes.Clone(m.image[s.from:s.to])
				hit := mutate(random, m.image, spot{s.from, s.to - 4}) // it takes up to four bytes
				now := bytes.Clone(m.image[hit.from:hit.to])
				copy(m.image[s.from:], was)
				m.write(hit.from, now)
			}
			m.sealInode(in)
			if one, two := m.findings(audit.Run), m.findings(audit.RunThorough); !reflect.DeepEqual(one, two) {
				t.Errorf("%s, change %d, of inode %d: %+v, and at length %+v", name, i, in.Ino, one, two)
			}
			m.restore()
		}
	}
	if known == 0 {
		t.Error("none of all files is known at a glance")
	}
}

// findings audits the image as it is now.
func (m *mutant) findings(run func(context.Context, *ext.FS, audit.Options) (*audit.Result, error)) []*audit.Finding {
	f, err := ext.Open(bytes.NewReader(m.image), int64(len(m.image)), ext.Options{})
	if err != nil {
		m.t.Fatal(err)
	}
	r, err := run(m.t.Context(), f, audit.Options{})
	if err != nil {
		m.t.Fatal(err)
	}
	return r.Findings
}
