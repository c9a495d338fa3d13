package report

import (
	"fmt"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/extscope/extscope/ext/exttest"
)

func TestHumanSize(t *testing.T) {
	for _, tt := range []struct {
		n    uint64
		want string
	}{
		{0, "0"}, {1, "1"}, {1023, "1023"}, {1024, "1.0K"}, {1025, "1.1K"}, {1536, "1.5K"},
		{10137, "9.9K"}, {10138, "10K"}, {10240, "10K"}, {10241, "11K"},
		{1023 << 10, "1023K"}, {1023<<10 + 1, "1.0M"}, {1<<20 - 1, "1.0M"}, {1 << 20, "1.0M"},
		{20 << 20, "20M"}, {3 << 30, "3.0G"}, {1<<40 + 1, "1.1T"}, {1 << 50, "1.0P"},
		{1<<60 - 1, "1.0E"}, {1 << 60, "1.0E"}, {math.MaxUint64, "16E"},
	} {
		if got := HumanSize(tt.n); got != tt.want {
			t.Errorf("%d: got %s, want %s", tt.n, got, tt.want)
		}
	}
}

// numfmt from coreutils rounds as ls -h does.
func TestHumanSizeAsNumfmt(t *testing.T) {
	exttest.Tool(t, "numfmt")
	var sizes []uint64
	for n := uint64(1); n < 1<<60; n = n*5/3 + 1 { // beyond, numfmt counts in floating point
		sizes = append(sizes, n-1, n, n+1)
	}
	var in strings.Builder
	for _, n := range sizes {
		fmt.Fprintln(&in, n)
	}
	cmd := exec.Command("numfmt", "--to=iec", "--round=up")
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range strings.Fields(string(out)) {
		if got := HumanSize(sizes[i]); got != want {
			t.Errorf("%d: got %s, numfmt says %s", sizes[i], got, want)
		}
	}
}

func TestTimes(t *testing.T) {
	const digits = "2006-01-02T15:04:05.000000000Z"
	for _, tt := range []struct {
		t          time.Time
		text, data string // by date -u
	}{
		{time.Time{}, "-", `null`},
		{time.Unix(0, 0), "1970-01-01 00:00:00", `"1970-01-01T00:00:00.000000000Z"`},
		{time.Unix(0, 1), "1970-01-01 00:00:00", `"1970-01-01T00:00:00.000000001Z"`},
		{time.Unix(-1, 999_999_999), "1969-12-31 23:59:59", `"1969-12-31T23:59:59.999999999Z"`},
		{time.Unix(1700000000, 120_000_000), "2023-11-14 22:13:20", `"2023-11-14T22:13:20.120000000Z"`},
		{firstTime, "1901-12-13 20:45:52", `"1901-12-13T20:45:52.000000000Z"`},
		{lastTime, "2446-05-10 22:38:55", `"2446-05-10T22:38:55.999999999Z"`},
		{time.Date(2024, 2, 29, 1, 2, 3, 0, time.FixedZone("", 3600)), "2024-02-29 00:02:03", `"2024-02-29T00:02:03.000000000Z"`},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "10000-01-01 00:00:00", `"10000-01-01T00:00:00.000000000Z"`},
	} {
		if got := FormatTime(tt.t); got != tt.text {
			t.Errorf("text %s, want %s", got, tt.text)
		}
		if got := Time(tt.t).Text(); got != tt.text {
			t.Errorf("cell %s, want %s", got, tt.text)
		}
		if got := string(appendJSON(nil, Time(tt.t))); got != tt.data {
			t.Errorf("data %s, want %s", got, tt.data)
		}
	}
	for sec := firstTime.Unix(); sec <= lastTime.Unix(); sec += 86400*97 + 3601 {
		at := time.Unix(sec, sec&0x1fffffff).UTC()
		if got, want := string(appendRFC3339(nil, at)), at.Format(digits); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

// Seconds that no calendar has must not stop a report.
func TestTimesFarOut(t *testing.T) {
	for _, sec := range []int64{math.MinInt64, math.MaxInt64, -1 << 40, 1 << 40} {
		if text := Time(time.Unix(sec, 0)).Text(); text == "" || hostile(text) != "" {
			t.Errorf("%d: %q", sec, text)
		}
	}
}
