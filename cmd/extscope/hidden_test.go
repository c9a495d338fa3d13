package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// TestHidden hides bytes behind the end of a file and in the superblock's padding,
// lists them, and writes them out.
func TestHidden(t *testing.T) {
	e := exttest.Edit(t, "small")
	var file exttest.Object
	for _, o := range exttest.Truth(t, "small") {
		if o.Type == "file" && o.Size > 0 && o.Size < 900 && len(o.Extents) == 1 {
			file = o
			break
		}
	}
	at := file.Extents[0].Physical + file.Size
	copy(e.Image[at:], "behind the end")
	copy(e.Image[1024+0x300:], "in the padding")
	e.SealSuperblock()
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, e.Image, 0o600); err != nil {
		t.Fatal(err)
	}
	r := call(t, "audit", "--hidden", image)
	for _, want := range []string{"superblock-padding", "slack", string(file.Path), "not zero: 28"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
	if r := call(t, "cat", "--slack", image, string(file.Path)); !strings.HasPrefix(r.out, "behind the end\x00") || r.status != exitDone {
		t.Errorf("slack is %.40q, exit status %d, %s", r.out, r.status, r.err)
	}
	if r := call(t, "blocks", image, "--bytes", "1792+14"); r.out != "in the padding" {
		t.Errorf("bytes are %.40q, %s", r.out, r.err)
	}
	if r := call(t, "blocks", image, "--range", "1"); !bytes.Equal([]byte(r.out), e.Image[1024:2048]) {
		t.Errorf("block 1 is not what the image has there: %d bytes, %s", len(r.out), r.err)
	}
	for args, want := range map[string]string{
		"--range 99999999": "no block 99999999", "--range 5-2": "no block number", "--bytes 5": "no place and length",
		"--bytes 0+9999999999": "the image has", "--range 1 /": "without a PATH",
	} {
		if r := call(t, append([]string{"blocks", image}, strings.Fields(args)...)...); r.status != exitUsage || !strings.Contains(r.err, want) {
			t.Errorf("%s: exit status %d, %s", args, r.status, r.err)
		}
	}
}
