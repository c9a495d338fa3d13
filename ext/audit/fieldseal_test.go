package audit_test

import (
	"encoding/binary"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

func (m *mutant) block(b ext.Block) []byte { return m.image[m.fs.BlockOffset(b):][:m.fs.BlockSize()] }

func (m *mutant) put16(at int64, v uint16) { m.write(at, binary.LittleEndian.AppendUint16(nil, v)) }
func (m *mutant) put32(at int64, v uint32) { m.write(at, binary.LittleEndian.AppendUint32(nil, v)) }

func (m *mutant) sealSuper() {
	if m.fs.Super.MetadataCsum() {
		m.put32(1024+0x3fc, layout.SuperblockChecksum(m.image[1024:][:1024]))
	}
}

func (m *mutant) sealGroup(n uint32, at int64) {
	if sum, ok := m.fs.Super.GroupChecksum(m.image[at:][:m.fs.Super.DescBytes()], n, m.fs.Seed()); ok {
		m.put16(at+0x1e, sum)
	}
}

func (m *mutant) sealBitmap(n uint32, g *ext.Group, what string) {
	if !m.fs.Super.MetadataCsum() {
		return
	}
	block, bits, lo, hi := g.BlockBitmap, m.fs.Super.ClustersPerGroup, int64(0x18), int64(0x38)
	if what == "inode" {
		block, bits, lo, hi = g.InodeBitmap, m.fs.Super.InodesPerGroup, 0x1a, 0x3a
	}
	sum := layout.BitmapChecksum(m.fs.Seed(), m.block(block), bits)
	m.put16(g.Offset+lo, uint16(sum))
	if m.fs.Super.DescBytes() >= 64 {
		m.put16(g.Offset+hi, uint16(sum>>16))
	}
	m.sealGroup(n, g.Offset)
}

func (m *mutant) inodeSeed(in *ext.Inode) uint32 {
	return layout.InodeSeed(m.fs.Seed(), in.Ino, binary.LittleEndian.Uint32(m.image[in.Offset+0x64:]))
}

func (m *mutant) sealInode(in *ext.Inode) {
	if !m.fs.Super.MetadataCsum() {
		return
	}
	sum, wide := layout.InodeChecksum(m.image[in.Offset:][:len(in.Raw)], m.inodeSeed(in))
	m.put16(in.Offset+0x7c, uint16(sum))
	if wide {
		m.put16(in.Offset+0x82, uint16(sum>>16))
	}
}

func (m *mutant) sealExtents(in *ext.Inode, block ext.Block) {
	b := m.block(block)
	if _, computed, ok := layout.ExtentChecksum(b, m.inodeSeed(in)); ok && m.fs.Super.MetadataCsum() && in.Flags&layout.FlagExtents != 0 {
		max := int64(binary.LittleEndian.Uint16(b[4:]))
		m.put32(m.fs.BlockOffset(block)+12+12*max, computed)
	}
}

func (m *mutant) sealXattr(block ext.Block) {
	if m.fs.Super.MetadataCsum() {
		m.put32(m.fs.BlockOffset(block)+0x10, layout.XattrBlockChecksum(m.block(block), m.fs.Seed(), block))
	}
}

func (m *mutant) sealDir(in *ext.Inode, block ext.Block, logical uint32) {
	if !m.fs.Super.MetadataCsum() {
		return
	}
	b := m.block(block)
	if at := ext.DxCountOffset(b, in.Flags, logical); at > 0 {
		if _, computed, ok := layout.DxChecksum(b, m.inodeSeed(in), at); ok {
			limit := int64(binary.LittleEndian.Uint16(b[at:]))
			m.put32(m.fs.BlockOffset(block)+int64(at)+8*limit+4, computed)
		}
		return
	}
	if _, ok := layout.DirTail(b); ok {
		m.put32(m.fs.BlockOffset(block)+int64(len(b))-4, layout.DirChecksum(b, m.inodeSeed(in)))
	}
}
