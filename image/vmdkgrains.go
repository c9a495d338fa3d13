package image

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// vmdkGrains are the grains of a sparse extent: where its grain directory and tables say
// they lie.
type vmdkGrains struct {
	vmdkHeader
	file     io.ReaderAt
	fileSize int64
	tables   [][]uint32      // one a grain table, in sectors; nil where nothing is allocated
	bad      map[int64]error // tables that cannot be read, both copies
	end      int64           // what is allocated from this byte on is not known: the file is cut short
	chunks   *chunks         // of compressed grains
	warnings []string
	faults   []string
}

// A vmdkState is what a range of an extent is.
type vmdkState uint8

const (
	vmdkParent   vmdkState = iota // what the parent has there, or zeros
	vmdkZero                      // zeros, whatever the parent has
	vmdkStored                    // in the file, as it is
	vmdkPacked                    // in the file, compressed
	vmdkBroken                    // not to be had
	vmdkNotThere                  // in a file that is missing
)

// A vmdkSpan is a range of an extent that is all the same.
type vmdkSpan struct {
	state vmdkState
	at    int64 // byte of the file, where stored
	n     int64 // bytes
	part  string
	err   error
}

// openVmdkGrains reads header, directory and tables of a sparse extent.
func openVmdkGrains(f *os.File, size int64) (*vmdkGrains, error) {
	head, err := fetchAll(f, 0, vmdkHeaderLen)
	if err != nil {
		return nil, err
	}
	g := &vmdkGrains{file: f, fileSize: size, bad: map[int64]error{}}
	if g.vmdkHeader, err = decodeVmdkHeader(head); err != nil {
		return nil, err
	}
	g.end = g.capacity
	if g.directory == vmdkAtEnd {
		if err = g.footer(); err != nil {
			g.faultf("%v: the grains are found by their markers", err)
			return g, g.scan()
		}
	}
	if g.flags&vmdkCompressed != 0 && g.compression != 1 {
		return nil, vmdkError(0x4d, "compressed grains without a compression")
	}
	if g.unclean {
		warnf(&g.warnings, "was in use when it was copied, or not closed in order")
	}
	if g.asText {
		g.faultf("the header's line ends are not what they were (bytes 73 to 76): the file was sent as text, and all of it may be changed")
	}
	err = g.load()
	if err != nil && g.flags&vmdkMarkers != 0 {
		g.faultf("%v: the grains are found by their markers", err)
		return g, g.scan()
	}
	return g, err
}

func (g *vmdkGrains) faultf(format string, args ...any) {
	g.faults = append(g.faults, fmt.Sprintf(format, args...))
}

// directoryAt reads the grain directory at a byte of the file.
func (g *vmdkGrains) directoryAt(at int64) ([]uint32, error) {
	count := g.vmdkHeader.tables()
	if at <= 0 || at > g.fileSize || count > (g.fileSize-at)/4 {
		return nil, vmdkError(at, fmt.Sprintf("a grain directory of %d entries lies outside of the file", count))
	}
	b, err := fetchAll(g.file, at, int(count*4))
	if err != nil {
		return nil, err
	}
	return words(b), nil
}

// words are little-endian numbers of 32 bits; nil where all are 0.
func words(b []byte) []uint32 {
	if allZero(b) {
		return nil
	}
	w := make([]uint32, len(b)/4)
	for i := range w {
		w[i] = le.Uint32(b[4*i:])
	}
	return w
}

// load reads the grain tables, from the redundant directory where the first one is
// damaged. Neither has a checksum: a table is damaged if it cannot be read or leads out
// of the file more often than its copy does.
func (g *vmdkGrains) load() error {
	first, err := g.directoryAt(g.directory)
	var second []uint32
	if g.redundant != 0 {
		var err2 error
		second, err2 = g.directoryAt(g.redundant)
		switch {
		case err != nil && err2 == nil:
			g.faultf("%v: the redundant one is used", err)
			first, second, err = second, nil, nil
		case err2 != nil:
			warnf(&g.warnings, "the redundant grain directory: %v", err2)
		}
	}
	if err != nil {
		return err
	}
	count := g.vmdkHeader.tables()
	if count > maxVmdkTables {
		return vmdkError(-1, fmt.Sprintf("%d grain tables", count))
	}
	g.tables = make([][]uint32, count)
	w1, w2 := tableWindow{g: g}, tableWindow{g: g}
	var differ, replaced int64
	var memory, astray int64
	for i := range count {
		table, err := w1.table(first, i)
		if second != nil {
			other, err2 := w2.table(second, i)
			if err2 == nil && other != nil && (err != nil || table == nil || g.astray(other) < g.astray(table)) {
				table, err = other, nil
				replaced++
			} else if err == nil && err2 == nil && !bytes.Equal(table, other) {
				differ++
			}
		}
		if err != nil {
			g.bad[i] = err
			continue
		}
		astray += int64(g.astray(table))
		if g.tables[i] = words(table); g.tables[i] != nil {
			if memory += int64(len(table)); memory > g.fileSize {
				return vmdkError(g.directory, "the grain directory names the same grain tables over and over")
			}
		}
	}
	if replaced > 0 {
		g.faultf("%d grain tables are damaged: their redundant copies are used", replaced)
	}
	if differ > 0 {
		warnf(&g.warnings, "%d grain tables are not as their redundant copies", differ)
	}
	if astray > 0 {
		g.faultf("%d grains would lie outside of the file: it is cut short, or their tables are damaged", astray)
	}
	if len(g.bad) > 0 {
		g.faultf("%d grain tables cannot be read", len(g.bad))
	}
	return nil
}

// astray counts entries of a table that lead out of the file.
func (g *vmdkGrains) astray(table []byte) int {
	n := 0
	for ; len(table) >= 4; table = table[4:] {
		if e := le.Uint32(table); e > 1 && !g.inFile(e) {
			n++
		}
	}
	return n
}

func (g *vmdkGrains) inFile(sector uint32) bool {
	at := int64(sector) * vmdkSector
	return at >= vmdkSector && at < g.fileSize
}

// A tableWindow reads grain tables, which mostly lie one behind the other.
type tableWindow struct {
	g  *vmdkGrains
	at int64
	b  []byte
}

// table is grain table i of a directory; nil where it names none.
func (w *tableWindow) table(directory []uint32, i int64) ([]byte, error) {
	if directory == nil || directory[i] == 0 {
		return nil, nil
	}
	at, length := int64(directory[i])*vmdkSector, w.g.perTable*4
	if at < w.at || at+length > w.at+int64(len(w.b)) {
		if at < vmdkSector || at > w.g.fileSize-length {
			return nil, fmt.Errorf("grain table %d would lie at byte %d, outside of the file", i, at)
		}
		b, err := fetchAll(w.g.file, at, int(min(max(length, 128<<10), w.g.fileSize-at)))
		if err != nil {
			// The machine may yet read the table alone.
			if b, err = fetchAll(w.g.file, at, int(length)); err != nil {
				return nil, fmt.Errorf("grain table %d at byte %d: %w", i, at, err)
			}
		}
		w.at, w.b = at, b
	}
	return w.b[at-w.at:][:length], nil
}

// span tells what lies at byte off of the extent, and how far it goes on alike.
func (g *vmdkGrains) span(off int64) vmdkSpan {
	covers := g.grain * g.perTable
	t := off / covers
	rest := covers - off%covers // of the table
	if err := g.bad[t]; err != nil {
		return vmdkSpan{state: vmdkBroken, at: -1, n: rest, part: fmt.Sprintf("grain table %d", t), err: err}
	}
	if off >= g.end {
		return vmdkSpan{state: vmdkBroken, at: g.fileSize, n: g.capacity - off, part: "grains", err: errGrainsLost}
	}
	table := g.tables[t]
	if table == nil {
		return vmdkSpan{state: vmdkParent, n: min(rest, g.end-off)}
	}
	first := off % covers / g.grain
	s := g.entry(table[first], off%g.grain)
	s.part = fmt.Sprintf("grain %d", off/g.grain)
	if s.state == vmdkStored && s.n < g.grain-off%g.grain {
		return s
	}
	for _, e := range table[first+1:] {
		if off+s.n >= g.end {
			break
		}
		next := g.entry(e, 0)
		if next.state != s.state || s.state == vmdkBroken || s.state == vmdkStored && (next.at != s.at+s.n || next.n < g.grain) {
			break
		}
		s.n += g.grain
	}
	s.n = min(s.n, g.end-off)
	return s
}

// entry is what an entry of a grain table says of the bytes of its grain from skip on.
func (g *vmdkGrains) entry(e uint32, skip int64) vmdkSpan {
	s := vmdkSpan{n: g.grain - skip, at: int64(e) * vmdkSector}
	switch {
	case e == 0:
		s.state = vmdkParent
	case e == 1 && g.flags&vmdkHasZeroed != 0:
		s.state = vmdkZero
	case !g.inFile(e):
		s.state, s.err = vmdkBroken, fmt.Errorf("outside of the file's %d bytes", g.fileSize)
	case g.flags&vmdkCompressed != 0:
		s.state = vmdkPacked
	default:
		s.state = vmdkStored
		if s.at += skip; s.at >= g.fileSize {
			s.state, s.err = vmdkBroken, io.ErrUnexpectedEOF
		} else {
			s.n = min(s.n, g.fileSize-s.at)
		}
	}
	return s
}
