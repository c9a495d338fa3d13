package layout

import "testing"

func TestDecodeACL(t *testing.T) {
	for _, tt := range []struct{ name, dump, want, error string }{
		// Both written by setfacl through Linux; the text is getfacl -nc's.
		{"access", "01000000 01000600 02000400 e8030000 02000100 feffffff 04000400 08000700 64000000 10000700 20000400",
			"user::rw-,user:1000:r--,user:4294967294:--x,group::r--,group:100:rwx,mask::rwx,other::r--", ""},
		{"default", "01000000 01000700 02000600 07000000 04000500 10000700 20000500",
			"user::rwx,user:7:rw-,group::r-x,mask::rwx,other::r-x", ""},
		{"empty", "01000000", "", ""},
		{"no header", "0100", "", "corrupt ACL: length is 0x2 at byte 0"},
		{"as getxattr gives it", "02000000 01000600 ffffffff", "", "corrupt ACL: a_version is 0x2 at byte 0"},
		{"unknown tag", "01000000 01000600 40000000", "user::rw-", "corrupt ACL: e_tag is 0x40 at byte 8"},
		{"half an entry", "01000000 01000600 0200", "user::rw-", "corrupt ACL: length is 0xa at byte 8"},
		{"user without number", "01000000 02000600", "", "corrupt ACL: length is 0x8 at byte 4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			acl, err := DecodeACL(hexBytes(t, tt.dump))
			wantError(t, err, tt.error)
			if got := acl.String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzDecodeACL(f *testing.F) {
	f.Add(hexBytes(f, "01000000 01000600 02000400 e8030000 04000400 10000700 20000400"))
	f.Fuzz(func(t *testing.T, b []byte) {
		acl, err := DecodeACL(b)
		if len(acl)*4 > len(b) {
			t.Errorf("%d entries in %d bytes", len(acl), len(b))
		}
		if _, ok := err.(*CorruptError); err != nil && !ok {
			t.Error(err)
		}
		_ = acl.String()
	})
}
