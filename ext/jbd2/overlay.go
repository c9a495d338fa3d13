package jbd2

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/extscope/extscope/ext/layout"
)

// An Overlay reads a file system as it would be after replay: replayed blocks
// come from their copies in the log, everything else from the reader below. It
// holds the numbers of blocks, not blocks, but for those that were patched. It
// is safe for concurrent use.
type Overlay struct {
	base      io.ReaderAt
	log       *Log
	blockSize int64
	copies    []Copy  // by block
	moment    *Moment // in place of copies

	mu      sync.RWMutex
	patched []layout.Block // sorted
	pages   map[layout.Block][]byte
}

// Overlay makes the view of base in which blocks have the copies given, as those of a
// Recovery: by block, each once.
func (j *Journal) Overlay(base io.ReaderAt, copies []Copy) *Overlay {
	return &Overlay{
		base:      base,
		log:       j.log,
		blockSize: int64(j.format.BlockSize),
		copies:    copies,
		pages:     map[layout.Block][]byte{},
	}
}

// OverlayAt makes the view of base at a moment.
func (j *Journal) OverlayAt(base io.ReaderAt, m *Moment) *Overlay {
	o := j.Overlay(base, nil)
	o.moment = m
	return o
}

// ReadAt reads the replayed file system.
func (o *Overlay) ReadAt(p []byte, off int64) (int, error) { return o.read(o.base.ReadAt, p, off) }

// ReadMetadata reads metadata of the replayed file system: what a dump of it lacks is zeros.
func (o *Overlay) ReadMetadata(p []byte, off int64) (int, error) {
	return o.read(o.metadata(), p, off)
}

type readAt = func(p []byte, off int64) (int, error)

func (o *Overlay) metadata() readAt {
	if s, ok := o.base.(sparse); ok {
		return s.ReadMetadata
	}
	return o.base.ReadAt
}

func (o *Overlay) read(base readAt, p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("jbd2: read before the start")
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	for n < len(p) {
		got, err := o.readPart(base, p[n:], off+int64(n))
		n += got
		if err != nil && n < len(p) {
			return n, err
		}
	}
	return n, nil
}

// readPart reads up to the next border between the base, the log and patches.
func (o *Overlay) readPart(base readAt, p []byte, off int64) (int, error) {
	block := layout.Block(off / o.blockSize)
	in := off % o.blockSize
	rest := int(min(int64(len(p)), o.blockSize-in))
	i, patched := slices.BinarySearch(o.patched, block)
	if patched {
		return copy(p[:rest], o.pages[block][in:]), nil
	}
	c, copied, next := o.find(block)
	if copied {
		if err := o.readCopy(p[:rest], c, in); err != nil {
			return 0, err
		}
		return rest, nil
	}
	if i < len(o.patched) {
		next = min(next, o.patched[i])
	}
	if span := int64(min(uint64(next-block), 1<<31)) * o.blockSize; int64(len(p)) > span-in {
		p = p[:span-in]
	}
	n, err := base(p, off)
	if n == len(p) {
		err = nil
	} else if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// sparse is a reader that knows where it holds nothing: ext.Sparse.
type sparse interface {
	Hole(off int64) (n int64, absent bool)
	MetadataOnly() bool
	ReadMetadata(p []byte, off int64) (int, error)
}

// Hole is how many bytes from off on are neither in the log nor stored below it.
func (o *Overlay) Hole(off int64) (n int64, absent bool) {
	s, ok := o.base.(sparse)
	if !ok || off < 0 {
		return 0, false
	}
	if n, absent = s.Hole(off); n == 0 {
		return 0, false
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	block := layout.Block(off / o.blockSize)
	i, patched := slices.BinarySearch(o.patched, block)
	_, copied, next := o.find(block)
	if patched || copied {
		return 0, false
	}
	if i < len(o.patched) {
		next = min(next, o.patched[i])
	}
	if span := uint64(next-block) * uint64(o.blockSize); next < 1<<40 {
		n = min(n, int64(span)-off%o.blockSize)
	}
	return n, absent
}

// MetadataOnly tells a dump of metadata.
func (o *Overlay) MetadataOnly() bool {
	s, ok := o.base.(sparse)
	return ok && s.MetadataOnly()
}

// find gives the copy of a block, or else the next block that may have one.
func (o *Overlay) find(block layout.Block) (c Copy, ok bool, next layout.Block) {
	next = 1<<63 - 1
	if o.moment != nil {
		logged := o.moment.archive.logged
		k, found := o.moment.archive.findLogged(block)
		if found {
			c, _, ok = o.moment.at(k)
			k++
		}
		if k < len(logged) {
			next = logged[k].fs
		}
		return c, ok, next
	}
	k, found := slices.BinarySearchFunc(o.copies, block, compareFS)
	if found {
		return o.copies[k], true, next
	}
	if k < len(o.copies) {
		next = o.copies[k].FS
	}
	return c, false, next
}

func compareFS(c Copy, b layout.Block) int {
	switch {
	case c.FS < b:
		return -1
	case c.FS > b:
		return 1
	}
	return 0
}

// readCopy reads len(p) bytes of a copy, from byte in of it on.
func (o *Overlay) readCopy(p []byte, c Copy, in int64) error {
	off := o.log.Offset(c.Log)
	if off < 0 {
		return &BlockError{c.Log, ErrHole}
	}
	if n, err := o.log.r.ReadAt(p, off+in); n < len(p) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return &BlockError{c.Log, err}
	}
	if c.Escaped && in < 4 {
		var magic [4]byte
		be.PutUint32(magic[:], Magic)
		copy(p, magic[in:])
	}
	return nil
}

// Copied reports whether the log, not the file system itself, is where a block is
// read from.
func (o *Overlay) Copied(block layout.Block) (Copy, bool) {
	c, ok, _ := o.find(block)
	return c, ok
}

// maxPatched bounds the blocks that Patch holds, in bytes.
const maxPatched = 256 << 20

// ErrPatchLimit says that no more blocks may be patched.
var ErrPatchLimit = errors.New("jbd2: too many blocks changed in memory")

// Patch changes bytes of the view. The blocks they lie in are kept in memory from
// then on; ErrPatchLimit says that they have become too many. Blocks before the
// one in which an error occurs are changed.
func (o *Overlay) Patch(off int64, b []byte) error {
	if off < 0 {
		return errors.New("jbd2: patch before the start")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(b) > 0 {
		block, in := layout.Block(off/o.blockSize), off%o.blockSize
		page, err := o.page(block)
		if err != nil {
			return err
		}
		n := copy(page[in:], b)
		b, off = b[n:], off+int64(n)
	}
	return nil
}

// page gives a block's bytes in memory.
func (o *Overlay) page(block layout.Block) ([]byte, error) {
	if page, ok := o.pages[block]; ok {
		return page, nil
	}
	if int64(len(o.pages)+1)*o.blockSize > maxPatched {
		return nil, ErrPatchLimit
	}
	page := make([]byte, o.blockSize)
	for n := 0; n < len(page); {
		got, err := o.readPart(o.metadata(), page[n:], int64(block)*o.blockSize+int64(n))
		n += got
		if err != nil && n < len(page) {
			return nil, fmt.Errorf("block %d: %w", block, err)
		}
	}
	i, _ := slices.BinarySearch(o.patched, block)
	o.patched = slices.Insert(o.patched, i, block)
	o.pages[block] = page
	return page, nil
}

// Patched lists the blocks that were changed in memory.
func (o *Overlay) Patched() []layout.Block {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return slices.Clone(o.patched)
}
