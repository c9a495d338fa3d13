package ext

import (
	"bytes"
	"errors"
	"io"

	"github.com/extscope/extscope/ext/layout"
)

// Where a symlink's target is kept.
const (
	TargetInline     = "inline"      // in i_block: a fast symlink
	TargetBlock      = "block"       // in a block of its own
	TargetInlineData = "inline_data" // in the inode, under the inline_data feature
	TargetEncrypted  = "encrypted"   // ciphertext; shown in the no-key spelling
)

// TargetStorage tells where a symlink's target is kept.
func (f *FS) TargetStorage(in *Inode) string {
	switch {
	case in.Flags&layout.FlagEncrypt != 0:
		return TargetEncrypted
	case !f.hasMap(in) && in.HasInline():
		return TargetInlineData
	case in.FastSymlink():
		return TargetInline
	}
	return TargetBlock
}

// Readlink reads a symlink's target, as readlink(2) gives it: up to the first
// NUL. A target that lies in a block is no longer than that block. The error is
// an *UnsupportedError for an inode that is no symlink.
func (f *FS) Readlink(in *Inode) ([]byte, error) {
	if !in.IsSymlink() {
		return nil, errNotSymlink
	}
	target, err := f.linkBytes(in)
	if err != nil {
		return nil, err
	}
	if in.Flags&layout.FlagEncrypt != 0 {
		c, ok := layout.EncryptedSymlinkTarget(target)
		if !ok {
			return nil, corrupt("encrypted symlink", "len", in.Offset+0x28, in.size)
		}
		return layout.NoKeyName(0, 0, c), nil
	}
	return untilNUL(target), nil
}

var errNotSymlink = errors.New("not a symbolic link")

func (f *FS) linkBytes(in *Inode) ([]byte, error) {
	if !f.hasMap(in) {
		b, err := f.inlineContent(in)
		return b, err
	}
	if in.size == 0 || in.size > uint64(f.blockSize) {
		return nil, corrupt("symlink", "i_size", in.Offset+4, in.size)
	}
	b := make([]byte, in.size)
	// No target is longer than a block: the rest of the map does not matter.
	r, err := f.firstRun(in)
	if err != nil {
		return nil, err
	}
	if r.Logical != 0 || r.Kind != Data {
		return nil, corrupt("symlink", "i_block", in.Offset+0x28, 0)
	}
	_, err = f.ReadMetadata(b, f.bytes(r.Physical))
	return b, err
}

// ignoreEOF drops the io.EOF with which ReadAt marks a read that reaches the
// end of its file; one from the image comes wrapped.
func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// FastTarget is the target of a symlink that keeps it in i_block, up to the
// first NUL, or nil. It is a slice of the inode.
func (f *FS) FastTarget(in *Inode) []byte {
	if !in.FastSymlink() || in.Flags&layout.FlagEncrypt != 0 {
		return nil
	}
	return untilNUL(in.Block[:min(in.size, layout.InlineBlockSize)]) // large_dir has i_size_high count
}

// A TargetReader reads the targets of many symlinks, those that lie in blocks of their
// own too, without an allocation each. It is for one goroutine.
type TargetReader struct {
	f    *FS
	buf  []byte
	at   Block // the block that buf begins with
	n    int   // how many bytes of it, 0 for none
	runs [4]Run
}

// NewTargetReader makes a TargetReader.
func (f *FS) NewTargetReader() *TargetReader { return &TargetReader{f: f} }

// Start reads the first n bytes of a block, all of it where it has no more, into the
// reader's own bytes, which hold until its next call. What was read last is not read again.
func (r *TargetReader) Start(b Block, n uint64) ([]byte, error) {
	want := int(min(n, uint64(r.f.blockSize)))
	if r.n >= want && r.at == b {
		return r.buf[:want], nil
	}
	if r.buf == nil {
		r.buf = make([]byte, r.f.blockSize)
	}
	err := r.f.ReadBlock(r.buf[:want], b)
	if r.at, r.n = b, want; err != nil {
		r.n = 0
	}
	return r.buf[:want], err
}

// Readlink is FS.Readlink; the target holds until the next call.
func (r *TargetReader) Readlink(in *Inode) ([]byte, error) {
	if r.f.TargetStorage(in) == TargetBlock && in.size > 0 && in.size <= uint64(r.f.blockSize) {
		runs, ok := r.f.AppendSimple(r.runs[:0], in)
		if ok && len(runs) > 0 && runs[0].Logical == 0 && runs[0].Kind == Data {
			// With the NUL behind it, which an audit asks for next.
			if b, err := r.Start(runs[0].Physical, in.size+1); err == nil {
				return untilNUL(b[:in.size]), nil
			}
		}
	}
	return r.f.Readlink(in)
}

// untilNUL gives what lies before the first NUL.
func untilNUL(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}
