package main

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/extscope/extscope/ext/exttest"
)

// A jsonRun is a run of blocks as the JSON of blocks has it.
type jsonRun struct {
	Logical  int64
	Physical *int64
	Length   int64
	State    string
}

// statInode is what the tests look at in the JSON of stat.
type statInode struct {
	Inode      uint64
	Paths      []string
	Type       string
	Mode       string
	Links      uint64
	UID, GID   uint32
	Project    uint32
	Size       int64
	Blocks512  int64 `json:"blocks_512"`
	Flags      []string
	Generation uint32
	Atime      *time.Time
	Mtime      *time.Time
	Ctime      *time.Time
	Crtime     *time.Time
	Target     *string
	TargetHex  *string `json:"target_hex"`
	Device     *struct{ Major, Minor uint64 }
	Runs       []jsonRun
	Allocated  bool
	ChecksumOK *bool `json:"checksum_ok"`
	Xattrs     []struct {
		Name     string
		Value    *string
		ValueHex *string `json:"value_hex"`
		Text     string
	}
}

// What stat and blocks say of every name in the matrix is what the kernel said
// when it was mounted.
func TestStatAgreesWithKernel(t *testing.T) {
	for _, name := range exttest.Some(6, exttest.Cases(t, "matrix")) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			img := exttest.Image(t, name)
			objs := exttest.Truth(t, name)
			args := []string{"stat", img}
			byIno := map[uint64][]exttest.Object{}
			for _, o := range objs {
				// Made after the recording, see mkfs.txt.
				if name == "matrix/verity" && string(o.Path) == "/verity/file" || strings.HasPrefix(string(o.Path), "/folded") && name == "matrix/casefold" {
					continue
				}
				if o.Ino == 0 {
					continue
				}
				if byIno[o.Ino] == nil {
					args = append(args, fmt.Sprintf("@%d", o.Ino))
				}
				byIno[o.Ino] = append(byIno[o.Ino], o)
			}
			if len(byIno) == 0 {
				t.Skip("recorded without inode numbers")
			}
			var got struct {
				Filesystem struct {
					BlockSize int64 `json:"block_size"`
				}
				Inodes []statInode
			}
			if r := decode(t, &got, args...); r.status != exitDone {
				t.Errorf("exit status %d: %s", r.status, r.err)
			}
			if len(got.Inodes) != len(byIno) {
				t.Fatalf("%d inodes, want %d", len(got.Inodes), len(byIno))
			}
			for _, in := range got.Inodes {
				compareStat(t, in, byIno[in.Inode], got.Filesystem.BlockSize)
			}
		})
	}
}

func compareStat(t *testing.T, in statInode, names []exttest.Object, blockSize int64) {
	t.Helper()
	o := names[0]
	check := func(what string, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q (inode %d): %s is %v, want %v", o.Path, in.Inode, what, got, want)
		}
	}
	check("type", in.Type, o.Type)
	check("mode", in.Mode, fmt.Sprintf("%04o", o.Mode))
	check("links", in.Links, o.Links)
	check("uid", in.UID, o.UID)
	check("gid", in.GID, o.GID)
	if o.Type != "symlink" || !slices.Contains(in.Flags, "encrypted") { // the kernel gives the no-key form's there
		check("size", in.Size, o.Size)
	}
	sectors := o.Blocks512
	if o.Type == "file" && slices.Contains(in.Flags, "inline_data") {
		// The kernel adds what lies in the inode, lest the file look sparse.
		sectors -= (o.Size + 511) / 512
	}
	check("blocks", in.Blocks512, sectors)
	check("names", len(in.Paths), len(names))
	check("allocated", in.Allocated, true)
	if in.ChecksumOK != nil {
		check("checksum", *in.ChecksumOK, true)
	}
	for _, tm := range []struct {
		what string
		got  *time.Time
		want exttest.Time
	}{{"atime", in.Atime, o.Atime}, {"mtime", in.Mtime, o.Mtime}, {"ctime", in.Ctime, o.Ctime}, {"crtime", in.Crtime, o.Btime}} {
		if tm.got == nil {
			check(tm.what, "null", map[bool]string{true: "null", false: "set"}[tm.want.IsZero()])
			continue
		}
		check(tm.what, tm.got.UnixNano(), time.Unix(tm.want.Sec, int64(tm.want.Nsec)).UnixNano())
	}
	if (o.Type == "file" || o.Type == "directory") && o.Unreadable == "" {
		check("generation", in.Generation, o.Generation)
		check("project", in.Project, o.Project)
		if o.Extents != nil {
			check("runs", fmt.Sprint(mergeRuns(in.Runs)), fmt.Sprint(fiemapRuns(o.Extents, blockSize)))
		}
	}
	if o.Target != nil {
		target := ""
		switch {
		case in.TargetHex != nil:
			b, _ := hex.DecodeString(*in.TargetHex)
			target = string(b)
		case in.Target != nil:
			target = *in.Target
		}
		check("target", fmt.Sprintf("%q", target), fmt.Sprintf("%q", o.Target))
	}
	if strings.HasSuffix(o.Type, "dev") {
		check("device", in.Device.Major<<32|in.Device.Minor, o.Rdev)
	}
	compareXattrs(t, in, o)
}

func compareXattrs(t *testing.T, in statInode, o exttest.Object) {
	t.Helper()
	got := map[string]string{}
	for _, x := range in.Xattrs {
		switch {
		case strings.HasPrefix(x.Name, "encryption.") || strings.HasPrefix(x.Name, "9."):
			continue // no system call shows it
		case strings.HasPrefix(x.Name, "system.posix_acl_"):
			// The kernel gives another form than it stores.
			if x.Text == "" {
				t.Errorf("%q: %s is not decoded", o.Path, x.Name)
			}
			got[x.Name] = string(o.Xattrs[x.Name])
		case x.ValueHex != nil:
			b, _ := hex.DecodeString(*x.ValueHex)
			got[x.Name] = string(b)
		case x.Value != nil:
			got[x.Name] = *x.Value
		}
	}
	want := map[string]string{}
	for k, v := range o.Xattrs {
		want[k] = string(v)
	}
	if !maps.Equal(got, want) {
		t.Errorf("%q: xattrs %q, want %q", o.Path, got, want)
	}
}

// A piece is a stretch of blocks, unwritten or not.
type piece struct {
	logical, physical, length int64
	unwritten                 bool
}

// mergeRuns drops holes and index blocks, and joins what touches.
func mergeRuns(runs []jsonRun) []piece {
	var out []piece
	for _, r := range runs {
		if r.State == "data" || r.State == "unwritten" {
			out = appendPiece(out, piece{r.Logical, *r.Physical, r.Length, r.State == "unwritten"})
		}
	}
	return out
}

// fiemapRuns turns what FIEMAP reported into blocks of the given size.
func fiemapRuns(extents []exttest.Extent, blockSize int64) []piece {
	var out []piece
	for _, e := range extents {
		if e.Flags&exttest.ExtentInline == 0 {
			out = appendPiece(out, piece{e.Logical / blockSize, e.Physical / blockSize, e.Length / blockSize, e.Flags&exttest.ExtentUnwritten != 0})
		}
	}
	return out
}

func appendPiece(list []piece, p piece) []piece {
	if n := len(list); n > 0 {
		l := &list[n-1]
		if l.logical+l.length == p.logical && l.physical+l.length == p.physical && l.unwritten == p.unwritten {
			l.length += p.length
			return list
		}
	}
	return append(list, p)
}
