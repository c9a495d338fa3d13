package layout

import (
	"fmt"
	"testing"
)

// The beginning of a quota file of users that e2fsck 1.47 wrote, and two of the entries
// in block 5 with what that begins with: debugfs's list_quota printed 3571712 bytes and
// 183 inodes of user 0, and 0 bytes and 1 inode of user 1000.
const (
	quotaHeaderDump = "111fc0d9 01000000 803a0900 803a0900 00000000 0d000000 00000000 05000000"
	quotaBlockDump  = "00000000 00000000 0500 .6."
	quotaEntryDump  = ".24. b700 .22. 00803600 .20."
	quotaOtherDump  = "e803 .22. 01 .47."
)

func TestDecodeQuotaHeader(t *testing.T) {
	b := hexBytes(t, quotaHeaderDump)
	for _, tt := range []struct {
		b           []byte
		kind        QuotaType
		want, error string
	}{
		{b, QuotaUser, "{604800 604800 0 13 0 5}", ""},
		{b, QuotaGroup, "", "corrupt quota file: dqh_magic is 0xd9c01f11 at byte 4096"},
		{damaged(b, 0, 0x27, 0x19), QuotaGroup, "{604800 604800 0 13 0 5}", ""},
		{damaged(b, 0, 0x14, 0x3f), QuotaProject, "{604800 604800 0 13 0 5}", ""},
		{damaged(b, 4, 0), QuotaUser, "", "corrupt quota file: dqh_version is 0x0 at byte 4100"},
		{b[:31], QuotaUser, "", "corrupt quota file: length is 0x1f at byte 4096"},
	} {
		h, err := DecodeQuotaHeader(tt.b, tt.kind, 4096)
		wantError(t, err, tt.error)
		if got := fmt.Sprint(h); err == nil && got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestDecodeQuotaEntry(t *testing.T) {
	if got := fmt.Sprint(DecodeQuotaBlock(hexBytes(t, quotaBlockDump))); got != "{0 0 5}" {
		t.Errorf("a block of entries is %s", got)
	}
	limits := hexBytes(t, "01000000 00000000 02 .7. 03 .7. 04 .7. 05 .7. 06 .7. 07 .7. 08 .7. 09 .7.")
	for _, tt := range []struct {
		b    []byte
		want string
	}{
		{hexBytes(t, quotaEntryDump), "{0 0 0 183 0 0 3571712 0 0} true"},
		{hexBytes(t, quotaOtherDump), "{1000 0 0 1 0 0 0 0 0} true"},
		{limits, "{1 2 3 4 5 6 7 8 9} true"},
		{make([]byte, QuotaEntrySize), "{0 0 0 0 0 0 0 0 0} false"},
	} {
		e, used := DecodeQuotaEntry(tt.b)
		if got := fmt.Sprint(e, used); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func FuzzDecodeQuotaHeader(f *testing.F) {
	f.Add(hexBytes(f, quotaHeaderDump), 0)
	f.Fuzz(func(_ *testing.T, b []byte, kind int) {
		_, _ = DecodeQuotaHeader(b, QuotaType(kind&1), 0)
	})
}
