package hidden

import (
	"context"
	"encoding/binary"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// descReserved is where bg_reserved of a 64-byte group descriptor lies, behind which
// larger ones have nothing either (struct ext4_group_desc).
const descReserved = 0x3c

// descriptors looks at the padding in a copy of the group descriptors.
func (s *finder) descriptors(ctx context.Context, m ext.MetaRun) error {
	f := s.fs
	bs, size := f.BlockSize(), f.Super.DescBytes()
	perBlock := uint64(bs / size)
	first := uint64(0)
	if f.Super.Incompat&layout.IncompatMetaBG != 0 && uint64(m.Group)/perBlock >= uint64(f.Super.FirstMetaBG) {
		first = uint64(m.Group) / perBlock
	}
	b := make([]byte, bs)
	for i := range m.Len {
		if err := ctx.Err(); err != nil {
			return err
		}
		if m.Start+ext.Block(i) >= ext.Block(f.Size()/int64(bs)) {
			return nil
		}
		if err := f.ReadBlock(b, m.Start+ext.Block(i)); err != nil {
			s.fail(err)
			continue
		}
		at := f.BlockOffset(m.Start + ext.Block(i))
		groups := uint64(f.GroupCount()) - min((first+i)*perBlock, uint64(f.GroupCount()))
		used := int(min(groups, perBlock)) * size
		reserved := Place{Kind: DescPadding, Offset: at + descReserved}
		for d := 0; size > descReserved && d < used; d += size {
			reserved.Len += int64(size - descReserved)
			reserved.NotZero += notZero(b[d+descReserved : d+size])
		}
		s.found(reserved)
		s.found(Place{Kind: DescPadding, Offset: at + int64(used), Len: int64(bs - used), NotZero: notZero(b[used:])})
	}
	return nil
}

// reservedGDT looks at blocks kept for descriptors to come. In those of the first group
// the resize inode keeps the numbers of their backups (reserve_backup_gdb,
// fs/ext4/resize.c); those are no place to hide in.
func (s *finder) reservedGDT(ctx context.Context, m ext.MetaRun) error {
	f := s.fs
	b := make([]byte, f.BlockSize())
	end := ext.Block(f.Size() / int64(len(b)))
	resize := m.Group == 0 && f.Super.Compat&layout.CompatResizeInode != 0
	for i := range m.Len {
		if err := ctx.Err(); err != nil {
			return err
		}
		block := m.Start + ext.Block(i)
		if block >= end {
			return nil
		}
		if err := f.ReadBlock(b, block); err != nil {
			s.fail(err)
			continue
		}
		if resize {
			at := 0
			for g := range f.SuperBackups() {
				backup := uint64(block) + uint64(g)*uint64(f.Super.BlocksPerGroup)
				if at+4 > len(b) || uint64(binary.LittleEndian.Uint32(b[at:])) != backup {
					break
				}
				clear(b[at : at+4])
				at += 4
			}
		}
		s.found(Place{Kind: ReservedGDT, Offset: f.BlockOffset(block), Len: int64(len(b)), NotZero: notZero(b)})
	}
	return nil
}

// bitmaps looks at the ends of bitmap blocks, which are filled with ones, by old
// programs with zeros.
func (s *finder) bitmaps(ctx context.Context) error {
	f := s.fs
	for number, g := range f.Groups() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if g.State == ext.GroupBad {
			continue
		}
		bits := (uint64(f.GroupBlocks(number)) + uint64(f.ClusterBlocks()) - 1) / uint64(f.ClusterBlocks())
		if b, computed, err := f.BlockBitmap(number); err == nil && !computed {
			s.padding(b, f.BlockOffset(g.BlockBitmap), bits)
		} else {
			s.fail(err)
		}
		if g.Flags&layout.GroupInodeUninit != 0 {
			continue
		}
		b, err := f.InodeBitmap(number)
		if err != nil {
			s.fail(err)
			continue
		}
		s.padding(b, f.BlockOffset(g.InodeBitmap), uint64(f.Super.InodesPerGroup))
	}
	return nil
}

func (s *finder) padding(b []byte, at int64, bits uint64) {
	from := int(min((bits+7)/8, uint64(len(b))))
	p := Place{Kind: BitmapPadding, Offset: at + int64(from), Len: int64(len(b) - from)}
	for _, c := range b[from:] {
		if c != 0 && c != 0xff {
			p.NotZero++
		}
	}
	s.found(p)
}
