package layout

import "testing"

// The xattr "c" of directories that FS_IOC_SET_ENCRYPTION_POLICY encrypted
// under Linux 6.18, and contexts made from the first by one byte.
func TestDecodeFscryptContext(t *testing.T) {
	const nonce = "823fd4a547d368d743342c3f6f61f2a8"
	for _, tt := range []struct{ name, dump, want, error string }{
		{"v2", "02 01 04 00 00 000000 69b2f6edeee720cce0577937eb8a6751 823fd4a547d368d743342c3f6f61f2a8",
			"v2, contents AES-256-XTS, names AES-256-CTS-CBC, pad 4, key identifier 69b2f6edeee720cce0577937eb8a6751", ""},
		{"v2, pad 32", "02 01 04 03 00 000000 69b2f6edeee720cce0577937eb8a6751 6afbc887c5c47dd9ef7007ef979226c5",
			"v2, contents AES-256-XTS, names AES-256-CTS-CBC, pad 32, key identifier 69b2f6edeee720cce0577937eb8a6751", ""},
		{"v1", "01 01 04 00 1122334455667788 41da910f62ec1099014e214cb413b38d",
			"v1, contents AES-256-XTS, names AES-256-CTS-CBC, pad 4, key descriptor 1122334455667788", ""},
		{"every flag", "02 09 09 ff 0c 000000 69b2f6edeee720cce0577937eb8a6751" + nonce,
			"v2, contents Adiantum, names Adiantum, pad 32, direct key, iv_ino_lblk_64, iv_ino_lblk_32, 0xe0, key identifier 69b2f6edeee720cce0577937eb8a6751, data unit 2^12", ""},
		{"new mode", "02 0a 0b 01 00 000000 69b2f6edeee720cce0577937eb8a6751" + nonce,
			"v2, contents AES-256-HCTR2, names unknown mode 11, pad 8, key identifier 69b2f6edeee720cce0577937eb8a6751", ""},
		{"version 3", "03 01 04 00 .36.", "", "corrupt encryption context: version is 0x3 at byte 0"},
		{"v1 as long as v2", "01 01 04 00 .36.", "", "corrupt encryption context: length is 0x28 at byte 0"},
		{"v2 as short as v1", "02 01 04 00 .24.", "", "corrupt encryption context: length is 0x1c at byte 0"},
		{"short", "0201", "", "corrupt encryption context: length is 0x2 at byte 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := DecodeFscryptContext(hexBytes(t, tt.dump))
			wantError(t, err, tt.error)
			if err == nil && (c.String() != tt.want || len(c.Nonce) != 16) {
				t.Errorf("got %s\nwant %s", c, tt.want)
			}
		})
	}
}

func FuzzDecodeFscryptContext(f *testing.F) {
	f.Add(hexBytes(f, "02 01 04 00 00 000000 69b2f6edeee720cce0577937eb8a6751 823fd4a547d368d743342c3f6f61f2a8"))
	f.Add(hexBytes(f, "01 01 04 00 1122334455667788 41da910f62ec1099014e214cb413b38d"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeFscryptContext(b)
		if err == nil && (len(c.Nonce) != 16 || len(c.Key) != 8*int(c.Version)) {
			t.Errorf("%+v", c)
		}
		_ = c.String()
	})
}
