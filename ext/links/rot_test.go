package links

import (
	"strconv"
	"testing"
)

// TestAppendQuote holds each byte, alone and between others, against strconv.
func TestAppendQuote(t *testing.T) {
	for c := range 256 {
		for _, text := range []string{string([]byte{byte(c)}), "ab" + string([]byte{byte(c)}) + "cd", "caf\u00e9" + string([]byte{byte(c)})} {
			if got, want := string(appendQuote(nil, []byte(text))), strconv.Quote(text); got != want {
				t.Errorf("%q: %s, want %s", text, got, want)
			}
		}
	}
}
