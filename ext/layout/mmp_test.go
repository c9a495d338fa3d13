package layout

import (
	"fmt"
	"testing"
)

// An MMP block of Linux 6.18, while mounted and after the unmount; debugfs
// dump_mmp printed the values expected below.
const (
	mmpLiveDump  = "504d4d00 04000000 fbcc026b00000000 766d .62. 6c6f6f7030 .27. 0500 .906. 59e13490"
	mmpCleanDump = "504d4d00 504d4dff fccc026b00000000 766d .62. 6c6f6f7030 .27. 0500 .906. 28a69e2b"
)

func TestDecodeMMP(t *testing.T) {
	for _, tt := range []struct{ dump, want, state, error string }{
		{mmpLiveDump, "4 2026-11-22T11:07:39Z vm loop0 5 9034e159", "in use", ""},
		{mmpCleanDump, "ff4d4d50 2026-11-22T11:07:40Z vm loop0 5 2b9ea628", "clean", ""},
		{"504d4d00 504d4de2 .1016.", "e24d4d50 0001-01-01T00:00:00Z   0 0", "fsck", ""},
		{"504d4d00 4f4d4de2 .1016.", "e24d4d4f 0001-01-01T00:00:00Z   0 0", "in use", ""},
		{"504d4d00 514d4de2 .1016.", "e24d4d51 0001-01-01T00:00:00Z   0 0", "unknown", ""},
		{".1024.", "", "", "corrupt MMP block: mmp_magic is 0x0 at byte 1024"},
		{"504d4d00", "", "", "corrupt MMP block: length is 0x4 at byte 1024"},
	} {
		m, err := DecodeMMP(hexBytes(t, tt.dump), 1024)
		wantError(t, err, tt.error)
		if err != nil {
			continue
		}
		got := fmt.Sprintf("%x %s %s %s %d %x", m.Sequence, m.Time.Format("2006-01-02T15:04:05Z07:00"), m.NodeName, m.DeviceName, m.CheckInterval, m.Checksum)
		if got != tt.want || m.State() != tt.state {
			t.Errorf("got %s, %s; want %s, %s", got, m.State(), tt.want, tt.state)
		}
	}
}

func TestMMPChecksum(t *testing.T) {
	seed := CRC32C(^uint32(0), hexBytes(t, "11111111 2222 3333 4444 555555555555"))
	for _, dump := range []string{mmpLiveDump, mmpCleanDump} {
		if stored, computed, ok := MMPChecksum(hexBytes(t, dump), seed); !ok || stored != computed {
			t.Errorf("stored %#x, computed %#x, %v", stored, computed, ok)
		}
	}
	if _, _, ok := MMPChecksum(nil, seed); ok {
		t.Error("a checksum in no bytes")
	}
}

func FuzzDecodeMMP(f *testing.F) {
	f.Add(hexBytes(f, mmpLiveDump))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := DecodeMMP(b, 0); err == nil {
			_, _ = m.State(), m.Time.String()
		}
		MMPChecksum(b, 1)
	})
}
