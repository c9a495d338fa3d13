package image

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/extscope/extscope/ext/exttest"
)

func TestOpenRaw(t *testing.T) {
	data := []byte("some evidence")
	path := tempFile(t, "disk.img", data)
	im := mustOpen(t, path)
	if im.Format() != "raw" || im.Size() != 13 || im.Name() != path || len(im.Warnings()) != 0 {
		t.Errorf("got %q, %d bytes, name %q, warnings %q", im.Format(), im.Size(), im.Name(), im.Warnings())
	}
	if s := im.Segments(); len(s) != 1 || s[0] != (Segment{Name: path, Size: 13}) {
		t.Errorf("segments %+v", s)
	}
	if err := iotest.TestReader(im.SectionAt(5), data[5:]); err != nil {
		t.Error(err)
	}
	if n := im.SectionAt(14).Size(); n != 0 {
		t.Errorf("beyond the end: %d bytes", n)
	}
}

// The same answers for one file and for a set of segments.
func TestReadAt(t *testing.T) {
	dir := t.TempDir()
	for name, b := range map[string]string{"raw": "0123456789", "s.001": "0123", "s.002": "4567", "s.003": "89"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"raw", "s.001"} {
		im := mustOpen(t, filepath.Join(dir, name))
		for _, tt := range []struct {
			off  int64
			n    int
			want string
			err  error
		}{
			{0, 10, "0123456789", nil},
			{0, 11, "0123456789", io.EOF},
			{3, 2, "34", nil},
			{3, 6, "345678", nil},
			{4, 4, "4567", nil},
			{9, 1, "9", nil},
			{9, 2, "9", io.EOF},
			{10, 1, "", io.EOF},
			{1 << 62, 1, "", io.EOF},
			{5, 0, "", nil},
			{-1, 1, "", errNegative},
		} {
			b := make([]byte, tt.n)
			n, err := im.ReadAt(b, tt.off)
			if string(b[:n]) != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("%s: ReadAt(%d bytes, %d) = %q, %v; want %q, %v", name, tt.n, tt.off, b[:n], err, tt.want, tt.err)
			}
		}
	}
}

// A file that shrinks under the reader is an error with a range, not the end.
func TestShrunk(t *testing.T) {
	path := tempFile(t, "disk.img", make([]byte, 1000))
	im := mustOpen(t, path)
	if err := os.Truncate(path, 300); err != nil {
		t.Fatal(err)
	}
	n, err := im.ReadAt(make([]byte, 500), 100)
	var read *ReadError
	if n != 200 || !errors.As(err, &read) || read.Offset != 300 || read.Length != 300 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := exec.Command("mkfifo", fifo).Run(); err != nil {
		exttest.Skip(t, "no named pipe to be had: %v", err)
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(fifo, link); err != nil {
		t.Fatal(err)
	}
	for path, kind := range map[string]string{
		dir: "directory", fifo: "named pipe", link: "named pipe", socket: "socket", os.DevNull: "character device",
	} {
		im, err := Open(path, Options{})
		var typ *FileTypeError
		if im != nil || !errors.As(err, &typ) || !strings.Contains(err.Error(), "is a "+kind) {
			t.Errorf("%s: %v, want %s refused", path, err, kind)
		}
	}
	if _, err := Open(filepath.Join(dir, "none"), Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such file: %v", err)
	}
	var sector *SectorSizeError
	if _, err := Open(os.Args[0], Options{SectorSize: 1000}); !errors.As(err, &sector) {
		t.Errorf("sector size 1000: %v", err)
	}
}

func TestBlockDevice(t *testing.T) {
	data := bytes.Repeat([]byte("extscope"), 1<<17) // 1 MiB
	dev := loopDevice(t, tempFile(t, "disk.img", data), "--read-only")
	im := mustOpen(t, dev)
	defer im.Close()
	if im.Format() != "block device" || im.Size() != 1<<20 {
		t.Errorf("%s: %q, %d bytes", dev, im.Format(), im.Size())
	}
	got, err := io.ReadAll(im.SectionAt(0))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// loopDevice makes a block device of a file for as long as the test runs.
func loopDevice(t *testing.T, path string, args ...string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		exttest.Skip(t, "a loop device takes root")
	}
	out, err := exec.Command(exttest.Tool(t, "losetup"), append(args, "--find", "--show", path)...).Output()
	if err != nil {
		exttest.Skip(t, "no loop device to be had: %v", err)
	}
	dev := strings.TrimSpace(string(out))
	t.Cleanup(func() { exec.Command("losetup", "-d", dev).Run() })
	return dev
}
