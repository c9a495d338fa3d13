package undelete

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// A workload makes, changes and deletes files at random on a mounted file system, and
// keeps the contents that each had.
type workload struct {
	t   *testing.T
	rng *rand.Rand
	m   *exttest.Mounted
	n   int // names given so far

	files []*busyFile // that are there
	all   map[lifeKey]*busyFile
	gone  int
	open  []*os.File // deleted while open
	links map[Ino][]string
}

// A busyFile is a regular file.
type busyFile struct {
	path   string // below the mount point
	gone   bool
	key    lifeKey
	data   []byte
	states [][32]byte // digests of what it held, in order
	file   *os.File   // while it is open
}

const (
	busyFiles = 120 // that are there at once, about
	busyDirs  = 6
)

// check ends the test: the workload itself must not fail.
func (w *workload) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *workload) host(path string) string { return filepath.Join(w.m.Dir, path) }

// newPath gives a name in one of the directories, which is made where it is not there.
func (w *workload) newPath() string {
	w.n++
	dir := fmt.Sprintf("d%d", w.rng.IntN(busyDirs))
	w.check(os.MkdirAll(w.host(dir), 0o755))
	return fmt.Sprintf("%s/file-%05d-%.*s", dir, w.n, w.rng.IntN(30), "a-name-of-any-length-that-fits")
}

// bytes gives random contents; those of odd numbers end in zeros.
func (w *workload) bytes(n int) []byte {
	b := make([]byte, n)
	for i := 0; i+8 <= n; i += 8 {
		le.PutUint64(b[i:], w.rng.Uint64())
	}
	for i := n - n%8; i < n; i++ {
		b[i] = byte(w.rng.Uint32())
	}
	if n > 0 && w.rng.IntN(4) == 0 {
		clear(b[n-w.rng.IntN(min(n, 5000)):])
	}
	return b
}

// size is that of a file: most have some KiB, a few some hundred.
func (w *workload) size() int {
	if w.rng.IntN(6) == 0 {
		return w.rng.IntN(150) // fits into an inode
	}
	return min(int(math.Exp(9.2+1.5*w.rng.NormFloat64())), 400<<10)
}

// opened runs do on the file, which may have been left open.
func (w *workload) opened(b *busyFile, do func(f *os.File)) {
	f := b.file
	if f == nil {
		var err error
		f, err = os.OpenFile(w.host(b.path), os.O_RDWR|os.O_CREATE, 0o644)
		w.check(err)
		defer func() { w.check(f.Close()) }()
	}
	do(f)
	if b.key.ino == 0 {
		info, err := f.Stat()
		w.check(err)
		b.key.ino = Ino(info.Sys().(*syscall.Stat_t).Ino)
		b.key.gen, err = exttest.Generation(f)
		w.check(err)
		w.all[b.key] = b
	}
	if w.rng.IntN(8) == 0 {
		w.check(f.Sync())
	}
	b.states = append(b.states, sha256.Sum256(b.data))
}

// write writes p at an offset, and keeps what the file then holds.
func (w *workload) write(b *busyFile, p []byte, at int) {
	if len(p) == 0 {
		at = 0 // a write of nothing makes no file longer
	}
	w.opened(b, func(f *os.File) {
		_, err := f.WriteAt(p, int64(at))
		w.check(err)
		if more := at + len(p) - len(b.data); more > 0 {
			b.data = append(b.data, make([]byte, more)...)
		}
		copy(b.data[at:], p)
	})
}

// create makes a file: at once, in pieces between those of another, or with a hole.
func (w *workload) create() {
	b := &busyFile{path: w.newPath()}
	w.files = append(w.files, b)
	size := w.size()
	switch kind := w.rng.IntN(10); {
	case kind < 2 && size > 20000:
		other := &busyFile{path: w.newPath()}
		w.files = append(w.files, other)
		w.write(b, nil, 0)
		w.write(other, nil, 0)
		for i := range min(size/8192, 12) {
			for _, f := range []*busyFile{b, other} {
				w.write(f, w.bytes(1+w.rng.IntN(8192)), i*8192)
				w.opened(f, func(f *os.File) { w.check(f.Sync()) })
			}
		}
	case kind == 2:
		w.write(b, w.bytes(size), w.rng.IntN(1<<20))
	default:
		w.write(b, w.bytes(size), 0)
	}
}

// delete removes a file, at times while it is open.
func (w *workload) delete(i int) {
	b := w.files[i]
	if b.file == nil && w.rng.IntN(20) == 0 {
		f, err := os.OpenFile(w.host(b.path), os.O_RDWR, 0)
		w.check(err)
		b.file = f
	}
	w.bury(b)
	w.check(os.Remove(w.host(b.path)))
	w.files = slices.Delete(w.files, i, i+1)
}

// bury notes what a file holds that is about to go.
func (w *workload) bury(b *busyFile) {
	w.opened(b, func(f *os.File) {
		info, err := f.Stat()
		w.check(err)
		// The kernel is right even where it forgot what it was given.
		have, err := io.ReadAll(io.NewSectionReader(f, 0, info.Size()))
		w.check(err)
		if !bytes.Equal(have, b.data) {
			w.t.Logf("%s has %d bytes that are not those that were written", b.path, len(have))
			b.data = have
		}
	})
	if b.file != nil {
		w.open, b.file = append(w.open, b.file), nil
	}
	b.gone, b.data = true, nil
	w.gone++
}

// step does one thing.
func (w *workload) step() {
	if len(w.files) < busyFiles/2 {
		w.create()
		return
	}
	i := w.rng.IntN(len(w.files))
	b := w.files[i]
	switch kind := w.rng.IntN(100); {
	case kind < 30:
		w.create()
	case kind < 62:
		w.delete(i)
	case kind < 72: // append
		w.write(b, w.bytes(w.size()/2), len(b.data))
	case kind < 78: // overwrite, in place
		if n := len(b.data); n > 0 {
			at := w.rng.IntN(n)
			w.write(b, w.bytes(1+w.rng.IntN(n-at)), at)
		}
	case kind < 84: // cut short, or make longer
		size := w.rng.IntN(len(b.data)*5/4 + 1)
		w.opened(b, func(f *os.File) {
			w.check(f.Truncate(int64(size)))
			b.data = append(b.data[:min(size, len(b.data))], make([]byte, max(0, size-len(b.data)))...)
		})
	case kind < 87: // write anew, as an editor does
		w.opened(b, func(f *os.File) {
			w.check(f.Truncate(0))
			b.data = w.bytes(w.size())
			_, err := f.WriteAt(b.data, 0)
			w.check(err)
		})
	case kind < 91:
		to := w.newPath()
		w.check(os.Rename(w.host(b.path), w.host(to)))
		b.path = to
	case kind < 94: // rename over another
		if k := w.rng.IntN(len(w.files)); k != i {
			other := w.files[k]
			w.bury(other)
			w.check(os.Rename(w.host(b.path), w.host(other.path)))
			b.path = other.path
			w.files = slices.Delete(w.files, k, k+1)
		}
	case kind < 96:
		w.symlink()
	case kind < 97:
		w.removeAll()
	default: // other changes of the inode
		w.check(os.Chmod(w.host(b.path), 0o600+os.FileMode(w.rng.IntN(0o100))))
	}
	if len(w.files) > busyFiles {
		w.delete(w.rng.IntN(len(w.files)))
	}
}

// symlink makes one and removes it.
func (w *workload) symlink() {
	path, target := w.newPath(), fmt.Sprintf("%0*d", 1+w.rng.IntN(200), w.n)
	w.check(os.Symlink(target, w.host(path)))
	if w.rng.IntN(2) == 0 {
		w.check(w.m.Sync())
	}
	info, err := os.Lstat(w.host(path))
	w.check(err)
	ino := Ino(info.Sys().(*syscall.Stat_t).Ino)
	w.links[ino] = append(w.links[ino], target)
	w.check(os.Remove(w.host(path)))
}

// removeAll removes a directory with what is in it.
func (w *workload) removeAll() {
	dir := fmt.Sprintf("d%d", w.rng.IntN(busyDirs))
	w.files = slices.DeleteFunc(w.files, func(b *busyFile) bool {
		if filepath.Dir(b.path) != dir {
			return false
		}
		w.bury(b)
		return true
	})
	w.check(os.RemoveAll(w.host(dir)))
}

// letGo closes what was deleted while open.
func (w *workload) letGo() {
	for _, f := range w.open {
		w.check(f.Close())
	}
	w.open = nil
}
