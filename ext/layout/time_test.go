package layout

import (
	"testing"
	"time"
)

// Times that Linux 6.18 stored for touch -d, and the edges of each epoch; the
// dates of the first part are those of debugfs stat.
func TestInodeTime(t *testing.T) {
	for _, tt := range []struct {
		seconds, extra uint32
		want           string
	}{
		{0x80000000, 0x00000000, "1901-12-13T20:45:52Z"},
		{0xffffffff, 0x77359400, "1969-12-31T23:59:59.5Z"},
		{0x00000000, 0x00000000, "1970-01-01T00:00:00Z"},
		{0x7fffffff, 0xee6b27fc, "2038-01-19T03:14:07.999999999Z"},
		{0x80000000, 0x00000001, "2038-01-19T03:14:08Z"},
		{0x00000000, 0x00000001, "2106-02-07T06:28:16Z"},
		{0x80000000, 0x00000006, "2174-02-25T09:42:24.000000001Z"},
		{0x7fffffff, 0x00000003, "2446-05-10T22:38:55Z"},

		{0xffffffff, 0x00000001, "2106-02-07T06:28:15Z"},
		{0x7fffffff, 0x00000001, "2174-02-25T09:42:23Z"},
		{0x7fffffff, 0x00000002, "2310-04-04T16:10:39Z"},
		{0x80000000, 0x00000003, "2310-04-04T16:10:40Z"},

		// A second of nanoseconds, and all that 30 bits can say.
		{0x00000000, 1000000000 << 2, "1970-01-01T00:00:01Z"},
		{0x00000000, 0xfffffffc, "1970-01-01T00:00:01.073741823Z"},
	} {
		got := inodeTime(tt.seconds, tt.extra)
		if s := got.Format(time.RFC3339Nano); s != tt.want {
			t.Errorf("%#x %#x: got %s, want %s", tt.seconds, tt.extra, s, tt.want)
		}
		if got.Location() != time.UTC {
			t.Errorf("%#x %#x: not in UTC", tt.seconds, tt.extra)
		}
	}
}
