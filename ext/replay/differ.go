package replay

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/extscope/extscope/ext"
)

// A differ compares the two views of a file system.
type differ struct {
	v      *View
	tables []table     // inode tables, by place
	blocks []ext.Block // that replay writes, in order
	differ []ext.Block // those of them that differ from the home block
	nodes  *ext.NodeBudget
	reads  *ext.DirBudget // blocks of directories that are compared
	places int            // blocks of directories that may still be listed

	inodes []inodeChange // by number
	dirs   []ext.Ino     // whose names may differ
	names  []byte        // of all nameChanges, one behind the other
	lost   []nameChange  // names that only the home view has
	fresh  []nameChange  // names that only the replayed view has
	damage []error
}

// A table is where the inode table of a group lies.
type table struct {
	start ext.Block
	group uint32
}

type inodeChange struct {
	ino    ext.Ino
	kind   ChangeKind
	fields ext.Fields
	mode   uint16
}

// A nameChange is a name by its place in names.
type nameChange struct {
	dir, ino ext.Ino
	at       uint32
	len      uint8
	moved    bool
	to       int32 // of one that moved: where in fresh
}

func newDiffer(v *View) *differ {
	d := &differ{v: v, nodes: v.FS.NewNodeBudget(), reads: v.FS.NewDirBudget(), places: maxPlaces}
	for n, g := range v.FS.Groups() {
		if g.State != ext.GroupBad {
			d.tables = append(d.tables, table{g.InodeTable, n})
		}
	}
	slices.SortFunc(d.tables, func(a, b table) int { return cmp.Compare(a.start, b.start) })
	for _, c := range v.Recovery.Blocks {
		if v.FS.InRange(c.FS, 1) {
			d.blocks = append(d.blocks, c.FS)
		}
	}
	d.blocks = append(d.blocks, v.Overlay.Patched()...)
	slices.Sort(d.blocks)
	d.blocks = slices.Compact(d.blocks)
	return d
}

// maxDamage bounds how many errors are kept.
const maxDamage = 1000

func (d *differ) fail(err error) {
	if len(d.damage) < maxDamage {
		d.damage = append(d.damage, err)
	}
}

// tableInodes gives the inodes in a block of an inode table.
func (d *differ) tableInodes(b ext.Block) (first ext.Ino, count uint32) {
	i, found := slices.BinarySearchFunc(d.tables, b, func(t table, b ext.Block) int { return cmp.Compare(t.start, b) })
	if !found {
		i--
	}
	if i < 0 {
		return 0, 0
	}
	return d.v.FS.TableInodes(d.tables[i].group, uint64(b-d.tables[i].start))
}

// collect finds what differs.
func (d *differ) collect(ctx context.Context) error {
	size := d.v.FS.BlockSize()
	home, after := make([]byte, size), make([]byte, size)
	for _, b := range d.blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := errors.Join(d.v.Home.ReadBlock(home, b), d.v.FS.ReadBlock(after, b)); err != nil {
			d.fail(err)
			continue
		}
		if !bytes.Equal(home, after) {
			d.differ = append(d.differ, b)
		}
	}
	for _, b := range d.blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		first, count := d.tableInodes(b)
		for i := range count {
			d.inode(first + ext.Ino(i))
		}
	}
	d.dirs = append(d.dirs, d.v.fastDirs...)
	slices.Sort(d.dirs)
	d.dirs = slices.Compact(d.dirs)
	for _, ino := range d.dirs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.reads.Spent() || d.places <= 0 {
			d.fail(fmt.Errorf("directories from inode %d on are not compared: they share their blocks", ino))
			break
		}
		d.directory(ino)
	}
	d.pair()
	return nil
}

// differs reports whether any of a run of blocks is one that differs.
func (d *differ) differs(start ext.Block, n uint64) bool {
	i, found := slices.BinarySearch(d.differ, start)
	return found || i < len(d.differ) && uint64(d.differ[i]-start) < n
}

// inode compares one inode.
func (d *differ) inode(ino ext.Ino) {
	a, err := d.v.Home.Inode(ino)
	b, err2 := d.v.FS.Inode(ino)
	if err = errors.Join(err, err2); err != nil {
		d.fail(err)
		return
	}
	if a.Links > 0 && a.IsDir() || b.Links > 0 && b.IsDir() {
		d.dirs = append(d.dirs, ino)
	}
	c := inodeChange{ino: ino, mode: b.Mode}
	switch {
	case a.Links == 0 && b.Links == 0:
		return
	case a.Links == 0:
		c.kind = Created
	case b.Links == 0:
		c.kind, c.mode = Deleted, a.Mode
	default:
		if c.fields = d.fields(a, b); c.fields == 0 {
			return
		}
		c.kind = Changed
		if a.Generation != b.Generation {
			c.kind = Replaced
		}
	}
	d.inodes = append(d.inodes, c)
}

// compared are the fields that a change is told by; those left out change with every
// other, or say what Kind does.
const compared = ^(ext.FieldGeneration | ext.FieldVersion | ext.FieldDtime | ext.FieldXattrs | ext.FieldContent)

// fields lists what differs of an inode, and of what it leads to.
func (d *differ) fields(a, b *ext.Inode) ext.Fields {
	differ := d.v.FS.Differ(a, b)
	f := differ & compared
	set := func(differ bool, field ext.Fields) {
		if differ {
			f |= field
		}
	}
	if a.FileACL != 0 && d.differs(a.FileACL, 1) || differ&(ext.FieldXattrs|ext.FieldContent) != 0 {
		same := d.sameXattrs(a, b)
		set(!same, ext.FieldXattrs)
		set(same && b.HasInline() && !b.IsSymlink(), ext.FieldContent)
	}
	if a.IsSymlink() && b.IsSymlink() {
		from, err := d.v.Home.Readlink(a)
		to, err2 := d.v.FS.Readlink(b)
		set(!bytes.Equal(from, to) || (err == nil) != (err2 == nil), ext.FieldTarget)
		return f &^ ext.FieldMap
	}
	set(differ&ext.FieldContent != 0 && a.Block != b.Block, ext.FieldContent)
	if d.v.FS.HasMap(b) {
		nodes, data := d.mapDiffers(b)
		set(nodes, ext.FieldMap)
		set(data && b.IsRegular(), ext.FieldContent)
	}
	return f
}

func (d *differ) sameXattrs(a, b *ext.Inode) bool {
	// What cannot be read was told of by an audit; here it counts as it reads.
	from, _ := d.v.Home.Xattrs(a)
	to, _ := d.v.FS.Xattrs(b)
	return slices.EqualFunc(from, to, func(x, y ext.Xattr) bool { return x.Name == y.Name && bytes.Equal(x.Value, y.Value) })
}

// mapDiffers reports whether replay writes a node of an inode's map, or a block that
// it maps.
func (d *differ) mapDiffers(in *ext.Inode) (nodes, data bool) {
	for r, err := range d.v.FS.MapWithin(in, d.nodes) {
		switch {
		case err != nil:
			return nodes, data
		case r.Kind == ext.Index:
			nodes = nodes || d.differs(r.Physical, 1)
		case r.Kind == ext.Data && !data:
			data = d.differs(r.Physical, r.Len)
		}
	}
	return nodes, data
}
