package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
)

// A vmdk is a virtual disk of VMware: extents one after another, each a file or zeros,
// over those of its parents.
type vmdk struct {
	name    string
	size    int64
	extents []vmdkExtent
	parent  *vmdk
	files   []*os.File
}

// A vmdkExtent is a range of the disk.
type vmdkExtent struct {
	start, size int64 // bytes of the disk
	name        string
	file        *os.File    // nil where it is missing, or the extent is zeros
	fileSize    int64       // bytes
	at          int64       // of a flat extent: where in the file it begins
	grains      *vmdkGrains // of a sparse one
	missing     bool
}

const maxVmdkParents = 32

var errDevice = errors.New("a device, whose bytes are not in the evidence")

// probeVmdk takes the descriptor of a virtual disk, or a sparse extent.
func probeVmdk(f *os.File, info fs.FileInfo, name string, _ Options) (*Image, error) {
	if !info.Mode().IsRegular() {
		return nil, errWrongType
	}
	o := vmdkOpener{}
	v, d, err := o.open(f, info, name)
	if err != nil {
		return nil, err
	}
	v.files = append(v.files, f)
	im := contain(v, name, "vmdk", info.Size())
	im.warnings, im.faults = o.warnings, o.faults
	if d.createType != "" {
		im.details = append(im.details, Detail{"create_type", d.createType}, Detail{"cid", fmt.Sprintf("%08x", d.cid)})
	}
	if v.parent != nil {
		im.details = append(im.details, Detail{"parent", d.parent}, Detail{"parent_cid", fmt.Sprintf("%08x", d.parentCID)})
	}
	im.segments = v.segments(im.segments[0])
	return im, nil
}

// segments lists the files: the one that was opened, those of its extents, and the
// parents'.
func (v *vmdk) segments(first Segment) []Segment {
	list := []Segment{first}
	for ; v != nil; v = v.parent {
		for _, e := range v.extents {
			if e.name != "" && e.name != first.Name {
				list = append(list, Segment{Name: e.name, Offset: e.start, Size: e.fileSize, Missing: e.missing})
			}
		}
	}
	return list
}

// A vmdkOpener opens a disk and its parents.
type vmdkOpener struct {
	chain    []fs.FileInfo // of the files opened on the way to this one
	extents  int           // of all of them
	warnings []string
	faults   []error
}

// open opens the disk in f. Files that it opens besides are v.files.
func (o *vmdkOpener) open(f *os.File, info fs.FileInfo, name string) (v *vmdk, d vmdkDescriptor, err error) {
	v = &vmdk{name: name}
	defer func() {
		var format *FormatError
		if errors.As(err, &format) && format.Name == "" {
			format.Name = name
		}
		if err != nil {
			v.Close()
		}
	}()
	head := fetch(f, 0, vmdkHeaderLen)
	switch {
	case len(head) >= 4 && (string(head[:4]) == vmdkMagic || string(head[:4]) == vmdkEsxMagic):
		d, err = o.sparse(v, f, info)
	case isVmdkText(head):
		if info.Size() > maxVmdkDescriptor {
			return v, d, vmdkError(maxVmdkDescriptor, fmt.Sprintf("a descriptor of %d bytes", info.Size()))
		}
		if d, err = parseVmdkDescriptor(fetch(f, 0, int(info.Size()))); err == nil {
			err = o.described(v, d)
		}
	case len(head) >= 8 && le.Uint64(head) == seSparse:
		return v, d, vmdkError(0, "SESPARSE extents are not read")
	default:
		return v, d, errWrongType
	}
	if err == nil && d.parentCID != vmdkNoParent {
		err = o.parent(v, d, info)
	}
	return v, d, err
}

// sparse makes the disk of a sparse extent of its own.
func (o *vmdkOpener) sparse(v *vmdk, f *os.File, info fs.FileInfo) (d vmdkDescriptor, err error) {
	g, err := openVmdkGrains(f, info.Size())
	if err != nil {
		return d, err
	}
	o.noted(g, v.name)
	v.add(vmdkExtent{size: g.capacity, name: v.name, file: f, fileSize: info.Size(), grains: g})
	d.parentCID = vmdkNoParent
	if g.descriptorAt == 0 {
		warnf(&o.warnings, "%s has no descriptor: one of several extents, perhaps; the descriptor opens all of them", filepath.Base(v.name))
		return d, nil
	}
	b := fetch(f, g.descriptorAt, int(min(g.descriptor, maxVmdkDescriptor, max(info.Size()-g.descriptorAt, 0))))
	d, err = parseVmdkDescriptor(b)
	if err != nil {
		// The grains are all here; what may be missing is a parent.
		o.faults = append(o.faults, fmt.Errorf("%s: the descriptor at byte %d: %w", filepath.Base(v.name), g.descriptorAt, err))
		d = vmdkDescriptor{parentCID: vmdkNoParent}
	} else if len(d.extents) > 1 {
		warnf(&o.warnings, "%s is one of %d extents that its descriptor lists", filepath.Base(v.name), len(d.extents))
	}
	return d, nil
}

// described opens the extents that a descriptor lists.
func (o *vmdkOpener) described(v *vmdk, d vmdkDescriptor) error {
	var lost error
	there := 0
	for _, line := range d.extents {
		if o.extents++; o.extents > maxVmdkExtents {
			return vmdkError(-1, fmt.Sprintf("more than %d extents", maxVmdkExtents))
		}
		size, ok := mulOffset(line.sectors, vmdkSector)
		at, ok2 := mulOffset(line.offset, vmdkSector)
		if !ok || !ok2 || v.size+size < v.size {
			return vmdkError(-1, fmt.Sprintf("extent %q of %d sectors at %d", line.name, line.sectors, line.offset))
		}
		e := vmdkExtent{size: size, at: at}
		if line.kind == "ZERO" {
			v.add(e)
			continue
		}
		err := o.extent(v, &e, line)
		var format *FormatError
		switch {
		case err == nil:
			there++
		case errors.As(err, &format):
			return err
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errDevice):
			return err // it is there, and not to be opened
		default:
			e.missing, e.name, lost = true, filepath.Join(filepath.Dir(v.name), filepath.Base(line.name)), err
			o.faults = append(o.faults, fmt.Errorf("bytes %d to %d: %w", v.size, v.size+size-1, err))
		}
		v.add(e)
	}
	switch {
	case len(d.extents) == 0:
		return vmdkError(-1, "the descriptor lists no extents")
	case there == 0 && lost != nil:
		return lost
	}
	return nil
}

// extent opens the file of one extent.
func (o *vmdkOpener) extent(v *vmdk, e *vmdkExtent, line vmdkLine) error {
	switch line.kind {
	case "SESPARSE":
		return vmdkError(-1, fmt.Sprintf("extent %q is of kind %s, which is not read", line.name, line.kind))
	case "VMFSRDM", "VMFSRAW":
		return &ReferenceError{v.name, "device", line.name, errDevice}
	}
	f, info, path, err := beside(v.name, "extent", line.name)
	if err != nil {
		return err
	}
	e.name, e.file, e.fileSize = path, f, info.Size()
	v.files = append(v.files, f)
	switch line.kind {
	case "FLAT", "VMFS":
		if e.fileSize-e.at < e.size {
			o.faults = append(o.faults, fmt.Errorf("%s is cut short: it has %d bytes, its extent ends at %d", filepath.Base(path), e.fileSize, e.at+e.size))
		}
	case "SPARSE", "VMFSSPARSE":
		g, err := openVmdkGrains(f, e.fileSize)
		if err != nil {
			var format *FormatError
			if errors.As(err, &format) {
				format.Name = path
			}
			return err
		}
		if g.capacity != e.size {
			warnf(&o.warnings, "%s is an extent of %d bytes, and the descriptor has %d", filepath.Base(path), g.capacity, e.size)
		}
		o.noted(g, path)
		e.grains = g
	default:
		return vmdkError(-1, fmt.Sprintf("extent %q is of kind %q, which is not read", line.name, line.kind))
	}
	return nil
}

// noted takes over what was odd about an extent.
func (o *vmdkOpener) noted(g *vmdkGrains, name string) {
	for _, w := range g.warnings {
		warnf(&o.warnings, "%s: %s", filepath.Base(name), w)
	}
	for _, f := range g.faults {
		o.faults = append(o.faults, fmt.Errorf("%s: %s", filepath.Base(name), f))
	}
}

// parent opens the disk that v is a change to.
func (o *vmdkOpener) parent(v *vmdk, d vmdkDescriptor, info fs.FileInfo) error {
	refuse := func(format string, args ...any) error {
		return &ReferenceError{v.name, "parent", d.parent, fmt.Errorf(format, args...)}
	}
	if d.parent == "" {
		return refuse("the descriptor says that there is one, and no name")
	}
	if o.chain = append(o.chain, info); len(o.chain) > maxVmdkParents {
		return refuse("more than %d generations", maxVmdkParents)
	}
	f, pinfo, path, err := beside(v.name, "parent", d.parent)
	if err != nil {
		return err
	}
	for _, seen := range o.chain {
		if os.SameFile(seen, pinfo) {
			f.Close()
			return refuse("its chain of parents comes back to it")
		}
	}
	p, pd, err := o.open(f, pinfo, path)
	if err != nil {
		f.Close()
		if errors.Is(err, errWrongType) {
			return refuse("is no vmdk")
		}
		return err
	}
	if pd.cid != d.parentCID {
		warnf(&o.warnings, "%s was made over a parent with content ID %08x, and %s has %08x: the parent was changed since, or is another",
			filepath.Base(v.name), d.parentCID, filepath.Base(path), pd.cid)
	}
	p.files = append(p.files, f)
	v.parent = p
	return nil
}

// add puts an extent at the end of the disk.
func (v *vmdk) add(e vmdkExtent) {
	e.start = v.size
	v.size += e.size
	if g := e.grains; g != nil && g.flags&vmdkCompressed != 0 {
		g.chunks = newChunks(min(e.size, g.capacity), int(g.grain), e.unpack)
	}
	if e.size > 0 {
		v.extents = append(v.extents, e)
	}
}

// unpack decodes grain i, for chunks.
func (e vmdkExtent) unpack(dst []byte, i int64) error {
	off := i * e.grains.grain
	s := e.grains.span(off)
	if s.state != vmdkPacked { // read ahead of what was asked for
		clear(dst)
		return nil
	}
	if err := e.grains.unpackGrain(dst, uint32(s.at/vmdkSector), uint64(off/vmdkSector)); err != nil {
		return &DamageError{e.name, s.part, s.at, e.start + off, int64(len(dst)), err}
	}
	return nil
}

// span tells what lies at byte off of the disk, and how far it goes on alike.
func (v *vmdk) span(off int64) (*vmdkExtent, vmdkSpan) {
	e := &v.extents[sort.Search(len(v.extents), func(i int) bool { return off < v.extents[i].start+v.extents[i].size })]
	off -= e.start
	rest := e.size - off
	s := vmdkSpan{n: rest}
	switch {
	case e.missing:
		s.state = vmdkNotThere
	case e.file == nil:
		s.state = vmdkZero
	case e.grains == nil:
		s.state, s.at = vmdkStored, e.at+off
		if s.n = min(rest, e.fileSize-s.at); s.n <= 0 {
			s = vmdkSpan{state: vmdkBroken, at: e.fileSize, n: rest, part: "extent", err: io.ErrUnexpectedEOF}
		}
	case off >= e.grains.capacity:
		s = vmdkSpan{state: vmdkBroken, at: -1, n: rest, part: "extent", err: errors.New("longer than its file's capacity")}
	default:
		s = e.grains.span(off)
		s.n = min(s.n, rest, e.grains.capacity-off)
	}
	if s.state == vmdkParent {
		if v.parent == nil || e.start+off >= v.parent.size {
			s.state = vmdkZero
		} else {
			s.n = min(s.n, v.parent.size-e.start-off)
		}
	}
	return e, s
}

func (v *vmdk) ReadAt(p []byte, off int64) (int, error) {
	for done := 0; done < len(p); {
		at := off + int64(done)
		if at >= v.size {
			return done, io.EOF
		}
		e, s := v.span(at)
		part := p[done:][:min(int64(len(p)-done), s.n)]
		n, err := len(part), error(nil)
		switch s.state {
		case vmdkZero:
			clear(part)
		case vmdkParent:
			n, err = v.parent.ReadAt(part, at)
		case vmdkPacked:
			n, err = e.grains.chunks.ReadAt(part, at-e.start)
		case vmdkStored:
			if n, err = e.file.ReadAt(part, s.at); n == len(part) {
				err = nil
			} else {
				err = inRange(err, e.name, at+int64(n), int64(len(part)-n))
			}
		case vmdkNotThere:
			return done, &MissingError{Name: e.name, Offset: at, Length: int64(len(part))}
		default:
			return done, &DamageError{e.name, s.part, s.at, at, int64(len(part)), s.err}
		}
		if done += n; err != nil {
			return done, err
		}
	}
	return len(p), nil
}

// Map implements container.
func (v *vmdk) Map(off int64) (RangeKind, int64) {
	_, s := v.span(off)
	switch s.state {
	case vmdkZero:
		return Zero, s.n
	case vmdkParent:
		kind, n := v.parent.Map(off)
		return kind, min(n, s.n)
	}
	return Data, s.n
}

func (v *vmdk) Size() int64 { return v.size }

// Close closes the files of the disk and of its parents.
func (v *vmdk) Close() error {
	var errs []error
	for _, f := range v.files {
		errs = append(errs, f.Close())
	}
	if v.parent != nil {
		errs = append(errs, v.parent.Close())
	}
	return errors.Join(errs...)
}
