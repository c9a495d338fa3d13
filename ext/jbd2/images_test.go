package jbd2_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/jbd2"
)

// A crashed is an image with something in its journal, in memory.
type crashed struct {
	image  []byte
	device []byte // the journal device, where it has one
	fs     *ext.FS
	j      *jbd2.Journal
}

// crashes lists the cases of testdata/journal: power cuts, and clean images with
// a log that remembers.
func crashes(t testing.TB) []string {
	t.Helper()
	dir := filepath.Join(exttest.Testdata(t), "journal")
	var names []string
	for _, file := range []string{"crash.gz", "image.gz"} {
		found, err := filepath.Glob(filepath.Join(dir, "*", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			names = append(names, filepath.Base(filepath.Dir(path)))
		}
	}
	if len(names) == 0 {
		t.Fatal("no images")
	}
	return names
}

var unpacked sync.Map // path to bytes

// unpack gives the bytes of the first file that is there; they must not be changed.
func unpack(t testing.TB, paths ...string) []byte {
	t.Helper()
	for _, path := range paths {
		if b, ok := unpacked.Load(path); ok {
			return b.([]byte)
		}
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		unpacked.Store(path, b)
		return b
	}
	return nil
}

// openCrash unpacks a case and opens its journal.
func openCrash(t testing.TB, name string) *crashed {
	t.Helper()
	dir := filepath.Join(exttest.Testdata(t), "journal", name)
	c := &crashed{
		image:  unpack(t, filepath.Join(dir, "crash.gz"), filepath.Join(dir, "image.gz")),
		device: unpack(t, filepath.Join(dir, "journal.gz")),
	}
	if c.image == nil {
		t.Fatal("no image")
	}
	c.open(t)
	return c
}

func (c *crashed) base() io.ReaderAt { return bytes.NewReader(c.image) }

func (c *crashed) open(t testing.TB) {
	t.Helper()
	var err error
	if c.fs, err = ext.Open(c.base(), int64(len(c.image)), ext.Options{}); err != nil {
		t.Fatal(err)
	}
	if c.j, err = jbd2.Open(c.log(t)); err != nil {
		t.Fatal(err)
	}
	c.j = c.j.Within(uint64(len(c.image)) / uint64(c.fs.BlockSize()))
}

// log maps the journal: its inode's blocks, or its device.
func (c *crashed) log(t testing.TB) *jbd2.Log {
	t.Helper()
	if c.device != nil {
		l, err := jbd2.ExternalLog(bytes.NewReader(c.device), int64(len(c.device)), c.fs.Super.UUID)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	in, err := c.fs.Inode(c.fs.Super.JournalInum)
	if err != nil {
		t.Fatal(err)
	}
	var runs []jbd2.Run
	for r, err := range c.fs.Runs(in) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == ext.Data || r.Kind == ext.Unwritten {
			runs = append(runs, jbd2.Run{First: uint32(r.Logical), Start: c.fs.BlockOffset(r.Physical), Len: uint32(r.Len)})
		}
	}
	return jbd2.NewLog(c.base(), c.fs.BlockSize(), runs)
}

// file writes an image for a tool to read or to change, with holes for zeros.
func file(t testing.TB, b []byte) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	const piece = 1 << 16
	zeros := make([]byte, piece)
	for at := 0; at < len(b); at += piece {
		p := b[at:min(at+piece, len(b))]
		if bytes.Equal(p, zeros[:len(p)]) {
			continue
		}
		if _, err := f.WriteAt(p, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Truncate(int64(len(b))), f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
