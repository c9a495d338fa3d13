package layout

import (
	"fmt"
	"testing"
)

// Written by Linux 6.18 through setfattr, setfacl and setcap. Bodies are what
// lies behind i_extra_isize in a 256-byte inode, 96 bytes.
const (
	bodyDump = `000002ea 01 01 5400 00000000 05000000 00000000 61000000
		05 01 0000 00000000 00000000 00000000 656d707479000000
		01 04 5000 00000000 03000000 00000000 74000000
		.16. 01020300 68656c6c6f000000`
	bodyInodeDump = `000002ea 03 01 0000 b5010000 dc050000 b0339070 62696700 .72.`
	bodyFullDump  = `000002ea 01 01 5400 00000000 05000000 00000000 61000000
		06 01 4c00 00000000 05000000 00000000 7365636f6e640000
		03 01 4800 00000000 03000000 00000000 68c3a900 .8.
		61626300 0102030405000000 68656c6c6f000000`
	blockDump = `000002ea 01000000 01000000 e9ac831b 60550579 .12.
		04 01 8803 00000000 78000000 a7b13700 6c6f6e67
		05 01 5403 00000000 32000000 deac24aa 7468697264 .779.
		abababababababababababababababababababababababababababababababababababababababababababababababababab0000
		767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676
		767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676`
	blockACLDump = `000002ea 01000000 01000000 7650b7e7 adb83cbb .12.
		01 01 0000 00000000 00000000 65000000 65000000
		02 01 f403 00000000 04000000 3132093b 7a7a0000
		03 01 f803 00000000 05000000 cfdc6062 68c3a900
		00 02 d803 00000000 1c000000 27001400 .876.
		01000000 01000600 0200060003000000 04000400 10000600 20000400 31323334 6162636465000000`
)

// list words entries: full name, offset of the entry, value or inode, hash.
func listXattrs(b []byte, entries []XattrEntry) string {
	var s string
	for _, e := range entries {
		value, ok := e.Value(b)
		if len(value) > 8 {
			value = value[:8]
		}
		s += fmt.Sprintf("%q@%d %d:%x %v ino %d hash %x\n", e.FullName(), e.Offset, e.ValueSize, value, ok, e.ValueInode, e.Hash)
	}
	return s
}

func TestDecodeXattrBody(t *testing.T) {
	for _, tt := range []struct{ name, dump, want, error string }{
		{"three", bodyDump, `"user.a"@4 5:68656c6c6f true ino 0 hash 0
"user.empty"@24 0: true ino 0 hash 0
"trusted.t"@48 3:010203 true ino 0 hash 0
`, ""},
		{"value in an inode", bodyInodeDump, `"user.big"@4 1500: false ino 437 hash 709033b0
`, ""},
		{"full", bodyFullDump, `"user.a"@4 5:68656c6c6f true ino 0 hash 0
"user.second"@24 5:0102030405 true ino 0 hash 0
"user.hé"@48 3:616263 true ino 0 hash 0
`, ""},
		{"none", ".96.", "", ""},
		{"not even a header", "0000", "", ""},
		{"header only", "000002ea", "", "corrupt inode xattrs: length is 0x4 at byte 1004"},
		{"empty", "000002ea 00000000", "", ""},
		{"no end mark", "000002ea 0101 0000 00000000 00000000 00000000 61000000",
			"\"user.a\"@4 0: true ino 0 hash 0\n", "corrupt inode xattrs: length is 0x18 at byte 1024"},
		{"name past the end", "000002ea 0501 0000 00000000 00000000 00000000 61000000", "",
			"corrupt inode xattrs: e_name_len is 0x5 at byte 1004"},
		{"value in the list, the next is good", "000002ea 0101 0400 00000000 02000000 00000000 61000000 0101 2c00 00000000 02000000 00000000 62000000 00000000 7a7a0000",
			"\"user.b\"@24 2:7a7a true ino 0 hash 0\n", "corrupt inode xattrs: e_value_offs is 0x4 at byte 1006"},
		{"value past the end", "000002ea 0101 1c00 00000000 05000000 00000000 61000000 00000000 00000000", "",
			"corrupt inode xattrs: e_value_offs is 0x1c at byte 1006"},
		{"huge value", "000002ea 0101 1c00 00000000 ffffffff 00000000 61000000 00000000 00000000", "",
			"corrupt inode xattrs: e_value_size is 0xffffffff at byte 1012"},
		{"NUL in the name", "000002ea 0201 0000 00000000 00000000 00000000 61000000 00000000", "",
			"corrupt inode xattrs: e_name is 0x0 at byte 1020"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := hexBytes(t, tt.dump)
			entries, err := DecodeXattrBody(b, 1000)
			wantError(t, err, tt.error)
			if got := listXattrs(b, entries); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func TestDecodeXattrBlock(t *testing.T) {
	for _, tt := range []struct{ name, dump, want, error string }{
		{"kernel", blockDump, `{1 1 1b83ace9 79055560}
"user.long"@32 120:7676767676767676 true ino 0 hash 37b1a7
"user.third"@52 50:abababababababab true ino 0 hash aa24acde
`, ""},
		{"kernel, with an ACL", blockACLDump, `{1 1 e7b75076 bb3cb8ad}
"user.e"@32 0: true ino 0 hash 65
"user.zz"@52 4:31323334 true ino 0 hash 3b093231
"user.hé"@72 5:6162636465 true ino 0 hash 6260dccf
"system.posix_acl_access"@92 28:0100000001000600 true ino 0 hash 140027
`, ""},
		{"short", "000002ea", "{0 0 0 0}\n", "corrupt xattr block: length is 0x4 at byte 1000"},
		{"no magic", ".1024.", "{0 0 0 0}\n", "corrupt xattr block: h_magic is 0x0 at byte 1000"},
		{"empty, two blocks", "000002ea 02000000 02000000 .52.", "{2 2 0 0}\n", "corrupt xattr block: h_blocks is 0x2 at byte 1008"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := hexBytes(t, tt.dump)
			h, entries, err := DecodeXattrBlock(b, 1000)
			wantError(t, err, tt.error)
			if got := fmt.Sprintf("%x\n", h) + listXattrs(b, entries); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func TestXattrFullName(t *testing.T) {
	for index, want := range []string{"n", "user.n", "system.posix_acl_accessn", "system.posix_acl_defaultn", "trusted.n",
		"lustre.n", "security.n", "system.n", "system.richacln", "encryption.n", "gnu.n", "verity.n", "12.n"} {
		if got := (XattrEntry{NameIndex: uint8(index), Name: []byte("n")}).FullName(); got != want {
			t.Errorf("index %d: %s, want %s", index, got, want)
		}
	}
}

func TestXattrHashes(t *testing.T) {
	for _, dump := range []string{blockDump, blockACLDump} {
		b := hexBytes(t, dump)
		h, entries, err := DecodeXattrBlock(b, 0)
		wantError(t, err, "")
		for _, e := range entries {
			value, _ := e.Value(b)
			if got := XattrEntryHash(e.Name, value); got != e.Hash {
				t.Errorf("%s: hash %#x, want %#x", e.FullName(), got, e.Hash)
			}
			high := e.FullName() == "user.hé"
			if got := XattrEntryHashSigned(e.Name, value); (got != e.Hash) != high {
				t.Errorf("%s: signed hash %#x, unsigned %#x", e.FullName(), got, e.Hash)
			}
		}
		if got := XattrBlockHash(entries); got != h.Hash {
			t.Errorf("block hash %#x, want %#x", got, h.Hash)
		}
	}
	if got := XattrBlockHash([]XattrEntry{{Hash: 5}, {}}); got != 0 {
		t.Errorf("block hash %#x beside an entry without hash, want 0", got)
	}
}

// The value of bodyInodeDump: 1500 bytes of 0xcd in an inode whose i_atime is
// 0xf5d733b1.
func TestXattrValueHash(t *testing.T) {
	seed := CRC32C(^uint32(0), hexBytes(t, "11111111 2222 3333 4444 555555555555"))
	value := make([]byte, 1500)
	for i := range value {
		value[i] = 0xcd
	}
	hash := XattrValueHash(seed, value)
	if hash != 0xf5d733b1 {
		t.Errorf("value hash %#x, want 0xf5d733b1", hash)
	}
	if got := XattrEntryHash([]byte("big"), le.AppendUint32(nil, hash)); got != 0x709033b0 {
		t.Errorf("entry hash %#x, want 0x709033b0", got)
	}
}

func FuzzDecodeXattr(f *testing.F) {
	for _, dump := range []string{bodyDump, bodyInodeDump, bodyFullDump, blockDump, blockACLDump} {
		f.Add(hexBytes(f, dump))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(entries []XattrEntry) {
			if len(entries)*xattrEntryLength > len(b) {
				t.Errorf("%d entries in %d bytes", len(entries), len(b))
			}
			for _, e := range entries {
				if value, ok := e.Value(b); ok != (e.ValueInode == 0) || ok && len(value) != int(e.ValueSize) {
					t.Errorf("%+v: %d bytes of value, %v", e, len(value), ok)
				}
				_ = e.FullName()
			}
			XattrBlockHash(entries)
		}
		entries, _ := DecodeXattrBody(b, 0)
		check(entries)
		_, entries, _ = DecodeXattrBlock(b, 0)
		check(entries)
	})
}

// TestXattrGap finds the bytes between the entries in an inode's body and their values.
func TestXattrGap(t *testing.T) {
	for _, tt := range []struct {
		name     string
		body     string
		from, to int
	}{
		{"no entries", "000002ea 00000000 61626364", 8, 12},
		// One entry "user.a", whose value of two bytes lies at the end.
		{"one", "000002ea 0101 1c00 00000000 02000000 00000000 61000000 00000000 71717171 61620000", 28, 32},
		{"full", "000002ea 0101 1800 00000000 02000000 00000000 61000000 00000000 61620000", 28, 28},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := hexBytes(t, tt.body)
			entries, err := DecodeXattrBody(b, 0)
			if err != nil {
				t.Fatal(err)
			}
			if from, to := XattrGap(b, entries); from != tt.from || to != tt.to {
				t.Errorf("%d to %d, want %d to %d", from, to, tt.from, tt.to)
			}
		})
	}
}
