package audit

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// An eaOwner is what has attributes with values in inodes of their own: an inode,
// or a block of attributes.
type eaOwner struct {
	ino   ext.Ino
	block ext.Block
}

// An eaCharge is what attributes with values in inodes of their own add to the
// usage of an inode.
type eaCharge struct{ clusters, inodes uint64 }

func (c eaCharge) plus(d eaCharge) eaCharge {
	return eaCharge{c.clusters + d.clusters, c.inodes + d.inodes}
}

// valueInodes judges the inodes that hold values of attributes, by the references
// to them, and gives what they add to the counts of their owners.
func (a *auditor) valueInodes(refs []eaRef) map[eaOwner]eaCharge {
	slices.SortFunc(refs, func(x, y eaRef) int {
		return cmp.Or(cmp.Compare(x.value, y.value), cmp.Compare(x.ino, y.ino), cmp.Compare(x.offset, y.offset))
	})
	charges := map[eaOwner]eaCharge{}
	cluster := uint64(a.fs.BlockSize()) * uint64(a.fs.ClusterBlocks())
	a.valued = a.tree.NewSet()
	for i, n := 0, 0; i < len(refs); i += n {
		for n = 1; i+n < len(refs) && refs[i+n].value == refs[i].value; n++ {
		}
		in, err := a.fs.Inode(refs[i].value)
		if err != nil || in.Ino < a.fs.FirstIno() {
			in = nil
		} else {
			a.valued.Add(in.Ino)
		}
		for _, r := range refs[i : i+n] {
			if !a.valueRef(in, r) {
				continue
			}
			owner := eaOwner{ino: r.ino}
			if r.block != 0 {
				owner = eaOwner{block: r.block}
			}
			charges[owner] = charges[owner].plus(eaCharge{(uint64(r.size) + cluster - 1) / cluster, 1})
		}
		a.valueCount(in, uint64(n))
	}
	return charges
}

// valueRef judges one reference. It reports whether the value counts for its
// owner: not so where Lustre made it.
func (a *auditor) valueRef(in *ext.Inode, r eaRef) bool {
	bad := func(format string, args ...any) {
		f := Finding{Kind: BadXattr, Ino: r.ino, Offset: r.offset, Detail: sprintf(format, args...)}
		if r.block != 0 {
			f.HasBlock, f.Block = true, r.block
		}
		a.add(f)
	}
	if in == nil {
		bad("the value of an attribute lies in inode %d, which cannot be", r.value)
		return false
	}
	flag := in.Flags&layout.FlagEAInode != 0
	value := le.Uint32(in.Raw[0x08:]) // i_atime holds its hash
	word := func(name uint32) uint32 { return bits.RotateLeft32(name, 16) ^ value }
	switch {
	case r.hash == word(r.name) || r.hash == word(r.signed):
		if !flag {
			bad("the value of an attribute lies in inode %d, which lacks the flag for that", r.value)
		} else if in.Size() != uint64(r.size) {
			bad("the value of an attribute has %d bytes, and inode %d, where it lies, %d", r.size, r.value, in.Size())
		}
		return flag
	case a.lustre(in, r):
		return false
	case !flag:
		bad("the value of an attribute lies in inode %d, which holds no such value", r.value)
	default:
		bad("the hash of an attribute is %#x, its name and value in inode %d give %#x", r.hash, r.value, word(r.name))
	}
	return false
}

// lustre reports whether the inode of a value leads back to its owner, as Lustre
// made them: by i_mtime and i_generation.
func (a *auditor) lustre(in *ext.Inode, r eaRef) bool {
	owner, err := a.fs.Inode(r.ino)
	return err == nil && le.Uint32(in.Raw[0x10:]) == uint32(r.ino) && in.Generation == owner.Generation
}

// valueCount holds the count of references of the inode of a value, which it keeps
// in i_ctime and i_version, against those found.
func (a *auditor) valueCount(in *ext.Inode, counted uint64) {
	if in == nil || in.Flags&layout.FlagEAInode == 0 || !a.tree.InUse(in.Ino) || a.tree.Counted(in.Ino) != 0 {
		return
	}
	ctime, atime := le.Uint32(in.Raw[0x0c:]), le.Uint32(in.Raw[0x08:])
	stored := uint64(ctime)<<32 | uint64(le.Uint32(in.Raw[0x24:]))
	if stored == counted || ctime == atime {
		return
	}
	a.add(Finding{Kind: BadXattr, Ino: in.Ino, Offset: in.Offset + 0x24, Counts: true, Stored: stored, Counted: counted,
		Detail: sprintf("the value of %d attributes by its own count, and of %d that were found", stored, counted)})
}
