package image

import (
	"bytes"
	"encoding/hex"
	"hash/crc32"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/diskfs/go-diskfs/backend"

	"github.com/extscope/extscope/ext/exttest"
)

// command runs a tool and returns what it says.
func command(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(exttest.Tool(t, name), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "MKE2FS_SKIP_PROGRESS=1")
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// tempFile writes b into a new file called name.
func tempFile(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sparseFile makes a file of zeros.
func sparseFile(t testing.TB, name string, size int64) string {
	t.Helper()
	path := tempFile(t, name, nil)
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustOpen(t testing.TB, path string) *Image {
	t.Helper()
	return mustOpenWith(t, path, Options{})
}

func mustOpenWith(t testing.TB, path string, o Options) *Image {
	t.Helper()
	im, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { im.Close() })
	return im
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const testUUID = "00112233-4455-6677-8899-aabbccddeeff"

var uuidBytes = []byte{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}

// extSuperBytes is a superblock as far as naming looks at one.
func extSuperBytes(label string, log, group, compat, incompat, roCompat uint32) []byte {
	b := make([]byte, 1024)
	le.PutUint32(b[0x0:], 128)
	le.PutUint32(b[0x4:], 1024)
	if log == 0 {
		le.PutUint32(b[0x14:], 1)
	}
	le.PutUint32(b[0x18:], log)
	le.PutUint32(b[0x20:], min(8*1024<<log, uint32(65528)))
	copy(b[0x38:], "\x53\xef")
	le.PutUint32(b[0x4c:], 1)
	le.PutUint16(b[0x5a:], uint16(group))
	le.PutUint32(b[0x5c:], compat)
	le.PutUint32(b[0x60:], incompat)
	le.PutUint32(b[0x64:], roCompat)
	copy(b[0x68:], uuidBytes)
	copy(b[0x78:0x88], label)
	return b
}

// putExt puts an ext4 superblock into what begins at byte at.
func putExt(b []byte, at int, label string) {
	copy(b[at+1024:], extSuperBytes(label, 2, 0, 0x4, 0x40|0x2, 0x1))
}

// slot is an MBR entry as bytes.
func slot(flag, typ byte, start, count uint32) []byte {
	e := make([]byte, 16)
	e[0], e[4] = flag, typ
	le.PutUint32(e[8:], start)
	le.PutUint32(e[12:], count)
	return e
}

// putMBR writes a boot sector, or an EBR, at byte at.
func putMBR(b []byte, at int, id uint32, slots ...[]byte) {
	le.PutUint32(b[at+440:], id)
	for i, s := range slots {
		copy(b[at+446+16*i:], s)
	}
	copy(b[at+510:], "\x55\xaa")
}

// A gptSpec is a GPT to write; zero fields get the usual values.
type gptSpec struct {
	sector, entries, entryLen int
	parts                     []gptEntry
	noMBR, noBackup           bool
}

// guidBytes is the inverse of guidString.
func guidBytes(s string) []byte {
	b, _ := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	return []byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]}
}

const (
	linuxGUID = "0fc63daf-8483-4772-8e79-3d69d8477de4"
	espGUID   = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
	diskGUID  = "11111111-2222-3333-4444-555566667777"
)

// putGPT writes both copies of a GPT over all of disk, as the UEFI
// specification lays them out.
func putGPT(disk []byte, g gptSpec) {
	if g.sector == 0 {
		g.sector = 512
	}
	if g.entries == 0 {
		g.entries = 128
	}
	if g.entryLen == 0 {
		g.entryLen = 128
	}
	array := make([]byte, g.entries*g.entryLen)
	for _, p := range g.parts {
		e := array[(p.number-1)*g.entryLen:]
		copy(e, guidBytes(p.typ))
		copy(e[16:], guidBytes(p.guid))
		le.PutUint64(e[32:], p.first)
		le.PutUint64(e[40:], p.last)
		le.PutUint64(e[48:], p.attributes)
		for i, u := range utf16.Encode([]rune(p.name)) {
			le.PutUint16(e[56+2*i:], u)
		}
	}
	sectors := len(disk) / g.sector
	arraySectors := (len(array) + g.sector - 1) / g.sector
	header := func(my, other, arrayAt int) {
		h := disk[my*g.sector:][:g.sector]
		clear(h)
		copy(h, "EFI PART\x00\x00\x01\x00\x5c\x00\x00\x00")
		le.PutUint64(h[24:], uint64(my))
		le.PutUint64(h[32:], uint64(other))
		le.PutUint64(h[40:], uint64(2+arraySectors))
		le.PutUint64(h[48:], uint64(sectors-2-arraySectors))
		copy(h[56:], guidBytes(diskGUID))
		le.PutUint64(h[72:], uint64(arrayAt))
		le.PutUint32(h[80:], uint32(g.entries))
		le.PutUint32(h[84:], uint32(g.entryLen))
		le.PutUint32(h[88:], crc32.ChecksumIEEE(array))
		le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
		copy(disk[arrayAt*g.sector:], array)
	}
	header(1, sectors-1, 2)
	if !g.noBackup {
		header(sectors-1, 1, sectors-1-arraySectors)
	}
	if !g.noMBR {
		putMBR(disk, 0, 0, slot(0, 0xee, 1, uint32(sectors-1)))
	}
}

// fixCRC makes a header's checksum right again after a change to it.
func fixCRC(h []byte) {
	clear(h[16:20])
	le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
}

// A memFile is a disk in memory that go-diskfs can write to.
type memFile struct {
	*bytes.Reader
	b []byte
}

var _ backend.WritableFile = memFile{}

func newMemFile(b []byte) memFile                          { return memFile{bytes.NewReader(b), b} }
func (f memFile) WriteAt(p []byte, off int64) (int, error) { return copy(f.b[off:], p), nil }
func (f memFile) Close() error                             { return nil }
func (f memFile) Stat() (fs.FileInfo, error)               { return f, nil }
func (f memFile) Name() string                             { return "disk" }
func (f memFile) Mode() fs.FileMode                        { return 0o600 }
func (f memFile) ModTime() time.Time                       { return time.Time{} }
func (f memFile) IsDir() bool                              { return false }
func (f memFile) Sys() any                                 { return nil }

// tableOf reads the table of a disk in memory.
func tableOf(t testing.TB, disk []byte, sector int) *Table {
	t.Helper()
	zeros := int64(maxZeroRead)
	table, err := readTable(bytes.NewReader(disk), int64(len(disk)), sector, &zeros)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// warned fails unless each of want is part of some warning, and there are no
// other warnings.
func warned(t *testing.T, got []string, want ...string) {
	t.Helper()
	all := strings.Join(got, "\n")
	for _, w := range want {
		if !strings.Contains(all, w) {
			t.Errorf("no warning has %q in:\n%s", w, all)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d warnings, want %d:\n%s", len(got), len(want), all)
	}
}
