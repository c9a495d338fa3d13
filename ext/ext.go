// Package ext reads an ext2, ext3 or ext4 file system through an io.ReaderAt:
// superblock, groups, inodes, block maps, directories, extended attributes and
// paths, and a view of it all as an io/fs file system. It never writes. What the
// pieces say of each other is left to packages links and audit, the journal to
// package jbd2, and finding the file system inside an image to package image.
//
// Damage does not stop it: what cannot be read is given as an error at its
// place, and reading goes on. Errors are of three kinds: *ReadError, the bytes
// could not be had; *layout.CorruptError, they cannot be right; and
// *UnsupportedError, they are valid but of a form not read here.
//
// An FS is safe for concurrent use.
package ext

import (
	"fmt"
	"io"
	"sync"

	"github.com/extscope/extscope/ext/layout"
)

// Ino and Block are layout's, named here so that callers need one import.
type (
	Ino   = layout.Ino
	Block = layout.Block
)

// Options says how to open a file system; the zero value finds everything by
// itself.
type Options struct {
	// Superblock is the block number of the superblock copy to use, in units
	// of BlockSize; 0 chooses the primary, or a backup where it is damaged.
	Superblock Block
	// BlockSize in bytes overrides what the superblock says; 0 believes it.
	BlockSize int
}

// An FS is an opened file system.
type FS struct {
	Super       *layout.Superblock
	SuperBytes  []byte // the raw superblock in use
	SuperOffset int64  // where that copy lies, in bytes

	r    io.ReaderAt // of metadata
	raw  io.ReaderAt
	size int64

	contentOnce sync.Once
	content     io.ReaderAt

	geometry
	seed     uint32
	groups   groupTable
	warnings []Warning
	tables   tableCache
	blocks   sync.Pool // of *[]byte, a block long
}

func (f *FS) getBlock() *[]byte {
	if b, ok := f.blocks.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, f.blockSize)
	return &b
}

// Open reads the superblock and the group descriptors of the file system in r,
// of which size bytes are there. It does not close r. The error is a
// *layout.CorruptError or *ReadError when there is no usable superblock.
func Open(r io.ReaderAt, size int64, o Options) (*FS, error) {
	f := &FS{r: Metadata(r), raw: r, size: size}
	if err := f.chooseSuper(o); err != nil {
		return nil, err
	}
	f.load(o)
	if o.Superblock == 0 && f.SuperOffset == layout.SuperblockOffset {
		f.doubt(o)
	}
	return f, nil
}

// Over gives the same file system over another reader, as one of its past: superblock
// and group descriptors are those of f.
func (f *FS) Over(r io.ReaderAt) *FS {
	return &FS{Super: f.Super, SuperBytes: f.SuperBytes, SuperOffset: f.SuperOffset, r: Metadata(r), raw: r, size: f.size,
		geometry: f.geometry, seed: f.seed, groups: f.groups}
}

// load works out what follows from the superblock, and reads the descriptors.
func (f *FS) load(o Options) {
	if o.BlockSize != 0 && o.BlockSize != f.Super.BlockSize() {
		f.warn(AboutOptions, "block size %d was asked for, and the superblock says %d", o.BlockSize, f.Super.BlockSize())
	}
	f.geometry = newGeometry(f.Super)
	f.seed = f.Super.Seed()
	if unknown := f.Super.Incompat &^ layout.IncompatKnown; unknown != 0 {
		f.warn(AboutFeatures, "unknown incompatible features %s: what they change is not understood, results may be wrong", unknown)
	}
	if f.Super.Incompat&layout.IncompatCompression != 0 {
		f.warn(AboutFeatures, "compressed files are shown as stored, not decompressed")
	}
	if need := f.bytes(Block(f.Super.BlocksCount)); need > f.size {
		f.warn(AboutSize, "truncated: the file system needs %d bytes and %d are there; %d bytes from byte %d on are missing",
			need, f.size, need-f.size, f.size)
	}
	f.loadGroups()
}

// Size is how many bytes of the file system are there.
func (f *FS) Size() int64 { return f.size }

// blocksThere is how many blocks the image can hold, whatever is claimed.
func (f *FS) blocksThere() uint64 { return min(f.blocksCount, uint64(f.size)>>f.blockBits+1) }

// Truncated reports whether the end of the file system is missing.
func (f *FS) Truncated() bool { return f.bytes(Block(f.Super.BlocksCount)) > f.size }

// A Warning is something that was wrong at opening, and how it was dealt with.
type Warning struct {
	About WarningKind
	Text  string
}

// A WarningKind tells what a Warning is about.
type WarningKind string

const (
	AboutSuper    WarningKind = "superblock"
	AboutGroups   WarningKind = "group descriptors"
	AboutSize     WarningKind = "size"     // part of the file system is missing
	AboutFeatures WarningKind = "features" // something is there that is not understood
	AboutOptions  WarningKind = "options"
)

// Warnings tells what was wrong at opening.
func (f *FS) Warnings() []Warning { return f.warnings }

// Seed is what every crc32c of the file system starts from.
func (f *FS) Seed() uint32 { return f.seed }

// ReadAt reads raw bytes of the file system, as contents of files: what a dump of metadata
// lacks is an error.
func (f *FS) ReadAt(p []byte, off int64) (int, error) { return read(f.contentReader(), p, off) }

// ReadMetadata reads raw bytes of the file system that are known to be metadata: what a dump
// of it lacks is zeros.
func (f *FS) ReadMetadata(p []byte, off int64) (int, error) { return read(f.r, p, off) }

func read(r io.ReaderAt, p []byte, off int64) (int, error) {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return n, nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return n, &ReadError{Offset: off + int64(n), Len: len(p) - n, Err: err}
}

// ReadBlock reads block b, of metadata, into p, which is one block long, or its start.
func (f *FS) ReadBlock(p []byte, b Block) error {
	if uint64(b) >= f.Super.BlocksCount {
		return &layout.CorruptError{Struct: "block pointer", Field: "block", Offset: f.bytes(b), Value: uint64(b)}
	}
	_, err := f.ReadMetadata(p, f.bytes(b))
	return err
}

func (f *FS) warn(about WarningKind, format string, args ...any) {
	f.warnings = append(f.warnings, Warning{about, fmt.Sprintf(format, args...)})
}

func (f *FS) hasIncompat(b layout.Incompat) bool { return f.Super.Incompat&b != 0 }
func (f *FS) hasROCompat(b layout.ROCompat) bool { return f.Super.ROCompat&b != 0 }
func (f *FS) hasCompat(b layout.Compat) bool     { return f.Super.Compat&b != 0 }
