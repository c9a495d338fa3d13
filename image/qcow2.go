package image

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"
	"sync"
)

// A qcow2 is an image in clusters that tables of two levels lead to: L1, of which each
// entry leads to an L2 table, and L2, an entry a cluster. It reads versions 2 and 3, and
// version 1, which differs in the entries.
type qcow2 struct {
	name      string
	format    string // "qcow2", "qcow", "e2image qcow2"
	head      qcow2Header
	file      *os.File
	fileSize  int64
	data      *os.File // where clusters lie: file, or the external data file
	backing   *Image   // nil for none
	absent    bool     // what is nowhere is not zeros: a metadata dump
	size      int64
	tableBits uint32 // log2 of the bytes of the image that one L2 table leads to

	l1       []uint64
	tables   *chunks // of L2 entries, as stored: one chunk an entry of the L1 table
	clusters *chunks // decompressed

	packed sync.Pool // of *[]byte
	zstd   sync.Pool // of *zstd.Decoder
}

// probeQcow2 takes a qcow or qcow2 file.
func probeQcow2(f *os.File, info fs.FileInfo, name string, o Options) (*Image, error) {
	if string(fetch(f, 0, 4)) != qcowMagic || !info.Mode().IsRegular() {
		return nil, errWrongType
	}
	q := &qcow2{name: name, format: "qcow2", file: f, data: f, fileSize: info.Size()}
	head, err := decodeQcow2Header(fetch(f, 0, int(min(q.fileSize, 2<<20))))
	if err != nil {
		var format *FormatError
		if errors.As(err, &format) {
			format.Name = name
		}
		return nil, err
	}
	q.head = head
	im, err := q.open(info, o)
	if err != nil {
		q.closeOthers()
		return nil, err
	}
	return im, nil
}

// refuse tells of what is not read.
func (q *qcow2) refuse(at int64, hint, format string, args ...any) error {
	return &FormatError{Name: q.name, Format: q.format, Offset: at, What: fmt.Sprintf(format, args...), Hint: hint}
}

func (q *qcow2) open(info fs.FileInfo, o Options) (*Image, error) {
	h := &q.head
	if h.version == 1 {
		q.format = "qcow"
	}
	switch {
	case h.unknown != "":
		return nil, q.refuse(72, byQemu, "has incompatible features that are not known: %s", h.unknown)
	case h.crypt == 1:
		return nil, q.refuse(32, byQemuKey, "encrypted with AES")
	case h.crypt == 2:
		return nil, q.refuse(32, byQemuKey, "encrypted with LUKS")
	case h.crypt != 0:
		return nil, q.refuse(32, "", "encrypted by a method that is not known, %d", h.crypt)
	case h.size > math.MaxInt64-2<<20:
		return nil, q.refuse(24, "", "an image of %d bytes", h.size)
	}
	q.tableBits = h.clusterBits + h.l2Bits
	im := contain(q, q.name, q.format, q.fileSize)
	if err := q.choose(im, o.Snapshot); err != nil {
		return nil, err
	}
	if err := q.openOthers(im, info, o); err != nil {
		return nil, err
	}
	if q.isE2image() {
		q.format, q.absent = "e2image qcow2", true
		im.format, im.metadataOnly = q.format, true
		warnf(&im.warnings, "a dump of a file system's metadata: the contents of files are not in it, unless it was made with -a")
	}
	entry := 8
	if h.features&qcow2Extended != 0 {
		entry = 16
	}
	table := entry << h.l2Bits
	q.tables = newChunks(int64(len(q.l1))*int64(table), table, q.readTable)
	q.clusters = newChunks(q.size, 1<<h.clusterBits, q.decode)
	if h.features&qcow2Corrupt != 0 {
		warnf(&im.warnings, "marked as corrupt by the program that last wrote it: its tables may lead to wrong clusters")
	}
	if h.features&qcow2Dirty != 0 {
		warnf(&im.warnings, "not closed properly: its reference counts may be wrong, which does not matter to reading")
	}
	im.size = q.size
	q.describe(im)
	return im, nil
}

// choose takes the L1 table of the present state or of a snapshot.
func (q *qcow2) choose(im *Image, snapshot string) error {
	h := &q.head
	all, err := q.readSnapshots()
	if err != nil && snapshot != "" {
		return err
	}
	if err != nil {
		warnf(&im.warnings, "%v", err)
	}
	offset, entries, size := h.l1Offset, h.l1Size, h.size
	if snapshot != "" {
		s, err := pickSnapshot(q.name, all, snapshot)
		if err != nil {
			return err
		}
		offset, entries = s.l1Offset, uint64(s.l1Size)
		if s.size != 0 {
			size = s.size
		}
		if size > math.MaxInt64-2<<20 {
			return q.refuse(-1, "", "snapshot %q of %d bytes", snapshot, size)
		}
	}
	for i, s := range all {
		im.details = append(im.details, Detail{fmt.Sprintf("snapshot_%d", i+1), s.String()})
	}
	im.snapshot = snapshot
	q.size = int64(size)
	q.l1, err = q.loadL1(offset, entries, q.size)
	return err
}

// describe lists what the header records.
func (q *qcow2) describe(im *Image) {
	h := &q.head
	list := []Detail{{"version", fmt.Sprint(h.version)}, {"cluster_size", fmt.Sprint(1 << h.clusterBits)}}
	if h.zstd {
		list = append(list, Detail{"compression", "zstd"})
	}
	for _, d := range []Detail{{"backing_file", h.backing}, {"backing_format", h.backingFormat}, {"data_file", h.dataFile}} {
		if d.Value != "" {
			list = append(list, d)
		}
	}
	im.details = append(list, im.details...)
}

// openOthers opens the external data file and the backing file.
func (q *qcow2) openOthers(im *Image, info fs.FileInfo, o Options) error {
	h := &q.head
	if h.features&qcow2External != 0 {
		if h.dataFile == "" {
			return q.refuse(-1, byQemu, "its data is in another file, whose name is not recorded")
		}
		f, info, path, err := beside(q.name, "data file", h.dataFile)
		if err != nil {
			return err
		}
		q.data = f
		im.segments = append(im.segments, Segment{Name: path, Size: info.Size()})
	}
	if h.backing == "" {
		return nil
	}
	bad := func(what string) error { return &ReferenceError{q.name, "backing file", h.backing, errors.New(what)} }
	o.chain = append(o.chain[:len(o.chain):len(o.chain)], info)
	if strings.HasPrefix(h.backing, "json:") {
		return bad("a description in place of a path")
	}
	f, below, path, err := beside(q.name, "backing file", strings.TrimPrefix(h.backing, "file:"))
	if err != nil {
		return err
	}
	if err := o.chain.check(below); err != nil {
		f.Close()
		return bad(err.Error())
	}
	o.Snapshot = ""
	if h.backingFormat == "raw" {
		// What a guest wrote into a raw image is not to be taken for a header.
		q.backing, err = probeRaw(f, below, path, o)
	} else {
		q.backing, err = probeFile(f, below, path, o)
	}
	if err != nil {
		return err
	}
	q.backing.name = path
	im.segments = append(im.segments, q.backing.segments...)
	for _, w := range q.backing.warnings {
		warnf(&im.warnings, "backing file %s: %s", path, w)
	}
	return nil
}

// Size is how many bytes the image has.
func (q *qcow2) Size() int64 { return q.size }

// Close closes all files.
func (q *qcow2) Close() error { return errors.Join(q.file.Close(), q.closeOthers()) }

func (q *qcow2) closeOthers() error {
	var errs []error
	if q.data != q.file {
		errs = append(errs, q.data.Close())
	}
	if q.backing != nil {
		errs = append(errs, q.backing.Close())
	}
	return errors.Join(errs...)
}

// Map tells what the byte at off is. It reads L2 tables.
func (q *qcow2) Map(off int64) (RangeKind, int64) {
	e := q.lookup(off, q.size-off)
	switch {
	case e.kind == qcow2Zero:
		return Zero, e.n
	case e.kind != qcow2Nothing:
		return Data, e.n
	case q.absent:
		return Absent, e.n
	case q.backing == nil || off >= q.backing.size:
		return Zero, e.n
	}
	kind, n := q.backing.Map(off)
	return kind, min(n, e.n)
}

// ReadAt reads a range that lies inside of the image.
func (q *qcow2) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		e := q.lookup(at, int64(len(p)-n))
		part := p[n:][:e.n]
		got := len(part)
		switch e.kind {
		case qcow2Nothing:
			got, err = q.below(part, at)
		case qcow2Zero:
			clear(part)
		case qcow2Plain:
			got, err = q.plain(part, e.host, at)
		case qcow2Compressed:
			got, err = q.clusters.ReadAt(part, at)
		default:
			got, err = 0, e.err
		}
		n += got
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// below reads what is not in this file: what the backing file has, zeros beyond its end.
func (q *qcow2) below(p []byte, off int64) (int, error) {
	if q.absent {
		return 0, &AbsentError{Name: q.name, Offset: off, Length: int64(len(p))}
	}
	n := 0
	if q.backing != nil && off < q.backing.size {
		part := p[:min(int64(len(p)), q.backing.size-off)]
		var err error
		if n, err = q.backing.ReadAt(part, off); n < len(part) {
			return n, err
		}
	}
	clear(p[n:])
	return len(p), nil
}
