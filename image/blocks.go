package image

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// A blockDisk is a virtual disk that is cut into blocks of one length, each of which a
// table finds in a file: vhd, vhdx and vdi. What the file does not hold is the parent's,
// or zeros where there is none.
type blockDisk struct {
	name  string      // of the file
	file  io.ReaderAt // its bytes, a log replayed
	end   int64       // where they end
	size  int64       // of the disk, in bytes
	block int64       // bytes of a block
	table []uint32    // a block: its place, or a state
	// A block lies at base + place*unit.
	base, unit int64
	entryAt    func(i int64) int64 // where the table has block i, in the file
	bitmaps    *sectorBitmaps      // nil: all sectors of a block are in it
	parent     *Image
	closer     io.Closer
}

// States of blocks, beside their places.
const (
	blockInherited = 1<<32 - 1 - iota // the parent's
	blockZero                         // zeros, whatever the parent holds
	blockBroken                       // the entry cannot be right
	blockStates    = blockBroken      // and whatever is greater
)

const (
	maxBlocks = 1 << 24 // of a table: 64 MiB in memory, as 16 TiB in the smallest blocks of a vhdx
	mapAhead  = 4096    // blocks that Map looks at
	sortMost  = 1 << 22 // blocks that are looked through for such as share a place
)

var errEntry = errors.New("its entry in the block table cannot be right")

func (d *blockDisk) Size() int64 { return d.size }

func (d *blockDisk) Close() error {
	if d.parent != nil {
		return errors.Join(d.closer.Close(), d.parent.Close())
	}
	return d.closer.Close()
}

// ReadAt reads a range that lies inside of the disk, as io.ReaderAt says.
func (d *blockDisk) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		at := off + int64(done)
		i := at / d.block
		part := p[done:][:min(int64(len(p)-done), (i+1)*d.block-at)]
		n, err := d.readBlock(part, at, i)
		if done += n; err != nil {
			return done, err
		}
	}
	return done, nil
}

// readBlock reads what lies at byte at of the disk, all in block i.
func (d *blockDisk) readBlock(p []byte, at, i int64) (int, error) {
	switch d.table[i] {
	case blockInherited:
		return d.inherit(p, at)
	case blockZero:
		clear(p)
		return len(p), nil
	case blockBroken:
		return 0, d.damaged(i, "block %d", d.entryAt(i), at, len(p), errEntry)
	}
	if d.bitmaps == nil {
		return d.stored(p, at, i)
	}
	m, err := d.bitmaps.of(d.file, i)
	if err != nil {
		return 0, d.damaged(i, "sector bitmap of block %d", m.at, at, len(p), err)
	}
	if m.full {
		return d.stored(p, at, i)
	}
	for done := 0; done < len(p); {
		at := at + int64(done)
		here, n := d.bitmaps.run(m, at-i*d.block, int64(len(p)-done))
		read := d.inherit
		if here {
			read = func(p []byte, at int64) (int, error) { return d.stored(p, at, i) }
		}
		got, err := read(p[done:][:n], at)
		if done += got; err != nil {
			return done, err
		}
	}
	return len(p), nil
}

// stored reads from where block i lies in the file.
func (d *blockDisk) stored(p []byte, at, i int64) (int, error) {
	place := d.place(i) + at - i*d.block
	n, err := d.file.ReadAt(p, place)
	if n == len(p) {
		return n, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return n, d.damaged(i, "block %d", place+int64(n), at+int64(n), len(p)-n, io.ErrUnexpectedEOF)
	}
	return n, inRange(err, d.name, at+int64(n), int64(len(p)-n))
}

func (d *blockDisk) place(i int64) int64 { return d.base + int64(d.table[i])*d.unit }

func (d *blockDisk) damaged(i int64, part string, place, at int64, n int, err error) error {
	return &DamageError{Name: d.name, Part: fmt.Sprintf(part, i), At: place, Offset: at, Length: int64(n), Err: err}
}

// inherit reads from the parent. Where that has ended, as where there is none, are zeros.
func (d *blockDisk) inherit(p []byte, at int64) (int, error) {
	n := 0
	if d.parent != nil {
		var err error
		if n, err = d.parent.ReadAt(p, at); err != nil && err != io.EOF {
			return n, err
		}
	}
	clear(p[n:])
	return len(p), nil
}

// Map goes by the table: a block that is stored is data, though sectors of it may be the
// parent's or zeros.
func (d *blockDisk) Map(off int64) (RangeKind, int64) {
	first := off / d.block
	state := d.state(first)
	last := first
	for last+1 < int64(len(d.table)) && last-first < mapAhead && d.state(last+1) == state {
		last++
	}
	n := min((last+1)*d.block, d.size) - off
	switch {
	case state != blockZero && state != blockInherited:
		return Data, n
	case state == blockZero || d.parent == nil || off >= d.parent.Size():
		return Zero, n
	}
	kind, m := d.parent.Map(off)
	return kind, min(n, m)
}

// state is the state of block i, as far as Map tells them apart.
func (d *blockDisk) state(i int64) uint32 {
	switch s := d.table[i]; {
	case s == blockInherited && d.parent != nil:
		return s
	case s == blockInherited, s == blockZero:
		return blockZero
	}
	return 0
}

// setTable decodes the table of as many blocks as the disk has, from entries of width
// bytes that begin at byte at of the file: entry gives what it says of block i. The
// table has to be in the file, or nothing is made room for.
func (d *blockDisk) setTable(format string, at int64, width int, entries int64, each func(k int64, b []byte)) error {
	blocks := (d.size + d.block - 1) / d.block
	switch {
	case blocks > maxBlocks:
		return &FormatError{d.name, format, at, fmt.Sprintf("block table of %d blocks, more than %d", blocks, maxBlocks), byQemu}
	case at < 0 || at > d.end || entries > (d.end-at)/int64(width):
		return &FormatError{d.name, format, at, fmt.Sprintf("block table of %d bytes ends beyond the end of the file", entries*int64(width)), ""}
	}
	d.table = make([]uint32, blocks)
	b := make([]byte, min(entries*int64(width), 64<<10))
	for k := int64(0); k < entries; {
		n := min(entries-k, int64(len(b)/width))
		if got, err := d.file.ReadAt(b[:n*int64(width)], at+k*int64(width)); int64(got) < n*int64(width) {
			return fmt.Errorf("%s: block table: %w", d.name, err)
		}
		for j := range n {
			each(k+j, b[j*int64(width):][:width])
		}
		k += n
	}
	return nil
}

// survey says what is odd about the places of blocks: outside of the file, or shared. Of
// room bytes a block takes in the file.
func (d *blockDisk) survey(room int64) (warnings []string) {
	var places []uint32
	var beyond, broken, firstBeyond, firstBroken int64
	for i, s := range d.table {
		i := int64(i)
		switch {
		case s == blockBroken:
			if broken++; broken == 1 {
				firstBroken = i
			}
		case s >= blockStates:
		default:
			if d.place(i)+min(d.block, d.size-i*d.block) > d.end {
				if beyond++; beyond == 1 {
					firstBeyond = i
				}
			}
			if len(places) <= sortMost {
				places = append(places, s)
			}
		}
	}
	if beyond > 0 {
		warnf(&warnings, "the file is cut short: %d blocks, the first from byte %d of the disk on, end beyond its end", beyond, firstBeyond*d.block)
	}
	if broken > 0 {
		warnf(&warnings, "%d entries of the block table cannot be right, the first for byte %d of the disk on: these blocks cannot be read", broken, firstBroken*d.block)
	}
	if len(places) > sortMost {
		return warnings
	}
	slices.Sort(places)
	shared := 0
	for k := 1; k < len(places); k++ {
		if int64(places[k]-places[k-1])*d.unit < room {
			shared++
		}
	}
	if shared > 0 {
		warnf(&warnings, "%d blocks overlap others in the file: some of these cannot be right", shared)
	}
	return warnings
}
