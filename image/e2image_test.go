package image

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// TestE2imageDump reads a metadata dump: what is in it is as in the image, and what is not
// is absent, or was zeros.
func TestE2imageDump(t *testing.T) {
	raw := contents(t, exttest.Container(t, "raw.img"))
	im := mustOpen(t, exttest.Container(t, "e2image/dump.qcow2"))
	warned(t, im.Warnings(), "a dump of a file system's metadata")
	if im.Format() != "e2image qcow2" || !im.MetadataOnly() || im.Size() != int64(len(raw)) {
		t.Fatalf("%s, %d bytes", im.Format(), im.Size())
	}
	there := int64(0)
	for off := int64(0); off < im.Size(); {
		kind, n := im.Map(off)
		p := make([]byte, n)
		got, err := im.ReadAt(p, off)
		var absent *AbsentError
		switch {
		case kind == Absent && (!errors.As(err, &absent) || got > 0 || absent.Offset != off):
			t.Errorf("byte %d: %d, %v", off, got, err)
		case kind == Data && string(p[:got]) != string(raw[off:off+n]):
			t.Errorf("byte %d: not as in the image", off)
		case kind == Data:
			there += n
		}
		if got, err = im.ReadMetadata(p, off); int64(got) != n || kind == Absent && !allZero(p) {
			t.Errorf("byte %d as metadata: %d of %d, %v", off, got, n, err)
		}
		off += n
	}
	if there < 20<<10 || there > 100<<10 {
		t.Errorf("%d bytes are in the dump", there)
	}
	p, err := im.Select("")
	if err != nil || p.Content.Type != "ext4" {
		t.Errorf("%v, %v", p, err)
	}
}

// TestE2imageOrdinary takes no image of another program's for a dump.
func TestE2imageOrdinary(t *testing.T) {
	for _, name := range []string{"v2.qcow2", "v3.qcow2", "zlib.qcow2", "v1.qcow"} {
		if im := mustOpen(t, exttest.Container(t, "qcow2/"+name)); im.MetadataOnly() {
			t.Errorf("%s is taken for a dump", name)
		}
	}
	path := t.TempDir() + "/small"
	command(t, "", "qemu-img", "create", "-q", "-f", "qcow2", "-o", "compat=0.10,cluster_size=1024", path, "1M")
	if im := mustOpen(t, path); im.MetadataOnly() {
		t.Error("an empty image is taken for a dump")
	}
}

func TestE2imageFile(t *testing.T) {
	path := exttest.Container(t, "e2image/dump.e2i")
	var format *FormatError
	if _, err := Open(path, Options{}); !errors.As(err, &format) || !strings.Contains(format.Hint, "debugfs -i") {
		t.Errorf("%v", err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if c := Identify(f, 1<<20); c.Type != "e2image file" {
		t.Errorf("%v", c)
	}
}
