package undelete

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

var (
	errXattrsReused = errors.New("the block they were in is used by something else since, and no copy of it is left")
	errXattrsFree   = errors.New("those of their block are as it is today, and nothing proves that it was not used by something else in between")
	errXattrsStray  = errors.New("those of their block are from a copy in the log, known by its checksum; of when, nothing proves")
	errXattrsMany   = errors.New("the block they were in is used by something else since, and copies of it in the log differ")
	errXattrsBad    = errors.New("the block they were in does not hold them any more")
)

// xattrBlock reads the block of extended attributes that the state of a candidate
// points at, from the strongest source there is: a copy in the log as of that state, or
// from then to the deletion; the block itself, where nothing has taken it since; the
// block itself, where that is not known; a copy in the log that no descriptor covers.
// doubt says what is not proved, or why there is nothing.
func (f *finder) xattrBlock(c *Candidate, b Block) (block []byte, entries []layout.XattrEntry, doubt error) {
	if !f.fs.InRange(b, 1) {
		return nil, nil, errXattrsBad
	}
	buf := make([]byte, f.fs.BlockSize())
	sound := func(err error) bool {
		if err != nil {
			return false
		}
		h, list, err := layout.DecodeXattrBlock(buf, f.fs.BlockOffset(b))
		entries = list
		return err == nil && (!f.csum || h.Checksum == layout.XattrBlockChecksum(buf, f.fs.Seed(), b))
	}
	for _, copied := range f.xattrCopies(c, b) {
		if sound(f.log.Journal.ReadCopy(buf, copied)) {
			return buf, entries, nil
		}
	}
	fate := f.fate(c, b)
	free := fate == fateFree || fate == fateLoose || fate == fateOwn
	if free && sound(f.fs.ReadBlock(buf, b)) {
		if fate == fateOwn || fate == fateFree && !c.loose {
			return buf, entries, nil
		}
		return buf, entries, errXattrsFree
	}
	today := make([]byte, len(buf)) // what it holds by now is another file's
	if f.fs.ReadBlock(today, b) != nil {
		clear(today)
	}
	for _, n := range f.strayXattrs(b) {
		again := buf
		if block != nil {
			again = make([]byte, len(buf))
		}
		switch err := f.log.Journal.Log().ReadBlock(again, n); {
		case err != nil || sameXattrs(again, today):
		case block == nil && sound(nil):
			block = buf
		case block != nil && !sameXattrs(again, block):
			return nil, nil, errXattrsMany
		}
	}
	switch {
	case block != nil:
		return block, entries, errXattrsStray
	case free:
		return nil, nil, errXattrsBad
	}
	return nil, nil, errXattrsReused
}

// sameXattrs compares blocks but for h_refcount and h_checksum, which change with the
// files that share one.
func sameXattrs(a, b []byte) bool {
	return bytes.Equal(a[:4], b[:4]) && bytes.Equal(a[8:0x10], b[8:0x10]) && bytes.Equal(a[0x14:], b[0x14:])
}

// xattrCopies are the copies of a block in the log that belong to the state of a
// candidate, the best first: the one that counts at its transaction, then those up to
// its deletion. Of a state as of now there are none: the newest copy may be of whoever
// has the block by now.
func (f *finder) xattrCopies(c *Candidate, b Block) (out []jbd2.Copy) {
	if f.log == nil || c.tx == latest {
		return nil
	}
	if copied, ok := f.log.Archive.CopyAt(b, f.until(c)); ok {
		out = append(out, copied)
	}
	if c.gone == 0 || c.gone == latest || c.loose {
		return out
	}
	for _, v := range f.log.Archive.Versions(b) {
		if v.Transaction > c.tx.tx() && v.Transaction <= c.gone.tx() && f.log.TookEffect(v.Transaction) {
			out = append(out, v.Copy)
		}
	}
	return out
}

// maxStrayXattrs bounds the copies that are kept.
const maxStrayXattrs = 1 << 20

// strayXattrs gives the blocks of the log that no descriptor covers and whose checksum
// says that they are copies of a block. The seed of the checksum is made of its number.
func (f *finder) strayXattrs(b Block) []uint32 {
	if f.log == nil || !f.csum {
		return nil
	}
	if f.xattrs == nil {
		f.xattrs = map[uint32][]uint32{}
		var mu sync.Mutex
		kept := 0
		_ = f.scanLog(context.Background(), func(_ int, s stray, buf []byte) {
			if s.tx != strayUncovered || !layout.IsXattrMagic(buf) {
				return
			}
			h, _, err := layout.DecodeXattrBlock(buf, 0)
			if err != nil {
				return
			}
			seed := layout.SeedOf(h.Checksum, layout.XattrBlockChecksum(buf, 0, 0), len(buf))
			mu.Lock()
			defer mu.Unlock()
			if kept++; kept <= maxStrayXattrs {
				f.xattrs[seed] = append(f.xattrs[seed], s.log)
			}
		})
		for _, list := range f.xattrs {
			slices.Sort(list)
		}
	}
	return f.xattrs[layout.CRC32C(f.fs.Seed(), le.AppendUint64(nil, uint64(b)))]
}
