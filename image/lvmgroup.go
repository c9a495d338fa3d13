package image

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// An lvmGroup is a volume group as its metadata tells of it.
type lvmGroup struct {
	name, uuid string
	seqno      uint64
	extent     int64 // bytes
	pvs        map[string]lvmPV
	lvs        []lvmLV
	cow        map[string]string // volumes that hold changes of a snapshot, to the origin
}

// An lvmPV is a physical volume of a group.
type lvmPV struct {
	name, uuid string
	start      int64  // byte of its first extent
	count      uint64 // extents
	missing    bool   // it was not there when the group was last changed
}

// An lvmLV is a logical volume, or a part of one that is none by itself.
type lvmLV struct {
	name, uuid string
	visible    bool
	outdated   bool // a copy that is yet to be filled
	node       *lvmNode
}

var errNoGroup = errors.New("text without a volume group")

// decodeLVMGroup makes a group of a text. The mapping of its volumes is left to lvmMapper.
func decodeLVMGroup(text string) (*lvmGroup, error) {
	root, err := parseLVM(text)
	if err != nil {
		return nil, err
	}
	var n *lvmNode
	for i := range root.kids {
		if k := &root.kids[i]; k.is == lvmSection && k.get("id", lvmString).text != "" {
			n = k
			break
		}
	}
	if n == nil {
		return nil, errNoGroup
	}
	g := &lvmGroup{name: n.key, uuid: n.get("id", lvmString).text, pvs: map[string]lvmPV{}, cow: map[string]string{}}
	var ok bool
	if g.seqno, ok = n.count("seqno"); !ok {
		return nil, fmt.Errorf("group %q: no seqno", g.name)
	}
	sectors, _ := n.count("extent_size")
	if sectors == 0 {
		return nil, fmt.Errorf("group %q: no extent_size", g.name)
	}
	g.extent = int64(sectors) * lvmSector
	list := n.get("physical_volumes", lvmSection).kids
	for i := range list {
		k := &list[i]
		pv := lvmPV{name: k.key, uuid: k.get("id", lvmString).text, missing: k.has("status", "MISSING")}
		start, ok := k.count("pe_start")
		pv.count, _ = k.count("pe_count")
		if _, fits := g.offset(pv.count); !ok || !fits {
			return nil, fmt.Errorf("physical volume %q: no pe_start and pe_count that can be", pv.name)
		}
		pv.start = int64(start) * lvmSector
		g.pvs[pv.name] = pv
	}
	list = n.get("logical_volumes", lvmSection).kids
	for i := range list {
		g.addLV(&list[i])
	}
	return g, nil
}

func (g *lvmGroup) addLV(k *lvmNode) {
	lv := lvmLV{
		name: k.key, uuid: k.get("id", lvmString).text, node: k,
		visible: k.has("status", "VISIBLE"), outdated: k.has("status", "REBUILD"),
	}
	for i := range k.kids {
		if s := &k.kids[i]; s.is == lvmSection && s.get("type", lvmString).text == "snapshot" {
			for _, key := range []string{"cow_store", "merging_store"} {
				if c := s.get(key, lvmString).text; c != "" {
					g.cow[c] = s.get("origin", lvmString).text
				}
			}
		}
	}
	g.lvs = append(g.lvs, lv)
}

// offset is a count of extents in bytes.
func (g *lvmGroup) offset(extents uint64) (int64, bool) {
	hi, lo := bits.Mul64(extents, uint64(g.extent))
	return int64(lo), hi == 0 && lo < 1<<62
}

// types lists what kinds of segments a volume has, as LVM2 calls them, but for the one
// stripe that it calls linear.
func (lv *lvmLV) types() string {
	var list []string
	for i := range lv.node.kids {
		s := &lv.node.kids[i]
		if s.is != lvmSection {
			continue
		}
		t := s.get("type", lvmString).text
		if n, _ := s.count("stripe_count"); t == "striped" && n == 1 {
			t = "linear"
		}
		if t != "" && !slices.Contains(list, t) && len(list) < 8 {
			list = append(list, t)
		}
	}
	return strings.Join(list, ", ")
}

// extents is how long a volume is by its segments, whatever those are.
func (lv *lvmLV) extents() uint64 {
	var n uint64
	for i := range lv.node.kids {
		if k := &lv.node.kids[i]; k.is == lvmSection {
			count, _ := k.count("extent_count")
			n = min(n+count, 1<<40)
		}
	}
	return n
}
