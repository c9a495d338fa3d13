package image

import (
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
)

// lvmGroups are the volume groups of an image, as far as their members were met.
type lvmGroups struct {
	pvs   map[string]int // physical volumes by UUID: the volumes they lie in
	list  []*foundGroup  // in the order they were met
	texts map[[sha256.Size]byte]bool
	loose []loosePV // physical volumes without metadata
}

type loosePV struct {
	volume int
	uuid   string
}

// A foundGroup is the newest metadata of one group.
type foundGroup struct {
	*lvmGroup
	crcOK bool
	from  int // the volume that has it
	built bool
}

// add notes physical volume i, whose bytes r has.
func (g *lvmGroups) add(s *stack, i int, r *io.SectionReader) {
	p := &s.table.Partitions[i]
	l, at, ok := readLVMLabel(r, r.Size())
	switch {
	case !ok || l.uuid == "":
		warnf(&p.Warnings, "the LVM2 label at byte %d can't be right", at)
		p.State = StateDamaged
		return
	case !l.crcOK:
		warnf(&p.Warnings, "the checksum of the LVM2 label at byte %d does not match", at)
	}
	if g.pvs == nil {
		g.pvs, g.texts = map[string]int{}, map[[sha256.Size]byte]bool{}
	}
	if first, ok := g.pvs[l.uuid]; ok {
		warnf(&p.Warnings, "physical volume %s was met before, in %s: this one is left out", l.uuid, s.table.Partitions[first].name())
		return
	}
	g.pvs[l.uuid] = i
	if l.size > uint64(r.Size()) {
		warnf(&p.Warnings, "physical volume is cut off: %d of its %d bytes are there", r.Size(), l.size)
	}
	found := false
	for _, e := range l.meta {
		t, err := readLVMText(r, r.Size(), e)
		if err == nil && t != nil {
			err = g.addText(i, t)
			found = found || err == nil
		}
		if err != nil {
			warnf(&p.Warnings, "LVM2: %v", err)
		}
	}
	if !found {
		g.loose = append(g.loose, loosePV{i, l.uuid})
	}
}

// addText notes what metadata physical volume i has.
func (g *lvmGroups) addText(i int, t *lvmText) error {
	sum := sha256.Sum256(t.text)
	if g.texts[sum] && t.crcOK {
		return nil // as on another disk, most often
	}
	group, err := decodeLVMGroup(string(t.text))
	if err != nil {
		return fmt.Errorf("metadata at byte %d: %w", t.at, err)
	}
	g.texts[sum] = g.texts[sum] || t.crcOK
	for _, f := range g.list {
		if f.uuid != group.uuid {
			continue
		}
		better := t.crcOK && !f.crcOK || t.crcOK == f.crcOK && group.seqno > f.seqno
		if better && !f.built {
			f.lvmGroup, f.crcOK, f.from = group, t.crcOK, i
		}
		if !t.crcOK {
			return fmt.Errorf("checksum of the metadata at byte %d does not match", t.at)
		}
		return nil
	}
	g.list = append(g.list, &foundGroup{lvmGroup: group, crcOK: t.crcOK, from: i})
	if !t.crcOK {
		return fmt.Errorf("checksum of the metadata at byte %d does not match", t.at)
	}
	return nil
}

// buildGroups adds the volumes of groups that are there, and tells whether there were any.
func (s *stack) buildGroups(final bool) bool {
	before := len(s.table.Partitions)
	for _, f := range s.groups.list {
		if f.built {
			continue
		}
		lack := 0
		for _, pv := range f.pvs {
			if _, ok := s.groups.pvs[pv.uuid]; !ok {
				lack++
			}
		}
		if lack > 0 && s.waits(final) {
			continue
		}
		f.built = true
		s.buildGroup(f)
	}
	if final && len(s.table.Partitions) == before {
		s.nameLoose()
	}
	return len(s.table.Partitions) > before
}

// buildGroup adds the volumes of a group.
func (s *stack) buildGroup(f *foundGroup) {
	if !f.crcOK {
		s.warn("group %s: no metadata whose checksum matches was found: what is there is shown as it is", f.name)
	}
	members := map[string]area{}
	for name, pv := range f.pvs {
		if i, ok := s.groups.pvs[pv.uuid]; ok {
			members[pv.uuid] = s.whole(i)
			s.table.Partitions[i].Content.Detail = fmt.Sprintf("physical volume %s of group %s", name, f.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.pvs)) {
		if pv := f.pvs[name]; members[pv.uuid].r == nil {
			s.warn("group %s: physical volume %s (%s) is missing", f.name, name, pv.uuid)
		}
	}
	m := newLVMMapper(f.lvmGroup, members)
	for i := range f.lvs {
		lv := &f.lvs[i]
		_, cow := f.cow[lv.name]
		if !lv.visible && !cow || lv.types() == "snapshot" { // which ties a snapshot to its origin
			continue
		}
		s.buildLV(f, m, lv)
	}
}

func (s *stack) buildLV(f *foundGroup, m *lvmMapper, lv *lvmLV) {
	p := Partition{Scheme: "lvm2", Kind: "lv", Name: f.name + "/" + lv.name, UUID: lv.uuid, TypeName: lv.types(), Start: -1}
	if origin, ok := f.cow[lv.name]; ok {
		p.TypeName = "snapshot of " + origin
	}
	v, err := m.volume(lv.name, 0)
	if err != nil {
		p.Length, _ = f.offset(lv.extents())
		p.State, p.Content = StateDamaged, Content{Type: typeUnreadable, Detail: err.Error()}
		if u, ok := err.(*unsupportedError); ok {
			p.State, p.Content = StateUnsupported, Content{Type: typeUnread, Detail: u.Error()}
		} else {
			warnf(&p.Warnings, "%v", err)
		}
		s.add(f.from, p)
		return
	}
	parent, part := -1, "a copy of it"
	if v.lacks() > 0 {
		part = "some of it"
	}
	for _, name := range v.on {
		i, ok := s.groups.pvs[f.pvs[name].uuid]
		if !ok {
			warnf(&p.Warnings, "%s lies on physical volume %s (%s), which is missing", part, name, f.pvs[name].uuid)
			continue
		}
		if parent < 0 {
			parent = i
		}
		p.Members = append(p.Members, s.table.Partitions[i].Number)
	}
	if parent < 0 {
		parent = f.from
	}
	s.addMapped(parent, p, v)
}

// nameLoose says of physical volumes without metadata which have no group.
func (s *stack) nameLoose() {
	for _, l := range s.groups.loose {
		known := false
		for _, f := range s.groups.list {
			for _, pv := range f.pvs {
				known = known || pv.uuid == l.uuid
			}
		}
		if !known {
			s.table.Partitions[l.volume].Content.Detail = "a physical volume of no group that is known"
		}
	}
	s.groups.loose = nil
}
