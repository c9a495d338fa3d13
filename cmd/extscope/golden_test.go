package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// demo is the image that the README shows.
const demo = "../../testdata/demo.img"

// A result is what one call of the program left behind.
type result struct {
	status   int
	out, err string
}

// call runs the program as a shell would.
func call(t testing.TB, args ...string) result {
	t.Helper()
	var out, err bytes.Buffer
	status := runContext(context.Background(), args, strings.NewReader(""), &out, &err)
	return result{status, out.String(), err.String()}
}

// golden compares what a call prints on stdout with testdata/golden/NAME. An
// image unpacked to a folder of this run is called IMAGE there.
func golden(t *testing.T, name string, status int, args ...string) result {
	t.Helper()
	got := call(t, args...)
	if got.status != status {
		t.Errorf("%s: exit status %d, want %d; stderr:\n%s", strings.Join(args, " "), got.status, status, got.err)
	}
	for _, arg := range args {
		if strings.HasPrefix(arg, os.TempDir()) {
			got.out = strings.ReplaceAll(got.out, arg, "IMAGE")
		}
	}
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got.out), 0o644); err != nil {
			t.Fatal(err)
		}
		return got
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.out != string(want) {
		t.Errorf("%s: output differs from %s (go test -update rewrites it)\n%s", strings.Join(args, " "), path, firstDifference(got.out, string(want)))
	}
	return got
}

// firstDifference shows the first line that two texts don't share.
func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			was := "(end)"
			if i < len(w) {
				was = w[i]
			}
			return "got  " + g[i] + "\nwant " + was
		}
	}
	return "got ends early; want " + w[len(g)]
}
