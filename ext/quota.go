package ext

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/extscope/extscope/ext/layout"
)

// Bounds on what is read of one quota file, so that a hostile one, whose map can lead to
// the same block any number of times, ends. The kernel keeps 14 ids in a block.
const (
	maxQuotaIDs   = 1 << 22
	maxQuotaNodes = 1 << 20
	maxQuotaSize  = 1 << 31 // that e2fsprogs opens
)

// A QuotaFile is one of the hidden files in which the feature quota keeps how much each
// user, group or project uses.
type QuotaFile struct {
	layout.QuotaHeader
	Inode *Inode
	file  *File
}

// A QuotaUse is an entry of a quota file, and the byte of the file system it lies at.
type QuotaUse struct {
	layout.QuotaEntry
	Offset int64
}

// QuotaIno gives the inode that keeps the quota of a type, 0 for none.
func (f *FS) QuotaIno(t layout.QuotaType) Ino {
	s := f.Super
	switch {
	case !f.hasROCompat(layout.ROCompatQuota):
		return 0
	case t == layout.QuotaUser:
		return s.UserQuotaInum
	case t == layout.QuotaGroup:
		return s.GroupQuotaInum
	case f.hasROCompat(layout.ROCompatProject):
		return s.ProjectQuotaInum
	}
	return 0
}

// Quota opens the quota file of a type that has an inode. The error is of the package's
// kinds.
func (f *FS) Quota(t layout.QuotaType) (*QuotaFile, error) {
	in, err := f.Inode(f.QuotaIno(t))
	if err != nil {
		return nil, err
	}
	q := &QuotaFile{Inode: in, file: f.File(in)}
	var b [layout.QuotaBlockSize]byte
	if err := q.read(b[:], 0); err != nil {
		return nil, err
	}
	q.QuotaHeader, err = layout.DecodeQuotaHeader(b[:], t, q.file.Place(0))
	if err != nil {
		return nil, err
	}
	inFile := func(block uint32) bool { return block == 0 || block > layout.QuotaRoot && block < q.Blocks }
	switch {
	case q.file.Size() > maxQuotaSize:
		return nil, corrupt("quota file", "i_size", in.Offset+0x04, in.size)
	case q.Blocks <= layout.QuotaRoot || int64(q.Blocks) > q.file.Size()/layout.QuotaBlockSize:
		return nil, corrupt("quota file", "dqi_blocks", q.file.Place(0x14), uint64(q.Blocks))
	case !inFile(q.FreeBlock):
		return nil, corrupt("quota file", "dqi_free_blk", q.file.Place(0x18), uint64(q.FreeBlock))
	case !inFile(q.FreeEntry):
		return nil, corrupt("quota file", "dqi_free_entry", q.file.Place(0x1c), uint64(q.FreeEntry))
	}
	return q, nil
}

// read reads a block of the file.
func (q *QuotaFile) read(b []byte, block uint32) error {
	n, err := q.file.ReadAt(b, int64(block)*layout.QuotaBlockSize)
	if n == len(b) || errors.Is(err, io.EOF) {
		clear(b[n:])
		return nil
	}
	return err
}

// place is the byte of the file system where byte off of a block lies.
func (q *QuotaFile) place(block uint32, off int) int64 {
	return q.file.Place(int64(block)*layout.QuotaBlockSize + int64(off))
}

// Entries yields the entries of the file, by where they lie. What is wrong with the
// file's own structure is yielded as errors of the package's kinds.
func (q *QuotaFile) Entries() iter.Seq2[QuotaUse, error] {
	return func(yield func(QuotaUse, error) bool) {
		t := quotaTree{q: q, nodes: map[uint32]bool{}, fail: func(err error) bool { return yield(QuotaUse{}, err) }}
		t.node(layout.QuotaRoot, 0, 0)
		if t.ended {
			return
		}
		slices.SortFunc(t.refs, func(x, y quotaRef) int { return cmp.Or(cmp.Compare(x.block, y.block), cmp.Compare(x.id, y.id)) })
		for i, n := 0, 0; i < len(t.refs); i += n {
			for n = 1; i+n < len(t.refs) && t.refs[i+n].block == t.refs[i].block; n++ {
			}
			if !t.entries(t.refs[i:i+n], yield) {
				return
			}
		}
		t.free()
	}
}

// A quotaRef is what the last level of the tree says of an id.
type quotaRef struct {
	block, id uint32
	offset    int64
}

type quotaTree struct {
	q     *QuotaFile
	nodes map[uint32]bool // blocks of the tree; true for those of entries
	refs  []quotaRef
	fail  func(error) bool
	ended bool // what asked wants no more, or there is too much
}

func (t *quotaTree) tell(err error) { t.ended = t.ended || !t.fail(err) }

// node reads a block of the tree, which has the ids whose higher bytes are those of id.
func (t *quotaTree) node(block uint32, level int, id uint32) {
	if len(t.nodes) >= maxQuotaNodes || len(t.refs) >= maxQuotaIDs {
		t.tell(&UnsupportedError{fmt.Sprintf("a quota file of more than %d ids", len(t.refs))})
		t.ended = true
		return
	}
	t.nodes[block] = false
	var b [layout.QuotaBlockSize]byte
	if err := t.q.read(b[:], block); err != nil {
		t.tell(err)
		return
	}
	for i := 0; i < layout.QuotaFanout && !t.ended; i++ {
		to, at := le.Uint32(b[4*i:]), func() int64 { return t.q.place(block, 4*i) }
		if to == 0 {
			continue
		}
		_, met := t.nodes[to]
		switch below := id<<8 | uint32(i); {
		case to >= t.q.Blocks || to <= layout.QuotaRoot:
			t.tell(corrupt("quota file", "reference to a block that it has not, which", at(), uint64(to)))
		case level == layout.QuotaDepth-1:
			t.refs = append(t.refs, quotaRef{to, below, at()})
		case met:
			t.tell(corrupt("quota file", "further reference to a block of its tree, which", at(), uint64(to)))
		default:
			t.node(to, level+1, below)
		}
	}
}

// entries yields those of a block, which refs, by id, lead to.
func (t *quotaTree) entries(refs []quotaRef, yield func(QuotaUse, error) bool) bool {
	block := refs[0].block
	if _, met := t.nodes[block]; met {
		return yield(QuotaUse{}, corrupt("quota file", "further reference to a block of its tree, which", refs[0].offset, uint64(block)))
	}
	t.nodes[block] = true
	var b [layout.QuotaBlockSize]byte
	if err := t.q.read(b[:], block); err != nil {
		return yield(QuotaUse{}, err)
	}
	used := uint16(0)
	var found []uint32
	for i := range layout.QuotaEntries {
		at := layout.QuotaEntryStart + i*layout.QuotaEntrySize
		e, ok := layout.DecodeQuotaEntry(b[at:])
		if !ok {
			continue
		}
		used++
		place := t.q.place(block, at)
		_, named := slices.BinarySearchFunc(refs, e.ID, func(r quotaRef, id uint32) int { return cmp.Compare(r.id, id) })
		if !named || slices.Contains(found, e.ID) {
			if !yield(QuotaUse{}, corrupt("quota file", "dqb_id of an entry that its tree does not lead to", place, uint64(e.ID))) {
				return false
			}
		}
		found = append(found, e.ID)
		if !yield(QuotaUse{e, place}, nil) {
			return false
		}
	}
	for _, r := range refs {
		if !slices.Contains(found, r.id) && !yield(QuotaUse{}, corrupt("quota file", "reference for an id whose entry is not there, which", r.offset, uint64(r.id))) {
			return false
		}
	}
	h := layout.DecodeQuotaBlock(b[:])
	for _, f := range []struct {
		field string
		at    int
		value uint32
		ok    bool
	}{
		{"dqdh_next_free", 0x00, h.NextFree, h.NextFree < t.q.Blocks},
		{"dqdh_prev_free", 0x04, h.PrevFree, h.PrevFree < t.q.Blocks},
		{"dqdh_entries", 0x08, uint32(h.Entries), h.Entries == used},
	} {
		if !f.ok && !yield(QuotaUse{}, corrupt("quota file", f.field, t.q.place(block, f.at), uint64(f.value))) {
			return false
		}
	}
	return true
}

// free goes through the list of free blocks: the kernel writes to them next.
func (t *quotaTree) free() {
	at := t.q.file.Place(0x18)
	for block := t.q.FreeBlock; block != 0 && !t.ended; {
		_, met := t.nodes[block]
		if met || block >= t.q.Blocks || block <= layout.QuotaRoot {
			t.tell(corrupt("quota file", "list of free blocks, which leads to one that is none and", at, uint64(block)))
			return
		}
		if len(t.nodes) >= maxQuotaNodes {
			return
		}
		t.nodes[block] = true
		var b [layout.QuotaBlockSize]byte
		if err := t.q.read(b[:], block); err != nil {
			t.tell(err)
			return
		}
		at, block = t.q.place(block, 0), layout.DecodeQuotaBlock(b[:]).NextFree
	}
}
