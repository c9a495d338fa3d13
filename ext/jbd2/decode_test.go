package jbd2_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

func unhex(t *testing.T, dump string, size int) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(dump), ""))
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < size {
		b = append(b, make([]byte, size-len(b))...)
	}
	return b
}

func TestAppendTags(t *testing.T) {
	const head = "c03b3998 00000001 00000007 "
	const uuid = "00112233445566778899aabbccddeeff "
	for _, tt := range []struct {
		name string
		f    jbd2.Format
		dump string
		want string
		err  string
	}{
		{"plain", jbd2.Format{}, head + "00000101 0000 0000" + uuid + "00000102 0000 0003 00000103 0000 000a",
			"[{257  0} {258 1,2 0} {259 2,8 0}]", "<nil>"},
		{"64bit", jbd2.Format{Wide: true}, head + "00000101 0000 0000 00000005" + uuid + "00000102 0000 000a 00000000",
			"[{21474836737  0} {258 2,8 0}]", "<nil>"},
		{"csum v2", jbd2.Format{Csum: 2}, head + "00000101 beef 0000 0000" + uuid + "00000102 cafe 000a 0000 00000000",
			"[{257  48879} {258 2,8 51966}]", "<nil>"},
		{"csum v2, 64bit", jbd2.Format{Csum: 2, Wide: true}, head + "00000101 beef 0000 00000005 0000" + uuid + "00000102 cafe 000a 00000000 0000 00000000",
			"[{21474836737  48879} {258 2,8 51966}]", "<nil>"},
		{"csum v3", jbd2.Format{Csum: 3}, head + "00000101 00000000 00000005 deadbeef" + uuid + "00000102 0000000a 00000000 cafebabe 00000000",
			"[{257  3735928559} {258 2,8 3405691582}]", "<nil>"},
		{"csum v3, 64bit", jbd2.Format{Csum: 3, Wide: true}, head + "00000101 00000002 00000005 deadbeef 00000102 0000000f 00000000 cafebabe 00000000",
			"[{21474836737 2 3735928559} {258 1,2,4,8 3405691582}]", "<nil>"},
		{"no last tag", jbd2.Format{}, head + "00000101 0000 0002 00000102 0000 0002" + strings.Repeat("00000103 0000 0002", 4),
			"[{257 2 0} {258 2 0} {259 2 0} {259 2 0} {259 2 0} {259 2 0}]", "corrupt descriptor block: t_flags is 0x2 at byte 4156"},
		{"no room before the tail", jbd2.Format{Csum: 3}, head + strings.Repeat("00000103 00000002 00000000 00000000", 3),
			"[{259 2 0} {259 2 0}]", "corrupt descriptor block: t_flags is 0x2 at byte 4140"},
		{"short", jbd2.Format{}, head, "[]", "corrupt descriptor block: t_flags is 0x0 at byte 4108"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.dump, 0)
			tt.f.BlockSize = len(b)
			tags, err := tt.f.AppendTags(nil, b, 4096)
			var words []string
			for _, tag := range tags {
				var flags []string
				for _, bit := range []jbd2.TagFlags{1, 2, 4, 8} {
					if tag.Flags&bit != 0 {
						flags = append(flags, fmt.Sprint(bit))
					}
				}
				words = append(words, fmt.Sprintf("{%d %s %d}", tag.Block, strings.Join(flags, ","), tag.Checksum))
			}
			if got := fmt.Sprint(words); got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
			if fmt.Sprint(err) != tt.err {
				t.Errorf("%v, want %s", err, tt.err)
			}
		})
	}
}

func TestRevokes(t *testing.T) {
	const head = "c03b3998 00000005 00000007 "
	for _, tt := range []struct {
		name string
		f    jbd2.Format
		dump string
		want []layout.Block
		err  string
	}{
		{"32 bits", jbd2.Format{}, head + "00000018 00000101 00000102", []layout.Block{257, 258}, "<nil>"},
		{"64 bits", jbd2.Format{Wide: true}, head + "00000020 0000000500000101 0000000000000102", []layout.Block{5<<32 + 257, 258}, "<nil>"},
		{"half a number", jbd2.Format{Wide: true}, head + "0000001c 0000000500000101 00000102", []layout.Block{5<<32 + 257}, "<nil>"},
		{"none", jbd2.Format{}, head + "00000010 00000101", nil, "<nil>"},
		{"below the header", jbd2.Format{}, head + "00000000 00000101", nil, "<nil>"},
		{"past the block", jbd2.Format{}, head + "00000019 00000101 00000102", nil, "corrupt revoke block: r_count is 0x19 at byte 4108"},
		{"over the tail", jbd2.Format{Csum: 3}, head + "00000018 00000101 00000102", nil, "corrupt revoke block: r_count is 0x18 at byte 4108"},
		{"huge", jbd2.Format{}, head + "ffffffff 00000101", nil, "corrupt revoke block: r_count is 0xffffffff at byte 4108"},
		{"short", jbd2.Format{}, head, nil, "corrupt revoke block: length is 0xc at byte 4096"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.dump, 0)
			tt.f.BlockSize = len(b)
			seq, err := tt.f.Revokes(b, 4096)
			if got := slices.Collect(seq); !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
			if fmt.Sprint(err) != tt.err {
				t.Errorf("%v, want %s", err, tt.err)
			}
		})
	}
}

func TestDecodeCommit(t *testing.T) {
	const head = "c03b3998 00000002 00000007 01040000 "
	sum := "cafebabe" + strings.Repeat("00", 28)
	for _, tt := range []struct {
		name, dump string
		want       time.Time
		err        string
	}{
		{"time", head + sum + "000000006553f100 3b9ac9ff", time.Unix(1700000000, 999999999).UTC(), "<nil>"},
		{"no time", head + sum, time.Time{}, "<nil>"},
		{"no second", head + sum + "000000006553f100 3b9aca00", time.Time{}, "<nil>"},
		{"no date", head + sum + "ffffffffffffffff 00000000", time.Time{}, "<nil>"},
		{"descriptor", "c03b3998 00000001 00000007", time.Time{}, "corrupt commit block: h_blocktype is 0x1 at byte 4100"},
		{"wiped", "00", time.Time{}, "corrupt commit block: h_magic is 0x0 at byte 4096"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := jbd2.DecodeCommit(unhex(t, tt.dump, 64), 4096)
			if !c.Time().Equal(tt.want) || fmt.Sprint(err) != tt.err {
				t.Errorf("%v, %v; want %v, %s", c.Time(), err, tt.want, tt.err)
			}
			if err == nil && (c.Sequence != 7 || c.ChecksumType != 1 || c.ChecksumSize != 4 || c.Checksum != 0xcafebabe) {
				t.Errorf("%+v", c)
			}
		})
	}
}

func TestDecodeFCRecord(t *testing.T) {
	for _, tt := range []struct{ name, dump, want, err string }{
		{"add range", "0100 1000 0c000000 05000000 0280 0100 00040000", "add_range 12 {5 2 4294968320 true} 20", "<nil>"},
		{"del range", "0200 0c00 0c000000 05000000 03000000", "del_range 12 5+3 16", "<nil>"},
		{"creat", "0300 0b00 02000000 0c000000 616263", `creat 2/"abc" 12 15`, "<nil>"},
		{"link", "0400 0900 02000000 0c000000 61", `link 2/"a" 12 13`, "<nil>"},
		{"unlink", "0500 0900 02000000 0c000000 ff", `unlink 2/"\xff" 12 13`, "<nil>"},
		{"inode", "0600 8400 0c000000" + strings.Repeat("a5", 128), "inode 12 128 bytes 136", "<nil>"},
		{"pad", "0700 0200 0000", "pad 6", "<nil>"},
		{"tail", "0800 0800 07000000 efbeadde", "tail 7 0xdeadbeef 12", "<nil>"},
		{"head", "0900 0800 01000000 07000000", "head 7 0x1 12", "<nil>"},
		{"no name", "0300 0800 02000000 0c000000", "", "corrupt fast commit record: fc_len is 0x8 at byte 4098"},
		{"long name", "0300 0801" + strings.Repeat("61", 264), "", "corrupt fast commit record: fc_len is 0x108 at byte 4098"},
		{"past the block", "0700 0300 0000", "", "corrupt fast commit record: fc_len is 0x3 at byte 4098"},
		{"short inode", "0600 8300" + strings.Repeat("00", 131), "", "corrupt fast commit record: fc_len is 0x83 at byte 4098"},
		{"unknown", "0a00 0000", "", "corrupt fast commit record: fc_tag is 0xa at byte 4096"},
		{"zeros", "0000 0000", "", "corrupt fast commit record: fc_tag is 0x0 at byte 4096"},
		{"short", "0700 00", "", "corrupt fast commit record: length is 0x3 at byte 4096"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, n, err := jbd2.DecodeFCRecord(unhex(t, tt.dump, 0), 4096)
			got := ""
			switch r.Tag {
			case jbd2.FCAddRange:
				got = fmt.Sprintf("%v %d %v %d", r.Tag, r.Ino, r.Extent, n)
			case jbd2.FCDelRange:
				got = fmt.Sprintf("%v %d %d+%d %d", r.Tag, r.Ino, r.FileBlock, r.Len, n)
			case jbd2.FCCreat, jbd2.FCLink, jbd2.FCUnlink:
				got = fmt.Sprintf("%v %d/%q %d %d", r.Tag, r.Parent, r.Name, r.Ino, n)
			case jbd2.FCInode:
				got = fmt.Sprintf("%v %d %d bytes %d", r.Tag, r.Ino, len(r.Inode), n)
			case jbd2.FCPad:
				got = fmt.Sprintf("%v %d", r.Tag, n)
			case jbd2.FCTail:
				got = fmt.Sprintf("%v %d %#x %d", r.Tag, r.TID, r.Checksum, n)
			case jbd2.FCHead:
				got = fmt.Sprintf("%v %d %#x %d", r.Tag, r.TID, r.Features, n)
			}
			if got != tt.want || fmt.Sprint(err) != tt.err {
				t.Errorf("%s, %v; want %s, %s", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestDecodeSuperblock(t *testing.T) {
	const v2 = "c03b3998 00000004 00000000 00000400 00000400 00000001 00000007 00000026 fffffffb" +
		"00000001 00000032 00000000 00112233445566778899aabbccddeeff 00000001" +
		"00000000 00000000 00000000 04000000 00000040 00000019"
	s, err := jbd2.DecodeSuperblock(unhex(t, v2, 1024), 4096)
	if err != nil {
		t.Fatal(err)
	}
	if s.Version != 2 || s.BlockSize != 1024 || s.MaxLen != 1024 || s.First != 1 || s.Sequence != 7 || s.Start != 0x26 ||
		s.Errno != -5 || s.NumFC != 0x40 || s.Head != 0x19 || s.ChecksumType != 4 || s.ChecksumOK != jbd2.Bad || len(s.Users) != 1 {
		t.Errorf("%+v", s)
	}
	if got := s.Compat.String() + "; " + s.Incompat.String(); got != "journal_checksum; journal_64bit journal_checksum_v3 fast_commit" {
		t.Error(got)
	}
	v1, err := jbd2.DecodeSuperblock(unhex(t, strings.Replace(v2, "00000004", "00000003", 1), 1024), 4096)
	if err != nil || v1.Version != 1 || v1.Incompat != 0 || v1.NumFC != 0 {
		t.Errorf("%+v, %v", v1, err)
	}
	for dump, want := range map[string]string{
		"c03b3998 00000005": "corrupt journal superblock: h_blocktype is 0x5 at byte 4100",
		"c03b3999 00000004": "corrupt journal superblock: h_magic is 0xc03b3999 at byte 4096",
	} {
		if _, err := jbd2.DecodeSuperblock(unhex(t, dump, 1024), 4096); fmt.Sprint(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestLog(t *testing.T) {
	data := make([]byte, 40<<10)
	for i := range data {
		data[i] = byte(i >> 10)
	}
	l := jbd2.NewLog(bytes.NewReader(data), 1024, []jbd2.Run{
		{First: 8, Start: 20 << 10, Len: 4}, {First: 0, Start: 3 << 10, Len: 5}, {First: 3, Start: 30 << 10, Len: 4}, {First: 20, Start: 39 << 10, Len: 3},
	})
	b := make([]byte, 1024)
	for n, want := range map[uint32]int{0: 3, 4: 7, 5: 32, 6: 33, 8: 20, 11: 23, 20: 39} {
		if err := l.ReadBlock(b, n); err != nil || b[0] != byte(want) || l.Offset(n) != int64(want)<<10 {
			t.Errorf("block %d: %d at %d, %v", n, b[0], l.Offset(n), err)
		}
	}
	for _, n := range []uint32{7, 12, 21, 23, 1<<32 - 1} {
		var e *jbd2.BlockError
		if err := l.ReadBlock(b, n); !errors.As(err, &e) || e.Log != n {
			t.Errorf("block %d: %v", n, err)
		}
	}
	if l.Blocks() != 23 || l.Offset(7) != -1 {
		t.Errorf("%d blocks, the hole at %d", l.Blocks(), l.Offset(7))
	}
}

func TestExternalLog(t *testing.T) {
	c := openCrash(t, "external")
	size := int64(len(c.device))
	l, err := jbd2.ExternalLog(bytes.NewReader(c.device), size, layout.UUID{})
	if err != nil || l.Super() != 1 || int64(l.Blocks()) != size/4096 {
		t.Fatalf("%v, %v", l, err)
	}
	var mismatch *jbd2.MismatchError
	if _, err := jbd2.ExternalLog(bytes.NewReader(c.device), size, layout.UUID{1}); !errors.As(err, &mismatch) || len(mismatch.Users) != 1 || mismatch.Users[0] != c.fs.Super.UUID {
		t.Errorf("another file system: %v", err)
	}
	var corrupt *layout.CorruptError
	if _, err := jbd2.ExternalLog(bytes.NewReader(c.image), int64(len(c.image)), layout.UUID{}); !errors.As(err, &corrupt) || corrupt.Field != "s_feature_incompat" {
		t.Errorf("not a journal device: %v", err)
	}
	if _, err := jbd2.ExternalLog(bytes.NewReader(c.device[:5000]), 5000, layout.UUID{}); err == nil {
		t.Error("a device cut short: no error")
	}
}

// TestExternalBlockSizes looks for the journal superblock behind the ext one, which
// is block 1 of 1 KiB and within block 0 of larger ones.
func TestExternalBlockSizes(t *testing.T) {
	tool := exttest.Tool(t, "mke2fs")
	for size, super := range map[int]uint32{1024: 2, 2048: 1, 4096: 1} {
		path := filepath.Join(t.TempDir(), "journal")
		if out, err := exec.Command(tool, "-q", "-F", "-O", "journal_dev", "-b", fmt.Sprint(size), path, "2048").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		b := readFile(t, path)
		l, err := jbd2.ExternalLog(bytes.NewReader(b), int64(len(b)), layout.UUID{})
		if err != nil {
			t.Fatalf("%d: %v", size, err)
		}
		j, err := jbd2.Open(l)
		if err != nil {
			t.Fatal(err)
		}
		f := j.Facts()
		if l.Super() != super || f.First != super+1 || int(f.Superblock.BlockSize) != size || f.Refused != nil || f.Dirty {
			t.Errorf("%d: superblock in block %d, %+v", size, l.Super(), f)
		}
		if n := len(j.Scan().Transactions); n != 0 || j.Recoverable().Reason != jbd2.EndClean {
			t.Errorf("%d: %d transactions", size, n)
		}
	}
}
