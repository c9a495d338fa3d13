package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// The digests that an E01 image stores are those of its bytes; partitions tells who made it.
func TestE01(t *testing.T) {
	for _, e01 := range []string{
		exttest.Container(t, "e01/encase6.E01"), exttest.Container(t, "e01/smart.s01"),
		exttest.Container(t, "e01/set.E01", "e01/set.E02", "e01/set.E03", "e01/set.E04", "e01/set.E05"),
	} {
		if got := call(t, "hash", "--verify", e01); got.status != exitDone || !strings.Contains(got.out, "yes") {
			t.Errorf("%s: %d, %s%s", e01, got.status, got.out, got.err)
		}
	}
	whole := exttest.Container(t, "e01/encase6.E01")
	golden(t, "partitions-e01.table", exitDone, "partitions", whole)
	got := golden(t, "partitions-e01.json", exitDone, "partitions", whole, "-f", "json")
	if !json.Valid([]byte(got.out)) {
		t.Error("no JSON")
	}
}

// A chunk that is damaged is named, and all else is read.
func TestE01Damaged(t *testing.T) {
	path := exttest.Container(t, "e01/encase6.E01")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sectors := bytes.Index(b, append([]byte("sectors"), make([]byte, 9)...))
	copy(b[sectors+76+20:], "damage")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	got := call(t, "hash", "--verify", path)
	if got.status != exitPartial || !strings.Contains(got.err, "bytes 0 to 32767: chunk 0 at byte") {
		t.Errorf("%d, %s", got.status, got.err)
	}
	set := exttest.Container(t, "e01/set.E01", "e01/set.E03", "e01/set.E04", "e01/set.E05")
	if got := call(t, "ls", set, "/"); got.status != exitDone || !strings.Contains(got.err, "set.E02 is missing") {
		t.Errorf("%d, %s", got.status, got.err)
	}
	if got := call(t, "hash", set); got.status != exitPartial || !strings.Contains(got.err, "bytes 1015808 to ") {
		t.Errorf("%d, %s", got.status, got.err)
	}
	other := filepath.Join(t.TempDir(), "x.Ex01")
	if err := os.WriteFile(other, []byte("EVF2\r\n\x81\x00"+strings.Repeat("x", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := call(t, "ls", other); got.status != exitNotExt || !strings.Contains(got.err, "Ex01 image: ") || !strings.Contains(got.err, "ewfexport") {
		t.Errorf("%d, %s", got.status, got.err)
	}
}
