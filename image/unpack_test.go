package image

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// pack compresses a file by a tool into one called name.
func pack(t *testing.T, file, name string, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(command(t, string(b), args[0], args[1:]...)); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestUnpackForms(t *testing.T) {
	raw := exttest.Container(t, "raw.img")
	for _, tt := range []struct {
		form string
		args []string
	}{
		{"gzip", []string{"gzip", "-c"}},
		{"gzip", []string{"gzip", "-1c"}},
		{"xz", []string{"xz", "-c"}},
		{"xz", []string{"xz", "-0c", "--block-size=100000", "-T2"}},
		{"xz", []string{"xz", "-0c", "--check=sha256", "--block-size=1000000"}},
		{"xz", []string{"xz", "-0c", "--check=crc32"}},
		{"zstd", []string{"zstd", "-c"}},
		{"zstd", []string{"zstd", "-c", "-1", "--stream-size=4194304"}},
		{"zstd", []string{"zstd", "-c", "--ultra", "-22"}},
		{"bzip2", []string{"bzip2", "-c"}},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			path := pack(t, raw, "disk", tt.args...)
			sameAsRaw(t, raw, path, Options{})
			im := mustOpen(t, path)
			if im.Format() != "raw in "+tt.form || len(im.Faults()) > 0 || len(im.Segments()) != 1 || im.Segments()[0].Name != path {
				t.Errorf("%s, %q, %v", im.Format(), im.Faults(), im.Segments())
			}
			warned(t, im.Warnings(), "was unpacked to a temporary copy of 4194304 bytes")
		})
	}
}

func TestUnpackStored(t *testing.T) {
	raw := exttest.Container(t, "raw.img")
	for _, name := range []string{"raw.gz", "raw.xz", "raw.zst", "raw.bz2"} {
		sameAsRaw(t, raw, exttest.Container(t, "packed/"+name), Options{})
	}
}

// TestUnpackConcatenated has several members, streams and frames in one file, with what
// tools put between and behind them, and in pieces.
func TestUnpackConcatenated(t *testing.T) {
	raw := exttest.Container(t, "raw.img")
	b, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for i, at := range []int{0, 777, 2 << 20, 4 << 20} {
		if i > 0 {
			prev := []int{0, 777, 2 << 20, 4 << 20}[i-1]
			parts = append(parts, tempFile(t, "part", b[prev:at]))
		}
	}
	skip := le.AppendUint32(le.AppendUint32(nil, zstdSkippable+3), 5)
	skip = append(skip, "hello"...)
	for _, tt := range []struct {
		tool    string
		between []byte
	}{{"gzip", nil}, {"xz", make([]byte, 8)}, {"zstd", skip}, {"bzip2", nil}} {
		t.Run(tt.tool, func(t *testing.T) {
			var all []byte
			for _, p := range parts {
				part, err := os.ReadFile(pack(t, p, "part", tt.tool, "-c"))
				if err != nil {
					t.Fatal(err)
				}
				all = append(append(all, part...), tt.between...)
			}
			sameAsRaw(t, raw, tempFile(t, "disk", all), Options{})
			dir := t.TempDir()
			third := len(all)/3 + 1
			for i, name := range []string{"disk.001", "disk.002", "disk.003"} {
				if err := os.WriteFile(filepath.Join(dir, name), all[i*third:min((i+1)*third, len(all))], 0o600); err != nil {
					t.Fatal(err)
				}
			}
			sameAsRaw(t, raw, filepath.Join(dir, "disk.001"), Options{})
		})
	}
	gz, err := os.ReadFile(pack(t, raw, "part", "gzip", "-c"))
	if err != nil {
		t.Fatal(err)
	}
	path := tempFile(t, "disk.001", append(gz, "tail"...))
	sameAsRaw(t, raw, path, Options{})
	warned(t, mustOpen(t, path).Warnings(), "4 bytes follow the gzip data", "temporary copy")
}

// TestUnpackNested has containers and compressed files in compressed files.
func TestUnpackNested(t *testing.T) {
	raw := exttest.Container(t, "raw.img")
	disk := exttest.Container(t, "vmdk/streamOptimized.vmdk")
	path := pack(t, disk, "disk.vmdk.gz", "gzip", "-c")
	sameAsRaw(t, raw, path, Options{})
	if im := mustOpen(t, path); im.Format() != "vmdk in gzip" || len(im.Segments()) != 1 {
		t.Errorf("%s, %v", im.Format(), im.Segments())
	}
	twice := pack(t, path, "disk.vmdk.gz.xz", "xz", "-c")
	sameAsRaw(t, raw, twice, Options{})
	if im := mustOpen(t, twice); im.Format() != "vmdk in gzip in xz" || len(im.Segments()) != 1 {
		t.Errorf("%s, %v", im.Format(), im.Segments())
	}
	four := pack(t, pack(t, twice, "a", "gzip", "-c"), "b", "gzip", "-c")
	var format *FormatError
	if _, err := Open(four, Options{}); !errors.As(err, &format) || !strings.Contains(err.Error(), "more than 3 times") {
		t.Errorf("got %v", err)
	}
}

// TestUnpackBounds has the limit, being told how far it is, and stopping.
func TestUnpackBounds(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	raw := exttest.Container(t, "raw.img")
	for _, tool := range []string{"gzip", "xz", "zstd", "bzip2"} {
		path := pack(t, raw, "disk", tool, "-c")
		for limit, ok := range map[int64]bool{4 << 20: true, 4<<20 - 1: false, -1: false, 10: false} {
			im, err := Open(path, Options{UnpackLimit: limit})
			if err == nil {
				im.Close()
			}
			var format *FormatError
			if (err == nil) != ok || !ok && !errors.As(err, &format) {
				t.Errorf("%s, %d: %v", tool, limit, err)
			}
		}
		stop := errors.New("stop")
		calls := 0
		_, err := Open(path, Options{Unpacking: func(done, total int64) error {
			if calls++; done > 1000 {
				return stop
			}
			return nil
		}})
		if !errors.Is(err, stop) || calls == 0 {
			t.Errorf("%s: %d calls, %v", tool, calls, err)
		}
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}
