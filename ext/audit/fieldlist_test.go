package audit_test

import (
	"fmt"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A field is a few bytes of metadata, and what puts the checksum over them right.
type field struct {
	name  string
	at    int64
	width int
	seal  func()
}

// fields lists the fields of an image: of the superblock, of descriptors, of some
// inodes of each sort, of nodes of their maps, of directories, of indexes and of
// attributes, and bits of bitmaps.
func (m *mutant) fields() []field {
	var list []field
	stretch := func(name string, at int64, n, width int, seal func()) {
		for i := 0; i+width <= n; i += width {
			list = append(list, field{fmt.Sprintf("%s+%#x", name, i), at + int64(i), width, seal})
		}
	}
	stretch("superblock", 1024, 0x290, 2, m.sealSuper)
	f := m.fs
	last := f.GroupCount() - 1
	for n, g := range f.Groups() {
		if n > 2 && n != last {
			continue
		}
		seal := func() { m.sealGroup(n, g.Offset) }
		stretch(fmt.Sprintf("descriptor %d", n), g.Offset, f.Super.DescBytes(), 2, seal)
		for _, b := range []struct {
			what  string
			block ext.Block
		}{{"block", g.BlockBitmap}, {"inode", g.InodeBitmap}} {
			seal := func() { m.sealBitmap(n, g, b.what) }
			stretch(fmt.Sprintf("%s bitmap %d", b.what, n), f.BlockOffset(b.block), 6, 1, seal)
			stretch(fmt.Sprintf("end of %s bitmap %d", b.what, n), f.BlockOffset(b.block+1)-2, 2, 1, seal)
		}
	}
	for _, in := range m.inodes() {
		name := fmt.Sprintf("inode %d", in.Ino)
		seal := func() { m.sealInode(in) }
		end := len(in.Raw)
		if end > 128 {
			end = min(end, 128+int(in.ExtraIsize)+40)
		}
		stretch(name, in.Offset, end, 2, seal)
		m.blockFields(in, stretch)
	}
	m.quotaFields(stretch)
	return list
}

// quotaFields lists fields of quota files: of the header, of what of the tree is in
// use, and of entries.
func (m *mutant) quotaFields(stretch func(string, int64, int, int, func())) {
	for _, t := range []layout.QuotaType{layout.QuotaUser, layout.QuotaGroup, layout.QuotaProject} {
		in, err := m.fs.Inode(m.fs.QuotaIno(t))
		if err != nil {
			continue
		}
		const entries = layout.QuotaEntryStart + 3*layout.QuotaEntrySize
		file, name := m.fs.File(in), fmt.Sprintf("%s quota", t)
		stretch(name, file.Place(0), 0x20, 2, nil)
		for at := int64(layout.QuotaBlockSize); at < file.Size(); at += layout.QuotaBlockSize {
			var b [layout.QuotaBlockSize]byte
			if _, err := file.ReadAt(b[:], at); err != nil {
				m.t.Fatal(err)
			}
			for i := 0; i < len(b); i += 4 {
				if i < entries || layout.DecodeQuotaBlock(b[:]).Entries == 0 && bin.Uint32(b[i:]) != 0 {
					stretch(fmt.Sprintf("%s at %#x", name, at+int64(i)), file.Place(at+int64(i)), 4, 4, nil)
				}
			}
		}
	}
}

// inodes picks a few inodes of each sort.
func (m *mutant) inodes() []*ext.Inode {
	count := map[string]int{}
	var list []*ext.Inode
	for ino := ext.Ino(1); uint32(ino) <= m.fs.InodesCount(); ino++ {
		in, err := m.fs.Inode(ino)
		if err != nil || in.Links == 0 && (ino > 11 || in.Mode == 0 && ino > 8) {
			continue
		}
		sort := fmt.Sprintf("%#x %#x %v", in.Type(), in.Flags&(layout.FlagIndex|layout.FlagExtents|layout.FlagInlineData|layout.FlagEAInode), in.FileACL != 0)
		if depth, ok := m.fs.ExtentDepth(in); ok {
			sort += fmt.Sprint(depth)
		}
		if count[sort]++; count[sort] <= 2 {
			list = append(list, in)
		}
	}
	return list
}

// blockFields lists fields of the blocks of an inode that hold metadata.
func (m *mutant) blockFields(in *ext.Inode, stretch func(string, int64, int, int, func())) {
	f := m.fs
	if in.FileACL != 0 {
		at := f.BlockOffset(in.FileACL)
		seal := func() { m.sealXattr(in.FileACL) }
		stretch(fmt.Sprintf("xattr block of %d", in.Ino), at, 0x40, 2, seal)
		stretch(fmt.Sprintf("xattr values of %d", in.Ino), at+int64(f.BlockSize())-8, 8, 4, seal)
	}
	nodes, dirs := 0, 0
	for r, err := range f.Map(in) {
		if err != nil {
			continue
		}
		at := f.BlockOffset(r.Physical)
		if r.Kind == ext.Index && nodes < 2 {
			nodes++
			stretch(fmt.Sprintf("map node of %d", in.Ino), at, 36, 2, func() { m.sealExtents(in, r.Physical) })
		}
		if r.Kind != ext.Data || !in.IsDir() {
			continue
		}
		for i := range min(r.Len, 3) {
			if dirs++; dirs > 4 {
				break
			}
			block := r.Physical + ext.Block(i)
			logical := uint32(r.Logical + i)
			at, bytes := f.BlockOffset(block), 44
			if in.Flags&layout.FlagIndex != 0 && logical == 0 {
				bytes = 0x40
			}
			stretch(fmt.Sprintf("directory %d block %d", in.Ino, logical), at, bytes, 1, func() { m.sealDir(in, block, logical) })
		}
	}
}
