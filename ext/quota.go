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
	maxQuotaIDs    = 1 << 22
	maxQuotaNodes  = 1 << 20
	maxQuotaFaults = 1 << 16
	maxQuotaSize   = 1 << 31 // that e2fsprogs opens
)

// A QuotaFile is one of the hidden files in which the feature quota keeps how much each
// user, group or project uses.
type QuotaFile struct {
	layout.QuotaHeader
	file *File
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
	q := &QuotaFile{file: f.File(in)}
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
		t := quotaTree{q: q, nodes: map[uint32]bool{}, yield: yield}
		t.node(layout.QuotaRoot, 0, 0)
		slices.SortFunc(t.refs, func(x, y quotaRef) int { return cmp.Or(cmp.Compare(x.block, y.block), cmp.Compare(x.id, y.id)) })
		for i, n := 0, 0; i < len(t.refs) && !t.ended; i += n {
			for n = 1; i+n < len(t.refs) && t.refs[i+n].block == t.refs[i].block; n++ {
			}
			t.entries(t.refs[i : i+n])
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
	q      *QuotaFile
	nodes  map[uint32]bool // blocks of the tree; true for those of entries
	refs   []quotaRef
	yield  func(QuotaUse, error) bool
	faults int
	ended  bool // what asked wants no more, or there is too much
}

// give yields an entry, fault what is wrong.
func (t *quotaTree) give(u QuotaUse) { t.ended = t.ended || !t.yield(u, nil) }

func (t *quotaTree) fault(err error) {
	if t.ended {
		return
	}
	if t.faults++; t.faults > maxQuotaFaults {
		t.end("a quota file with more than %d faults", maxQuotaFaults)
		return
	}
	t.ended = !t.yield(QuotaUse{}, err)
}

func (t *quotaTree) bad(field string, at int64, value uint32) {
	t.fault(corrupt("quota file", field, at, uint64(value)))
}

// end gives up.
func (t *quotaTree) end(format string, n int) {
	t.ended = true
	t.yield(QuotaUse{}, &UnsupportedError{fmt.Sprintf(format, n)})
}

// node reads a block of the tree, which has the ids whose higher bytes are those of id.
func (t *quotaTree) node(block uint32, level int, id uint32) {
	if len(t.nodes) >= maxQuotaNodes || len(t.refs) >= maxQuotaIDs {
		t.end("a quota file of more than %d ids", len(t.refs))
		return
	}
	t.nodes[block] = false
	var b [layout.QuotaBlockSize]byte
	if err := t.q.read(b[:], block); err != nil {
		t.fault(err)
		return
	}
	for i := 0; i < layout.QuotaFanout && !t.ended; i++ {
		to, below := le.Uint32(b[4*i:]), id<<8|uint32(i)
		if to == 0 {
			continue
		}
		at := t.q.place(block, 4*i)
		_, met := t.nodes[to]
		switch {
		case to >= t.q.Blocks || to <= layout.QuotaRoot:
			t.bad("reference to a block that it has not, which", at, to)
		case level == layout.QuotaDepth-1:
			t.refs = append(t.refs, quotaRef{to, below, at})
		case met:
			t.bad("further reference to a block of its tree, which", at, to)
		default:
			t.node(to, level+1, below)
		}
	}
}

// entries yields those of a block, which refs, by id, lead to.
func (t *quotaTree) entries(refs []quotaRef) {
	block := refs[0].block
	if _, met := t.nodes[block]; met {
		t.bad("further reference to a block of its tree, which", refs[0].offset, block)
		return
	}
	t.nodes[block] = true
	var b [layout.QuotaBlockSize]byte
	if err := t.q.read(b[:], block); err != nil {
		t.fault(err)
		return
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
			t.bad("dqb_id of an entry that its tree does not lead to", place, e.ID)
		}
		found = append(found, e.ID)
		t.give(QuotaUse{e, place})
	}
	for _, r := range refs {
		if t.ended {
			return
		}
		if !slices.Contains(found, r.id) {
			t.bad("reference for an id whose entry is not there, which", r.offset, r.id)
		}
	}
	h := layout.DecodeQuotaBlock(b[:])
	if h.NextFree >= t.q.Blocks {
		t.bad("dqdh_next_free", t.q.place(block, 0x00), h.NextFree)
	}
	if h.PrevFree >= t.q.Blocks {
		t.bad("dqdh_prev_free", t.q.place(block, 0x04), h.PrevFree)
	}
	if h.Entries != used {
		t.bad("dqdh_entries", t.q.place(block, 0x08), uint32(h.Entries))
	}
}

// free goes through the list of free blocks: the kernel writes to them next.
func (t *quotaTree) free() {
	at := t.q.file.Place(0x18)
	for block := t.q.FreeBlock; block != 0 && !t.ended; {
		_, met := t.nodes[block]
		if met || block >= t.q.Blocks || block <= layout.QuotaRoot {
			t.bad("list of free blocks, which leads to one that is none and", at, block)
			return
		}
		if len(t.nodes) >= maxQuotaNodes {
			t.end("a quota file of more than %d blocks", maxQuotaNodes)
			return
		}
		t.nodes[block] = true
		var b [layout.QuotaBlockSize]byte
		if err := t.q.read(b[:], block); err != nil {
			t.fault(err)
			return
		}
		at, block = t.q.place(block, 0), layout.DecodeQuotaBlock(b[:]).NextFree
	}
}
