package exttest

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// An Object is one name in a mounted file system, with all that the kernel says
// of its inode.
type Object struct {
	Path  []byte // "/" for the root, else absolute in the file system
	Ino   uint64
	Type  string // file, directory, symlink, chardev, blockdev, fifo, socket
	Mode  uint32 // permission, set-id and sticky bits: 07777
	UID   uint32
	GID   uint32
	Size  int64
	Links uint64

	Blocks512 int64  // st_blocks
	Rdev      uint64 // major<<32 | minor, of devices

	Atime, Mtime, Ctime Time
	Btime               Time // zero when the inode stores none

	Flags      uint32 // FS_IOC_GETFLAGS; regular files and directories only
	Generation uint32 // FS_IOC_GETVERSION; the same
	Project    uint32 // FS_IOC_FSGETXATTR; the same

	Target []byte            // of a symlink
	Xattrs map[string][]byte // whole names; POSIX ACLs in the system-call format

	// SHA256 is the Digest of a regular file's content.
	SHA256 string
	// Extents is what FIEMAP reports for a regular file or directory.
	Extents []Extent
	// Unreadable names the error when the kernel would not give the content or
	// target, as where a key is missing.
	Unreadable string

	// Partial says that this was recorded from the tree an image was filled with,
	// not from the image: see MakePartial.
	Partial bool
}

// MakePartial clears what a copy of a tree doesn't share with it: inode number,
// blocks, times but for the modification time's seconds (held to 32 bits, as mke2fs
// does), flags, generation, project, extents, and the size of a directory.
func (o *Object) MakePartial() {
	o.Partial = true
	o.Ino, o.Blocks512 = 0, 0
	o.Atime, o.Ctime, o.Btime = Time{}, Time{}, Time{}
	o.Mtime = Time{Sec: min(max(o.Mtime.Sec, math.MinInt32), math.MaxInt32)}
	o.Flags, o.Generation, o.Project = 0, 0, 0
	o.Extents = nil
	if o.Type == "directory" {
		o.Size = 0
	}
}

// A Time is seconds since 1970 and nanoseconds.
type Time struct {
	Sec  int64
	Nsec uint32
}

// An Extent is one run of FIEMAP (struct fiemap_extent): bytes, and
// FIEMAP_EXTENT_ flags.
type Extent struct {
	Logical, Physical, Length int64
	Flags                     uint32
}

// SameExtents holds runs, those of holes left out, against FIEMAP, and gives what that
// showed. Runs that continue each other are one; of flags ExtentUnwritten alone counts.
func (o *Object) SameExtents(got []Extent) (want []Extent, same bool) {
	want = joinExtents(o.Extents)
	return want, slices.Equal(joinExtents(got), want)
}

func joinExtents(list []Extent) []Extent {
	var out []Extent
	for _, e := range list {
		e.Flags &= ExtentUnwritten
		if n := len(out) - 1; n >= 0 {
			if p := &out[n]; p.Flags == e.Flags && p.Logical+p.Length == e.Logical && p.Physical+p.Length == e.Physical {
				p.Length += e.Length
				continue
			}
		}
		out = append(out, e)
	}
	return out
}

// FIEMAP_EXTENT_ flags, include/uapi/linux/fiemap.h.
const (
	ExtentLast        = 0x0001
	ExtentUnknown     = 0x0002
	ExtentDelalloc    = 0x0004
	ExtentEncoded     = 0x0008
	ExtentEncrypted   = 0x0080
	ExtentNotAligned  = 0x0100
	ExtentInline      = 0x0200
	ExtentTail        = 0x0400
	ExtentUnwritten   = 0x0800
	ExtentMerged      = 0x1000
	ExtentSharedBlock = 0x2000
)

// Truth returns what was recorded of a case, ordered by path: its truth.json.gz,
// the facts.json of a tutorial step, or for "demo.img" demo.json beside it.
//
// The caller may change the list, but not what its objects point to.
func Truth(t testing.TB, name string) []Object {
	t.Helper()
	if objs, ok := truths.Load(name); ok {
		return slices.Clone(objs.([]Object))
	}
	dir := filepath.Join(Testdata(t), filepath.FromSlash(name))
	objs, err := ReadTruth(filepath.Join(dir, "truth.json.gz"))
	for _, path := range []string{filepath.Join(dir, "facts.json"), strings.TrimSuffix(dir, ".img") + ".json"} {
		if err != nil { // no such file, or no such folder
			objs, err = ReadTruth(path)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	truths.Store(name, slices.Clone(objs))
	return objs
}

// truths keeps what Truth has read: many tests ask for the same.
var truths sync.Map // name to []Object

// ReadTruth reads a file made by WriteTruth.
func ReadTruth(path string) ([]Object, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if filepath.Ext(path) == ".gz" {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	var objs []Object
	for dec := json.NewDecoder(r); ; {
		var j objectJSON
		if err := dec.Decode(&j); err == io.EOF {
			return objs, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		o, err := j.object()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		objs = append(objs, o)
	}
}

// WriteTruth writes objects to path, one JSON object a line, ordered by path,
// compressed if the name ends in ".gz".
func WriteTruth(path string, objs []Object) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var w io.Writer = f
	if filepath.Ext(path) == ".gz" {
		z, _ := gzip.NewWriterLevel(f, gzip.BestCompression)
		defer func() { err = errors.Join(z.Close(), err) }()
		w = z
	}
	sort.Slice(objs, func(i, j int) bool { return bytes.Compare(objs[i].Path, objs[j].Path) < 0 })
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for i := range objs {
		if err := enc.Encode(newObjectJSON(&objs[i])); err != nil {
			return err
		}
	}
	return nil
}

// objectJSON is an Object as stored. Names that aren't UTF-8 are kept in hex,
// xattr values always.
type objectJSON struct {
	Path       string            `json:"path,omitempty"`
	PathHex    string            `json:"path_hex,omitempty"`
	Ino        uint64            `json:"ino"`
	Type       string            `json:"type"`
	Mode       string            `json:"mode"`
	UID        uint32            `json:"uid,omitempty"`
	GID        uint32            `json:"gid,omitempty"`
	Size       int64             `json:"size"`
	Links      uint64            `json:"links"`
	Blocks512  int64             `json:"blocks_512"`
	Rdev       *[2]uint32        `json:"rdev,omitempty"` // major, minor
	Atime      [2]int64          `json:"atime"`
	Mtime      [2]int64          `json:"mtime"`
	Ctime      [2]int64          `json:"ctime"`
	Btime      [2]int64          `json:"btime"`
	Flags      uint32            `json:"flags,omitempty"`
	Generation uint32            `json:"generation,omitempty"`
	Project    uint32            `json:"project,omitempty"`
	Target     string            `json:"target,omitempty"`
	TargetHex  string            `json:"target_hex,omitempty"`
	Xattrs     map[string]string `json:"xattrs,omitempty"`
	SHA256     string            `json:"sha256,omitempty"`
	Extents    [][4]int64        `json:"extents,omitempty"` // logical, physical, length, flags
	Unreadable string            `json:"unreadable,omitempty"`
	Partial    bool              `json:"partial,omitempty"`
}

func newObjectJSON(o *Object) *objectJSON {
	j := &objectJSON{
		Ino: o.Ino, Type: o.Type, Mode: fmt.Sprintf("%04o", o.Mode), UID: o.UID, GID: o.GID,
		Size: o.Size, Links: o.Links, Blocks512: o.Blocks512,
		Atime: o.Atime.pair(), Mtime: o.Mtime.pair(), Ctime: o.Ctime.pair(), Btime: o.Btime.pair(),
		Flags: o.Flags, Generation: o.Generation, Project: o.Project,
		SHA256: o.SHA256, Unreadable: o.Unreadable, Partial: o.Partial,
	}
	j.Path, j.PathHex = textOrHex(o.Path)
	j.Target, j.TargetHex = textOrHex(o.Target)
	if o.Type == "chardev" || o.Type == "blockdev" {
		j.Rdev = &[2]uint32{uint32(o.Rdev >> 32), uint32(o.Rdev)}
	}
	for name, value := range o.Xattrs {
		if j.Xattrs == nil {
			j.Xattrs = make(map[string]string)
		}
		j.Xattrs[name] = hex.EncodeToString(value)
	}
	for _, e := range o.Extents {
		j.Extents = append(j.Extents, [4]int64{e.Logical, e.Physical, e.Length, int64(e.Flags)})
	}
	return j
}

func (j *objectJSON) object() (Object, error) {
	o := Object{
		Ino: j.Ino, Type: j.Type, UID: j.UID, GID: j.GID,
		Size: j.Size, Links: j.Links, Blocks512: j.Blocks512,
		Atime: timeOf(j.Atime), Mtime: timeOf(j.Mtime), Ctime: timeOf(j.Ctime), Btime: timeOf(j.Btime),
		Flags: j.Flags, Generation: j.Generation, Project: j.Project,
		SHA256: j.SHA256, Unreadable: j.Unreadable, Partial: j.Partial,
	}
	_, errMode := fmt.Sscanf(j.Mode, "%o", &o.Mode)
	var errPath, errTarget, errXattr error
	o.Path, errPath = fromTextOrHex(j.Path, j.PathHex)
	o.Target, errTarget = fromTextOrHex(j.Target, j.TargetHex)
	if j.Rdev != nil {
		o.Rdev = uint64(j.Rdev[0])<<32 | uint64(j.Rdev[1])
	}
	for name, value := range j.Xattrs {
		if o.Xattrs == nil {
			o.Xattrs = make(map[string][]byte)
		}
		b, err := hex.DecodeString(value)
		o.Xattrs[name], errXattr = b, errors.Join(errXattr, err)
	}
	for _, e := range j.Extents {
		o.Extents = append(o.Extents, Extent{e[0], e[1], e[2], uint32(e[3])})
	}
	return o, errors.Join(errMode, errPath, errTarget, errXattr)
}

func (t Time) pair() [2]int64   { return [2]int64{t.Sec, int64(t.Nsec)} }
func timeOf(pair [2]int64) Time { return Time{pair[0], uint32(pair[1])} }
func (t Time) IsZero() bool     { return t == Time{} }
func textOrHex(b []byte) (string, string) {
	if utf8.Valid(b) {
		return string(b), ""
	}
	return "", hex.EncodeToString(b)
}

func fromTextOrHex(text, hexed string) ([]byte, error) {
	if hexed != "" {
		return hex.DecodeString(hexed)
	}
	if text == "" {
		return nil, nil
	}
	return []byte(text), nil
}
