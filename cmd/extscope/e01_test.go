package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unpackE01 unpacks files of testdata/containers into one folder, and gives the path of
// the first.
func unpackE01(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		f, err := os.Open(filepath.Join("../../testdata/containers", name+".gz"))
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(z)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, filepath.Base(names[0]))
}

// What commands say of an E01 image is what they say of the raw one.
func TestE01(t *testing.T) {
	raw := unpackE01(t, "raw.img")
	for _, e01 := range []string{
		unpackE01(t, "e01/encase6.E01"), unpackE01(t, "e01/smart.s01"),
		unpackE01(t, "e01/set.E01", "e01/set.E02", "e01/set.E03", "e01/set.E04", "e01/set.E05"),
	} {
		for _, args := range [][]string{{"audit"}, {"ls", "-lR"}, {"deleted"}, {"hash", "--files"}, {"symlinks"}} {
			args = append(args[:1:1], append([]string{raw}, args[1:]...)...)
			want := call(t, args...)
			args[1] = e01
			if got := call(t, args...); got.status != want.status || strings.ReplaceAll(got.out, e01, raw) != want.out || got.err != want.err {
				t.Errorf("%s %s: %d, %s%s", args[0], e01, got.status, got.err, firstDifference(got.out, want.out))
			}
		}
		if got := call(t, "hash", "--verify", e01); got.status != exitDone || !strings.Contains(got.out, "yes") {
			t.Errorf("%s: %d, %s%s", e01, got.status, got.out, got.err)
		}
	}
	whole := unpackE01(t, "e01/encase6.E01")
	golden(t, "partitions-e01.table", exitDone, "partitions", whole)
	got := golden(t, "partitions-e01.json", exitDone, "partitions", whole, "-f", "json")
	if !json.Valid([]byte(got.out)) {
		t.Error("no JSON")
	}
}

// A chunk that is damaged is named, and all else is read.
func TestE01Damaged(t *testing.T) {
	path := unpackE01(t, "e01/encase6.E01")
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
	set := unpackE01(t, "e01/set.E01", "e01/set.E03", "e01/set.E04", "e01/set.E05")
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
