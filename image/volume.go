package image

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

const (
	// maxNesting bounds volumes in volumes: GPT, RAID, encryption, group and volume take five.
	maxNesting = 8
	// maxVolumes bounds what is found in volumes.
	maxVolumes = 8192
)

// A stack finds the volumes of an image: what its partition table names, and what lies
// in the partitions, layer upon layer.
type stack struct {
	im    *Image
	table *Table
	zeros int64 // bytes that may still be read to tell zeros
	first int   // the number of the first volume that no table of an image names

	looked int // volumes that were looked at
	full   bool
	locked []int // volumes that are encrypted and were not opened
	arrays mdSets
	groups lvmGroups

	unlock func(r io.ReaderAt, size int64, passphrase func() ([]byte, error)) (io.ReaderAt, int64, error)
}

// newStack reads the tables of the image and of those opened with it.
func newStack(im *Image) (*stack, error) {
	s := &stack{im: im, zeros: maxZeroRead, unlock: im.options.openLUKS}
	var err error
	var r io.ReaderAt = im
	if im.metadataOnly {
		r = metadataReader{im} // the boot block is not in a dump
	}
	if s.table, err = readTable(r, im.size, im.options.SectorSize, &s.zeros); err != nil {
		return nil, err
	}
	for _, w := range im.further {
		t, err := readTable(w, w.size, w.options.SectorSize, &s.zeros)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		for i := range t.Partitions {
			p := &t.Partitions[i]
			p.Image, p.src, p.srcAt, p.srcLen = w.name, w, p.Start, p.Available
		}
		s.addTable(t, -1, filepath.Base(w.name))
	}
	s.first = s.next()
	return s, nil
}

// next is the number of the next volume.
func (s *stack) next() int {
	n := 0
	for i := range s.table.Partitions {
		n = max(n, s.table.Partitions[i].Number)
	}
	return n + 1
}

func (s *stack) warn(format string, args ...any) { warnf(&s.table.Warnings, format, args...) }

// grow looks into volumes until nothing more is found. Until it is for good it opens
// nothing that is locked, and waits for members that may lie in what is.
func (s *stack) grow(final bool) {
	for {
		for ; s.looked < len(s.table.Partitions); s.looked++ {
			s.look(s.looked)
		}
		if !(final && s.openLocked() || s.buildArrays(final) || s.buildGroups(final)) {
			break
		}
	}
	if more := len(s.table.Warnings) - maxWarnings; more > 0 {
		s.table.Warnings = append(s.table.Warnings[:maxWarnings:maxWarnings], fmt.Sprintf("and %d more warnings", more))
	}
}

// waits tells whether there may be more members behind locks.
func (s *stack) waits(final bool) bool {
	return !final && len(s.locked) > 0 && s.im.options.Passphrase != nil
}

// look notes what volume i is a member of.
func (s *stack) look(i int) {
	p := &s.table.Partitions[i]
	if p.Kind == "extended" || p.State == StateUnsupported || p.State == StateDamaged {
		return
	}
	r := s.im.Section(*p)
	if r.Size() == 0 {
		return
	}
	md := findMD(r, r.Size())
	if md != nil && md.crcOK && md.at != 0 && md.at != 4096 {
		// What is said to lie at the start lies in the array.
		if !s.fits(md, r.Size()) {
			md = nil
		} else {
			p.Content = md.content()
		}
	}
	lvm, luks := p.Content.Type == typeLVM, p.Content.Type == typeLUKS1 || p.Content.Type == typeLUKS2
	switch {
	case !lvm && !luks && p.Content.Type != typeMD:
		return
	case p.depth >= maxNesting:
		s.warn("%s: volumes are nested deeper than %d: not looked into", p.name(), maxNesting)
	case lvm:
		s.groups.add(s, i, r.SectionReader)
	case luks:
		p.State = StateLocked
		s.locked = append(s.locked, i)
	case md == nil:
	case !md.crcOK:
		warnf(&p.Warnings, "the checksum of the md superblock at byte %d does not match: not assembled", md.at)
		p.State = StateDamaged
	case !s.fits(md, r.Size()):
		warnf(&p.Warnings, "the md superblock at byte %d can't be that of this device: not assembled", md.at)
		p.State = StateDamaged
	default:
		s.arrays.add(i, md)
	}
}

// fits tells whether a superblock can be that of a device of size bytes, of an array that
// has room in it for all its disks.
func (s *stack) fits(md *mdSuper, size int64) bool {
	return md.set != "" && md.disks > 0 && md.disks <= len(md.roles) && md.dataAt >= 0 && md.dataAt < size && md.dataLen >= 0 && md.used >= 0
}

// openLocked opens what is encrypted, each volume once, and tells whether it found any
// volume.
func (s *stack) openLocked() bool {
	ask := s.im.options.Passphrase
	if ask == nil {
		return false
	}
	list := s.locked
	s.locked = nil
	found := false
	for _, i := range list {
		p := s.table.Partitions[i]
		what := fmt.Sprintf("%s, %s", p.name(), p.Content.Type)
		if p.Content.UUID != "" {
			what += " UUID " + printable(p.Content.UUID)
		}
		section := s.im.Section(p)
		r, size, err := s.unlock(section, section.Size(), func() ([]byte, error) { return ask(what) })
		if err != nil {
			s.table.Partitions[i].LockErr = err
			warnf(&s.table.Partitions[i].Warnings, "stays locked: %v", err)
			continue
		}
		s.table.Partitions[i].State = ""
		if v, ok := r.(*luksVolume); ok {
			s.table.Partitions[i].Warnings = append(s.table.Partitions[i].Warnings, v.warnings...)
		}
		s.add(i, Partition{
			Scheme: "luks", Kind: "decrypted", TypeName: p.Content.Type, UUID: p.Content.UUID, Length: size,
			Start: -1, Available: size, src: io.NewSectionReader(r, 0, size), srcLen: size,
		})
		found = true
	}
	return found
}

// whole is volume i as an area of what lies in it.
func (s *stack) whole(i int) area {
	p := &s.table.Partitions[i]
	a := area{r: p.src, at: p.srcAt, room: p.srcLen, name: p.name()}
	if p.src == nil {
		a.r, a.at, a.room = s.im, p.Start, p.Available
	}
	return a
}

// addMapped adds a volume whose bytes m says where they are.
func (s *stack) addMapped(parent int, p Partition, m *mapped) {
	p.Length, p.Available = m.size, m.size-m.lacks()
	if p.Available < p.Length {
		p.State = StateIncomplete
	}
	if m.stale {
		warnf(&p.Warnings, "the only copy lies on a member that may lack the last writes")
	}
	p.Start, p.src, p.srcLen = -1, m, m.size
	if a, ok := m.alone(); ok {
		p.src, p.srcAt = a.r, a.at
		if im, ok := a.r.(*Image); ok {
			p.Start = a.at
			if im != s.im {
				p.Image = im.name
			}
		}
	}
	s.add(parent, p)
}

// add adds a volume that lies in volume parent, and the partitions that it is divided
// into.
func (s *stack) add(parent int, p Partition) {
	if !s.room() {
		return
	}
	up := &s.table.Partitions[parent]
	p.Number, p.Parent, p.depth = s.next(), up.Number, up.depth+1
	var inside *Table
	if p.State != StateUnsupported && p.State != StateDamaged {
		r := s.im.Section(p)
		// There may be thousands of volumes: none is searched to its end.
		f := &finder{r: r, size: r.Size(), zeros: &s.zeros}
		t, err := f.find(0)
		switch {
		case err != nil:
			p.Content = Content{Type: typeUnreadable, Detail: err.Error()}
		case t.Scheme == "none":
			p.Content = t.Partitions[0].Content
			p.Warnings = append(p.Warnings, t.Warnings...)
		default:
			p.Content = Content{Type: strings.ToUpper(t.Scheme) + " partition table", UUID: t.DiskID}
			inside = t
		}
	}
	s.table.Partitions = append(s.table.Partitions, p)
	if inside != nil {
		s.addTable(inside, len(s.table.Partitions)-1, p.name())
	}
}

// addTable adds the partitions of a table in volume parent, or, for -1, of another image.
func (s *stack) addTable(t *Table, parent int, where string) {
	for _, w := range t.Warnings {
		s.warn("%s: %s", where, w)
	}
	base, numbers := s.next(), map[int]int{}
	for i := range t.Partitions {
		numbers[t.Partitions[i].Number] = base + i
	}
	for i, p := range t.Partitions {
		if !s.room() {
			return
		}
		p.Parent = numbers[p.Parent]
		if parent >= 0 {
			up, whole := &s.table.Partitions[parent], s.whole(parent)
			p.Image, p.depth = up.Image, up.depth
			p.src, p.srcAt, p.srcLen = whole.r, whole.at+p.Start, p.Available
			if p.Available == 0 { // it may lie anywhere
				p.srcAt = 0
			}
			if p.Parent == 0 {
				p.Parent = up.Number
			}
			if up.Start < 0 || p.Available == 0 {
				p.Start = -1
			} else {
				p.Start += up.Start
			}
		}
		p.Number = base + i
		s.table.Partitions = append(s.table.Partitions, p)
	}
}

// room tells whether one more volume may be added, and says so once where it may not.
func (s *stack) room() bool {
	if s.first == 0 || len(s.table.Partitions)-s.first < maxVolumes {
		return true
	}
	if !s.full {
		s.full = true
		s.warn("more than %d volumes: the rest is left out", maxVolumes)
	}
	return false
}
