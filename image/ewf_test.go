package image

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// ewfFixtures unpacks files of testdata/containers/e01 into one folder, and gives the
// path of the first.
func ewfFixtures(t testing.TB, names ...string) string {
	t.Helper()
	var all []string
	for _, name := range names {
		all = append(all, "e01/"+name)
	}
	return exttest.Container(t, all...)
}

var ewfSetFiles = []string{"set.E01", "set.E02", "set.E03", "set.E04", "set.E05"}

func TestEwfFixtures(t *testing.T) {
	raw := exttest.Container(t, "raw.img")
	want, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		files           []string
		format, details string
	}{
		{[]string{"encase6.E01"}, "E01", "case_number evidence_number description examiner notes acquired system_time software platform media_type compression_level error_granularity chunk_size"},
		{[]string{"encase1.E01"}, "E01", "case_number evidence_number description examiner notes acquired system_time compression media_type compression_level chunk_size"},
		{[]string{"smart.s01"}, "S01", "case_number evidence_number description examiner notes acquired system_time software platform compression chunk_size"},
		{ewfSetFiles, "E01", "case_number evidence_number description examiner notes acquired system_time software platform media_type compression_level error_granularity chunk_size"},
	} {
		t.Run(tt.files[0], func(t *testing.T) {
			path := ewfFixtures(t, tt.files...)
			sameAsRaw(t, raw, path, Options{})
			im := mustOpen(t, path)
			warned(t, im.Warnings())
			if im.Format() != tt.format {
				t.Errorf("format %s", im.Format())
			}
			// The values are those of testdata/containers/make.sh.
			var keys []string
			for _, d := range im.Details() {
				keys = append(keys, d.Key)
				switch want := map[string]string{"case_number": "case 7", "evidence_number": "item 3", "description": "a small disk",
					"examiner": "A. Examiner", "notes": "made for tests", "platform": "Linux", "chunk_size": "32768"}[d.Key]; want {
				case "", d.Value:
				default:
					t.Errorf("%s: %q, want %q", d.Key, d.Value, want)
				}
			}
			if got := strings.Join(keys, " "); got != tt.details {
				t.Errorf("details %s\nwant    %s", got, tt.details)
			}
			if got := im.Digests(); !slices.Equal(got, []Digest{{"md5", fmt.Sprintf("%x", md5.Sum(want))}}) {
				t.Errorf("digests %v", got)
			}
			if got := im.Segments(); len(got) != len(tt.files) || got[len(got)-1].Offset+got[len(got)-1].Size != im.Size() {
				t.Errorf("segments %+v", got)
			}
		})
	}
}

// TestEwfSet takes files of a set away, changes their names, and puts others there.
func TestEwfSet(t *testing.T) {
	raw, err := os.ReadFile(exttest.Container(t, "raw.img"))
	if err != nil {
		t.Fatal(err)
	}
	const mib = 1 << 20
	edge := func(n int64) int64 { return n * 31 * 32768 } // ewfacquire puts 31 chunks into 1 MiB
	size := int64(len(raw))
	for _, tt := range []struct {
		name     string
		do       func(dir string) error
		open     string
		missing  [][2]int64 // bytes from, to
		warnings []string
	}{
		{"whole", nil, "set.E01", nil, nil},
		{"by a later one", nil, "set.E04", nil, nil},
		{"first missing", remove("set.E01"), "set.E02", [][2]int64{{0, edge(1)}}, []string{"segment set.E01 is missing: 1015808 bytes from byte 0"}},
		{"middle missing", remove("set.E03"), "set.E01", [][2]int64{{edge(2), edge(3)}}, []string{"segment set.E03 is missing"}},
		{"two missing", remove("set.E02", "set.E03"), "set.E01", [][2]int64{{edge(1), edge(3)}}, []string{"segments set.E02 to set.E03 are missing"}},
		{"end missing", remove("set.E04", "set.E05"), "set.E01", [][2]int64{{edge(3), size}}, []string{"segment set.E04 is missing"}},
		{"two gaps", remove("set.E02", "set.E04"), "set.E01", [][2]int64{{edge(1), edge(4)}}, []string{"segment set.E02 is missing", "set.E03: where the 31 chunks"}},
		{"alone", remove("set.E01", "set.E02", "set.E04", "set.E05"), "set.E03", [][2]int64{{0, size}}, []string{"segments set.E01 to set.E02 are missing", "set.E03: where the 31 chunks"}},
		{"names changed", func(dir string) error {
			return errors.Join(os.Rename(filepath.Join(dir, "set.E02"), filepath.Join(dir, "x")), os.Rename(filepath.Join(dir, "set.E03"), filepath.Join(dir, "set.E02")),
				os.Rename(filepath.Join(dir, "x"), filepath.Join(dir, "set.E03")))
		}, "set.E01", nil, []string{"set.E03 says that it is segment 2", "set.E02 says that it is segment 3"}},
		{"a copy", func(dir string) error {
			return os.Link(filepath.Join(dir, "set.E02"), filepath.Join(dir, "set.E06"))
		}, "set.E01", nil, []string{"set.E06 says that it is segment 2, as set.E02 does"}},
		{"file header damaged", func(dir string) error {
			return patch(filepath.Join(dir, "set.E02"), 0, make([]byte, 13))
		}, "set.E01", nil, []string{"set.E02: file header is damaged"}},
		{"the given one's file header damaged", func(dir string) error {
			return patch(filepath.Join(dir, "set.E01"), 3, make([]byte, 10))
		}, "set.E01", nil, []string{"set.E01: file header is damaged"}},
		{"of another acquisition", func(dir string) error {
			b, err := os.ReadFile(exttest.Container(t, "e01/encase6.E01"))
			b[9] = 2
			return errors.Join(err, os.WriteFile(filepath.Join(dir, "set.E02"), changeVolumes(b), 0o600))
		}, "set.E01", [][2]int64{{edge(1), edge(2)}}, []string{"set.E02 is of another acquisition than set.E01", "segment set.E02 is missing"}},
		{"cut", func(dir string) error { return os.Truncate(filepath.Join(dir, "set.E03"), mib/2) },
			"set.E01", [][2]int64{{edge(2), edge(3)}}, []string{"set.E03: the file is cut off in the sectors section"}},
		{"volume damaged", func(dir string) error {
			return patch(filepath.Join(dir, "set.E01"), findSection(t, filepath.Join(dir, "set.E01"), "volume")+100, []byte{1})
		},
			"set.E01", nil, []string{"checksum does not match; its copy at byte 13 of set.E02 is used"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Dir(ewfFixtures(t, ewfSetFiles...))
			if tt.do != nil {
				if err := tt.do(dir); err != nil {
					t.Fatal(err)
				}
			}
			im := mustOpen(t, filepath.Join(dir, tt.open))
			warned(t, im.Warnings(), tt.warnings...)
			if got := unread(t, im, raw); !slices.Equal(got, tt.missing) {
				t.Errorf("not read: %v, want %v", got, tt.missing)
			}
		})
	}
}

func remove(names ...string) func(dir string) error {
	return func(dir string) (err error) {
		for _, n := range names {
			err = errors.Join(err, os.Remove(filepath.Join(dir, n)))
		}
		return err
	}
}

// patch writes b into a file at byte at.
func patch(path string, at int64, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, at)
	return errors.Join(err, f.Close())
}

// unread lists the ranges of an image that cannot be read, as their errors say, which
// have to be missing or damaged; the rest has to be as raw.
func unread(t *testing.T, im *Image, raw []byte) (ranges [][2]int64) {
	t.Helper()
	got := make([]byte, len(raw))
	for off := int64(0); off < im.Size(); {
		n, err := im.ReadAt(got[off:], off)
		if !bytes.Equal(got[off:][:n], raw[off:][:n]) {
			t.Fatalf("%d bytes at %d are not as raw", n, off)
		}
		off += int64(n)
		if err == nil {
			break
		}
		var missing *MissingError
		var damage *DamageError
		var first, length int64
		switch {
		case errors.As(err, &missing):
			first, length = missing.Offset, missing.Length
		case errors.As(err, &damage):
			first, length = damage.Offset, damage.Length
		default:
			t.Fatal(err)
		}
		if first != off || length < 1 || first+length > im.Size() {
			t.Fatalf("at %d: %v", off, err)
		}
		off += length
		if k := len(ranges) - 1; k >= 0 && ranges[k][1] == first {
			ranges[k][1] = off
		} else {
			ranges = append(ranges, [2]int64{first, off})
		}
	}
	return ranges
}

// findSection finds the first section of a kind.
func findSection(t testing.TB, path, kind string) int64 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(ewfHeaderLen); at < int64(len(b)); {
		if cstring(b[at:][:16]) == kind {
			return at
		}
		at = int64(le.Uint64(b[at+16:]))
	}
	t.Fatalf("%s: no %s section", path, kind)
	return 0
}

// changeVolumes gives volume and data sections another set identifier.
func changeVolumes(b []byte) []byte {
	for at := int64(ewfHeaderLen); ; at = int64(le.Uint64(b[at+16:])) {
		switch cstring(b[at:][:16]) {
		case "volume", "data":
			data := b[at+ewfSectionLen:]
			data[64] ^= 0x55
			data[16] ^= 1
			putAdler(data, ewfVolumeLen-4)
		case "done":
			return b
		}
	}
}

func TestEwfSymlink(t *testing.T) {
	path := ewfFixtures(t, ewfSetFiles...)
	second := strings.Replace(path, "E01", "E02", 1)
	if err := errors.Join(os.Rename(second, second+".away"), os.Symlink(second+".away", second)); err != nil {
		t.Fatal(err)
	}
	var reference *ReferenceError
	if _, err := Open(path, Options{}); !errors.As(err, &reference) || !strings.Contains(err.Error(), "symlink") {
		t.Error(err)
	}
}

// TestEwfDamage changes parts of a sound file and looks what of the image is lost.
func TestEwfDamage(t *testing.T) {
	raw, err := os.ReadFile(exttest.Container(t, "raw.img"))
	if err != nil {
		t.Fatal(err)
	}
	size := int64(len(raw))
	const entry = ewfSectionLen + ewfTableLen
	chunk := func(first, last int64) [2]int64 { return [2]int64{first * 32768, (last + 1) * 32768} }
	for _, tt := range []struct {
		name     string
		file     string
		at       []place
		b        []byte
		lost     [][2]int64
		warnings []string
	}{
		{"first chunk", "encase6.E01", places("sectors", ewfSectionLen+20), []byte{1, 2, 3}, [][2]int64{chunk(0, 0)}, nil},
		{"a stored chunk", "set.E01", places("sectors", ewfSectionLen+5*32772+9), []byte{1, 2, 3}, [][2]int64{chunk(5, 5)}, nil},
		{"a stored chunk's checksum", "set.E01", places("sectors", ewfSectionLen+6*32772-2), []byte{1, 2}, [][2]int64{chunk(5, 5)}, nil},
		{"table's entries", "encase6.E01", places("table", entry+4), []byte{1}, nil, []string{"its copy at byte"}},
		{"table's header", "encase6.E01", places("table", ewfSectionLen+2), []byte{1}, nil, []string{"its copy at byte"}},
		{"table2", "encase6.E01", places("table2", entry+4), []byte{1}, nil, []string{"table2 section at byte"}},
		{"both tables", "encase6.E01", append(places("table", entry+4*7), places("table2", entry+4*100)...), []byte{0xff}, [][2]int64{chunk(7, 7), chunk(100, 100)}, []string{"what both say is used"}},
		{"both headers", "encase6.E01", append(places("table", ewfSectionLen), places("table2", ewfSectionLen)...), []byte{1}, [][2]int64{{0, size}}, []string{"cannot be read"}},
		{"table's descriptor", "encase6.E01", places("table", 3), []byte{1}, nil, nil},
		{"table2's descriptor", "encase6.E01", places("table2", 17), []byte{1}, nil, nil},
		{"sectors' descriptor", "encase6.E01", places("sectors", 17), []byte{1}, nil, nil},
		{"done's descriptor", "encase6.E01", places("done", 0), []byte("none"), nil, nil},
		{"the only table", "smart.s01", places("table", ewfSectionLen), []byte{1}, [][2]int64{{0, size}}, []string{"cannot be read"}},
		{"an entry without a checksum", "smart.s01", places("table", entry+4*9+1), []byte{0xff}, [][2]int64{chunk(9, 9)}, nil},
		{"header2", "encase6.E01", places("header2", ewfSectionLen+9), []byte{1}, nil, []string{"header2 section at byte 13: flate"}},
		{"hash", "encase6.E01", places("hash", ewfSectionLen+2), []byte{1}, nil, []string{"hash section at byte"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := ewfFixtures(t, tt.file)
			if strings.HasPrefix(tt.file, "set") {
				path = ewfFixtures(t, ewfSetFiles...)
			}
			for _, at := range tt.at {
				if err := patch(path, findSection(t, path, at.kind)+at.more, tt.b); err != nil {
					t.Fatal(err)
				}
			}
			im := mustOpen(t, path)
			warned(t, im.Warnings(), tt.warnings...)
			if got := unread(t, im, raw); !slices.Equal(got, tt.lost) {
				t.Errorf("lost %v, want %v", got, tt.lost)
			}
		})
	}
}

// A place is so many bytes into the first section of a kind.
type place struct {
	kind string
	more int64
}

func places(kind string, more int64) []place { return []place{{kind, more}} }

func TestEwfCorrupt(t *testing.T) {
	for name, n := range map[string]int{"encase6.E01": 400, "encase1.E01": 300, "smart.s01": 300} {
		corrupt(t, ewfFixtures(t, name), n, true)
	}
}

// TestEwfTools has ewfacquire write each of its forms.
func TestEwfTools(t *testing.T) {
	exttest.Tool(t, "ewfacquire")
	raw := exttest.Container(t, "raw.img")
	whole, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	odd := tempFile(t, "odd.img", whole[:len(whole)-7*512]) // the last chunk is shorter
	for f, format := range []string{"ewf", "smart", "ftk", "encase1", "encase2", "encase3", "encase4", "encase5", "encase6", "encase7", "linen5", "linen6", "linen7", "ewfx"} {
		for i, args := range [][]string{{"-c", "none", "-S", "1MiB"}, {"-c", "best"}, {"-c", "fast", "-b", "16"}, {"-c", "empty-block", "-b", "512"}} {
			if (i+f)%2 != 0 {
				continue
			}
			from := raw
			if f%4 < 2 {
				from = odd
			}
			target := filepath.Join(t.TempDir(), "x")
			command(t, "", "ewfacquire", append(args, "-q", "-u", "-f", format, "-d", "sha1", "-t", target, from)...)
			list, err := filepath.Glob(target + ".*01")
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			sameAsRaw(t, from, list[0], Options{})
			warned(t, mustOpen(t, list[0]).Warnings())
		}
	}
}

// TestEwfManySegments has more segments than two digits name.
func TestEwfManySegments(t *testing.T) {
	dir := t.TempDir()
	raw := make([]byte, 800*512)
	for i := range raw {
		raw[i] = byte(i * 7)
	}
	names := ewfNames{dir, "many", 'E'}
	for n := range 800 {
		last := "next"
		if n == 799 {
			last = "done"
		}
		b := newEwfFile(n + 1)
		b.volume(800, 1, 512, 800)
		b.stored(raw[n*512:][:512])
		b.section(last, nil)
		if err := os.WriteFile(names.of(n+1), b.b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	im := mustOpen(t, names.of(700))
	warned(t, im.Warnings())
	if got := unread(t, im, raw); got != nil {
		t.Errorf("not read: %v", got)
	}
	if a, b := filepath.Base(names.of(100)), filepath.Base(names.of(776)); a != "many.EAA" || b != "many.FAA" {
		t.Errorf("segment 100 is %s, 776 is %s", a, b)
	}
}
