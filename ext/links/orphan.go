package links

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// Where an orphan was found.
const (
	SourceList = "superblock-list" // the chain from s_last_orphan through i_dtime
	SourceFile = "orphan-file"     // a slot of the orphan file
	SourceScan = "scan"            // in use, and no name reaches it
)

// Kinds of orphan.
const (
	OrphanUnlinked   = "unlinked"   // no link left: it was still open when its last name went
	OrphanTruncated  = "truncating" // has names: its end was being cut off
	OrphanUnattached = "unattached" // has a link count, and the root reaches no name of it
)

// An Orphan is an inode that no name reaches, or whose deletion or truncation is
// unfinished.
type Orphan struct {
	Ino         Ino
	Kind        string
	Source      string
	Pending     string // what the next mount would do to it: "delete", "truncate" or ""
	Type        uint16
	Size        uint64
	Links       uint16
	Dtime       time.Time // zero on the list, where i_dtime is the next inode
	Next        Ino       // the next inode of the list, 0 at its end
	Recoverable bool      // its contents are all still mapped
	Below       uint64    // inodes under an unattached directory
	Paths       [][]byte  // of an orphan that has names
	Subtree     [][]byte  // the paths under an unattached directory, sorted
}

// Orphans lists every orphan: the superblock's list in its order, then the
// orphan file, then what the survey found, by number. Damage of the lists comes
// beside it.
func (t *Tree) Orphans(ctx context.Context) ([]Orphan, []error, error) {
	list, errs := ListedOrphans(t.FS)
	nodes := t.FS.NewNodeBudget()
	listed := t.NewSet()
	var all []Orphan
	want := t.NewSet()
	for _, l := range list {
		if l.Err != nil {
			continue // among errs
		}
		o, err := t.orphan(l.Ino, nodes)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		o.Source, o.Next = l.Source, l.Next
		o.Kind, o.Pending = OrphanUnlinked, "delete"
		if o.Links > 0 {
			o.Kind, o.Pending = OrphanTruncated, "truncate"
			want.Add(l.Ino)
		}
		if l.Source == SourceList {
			o.Dtime = time.Time{}
		}
		listed.Add(l.Ino)
		all = append(all, o)
	}
	lost, err := t.Unattached(ctx)
	if err != nil {
		return nil, errs, err
	}
	for _, u := range lost {
		if listed.Has(u.Ino) {
			continue
		}
		o, err := t.orphan(u.Ino, nodes)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		o.Source, o.Kind, o.Below = SourceScan, OrphanUnattached, u.Below
		all = append(all, o)
	}
	unlisted, err := t.unlisted(ctx, listed, nodes)
	if err != nil {
		return nil, errs, err
	}
	all = append(all, unlisted...)
	t.addHidden(want)
	names, err := t.Names(ctx, want)
	if err != nil {
		return nil, errs, err
	}
	for i := range all {
		all[i].Paths = names.Paths(all[i].Ino)
	}
	t.subtrees(all, names)
	return all, errs, nil
}

// addHidden puts into a set all inodes whose first name lies in a directory that
// the root does not reach.
func (t *Tree) addHidden(set Set) {
	if !t.hidden {
		return
	}
	for ino := range t.Limit() {
		if p := t.Parent(ino); p != 0 && t.InUse(ino) && !t.Reached(p) {
			set.Add(ino)
		}
	}
}

// subtrees lists what lies under each unattached directory.
func (t *Tree) subtrees(all []Orphan, names *Names) {
	if !t.hidden {
		return
	}
	top := t.tops()
	at := map[Ino]int{}
	for i, o := range all {
		if o.Below > 0 {
			at[o.Ino] = i
		}
	}
	for ino := range t.Limit() {
		p := t.Parent(ino)
		if p == 0 || !t.InUse(ino) || t.Reached(p) {
			continue
		}
		o, ok := at[top[p]]
		if !ok || ino == all[o].Ino {
			continue
		}
		for _, n := range names.Of(ino) {
			if top[n.Dir] == all[o].Ino {
				all[o].Subtree = append(all[o].Subtree, names.Path(n))
			}
		}
	}
	for i := range all {
		slices.SortFunc(all[i].Subtree, bytes.Compare)
	}
}

// orphan fills in what the inode itself tells.
func (t *Tree) orphan(ino Ino, nodes *ext.NodeBudget) (Orphan, error) {
	in, err := t.FS.Inode(ino)
	if err != nil {
		return Orphan{}, err
	}
	return t.orphanOf(in, nodes), nil
}

func (t *Tree) orphanOf(in *ext.Inode, nodes *ext.NodeBudget) Orphan {
	o := Orphan{Ino: in.Ino, Type: in.Type(), Size: in.Size(), Links: in.Links, Dtime: in.DtimeTime()}
	o.Recoverable = o.Type != 0 && t.mapped(in, nodes)
	return o
}

// mapped reports whether all of an inode's contents are still mapped.
func (t *Tree) mapped(in *ext.Inode, nodes *ext.NodeBudget) bool {
	if !t.FS.HasMap(in) {
		return t.FS.File(in).Err() == nil
	}
	for _, err := range t.FS.RunsWithin(in, nodes) {
		if err != nil {
			return false
		}
	}
	return t.FS.CheckSize(in) == nil
}

// unlisted finds inodes that are allocated, have a type and no link, and are on
// no list: a file system without a journal keeps none of its open files.
func (t *Tree) unlisted(ctx context.Context, listed Set, nodes *ext.NodeBudget) ([]Orphan, error) {
	parts := make([][]Orphan, ext.Workers())
	err := t.FS.ScanInodes(ctx, func(w int, in *ext.Inode) {
		if in.Links != 0 || in.Mode == 0 || in.Dtime != 0 || listed.Has(in.Ino) || t.FS.Reserved(in.Ino) {
			return
		}
		if used, err := t.FS.InodeAllocated(in.Ino); err != nil || !used {
			return
		}
		own := *in
		own.Raw = slices.Clone(in.Raw)
		o := t.orphanOf(&own, nodes)
		o.Kind, o.Source = OrphanUnlinked, SourceScan
		parts[w] = append(parts[w], o)
	}, func(Ino, uint32, error) {}) // told by the survey
	all := slices.Concat(parts...)
	slices.SortFunc(all, func(a, b Orphan) int { return int(a.Ino) - int(b.Ino) })
	return all, err
}

// A Listed is one inode on the superblock's orphan list or in the orphan file.
type Listed struct {
	Ino    Ino
	Source string
	Next   Ino   // the next inode of the list
	Offset int64 // where the number stands, in bytes
	Err    error // why the inode cannot be read, and the list not followed behind it
}

// ListedOrphans walks the superblock's orphan list and the orphan file. While
// an inode is on the list, its i_dtime holds the number of the next one. A list
// that leaves the inode table or comes back to itself ends there with an error.
func ListedOrphans(f *ext.FS) ([]Listed, []error) {
	var list []Listed
	var errs []error
	seen := map[Ino]bool{}
	ino, at := f.Super.LastOrphan, f.SuperOffset+0xe8
	for ino != 0 {
		if seen[ino] || uint32(ino) > f.InodesCount() {
			errs = append(errs, &layout.CorruptError{Struct: "orphan list", Field: "next inode", Offset: at, Value: uint64(ino)})
			break
		}
		seen[ino] = true
		in, err := f.Inode(ino)
		if err != nil {
			list = append(list, Listed{ino, SourceList, 0, at, err})
			errs = append(errs, err)
			break
		}
		list = append(list, Listed{ino, SourceList, Ino(in.Dtime), at, nil})
		ino, at = Ino(in.Dtime), in.Offset+0x14
	}
	inFile, fileErrs := orphanFile(f, seen)
	return append(list, inFile...), append(errs, fileErrs...)
}

// orphanErrors bounds how much damage of the orphan file is told.
const orphanErrors = 1000

// orphanFile reads the slots of the orphan file that hold a number.
func orphanFile(f *ext.FS, seen map[Ino]bool) ([]Listed, []error) {
	if f.Super.Compat&layout.CompatOrphanFile == 0 || f.Super.OrphanFileInum == 0 {
		return nil, nil
	}
	in, err := f.Inode(f.Super.OrphanFileInum)
	if err != nil {
		return nil, []error{err}
	}
	var list []Listed
	var errs []error
	buf := make([]byte, f.BlockSize())
	left := f.Size()/int64(f.BlockSize()) + 1 // a map can name the same blocks over and over
	for r, err := range f.Runs(in) {
		if len(errs) > orphanErrors {
			break
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if r.Kind != ext.Data {
			continue
		}
		for i := range r.Len {
			if left--; left < 0 || len(errs) > orphanErrors {
				return list, append(errs, &layout.CorruptError{Struct: "orphan file", Field: "block", Offset: in.Offset + 0x28, Value: r.Logical + i})
			}
			b := r.Physical + layout.Block(i)
			if err := f.ReadBlock(buf, b); err != nil {
				errs = append(errs, err)
				continue
			}
			slots, err := layout.DecodeOrphanBlock(buf, f.BlockOffset(b))
			if err != nil {
				errs = append(errs, err)
			}
			if slots == nil {
				continue
			}
			for off, ino := range slots {
				if uint32(ino) > f.InodesCount() || seen[ino] {
					errs = append(errs, &layout.CorruptError{Struct: "orphan file", Field: "inode", Offset: off, Value: uint64(ino)})
					continue
				}
				seen[ino] = true
				list = append(list, Listed{ino, SourceFile, 0, off, nil})
			}
		}
	}
	return list, errs
}
