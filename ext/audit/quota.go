package audit

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A usage is what quota counts: bytes of blocks, and inodes.
type usage struct{ space, inodes uint64 }

// A tally is the usage of each id, by type. Most inodes have the owner of the one
// in front of them.
type tally struct {
	by   [3]map[uint32]*usage
	last [3]struct {
		id  uint32
		use *usage
	}
}

// charge adds what an inode, whose bytes are raw, uses, for the types that are kept.
func (t *tally) charge(types []layout.QuotaType, raw []byte, u usage) {
	for _, kind := range types {
		id, last := quotaID(raw, kind), &t.last[kind]
		if last.use == nil || last.id != id {
			if t.by[kind] == nil {
				t.by[kind] = map[uint32]*usage{}
			}
			last.id, last.use = id, t.by[kind][id]
			if last.use == nil {
				last.use = new(usage)
				t.by[kind][id] = last.use
			}
		}
		last.use.space += u.space
		last.use.inodes += u.inodes
	}
}

// quotaID gives the id that an inode counts for. Without room for a project id it is
// EXT4_DEF_PROJID.
func quotaID(raw []byte, t layout.QuotaType) uint32 {
	switch {
	case t == layout.QuotaUser:
		return uint32(le.Uint16(raw[0x02:])) | uint32(le.Uint16(raw[0x78:]))<<16
	case t == layout.QuotaGroup:
		return uint32(le.Uint16(raw[0x18:])) | uint32(le.Uint16(raw[0x7a:]))<<16
	case len(raw) >= 0xa0 && layout.GoodOldInodeSize+int(le.Uint16(raw[0x80:])) >= 0xa0:
		return le.Uint32(raw[0x9c:])
	}
	return 0
}

// quotaTypes lists the types of quota that the file system keeps.
func (a *auditor) quotaTypes() (types []layout.QuotaType) {
	for _, t := range []layout.QuotaType{layout.QuotaUser, layout.QuotaGroup, layout.QuotaProject} {
		if ino := a.fs.QuotaIno(t); ino != 0 && !a.skip(BadQuota) {
			types = append(types, t)
		}
	}
	return types
}

// charge counts what an inode has for its owners. The file system's own do not count, and
// what holds the value of an attribute does for the inode that has that.
func (w *worker) charge(in *ext.Inode, u usage) {
	a := w.a
	if a.quotas == nil || in.Ino < a.fs.FirstIno() && in.Ino != layout.RootIno || a.fs.Reserved(in.Ino) || in.Flags&layout.FlagEAInode != 0 {
		return
	}
	w.use.charge(a.quotas, in.Raw, u)
}

// chargeClusters is charge of an inode in use, by what was counted of it.
func (w *worker) chargeClusters(in *ext.Inode, clusters, values uint64) {
	w.charge(in, usage{clusters * uint64(w.a.fs.BlockSize()) * uint64(w.a.fs.ClusterBlocks()), 1 + values})
}

// quota holds the quota files against what was counted.
func (a *auditor) quota(ctx context.Context) error {
	for _, t := range a.quotas {
		counted := map[uint32]usage{}
		for _, w := range a.workers {
			for id, u := range w.use.by[t] {
				had := counted[id]
				counted[id] = usage{had.space + u.space, had.inodes + u.inodes}
			}
		}
		if err := a.quotaFile(ctx, t, counted); err != nil {
			return err
		}
	}
	return nil
}

// quotaFile judges the file of one type. Usage is not judged where something could
// not be read, and so not be counted.
func (a *auditor) quotaFile(ctx context.Context, t layout.QuotaType, counted map[uint32]usage) error {
	ino := a.fs.QuotaIno(t)
	q, err := a.fs.Quota(t)
	if err != nil {
		a.addError(ino, err)
		return ctx.Err()
	}
	a.mu.Lock()
	judged := !a.pending && len(a.unreadable) == 0
	a.mu.Unlock()
	differ := func(id uint32, what, of string, offset int64, stored, counted uint64) {
		if stored != counted && judged {
			a.add(Finding{Kind: BadQuota, Ino: ino, Offset: offset, HasID: true, ID: id, What: what, Counts: true, Stored: stored, Counted: counted,
				Detail: sprintf("%s %d has %d %s by its quota, and %d that were counted", t, id, stored, of, counted)})
		}
	}
	tell := func(e ext.QuotaUse, u usage) {
		space, inodes := e.Offset+layout.QuotaSpaceOffset, e.Offset+layout.QuotaInodesOffset
		if e.Offset == 0 {
			space, inodes = 0, 0 // there is no entry
		}
		differ(e.ID, "space", "bytes", space, e.Space, u.space)
		differ(e.ID, "inode", "inodes", inodes, e.Inodes, u.inodes)
	}
	met := map[uint32]bool{}
	for e, err := range q.Entries() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil {
			var c *layout.CorruptError
			judged = judged && errors.As(err, &c)
			a.addError(ino, err)
			continue
		}
		met[e.ID] = true
		tell(e, counted[e.ID])
	}
	for _, id := range slices.Sorted(maps.Keys(counted)) {
		if !met[id] {
			tell(ext.QuotaUse{QuotaEntry: layout.QuotaEntry{ID: id}}, counted[id])
		}
	}
	return ctx.Err()
}
