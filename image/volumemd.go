package image

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
)

// mdSets are the Linux RAIDs of an image, as far as their members were met.
type mdSets struct{ list []*mdSet }

// An mdSet is the members of one array.
type mdSet struct {
	uuid    string
	members []mdMember
	built   bool
}

type mdMember struct {
	*mdSuper
	volume int
}

func (a *mdSets) add(i int, md *mdSuper) {
	for _, set := range a.list {
		if set.uuid == md.set {
			set.members = append(set.members, mdMember{md, i})
			return
		}
	}
	a.list = append(a.list, &mdSet{uuid: md.set, members: []mdMember{{md, i}}})
}

// buildArrays adds the arrays whose members are there, and tells whether there were any.
func (s *stack) buildArrays(final bool) bool {
	before := len(s.table.Partitions)
	for _, set := range s.arrays.list {
		if set.built {
			continue
		}
		if len(set.members) < set.members[0].disks && s.waits(final) {
			continue
		}
		set.built = true
		s.buildArray(set)
	}
	return len(s.table.Partitions) > before
}

// buildArray adds an array. The member with the most events says what it is.
func (s *stack) buildArray(set *mdSet) {
	newest := set.members[0]
	for _, m := range set.members[1:] {
		if m.events > newest.events {
			newest = m
		}
	}
	p := Partition{
		Scheme: "md", Kind: "array", Name: newest.name, UUID: set.uuid, TypeName: newest.levelName(), Start: -1,
	}
	slots, stale := s.mdSlots(set, newest, &p)
	v, err := &mapped{name: cmp.Or(p.Name, "array "+p.UUID)}, error(nil)
	switch {
	case newest.reshape:
		err = &unsupportedError{newest.levelName() + " in the middle of a reshape"}
	case newest.level == mdRAID1:
		err = s.mdMirror(v, newest, slots, stale)
	case newest.level == mdLinear:
		err = s.mdLinear(v, newest, slots, &p)
	case newest.level == mdRAID0:
		err = s.mdStripes(v, newest, slots)
	default:
		err = &unsupportedError{newest.levelName()}
	}
	if err != nil {
		p.State, p.Content = StateDamaged, Content{Type: typeUnreadable, Detail: err.Error()}
		if u, ok := err.(*unsupportedError); ok {
			p.State, p.Content = StateUnsupported, Content{Type: typeUnread, Detail: u.Error()}
			p.Length = newest.used
		}
		s.add(newest.volume, p)
		return
	}
	s.addMapped(newest.volume, p, v)
}

// mdSlots gives the members their places, 0 to disks-1; -1 as a volume is for none. Those
// that the array went on without are stale. Places that nobody has are told in p.
func (s *stack) mdSlots(set *mdSet, newest mdMember, p *Partition) (slots map[int]mdMember, stale []mdMember) {
	slots = map[int]mdMember{}
	for _, m := range set.members {
		p.Members = append(p.Members, s.table.Partitions[m.volume].Number)
		role, name := m.role(), s.table.Partitions[m.volume].name()
		_, taken := slots[role]
		switch {
		case role < 0 || role >= newest.disks:
			continue // a spare, or one that was failed
		case m.events+1 < newest.events || newest.roleOf(m.number) != role:
			warnf(&p.Warnings, "%s is behind: it has %d events, the newest has %d", name, m.events, newest.events)
			stale = append(stale, m)
		case m.filling:
			warnf(&p.Warnings, "%s was being rebuilt, and is not whole", name)
			stale = append(stale, m)
		case taken && slots[role].events >= m.events:
			warnf(&p.Warnings, "%s has the place of another member: left out", name)
		default:
			slots[role] = m
		}
		if m.badSlots {
			warnf(&p.Warnings, "%s keeps a list of bad blocks, which is not read", name)
		}
	}
	if lack := newest.disks - len(slots); lack > 0 {
		warnf(&p.Warnings, "%d of %d members missing", lack, newest.disks)
	}
	return slots, stale
}

// mdArea is the n bytes of data of a member.
func (s *stack) mdArea(m mdMember, n int64) area {
	a := s.whole(m.volume)
	a.at, a.room = a.at+m.dataAt, min(max(a.room-m.dataAt, 0), n)
	return a
}

// mdMirror maps a RAID 1: the same on all members, as long as the array says.
func (s *stack) mdMirror(v *mapped, newest mdMember, slots map[int]mdMember, stale []mdMember) error {
	if newest.used <= 0 {
		return fmt.Errorf("a size of %d bytes", newest.used)
	}
	var order []mdMember
	for _, role := range slices.Sorted(maps.Keys(slots)) {
		order = append(order, slots[role])
	}
	slices.SortStableFunc(order, func(a, b mdMember) int { return cmp.Compare(b.events, a.events) })
	var legs []leg
	for _, m := range order[:min(len(order), maxLegs)] {
		legs = append(legs, leg{area: s.mdArea(m, newest.used)})
	}
	for _, m := range stale[:min(len(stale), maxLegs)] {
		legs = append(legs, leg{area: s.mdArea(m, newest.used), stale: true})
	}
	if len(legs) == 0 {
		return fmt.Errorf("no member holds its data")
	}
	g := segment{length: newest.used, mirrored: true}
	v.stale = bestLegs(&g, legs, newest.used)
	v.add(g)
	return nil
}

// mdLinear maps members one after another.
func (s *stack) mdLinear(v *mapped, newest mdMember, slots map[int]mdMember, p *Partition) error {
	for role := range newest.disks {
		m, ok := slots[role]
		if !ok {
			warnf(&p.Warnings, "member %d is missing, and how long it is: what lies behind it can't be placed", role)
			break
		}
		n := roundDown(m.dataLen, newest.chunk)
		if n <= 0 || n > math.MaxInt64/4-v.size {
			return fmt.Errorf("member %d has %d bytes of data", role, n)
		}
		v.add(segment{length: n, areas: []area{s.mdArea(m, n)}})
	}
	if v.size == 0 {
		return fmt.Errorf("the first member is missing")
	}
	return nil
}

// mdStripes maps a RAID 0 of members that are all as long.
func (s *stack) mdStripes(v *mapped, newest mdMember, slots map[int]mdMember) error {
	chunk := newest.chunk
	if chunk <= 0 || chunk%512 != 0 {
		return fmt.Errorf("chunks of %d bytes", chunk)
	}
	n := roundDown(newest.dataLen, chunk)
	if n <= 0 || n > math.MaxInt64/4/int64(newest.disks) {
		return fmt.Errorf("%d bytes of data a member", n)
	}
	g := segment{length: n * int64(newest.disks), stripe: chunk}
	for role := range newest.disks {
		a := area{name: fmt.Sprintf("member %d", role)}
		if m, ok := slots[role]; ok {
			if roundDown(m.dataLen, chunk) != n {
				return &unsupportedError{"raid0 of members of several sizes"}
			}
			a = s.mdArea(m, n)
		}
		g.areas = append(g.areas, a)
	}
	v.add(g)
	return nil
}

// roundDown is n in whole chunks, n itself where there are none.
func roundDown(n, chunk int64) int64 {
	if chunk <= 0 {
		return n
	}
	return n / chunk * chunk
}
