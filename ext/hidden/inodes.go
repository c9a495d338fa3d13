package hidden

import (
	"context"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// inodes goes through all inodes once: what each of them hides, and which blocks are
// owned.
func (s *finder) inodes(ctx context.Context) error {
	f := s.fs
	s.newUsed()
	for m := range f.Metadata() {
		s.own(m.Start, m.Len)
	}
	nodes := f.NewNodeBudget()
	total := int(f.InodesCount())
	local := make([][]ext.DirBlock, ext.Workers())
	err := f.ScanInodes(ctx, func(w int, in *ext.Inode) {
		if s.o.Progress != nil && in.Ino&0xfff == 0 {
			s.o.Progress(int(in.Ino), total)
		}
		if !s.inUse(in) {
			return
		}
		s.tail(in)
		local[w] = s.blocks(ctx, in, nodes, local[w])
	}, func(_ ext.Ino, _ uint32, err error) { s.fail(err) })
	for _, list := range local {
		s.slack = append(s.slack, list...)
	}
	return err
}

// inUse reports whether an inode is in use: by its links, or as an orphan by the
// bitmap.
func (s *finder) inUse(in *ext.Inode) bool {
	if in.Links > 0 {
		return true
	}
	if in.Mode == 0 && in.Ino >= s.fs.FirstIno() {
		return false
	}
	used, err := s.fs.InodeAllocated(in.Ino)
	s.fail(err)
	return used
}

// tail looks behind the fields of an inode, at what is no extended attribute.
func (s *finder) tail(in *ext.Inode) {
	from := layout.GoodOldInodeSize + int(in.ExtraIsize)
	if len(in.Raw) == layout.GoodOldInodeSize || from > len(in.Raw) {
		return
	}
	body := in.Raw[from:]
	off := in.Offset + int64(from)
	entries, err := layout.DecodeXattrBody(body, off)
	if err != nil {
		return // an audit tells of that
	}
	if len(entries) == 0 && (len(body) < 4 || !layout.IsXattrMagic(body)) {
		s.found(Place{Kind: InodeTail, Ino: in.Ino, Offset: off, Len: int64(len(body)), NotZero: notZero(body)})
		return
	}
	start, end := layout.XattrGap(body, entries)
	s.found(Place{Kind: InodeTail, Ino: in.Ino, Offset: off + int64(start), Len: int64(end - start), NotZero: notZero(body[start:end])})
}

// blocks goes through the map of an inode in use. It appends the last block of a file,
// if part of it is behind the end.
func (s *finder) blocks(ctx context.Context, in *ext.Inode, nodes *ext.NodeBudget, list []ext.DirBlock) []ext.DirBlock {
	f := s.fs
	bs := uint64(f.BlockSize())
	end := (in.Size() + bs - 1) / bs
	whole := s.holds(in)
	past := !whole && in.Flags&(layout.FlagVerity|layout.FlagEncrypt) == 0 && !f.Reserved(in.Ino)
	for r, err := range f.MapWithin(in, nodes) {
		if ctx.Err() != nil {
			return list
		}
		if err != nil {
			s.fail(err)
			continue
		}
		s.own(r.Physical, r.Len)
		switch {
		case r.Kind == ext.Index:
		case whole:
			s.fail(s.read(ctx, Place{Kind: s.kindOf(in), Ino: in.Ino, Offset: f.BlockOffset(r.Physical), Len: int64(min(r.Len, 1<<40)) * int64(bs)}))
		case !past:
		case r.Logical+r.Len > end:
			skip := end - min(end, r.Logical)
			s.fail(s.read(ctx, Place{Kind: PastEOF, Ino: in.Ino, Offset: f.BlockOffset(r.Physical + ext.Block(skip)), Len: int64(min(r.Len-skip, 1<<40)) * int64(bs)}))
		}
		if past && r.Kind == ext.Data && in.Size()%bs != 0 && r.Logical <= end-1 && end-1 < r.Logical+r.Len && !in.IsDir() {
			list = append(list, ext.DirBlock{Physical: r.Physical + ext.Block(end-1-r.Logical), Dir: in.Ino, Logical: uint32(in.Size() % bs)})
		}
	}
	if in.FileACL != 0 {
		s.own(in.FileACL, 1)
	}
	return list
}

// holds reports whether all that an inode maps is out of sight: the bad blocks, and
// what lies in reserved inodes that have no use.
func (s *finder) holds(in *ext.Inode) bool {
	if in.Ino >= s.fs.FirstIno() || in.Ino == layout.RootIno {
		return false
	}
	super := s.fs.Super
	switch in.Ino {
	case layout.ResizeIno:
		return super.Compat&layout.CompatResizeInode == 0
	case super.JournalInum, super.UserQuotaInum, super.GroupQuotaInum, super.ProjectQuotaInum, super.OrphanFileInum, super.SnapshotInum:
		return false
	}
	return true
}

func (s *finder) kindOf(in *ext.Inode) Kind {
	if in.Ino == layout.BadBlocksIno {
		return BadBlocks
	}
	return ReservedInode
}

// lastBlocks reads the last blocks of files, in the order of the disk.
func (s *finder) lastBlocks(ctx context.Context) error {
	return s.fs.ScanDirs(ctx, s.slack, func(_ int, d ext.DirBlock, b []byte, err error) {
		if err != nil {
			s.fail(err)
			return
		}
		cut := int(d.Logical)
		s.found(Place{Kind: Slack, Ino: d.Dir, Offset: s.fs.BlockOffset(d.Physical) + int64(cut), Len: int64(len(b) - cut), NotZero: notZero(b[cut:])})
	})
}
