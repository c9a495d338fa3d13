package layout

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Inodes written by Linux 6.18 with metadata_csum, UUID
// 11111111-2222-3333-4444-555555555555, at sizes of 256 and 128 bytes; the
// project, and the high half and flag of i_blocks, are debugfs set_inode_field's.
// want and times say what debugfs stat said, blocks in units of 512 bytes.
var inodeDumps = []struct {
	name        string
	ino         Ino
	dump        string
	want, times string
}{
	{"f, 256 bytes", 12, `a4817011 03000000 ffffff7f 39d6026b ffffff7f .4. d8fe0100 02000000 00000800 05000000 0af30100 04000000 .8.
		01000000 01260000 .36. 3d11572e .16. 0100ffff 84dc0000 2000c18f b8df6c44 03000000 03000000 39d6026b b8739041
		.10. 02ea0101 58000000 00000100 .6. 6b000000 .68. 76000000`,
		"0100644 70000:4294967000 3 bytes 1 link 2 blocks, flags 80000, generation 777457981, version 5, acl 0, extra 32, sum 8fc1dc84, project 0",
		"2026-11-22T11:47:05.286996462Z 2446-05-10T22:38:55Z 2446-05-10T22:38:55Z 2026-11-22T11:47:05.274996462Z"},
	{"big, 256 bytes", 29, `a4810000 00000040 39d6026b 39d6026b 39d6026b .6. 01000000 00005000 0c000300 00000af3 00000400 .54. 82caa834
		.4. 01000000 .4. 03000000 .4. b4ef0000 2000460c acff1689 acdb2288 acdb2288 39d6026b acdb2288 .104.`,
		"0100644 0:0 5368709120 bytes 1 link 25769803776 blocks, flags c0050, generation 883477122, version 3, acl 0, extra 32, sum c46efb4, project 0",
		"2026-11-22T11:47:05.574996459Z 2026-11-22T11:47:05.570996459Z 2026-11-22T11:47:05.570996459Z 2026-11-22T11:47:05.570996459Z"},
	{"dir, 256 bytes", 2049, `ed410000 00040000 39d6026b 39d6026b 39d6026b .6. 02000200 .4. 08000100 00000af3 01000400 .10. 01000000
		95040000 .36. aad7a933 .20. 72720000 200030c6 acb72e87 acb72e87 acb72e87 39d6026b acb72e87 .104.`,
		"040755 0:0 1024 bytes 2 link 2 blocks, flags 80000, generation 866768810, version 1, acl 0, extra 32, sum c6307272, project 0",
		"2026-11-22T11:47:05.566996459Z 2026-11-22T11:47:05.566996459Z 2026-11-22T11:47:05.566996459Z 2026-11-22T11:47:05.566996459Z"},
	{"s59, 256 bytes", 27, `ffa10000 3b000000 39d6026b 39d6026b 39d6026b .6. 01000000 .6. 01000000 78787878 78787878 78787878 78787878
		78787878 78787878 78787878 78787878 78787878 78787878 78787878 78787878 78787878 78787878 78787800 daf02a04
		.20. e62e0000 2000eaf7 ac6f4685 ac6f4685 ac6f4685 39d6026b ac6f4685 .104.`,
		"0120777 0:0 59 bytes 1 link 0 blocks, flags 0, generation 69923034, version 1, acl 0, extra 32, sum f7ea2ee6, project 0, fast",
		"2026-11-22T11:47:05.558996459Z 2026-11-22T11:47:05.558996459Z 2026-11-22T11:47:05.558996459Z 2026-11-22T11:47:05.558996459Z"},
	{"s60, 256 bytes", 28, `ffa10000 3c000000 39d6026b 39d6026b 39d6026b .6. 01000200 .4. 08000100 00000af3 01000400 .10. 01000000
		94040000 .36. 0d66e885 .20. 8f740000 2000a39d acb72e87 acb72e87 acb72e87 39d6026b acb72e87 .104.`,
		"0120777 0:0 60 bytes 1 link 2 blocks, flags 80000, generation 2246600205, version 1, acl 0, extra 32, sum 9da3748f, project 0",
		"2026-11-22T11:47:05.566996459Z 2026-11-22T11:47:05.566996459Z 2026-11-22T11:47:05.566996459Z 2026-11-22T11:47:05.566996459Z"},
	{"sda1, 256 bytes", 21, `a4610000 .4. 39d6026b 39d6026b 39d6026b .6. 01000000 .6. 01000000 01080000 .56. 4a74fd1c .20. c6040000
		20007bfd acbb8180 acbb8180 acbb8180 39d6026b acbb8180 .104.`,
		"060644 0:0 0 bytes 1 link 0 blocks, flags 0, generation 486372426, version 1, acl 0, extra 32, sum fd7b04c6, project 0, device 8:1",
		"2026-11-22T11:47:05.538996459Z 2026-11-22T11:47:05.538996459Z 2026-11-22T11:47:05.538996459Z 2026-11-22T11:47:05.538996459Z"},
	{"nvme, 256 bytes", 22, `a4610000 .4. 39d6026b 39d6026b 39d6026b .6. 01000000 .6. 01000000 .4. 2c031100 .52. 254d8a2c .20. 0c750000
		2000c95a acdf7581 acdf7581 acdf7581 39d6026b acdf7581 .104.`,
		"060644 0:0 0 bytes 1 link 0 blocks, flags 0, generation 747261221, version 1, acl 0, extra 32, sum 5ac9750c, project 0, device 259:300",
		"2026-11-22T11:47:05.542996459Z 2026-11-22T11:47:05.542996459Z 2026-11-22T11:47:05.542996459Z 2026-11-22T11:47:05.542996459Z"},
	{"old, 256 bytes", 24, `a4210000 .4. 39d6026b 39d6026b 39d6026b .6. 01000000 .6. 01000000 ffff0000 .56. c56361ee .20. a9210000
		20008d2e acdf7581 acdf7581 acdf7581 39d6026b acdf7581 .104.`,
		"020644 0:0 0 bytes 1 link 0 blocks, flags 0, generation 3999359941, version 1, acl 0, extra 32, sum 2e8d21a9, project 0, device 255:255",
		"2026-11-22T11:47:05.542996459Z 2026-11-22T11:47:05.542996459Z 2026-11-22T11:47:05.542996459Z 2026-11-22T11:47:05.542996459Z"},
	{"max, 256 bytes", 23, `a4210000 .4. 39d6026b 39d6026b 39d6026b .6. 01000000 .6. 01000000 .4. ffffffff .52. 2651c411 .20. dbf90000
		2000ef7f acdf7581 acdf7581 acdf7581 39d6026b acdf7581 .104.`,
		"020644 0:0 0 bytes 1 link 0 blocks, flags 0, generation 298078502, version 1, acl 0, extra 32, sum 7feff9db, project 0, device 4095:1048575",
		"2026-11-22T11:47:05.542996459Z 2026-11-22T11:47:05.542996459Z 2026-11-22T11:47:05.542996459Z 2026-11-22T11:47:05.542996459Z"},
	{"fifo, 256 bytes", 25, `a4110000 .4. 39d6026b 39d6026b 39d6026b .6. 01000000 .6. 01000000 .60. 61474cca .20. d69d0000 20007107
		ac036a82 ac036a82 ac036a82 39d6026b ac036a82 .104.`,
		"010644 0:0 0 bytes 1 link 0 blocks, flags 0, generation 3393996641, version 1, acl 0, extra 32, sum 7719dd6, project 0",
		"2026-11-22T11:47:05.546996459Z 2026-11-22T11:47:05.546996459Z 2026-11-22T11:47:05.546996459Z 2026-11-22T11:47:05.546996459Z"},
	{"t1970-01-01, 256 bytes", 15, `a4810000 .8. 39d6026b .10. 01000000 .4. 08000200 00000af3 00000400 .54. ce9e392d .20. f72e0000 2000fb24
		b48b8b56 .8. 39d6026b b48b8b56 .4. 09030000 .96.`,
		"0100644 0:0 0 bytes 1 link 0 blocks, flags 80000, generation 758750926, version 2, acl 0, extra 32, sum 24fb2ef7, project 777",
		"2026-11-22T11:47:05.362996461Z 1970-01-01T00:00:00Z 1970-01-01T00:00:00Z 2026-11-22T11:47:05.362996461Z"},
	{"f, 128 bytes", 12, `a4817011 03000000 ffffff7f 39d6026b ffffff7f .4. d8fe0100 04000000 00000800 04000000 0af30100 04000000 .8.
		01000000 011c0000 .36. 0f99bbbe 52050000 .12. 0100ffff 26d90000`,
		"0100644 70000:4294967000 3 bytes 1 link 4 blocks, flags 80000, generation 3199965455, version 4, acl 1362, extra 0, sum d926, project 0",
		"2026-11-22T11:47:05Z 2038-01-19T03:14:07Z 2038-01-19T03:14:07Z none"},
	{"big, 128 bytes", 30, `a4810000 00000040 39d6026b 39d6026b 39d6026b .6. 01000000 0000d000 08000300 00000af3 00000400 .54. 96b36325
		.4. 01000000 .12. 5d370000`,
		"0100644 0:0 5368709120 bytes 1 link 0 blocks, flags 800d0, generation 627291030, version 3, acl 0, extra 0, sum 375d, project 0",
		"2026-11-22T11:47:05Z 2026-11-22T11:47:05Z 2026-11-22T11:47:05Z none"},
	{"dir, 128 bytes", 29, `ed410000 00040000 39d6026b 39d6026b 39d6026b .6. 02000200 .4. 08000100 00000af3 01000400 .10. 01000000
		54050000 .36. 06990edd .20. 69a90000`,
		"040755 0:0 1024 bytes 2 link 2 blocks, flags 80000, generation 3708721414, version 1, acl 0, extra 0, sum a969, project 0",
		"2026-11-22T11:47:05Z 2026-11-22T11:47:05Z 2026-11-22T11:47:05Z none"},
	{"s60, 128 bytes", 28, `ffa10000 3c000000 39d6026b 39d6026b 39d6026b .6. 01000200 .4. 08000100 00000af3 01000400 .10. 01000000
		53050000 .36. 90fecbd6 .20. 115f0000`,
		"0120777 0:0 60 bytes 1 link 2 blocks, flags 80000, generation 3603693200, version 1, acl 0, extra 0, sum 5f11, project 0",
		"2026-11-22T11:47:05Z 2026-11-22T11:47:05Z 2026-11-22T11:47:05Z none"},
	{"max, 128 bytes", 23, `a4210000 .4. 39d6026b 39d6026b 39d6026b .6. 01000000 .6. 01000000 .4. ffffffff .52. b5560159 .20. 7e540000`,
		"020644 0:0 0 bytes 1 link 0 blocks, flags 0, generation 1493259957, version 1, acl 0, extra 0, sum 547e, project 0, device 4095:1048575",
		"2026-11-22T11:47:05Z 2026-11-22T11:47:05Z 2026-11-22T11:47:05Z none"},
}

func inodeWords(in *Inode) (want, times string) {
	want = fmt.Sprintf("%#o %d:%d %d bytes %d link %d blocks, flags %x, generation %d, version %d, acl %d, extra %d, sum %x, project %d",
		in.Mode, in.UID, in.GID, in.Size(false), in.Links, in.Blocks512(true, 1024), in.Flags, in.Generation, in.Version, in.FileACL, in.ExtraIsize,
		in.Checksum, in.ProjID)
	if in.FastSymlink() {
		want += ", fast"
	}
	if in.Type() == ModeChar || in.Type() == ModeBlock {
		major, minor := in.Device()
		want += fmt.Sprintf(", device %d:%d", major, minor)
	}
	var dates []string
	for _, t := range []time.Time{in.Ctime, in.Mtime, in.Atime, in.Crtime} {
		if t.IsZero() {
			dates = append(dates, "none")
			continue
		}
		dates = append(dates, t.Format(time.RFC3339Nano))
	}
	return want, strings.Join(dates, " ")
}

func TestDecodeInode(t *testing.T) {
	for _, tt := range inodeDumps {
		in := DecodeInode(hexBytes(t, tt.dump))
		want, times := inodeWords(&in)
		if want != tt.want || times != tt.times {
			t.Errorf("%s:\n%s\n%s, want\n%s\n%s", tt.name, want, times, tt.want, tt.times)
		}
	}
}

// Inode t1970-01-01 of above with i_crtime 100 and i_version_hi 5, and as debugfs
// set_inode_field extra_isize left it, checksum included. debugfs stat shows the
// fields as far as i_extra_isize reaches; 129 and 65535 pass the inode's end.
var extraDumps = []struct {
	extra string // from l_i_checksum_lo to i_checksum_hi
	isize uint16
	want  string
}{
	{"1146 0000 0000 4be3", 0, "sum 4611 false, ctime .0, birth none, version 2, project 0"},
	{"5239 0000 0400 8b4f", 4, "sum 4f8b3952 true, ctime .0, birth none, version 2, project 0"},
	{"289b 0000 0800 8eae", 8, "sum ae8e9b28 true, ctime .362, birth none, version 2, project 0"},
	{"2da9 0000 1000 6969", 16, "sum 6969a92d true, ctime .362, birth none, version 2, project 0"},
	{"54e5 0000 1400 ceca", 20, "sum cacee554 true, ctime .362, birth 100.0, version 2, project 0"},
	{"2e47 0000 1800 cb2b", 24, "sum 2bcb472e true, ctime .362, birth 100.362, version 2, project 0"},
	{"570b 0000 1c00 6c88", 28, "sum 886c0b57 true, ctime .362, birth 100.362, version 21474836482, project 0"},
	{"d6bb 0000 2000 4be3", 32, "sum e34bbbd6 true, ctime .362, birth 100.362, version 21474836482, project 777"},
	{"14c5 0000 7e00 e14a", 126, "sum 4ae1c514 true, ctime .362, birth 100.362, version 21474836482, project 777"},
	{"df4e 0000 8000 b3d1", 128, "sum d1b34edf true, ctime .362, birth 100.362, version 21474836482, project 777"},
	{"7d80 0000 8100 21b8", 129, "sum b821807d true, ctime .0, birth none, version 2, project 0"},
	{"435a 0000 ffff 2ab5", 65535, "sum b52a5a43 true, ctime .0, birth none, version 2, project 0"},
}

// extraInode gives the inode for one of extraDumps.
func extraInode(t testing.TB, extra string) []byte {
	return hexBytes(t, `a4810000 .8. 39d6026b .10. 01000000 .4. 08000200 00000af3 00000400 .54. ce9e392d .20. `+extra+
		` b48b8b56 .8. 64000000 b48b8b56 05000000 09030000 .96.`)
}

func TestDecodeInodeExtra(t *testing.T) {
	for _, tt := range extraDumps {
		in := DecodeInode(extraInode(t, tt.extra))
		birth := "none"
		if !in.Crtime.IsZero() {
			birth = fmt.Sprintf("%d.%d", in.Crtime.Unix(), in.Crtime.Nanosecond()/1e6)
		}
		got := fmt.Sprintf("sum %x %v, ctime .%d, birth %s, version %d, project %d", in.Checksum, in.ChecksumHi, in.Ctime.Nanosecond()/1e6, birth, in.Version, in.ProjID)
		if got != tt.want || in.ExtraIsize != tt.isize {
			t.Errorf("%d: got %s, want %s", tt.isize, got, tt.want)
		}
	}
	// Birth at the epoch, to the second and to the nanosecond.
	b := extraInode(t, "f72e 0000 2000 fb24")
	if in := DecodeInode(damaged(b, 0x90, 0, 0, 0, 0, 0, 0, 0, 0)); !in.Crtime.IsZero() {
		t.Errorf("born %s, want no time", in.Crtime)
	}
	if in := DecodeInode(damaged(b, 0x90, 0, 0, 0, 0, 4, 0, 0, 0)); in.Crtime != time.Unix(0, 1).UTC() {
		t.Errorf("born %s, want 1 ns after the epoch", in.Crtime)
	}
}

func TestDecodeInodeSizes(t *testing.T) {
	b := hexBytes(t, inodeDumps[0].dump)
	for _, n := range []int{0, 1, 127} {
		in := Inode{Mode: 1, Dtime: 2, ChecksumHi: true}
		if DecodeInodeTo(&in, b[:n]); in != (Inode{}) {
			t.Errorf("%d bytes give %+v", n, in)
		}
	}
	// 128 bytes have no extra fields, whatever lies behind; 129 no i_extra_isize.
	for _, n := range []int{128, 129} {
		in := Inode{ChecksumHi: true, ProjID: 7, Crtime: time.Unix(1, 0)}
		DecodeInodeTo(&in, b[:n])
		if in.ChecksumHi || in.ExtraIsize != 0 || in.ProjID != 0 || !in.Crtime.IsZero() || in.Ctime.Nanosecond() != 0 || in.Links != 1 {
			t.Errorf("%d bytes give %+v", n, in)
		}
	}
	if in := DecodeInode(append(b, make([]byte, 65536-256)...)); in.ChecksumHi != true || in.ProjID != 0 || in.UID != 70000 {
		t.Errorf("64 KiB give %+v", in)
	}
}

func TestInodeSize(t *testing.T) {
	for _, tt := range []struct {
		mode     uint16
		largeDir bool
		want     uint64
	}{ // ext4_isize, fs/ext4/ext4.h
		{ModeRegular, false, 1<<32 | 5}, {ModeRegular, true, 1<<32 | 5},
		{ModeDir, false, 5}, {ModeDir, true, 1<<32 | 5},
		{ModeSymlink, false, 5}, {ModeFIFO, false, 5}, {0, false, 5},
	} {
		in := Inode{Mode: tt.mode | 0o644, SizeLo: 5, SizeHigh: 1}
		if got := in.Size(tt.largeDir); got != tt.want {
			t.Errorf("%#x, large_dir %v: got %d, want %d", tt.mode, tt.largeDir, got, tt.want)
		}
	}
}

func TestInodeBlocks(t *testing.T) {
	for _, tt := range []struct {
		lo       uint32
		hi       uint16
		flags    InodeFlags
		hugeFile bool
		block    int
		want     uint64
	}{ // ext4_inode_blocks, fs/ext4/inode.c
		{8, 0, 0, true, 4096, 8},
		{8, 1, 0, true, 4096, 1<<32 | 8},
		{0xffffffff, 0xffff, 0, true, 4096, 1<<48 - 1},
		{8, 0, FlagHugeFile, true, 4096, 64},
		{8, 0, FlagHugeFile, true, 1024, 16},
		{0xffffffff, 0xffff, FlagHugeFile, true, 65536, (1<<48 - 1) * 128},
		{8, 1, FlagHugeFile, false, 4096, 8},
		{8, 1, 0, false, 4096, 8},
	} {
		in := Inode{BlocksLo: tt.lo, BlocksHigh: tt.hi, Flags: tt.flags}
		if got := in.Blocks512(tt.hugeFile, tt.block); got != tt.want {
			t.Errorf("%+v: got %d", tt, got)
		}
	}
}

// The forms of old_decode_dev and new_decode_dev, include/linux/kdev_t.h; mknod
// on Linux 6.18 stored those marked so.
func TestInodeDevice(t *testing.T) {
	for _, tt := range []struct{ dump, want string }{
		{"01080000 00000000", "8:1"},          // mknod
		{"ffff0000 00000000", "255:255"},      // mknod
		{"00000000 2c031100", "259:300"},      // mknod
		{"00000000 ffffffff", "4095:1048575"}, // mknod
		{"00000000 00010010", "1:65536"},
		{"00000000 01000080", "0:524289"},
		{"00000000 00000000", "0:0"},
		{"01080000 2c031100", "8:1"}, // the old form goes first
		{"01080100 00000000", "8:1"}, // and has 16 bits
	} {
		var in Inode
		copy(in.Block[:], hexBytes(t, tt.dump))
		major, minor := in.Device()
		if got := fmt.Sprintf("%d:%d", major, minor); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.dump, got, tt.want)
		}
	}
}

func TestFastSymlink(t *testing.T) {
	for _, tt := range []struct {
		in   Inode
		want bool
	}{
		{Inode{Mode: ModeSymlink | 0o777, SizeLo: 59}, true},
		{Inode{Mode: ModeSymlink | 0o777, SizeLo: 59, BlocksLo: 8, FileACL: 7}, true}, // an xattr block
		{Inode{Mode: ModeSymlink | 0o777, SizeLo: 60}, false},
		{Inode{Mode: ModeSymlink | 0o777, SizeLo: 5, Flags: FlagExtents}, false},
		{Inode{Mode: ModeSymlink | 0o777, SizeLo: 5, Flags: FlagInlineData}, false},
		{Inode{Mode: ModeRegular | 0o777, SizeLo: 5}, false},
	} {
		if got := tt.in.FastSymlink(); got != tt.want {
			t.Errorf("%o, %d bytes, %v: got %v", tt.in.Mode, tt.in.SizeLo, tt.in.Flags.Names(), got)
		}
	}
}

func TestDtime(t *testing.T) {
	for dtime, want := range map[uint32]string{
		0: "0001-01-01T00:00:00Z", 1: "1970-01-01T00:00:01Z", 0x7fffffff: "2038-01-19T03:14:07Z",
		0x80000000: "2038-01-19T03:14:08Z", 0xffffffff: "2106-02-07T06:28:15Z",
	} {
		in := Inode{Dtime: dtime}
		if got := in.DtimeTime().Format(time.RFC3339); got != want {
			t.Errorf("%#x: got %s, want %s", dtime, got, want)
		}
	}
}

func FuzzDecodeInode(f *testing.F) {
	for _, tt := range inodeDumps {
		f.Add(hexBytes(f, tt.dump))
	}
	for _, tt := range extraDumps {
		f.Add(extraInode(f, tt.extra))
	}
	first, last := time.Unix(-1<<31, 0), time.Unix(1<<34-1<<31+1, 0)
	f.Fuzz(func(t *testing.T, b []byte) {
		in := DecodeInode(b)
		again := Inode{ProjID: 1, Crtime: time.Unix(1, 1), ChecksumHi: true, Version: 1 << 40}
		if DecodeInodeTo(&again, b); again != in {
			t.Errorf("what was there before shows: %+v, %+v", again, in)
		}
		if len(b) < 128 && in != (Inode{}) {
			t.Errorf("%d bytes give %+v", len(b), in)
		}
		for _, at := range []time.Time{in.Atime, in.Ctime, in.Mtime, in.Crtime} {
			if !at.IsZero() && (at.Before(first) || at.After(last)) {
				t.Errorf("%s cannot be stored", at)
			}
		}
		if in.Size(true) < in.Size(false) || in.FileACL>>48 != 0 {
			t.Errorf("%+v", in)
		}
		in.Blocks512(true, 65536)
		in.Device()
		in.FastSymlink()
		in.DtimeTime()
		_, _ = in.Flags.Letters(), in.Flags.Names()
		sums := NewInodeSums(1, max(len(b), 128))
		if sum, _ := InodeChecksum(b, InodeSeed(1, 2, in.Generation)); sums.Hold(b, 2) != (sum == in.Checksum) {
			t.Errorf("checksum %#x, in one stretch it is another", sum)
		}
		if len(b) >= 128 { // one that holds
			sum, wide := InodeChecksum(b, InodeSeed(1, 2, in.Generation))
			good := bytes.Clone(b)
			le.PutUint16(good[0x7c:], uint16(sum))
			if wide {
				le.PutUint16(good[0x82:], uint16(sum>>16))
			}
			if !sums.Hold(good, 2) {
				t.Error("a checksum that holds, in one stretch it does not")
			}
			for _, b := range [][]byte{b, good} { // of one alone HoldAll is no guess
				if got, want := sums.HoldAll(b, 2), len(b) >= 0x84 && wide && sums.Hold(b, 2); got != want && !AllZero(b) {
					t.Errorf("HoldAll %v, Hold %v of one inode", got, want)
				}
			}
		}
		if sum, wide := InodeChecksum(b, 1); !wide && sum>>16 != 0 || len(b) >= 0x84 && wide != in.ChecksumHi {
			t.Errorf("checksum %#x, %v, of %+v", sum, wide, in)
		}
	})
}
