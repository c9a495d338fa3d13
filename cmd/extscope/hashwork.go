package main

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/zeebo/blake3"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/undelete"
)

// An algorithm is one kind of digest; key is its JSON key.
type algorithm struct {
	key  string
	make func() hash.Hash
}

var algorithms = []algorithm{
	{"sha256", sha256.New},
	{"sha1", sha1.New},
	{"md5", md5.New},
	{"blake3", func() hash.Hash { return blake3.New() }},
}

// A digestSet is the digests that are computed in one reading.
type digestSet struct{ list []algorithm }

func newDigestSet(keys []string) (*digestSet, error) {
	s := &digestSet{}
	for _, k := range keys {
		if !s.add(k) {
			return nil, usagef("--algorithms: there is no %q: sha256, sha1, md5, blake3", k)
		}
	}
	if len(s.list) == 0 {
		return nil, usagef("--algorithms: name one of sha256, sha1, md5, blake3")
	}
	return s, nil
}

// add adds digests that are not there yet, and reports whether all are known.
func (s *digestSet) add(keys ...string) bool {
	for _, k := range keys {
		known := false
		for _, a := range algorithms {
			if known = a.key == k; known {
				if s.index(k) < 0 {
					s.list = append(s.list, a)
				}
				break
			}
		}
		if !known {
			return false
		}
	}
	return true
}

// index is the place of a digest, or -1.
func (s *digestSet) index(key string) int {
	for i, a := range s.list {
		if a.key == key {
			return i
		}
	}
	return -1
}

// A summer computes all digests of a set.
type summer struct{ hashes []hash.Hash }

func (s *digestSet) summer() *summer {
	m := &summer{}
	for _, a := range s.list {
		m.hashes = append(m.hashes, a.make())
	}
	return m
}

func (m *summer) Write(p []byte) (int, error) {
	for _, h := range m.hashes {
		h.Write(p)
	}
	return len(p), nil
}

// reset makes it ready for the next file, and sums gives the digests.
func (m *summer) reset() {
	for _, h := range m.hashes {
		h.Reset()
	}
}

func (m *summer) sums() (out [][]byte) {
	for _, h := range m.hashes {
		out = append(out, h.Sum(nil))
	}
	return out
}

// A hashed is a file that is to be hashed, and what came of it.
type hashed struct {
	path  []byte // nil where a deleted file has none left
	ino   ext.Ino
	size  uint64
	links uint16
	grade string // of a deleted file
	facts fileFacts
	copy  func(ctx context.Context, w io.Writer) error

	sums  [][]byte
	err   error
	known bool
}

// fileFacts are what DFXML tells of a file beside its digests.
type fileFacts struct {
	mode                        uint16
	uid, gid                    uint32
	links                       uint16
	mtime, ctime, atime, crtime time.Time
}

func hashFacts(in *ext.Inode) fileFacts {
	return fileFacts{in.Mode, in.UID, in.GID, in.Links, in.Mtime, in.Ctime, in.Atime, in.Crtime}
}

func (h *hashed) state() string {
	if h.grade != "" {
		return "deleted"
	}
	return "live"
}

// hashAll hashes files, several at a time, and gives them back in the order they came
// in. A file with several names is read once.
func hashAll(ctx context.Context, set *digestSet, jobs func(yield func(*hashed) bool)) func(yield func(*hashed) bool) {
	type result struct {
		once sync.Once
		sums [][]byte
		err  error
	}
	var mu sync.Mutex
	linked := map[ext.Ino]*result{}
	summers := sync.Pool{New: func() any { return set.summer() }}
	read := func(h *hashed) ([][]byte, error) {
		m := summers.Get().(*summer)
		defer summers.Put(m)
		m.reset()
		err := h.copy(ctx, m)
		return m.sums(), err
	}
	return inOrder(jobs, func(h *hashed) {
		if h.links < 2 || h.grade != "" {
			h.sums, h.err = read(h)
			return
		}
		mu.Lock()
		r := linked[h.ino]
		if r == nil {
			r = new(result)
			linked[h.ino] = r
		}
		mu.Unlock()
		r.once.Do(func() { r.sums, r.err = read(h) })
		h.sums, h.err = r.sums, r.err
	})
}

// inOrder has work done on jobs, several at a time, and yields them in their order.
func inOrder[J any](jobs func(yield func(J) bool), work func(J)) func(yield func(J) bool) {
	type slot struct {
		job  J
		done chan struct{}
	}
	return func(yield func(J) bool) {
		workers := max(runtime.GOMAXPROCS(0), 2)
		todo, ordered := make(chan slot, 64*workers), make(chan slot, 64*workers)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			defer close(todo)
			defer close(ordered)
			for j := range jobs {
				s := slot{j, make(chan struct{})}
				select {
				case ordered <- s:
					todo <- s
				case <-stop:
					return
				}
			}
		})
		for range workers {
			wg.Go(func() {
				for s := range todo {
					work(s.job)
					close(s.done)
				}
			})
		}
		for s := range ordered {
			<-s.done
			if !yield(s.job) {
				break
			}
		}
		close(stop)
		for range ordered { // let the producer come to see it
		}
		wg.Wait()
	}
}

// deletedJobs yields the deleted files whose contents can be had.
func deletedJobs(ctx context.Context, e *env, v *opened, out *output, yield func(*hashed) bool) {
	r, err := v.deleted(ctx, e, out, nil, undelete.Options{ScanLimit: scanLimit})
	if err != nil {
		e.damage(err)
		return
	}
	if r.Unscanned > 0 {
		e.say("free space was not scanned for stray metadata, which deleted --scan does")
	}
	for c := range r.All() {
		if !c.Recoverable() || c.Type != layout.ModeRegular {
			continue
		}
		h := &hashed{path: c.Place(), ino: c.Ino, size: c.Size, grade: string(c.Grade)}
		if c.In != nil {
			h.facts = hashFacts(c.In)
		}
		h.copy = func(ctx context.Context, w io.Writer) error { return r.Copy(ctx, w, c) }
		if !yield(h) {
			return
		}
	}
}
