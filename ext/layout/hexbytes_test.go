package layout

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var zeroRun = regexp.MustCompile(`\.(\d+)\.`)

// hexBytes turns a dump into bytes. White space is skipped, and ".12." stands
// for twelve zero bytes.
func hexBytes(t testing.TB, dump string) []byte {
	t.Helper()
	dump = zeroRun.ReplaceAllStringFunc(dump, func(run string) string {
		n, _ := strconv.Atoi(strings.Trim(run, "."))
		return strings.Repeat("00", n)
	})
	b, err := hex.DecodeString(strings.Join(strings.Fields(dump), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wantError compares an error's text, "" being no error.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		want = "<nil>"
	}
	if got := fmt.Sprint(err); got != want {
		t.Errorf("error %s, want %s", got, want)
	}
}

// damaged gives b with the bytes of with put at byte at.
func damaged(b []byte, at int, with ...byte) []byte {
	b = append([]byte(nil), b...)
	copy(b[at:], with)
	return b
}
