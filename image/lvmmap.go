package image

import (
	"errors"
	"fmt"
	"strings"
)

// An unsupportedError is a volume of a kind that is not read.
type unsupportedError struct{ what string }

func (e *unsupportedError) Error() string { return e.what + " is not supported" }

// An lvmMapper says where the bytes of a group's volumes lie. Each is looked at once.
type lvmMapper struct {
	g       *lvmGroup
	members map[string]area // the physical volumes that are there, whole, by UUID
	byName  map[string]*lvmLV
	done    map[string]*mapped
	failed  map[string]error
}

func newLVMMapper(g *lvmGroup, members map[string]area) *lvmMapper {
	m := &lvmMapper{g: g, members: members, byName: map[string]*lvmLV{}, done: map[string]*mapped{}, failed: map[string]error{}}
	for i := range g.lvs {
		m.byName[g.lvs[i].name] = &g.lvs[i]
	}
	return m
}

// maxLVMNesting bounds volumes that are parts of volumes.
const maxLVMNesting = 8

var errLoop = errors.New("is a part of itself, or nested too deep")

// volume maps the volume called name.
func (m *lvmMapper) volume(name string, depth int) (*mapped, error) {
	if v := m.done[name]; v != nil {
		return v, nil
	}
	if err := m.failed[name]; err != nil {
		return nil, err
	}
	lv := m.byName[name]
	if lv == nil {
		return nil, fmt.Errorf("volume %q is not in the group", name)
	}
	if depth > maxLVMNesting {
		return nil, errLoop
	}
	m.failed[name] = errLoop // while it is looked at
	v, err := m.build(lv, depth)
	if m.failed[name] = err; err != nil {
		return nil, err
	}
	m.done[name] = v
	return v, nil
}

func (m *lvmMapper) build(lv *lvmLV, depth int) (*mapped, error) {
	if _, ok := m.g.cow[lv.name]; ok {
		return nil, &unsupportedError{"snapshot"}
	}
	v := &mapped{name: m.g.name + "/" + lv.name, stale: lv.outdated}
	for i := range lv.node.kids {
		n := &lv.node.kids[i]
		if n.is != lvmSection || !strings.HasPrefix(n.key, "segment") {
			continue
		}
		start, ok := n.count("start_extent")
		count, ok2 := n.count("extent_count")
		at, fits := m.g.offset(start)
		length, fits2 := m.g.offset(count)
		switch {
		case !ok || !ok2 || count == 0 || !fits || !fits2 || v.size > 1<<62-length:
			return nil, fmt.Errorf("%s: no start_extent and extent_count that can be", n.key)
		case at != v.size:
			return nil, fmt.Errorf("%s: starts at extent %d, where the segment before does not end", n.key, start)
		}
		s := segment{length: length}
		if err := m.segment(v, &s, n, depth); err != nil {
			return nil, err
		}
		v.add(s)
	}
	if v.size == 0 {
		return nil, errors.New("has no segments")
	}
	return v, nil
}

// segment fills s from its section n.
func (m *lvmMapper) segment(v *mapped, s *segment, n *lvmNode, depth int) error {
	typ := n.get("type", lvmString).text
	if off, ok := n.count("data_offset"); ok && off != 0 {
		return &unsupportedError{typ + " in the middle of a reshape"}
	}
	switch typ {
	case "striped", "linear":
		return m.striped(v, s, n, n.get("stripes", lvmList), 0, depth)
	case "raid0":
		return m.striped(v, s, n, n.get("raid0_lvs", lvmList), 0, depth)
	case "raid0_meta":
		return m.striped(v, s, n, n.get("raids", lvmList), 1, depth)
	case "mirror":
		return m.mirrored(v, s, n, n.get("mirrors", lvmList), 0, depth)
	case "raid1":
		return m.mirrored(v, s, n, n.get("raids", lvmList), 1, depth)
	case "zero":
		return nil
	case "error":
		s.areas = []area{{name: "error segment"}}
		return nil
	case "":
		return fmt.Errorf("%s: no type", n.key)
	}
	return &unsupportedError{typ}
}

func (m *lvmMapper) striped(v *mapped, s *segment, n, list *lvmNode, skip, depth int) error {
	legs, err := m.legs(n, list, skip, depth)
	if err != nil {
		return err
	}
	if len(legs) == 1 {
		s.areas = []area{legs[0].area}
	} else {
		sectors, _ := n.count("stripe_size")
		s.stripe = int64(sectors) * lvmSector
		count := int64(len(legs))
		if s.stripe == 0 || s.length/m.g.extent%count != 0 || m.g.extent%s.stripe != 0 {
			return fmt.Errorf("%s: %d extents do not divide into %d stripes of %d sectors", n.key, s.length/m.g.extent, count, sectors)
		}
		for _, l := range legs {
			s.areas = append(s.areas, l.area)
		}
	}
	for _, l := range legs {
		v.stale = v.stale || l.stale
		v.mirrors = max(v.mirrors, l.mirrors)
		v.lies(l.on...)
	}
	return nil
}

func (m *lvmMapper) mirrored(v *mapped, s *segment, n, list *lvmNode, skip, depth int) error {
	legs, err := m.legs(n, list, skip, depth)
	if err != nil {
		return err
	}
	if len(legs) > maxLegs {
		return fmt.Errorf("%s: %d copies, more than %d", n.key, len(legs), maxLegs)
	}
	if skip == 1 {
		m.raidState(legs)
	}
	s.mirrored = true
	v.stale = bestLegs(s, legs, s.length) || v.stale
	for _, l := range legs {
		v.mirrors = max(v.mirrors, l.mirrors+1)
		v.lies(l.on...)
	}
	if v.mirrors > maxMirrors {
		return &unsupportedError{"a mirror of mirrors of mirrors"}
	}
	return nil
}

// A leg is one of several areas, with what decides between them.
type leg struct {
	area
	stale   bool
	mirrors int
	on      []string
	meta    *mapped // the volume of a RAID leg's own superblock, nil for none
}

// bestLegs gives a mirrored segment its areas, of n bytes: of those that have the last
// writes the ones that lack least first; others only where there is none of these, which
// is what it returns.
func bestLegs(s *segment, legs []leg, n int64) (stale bool) {
	for _, stale := range []bool{false, true} {
		var whole, part []area
		for i := range legs {
			if legs[i].stale != stale || legs[i].r == nil {
				continue
			}
			budget := missingWork
			switch legs[i].missing(0, n, &budget) {
			case 0:
				whole = append(whole, legs[i].area)
			case n:
			default:
				part = append(part, legs[i].area)
			}
		}
		if s.areas = append(whole, part...); len(s.areas) > 0 {
			return stale
		}
	}
	s.areas = []area{legs[0].area}
	s.areas[0].r = nil
	return false
}

// missingWork bounds what is done to count missing bytes.
const missingWork = 1 << 16

// legs takes apart a list of names, each with the extent it begins at, or, where RAID
// lists its parts, without; skip is 1 where the part's superblock is named before it.
func (m *lvmMapper) legs(n, list *lvmNode, skip, depth int) ([]leg, error) {
	var legs []leg
	for i := 0; i < len(list.kids); {
		var l leg
		if skip == 1 {
			l.meta, _ = m.volume(list.kids[i].text, depth+1)
			i++
		}
		if i == len(list.kids) || list.kids[i].is != lvmString {
			return nil, fmt.Errorf("%s: a list that is none of volumes", n.key)
		}
		name := list.kids[i].text
		i++
		var extent uint64
		if i < len(list.kids) && list.kids[i].is == lvmNumber {
			if list.kids[i].num < 0 || list.kids[i].num >= 1<<32 {
				return nil, fmt.Errorf("%s: extent %d of %q", n.key, list.kids[i].num, name)
			}
			extent = uint64(list.kids[i].num)
			i++
		}
		at, ok := m.g.offset(extent)
		if !ok {
			return nil, fmt.Errorf("%s: extent %d of %q", n.key, extent, name)
		}
		if err := m.part(&l, name, at, depth); err != nil {
			return nil, err
		}
		legs = append(legs, l)
	}
	if len(legs) == 0 {
		return nil, fmt.Errorf("%s: lies nowhere", n.key)
	}
	return legs, nil
}

// part fills l with where byte at of a physical volume's extents, or of another volume,
// is.
func (m *lvmMapper) part(l *leg, name string, at int64, depth int) error {
	if pv, ok := m.g.pvs[name]; ok {
		l.name = fmt.Sprintf("physical volume %s (%s)", pv.name, pv.uuid)
		if end, _ := m.g.offset(pv.count); at >= end {
			return fmt.Errorf("extent %d of %q, which has %d", at/m.g.extent, name, pv.count)
		}
		if whole, ok := m.members[pv.uuid]; ok {
			l.r, l.at = whole.r, whole.at+pv.start+at
			l.room = max(whole.room-pv.start-at, 0)
			l.stale = pv.missing
		}
		l.on = []string{name}
		return nil
	}
	sub, err := m.volume(name, depth+1)
	if err != nil {
		return err
	}
	l.name, l.r, l.at, l.room = sub.name, sub, at, max(sub.size-at, 0)
	l.stale, l.mirrors, l.on = sub.stale, sub.mirrors, sub.on
	return nil
}

// raidState finds the legs of a RAID 1 that were failed, left behind or not yet filled,
// by the superblocks that device-mapper keeps of them: struct dm_raid_superblock,
// drivers/md/dm-raid.c. A leg without one is taken as it is.
func (m *lvmMapper) raidState(legs []leg) {
	type super struct {
		events, failed uint64
		rebuilt        bool
	}
	supers := make([]*super, len(legs))
	newest := -1
	for i, l := range legs {
		if l.meta == nil {
			continue
		}
		b, err := fetchAll(l.meta, 0, 0x30)
		if err != nil || string(b[:4]) != "DmRd" { // magic
			continue
		}
		supers[i] = &super{
			events:  le.Uint64(b[0x10:]),            // events
			failed:  le.Uint64(b[0x18:]),            // failed_devices
			rebuilt: le.Uint64(b[0x20:]) == 1<<64-1, // disk_recovery_offset, all of it
		}
		if newest < 0 || supers[i].events > supers[newest].events {
			newest = i
		}
	}
	for i, s := range supers {
		if s != nil && (!s.rebuilt || s.events+1 < supers[newest].events || i < 64 && supers[newest].failed&(1<<i) != 0) {
			legs[i].stale = true
		}
	}
}
