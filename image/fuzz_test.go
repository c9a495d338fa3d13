package image

import (
	"bytes"
	"io"
	"testing"
)

// disks are the seeds: each kind of table, sound and broken. They are small,
// or mutating them would take all the time there is.
func disks() [][]byte {
	const n = 48 << 10
	blank := func(make1 func(d []byte)) []byte {
		d := make([]byte, n)
		make1(d)
		return d
	}
	parts := []gptEntry{{1, espGUID, guidA, 40, 50, 0, "EFI"}, {3, linuxGUID, guidB, 51, 80, 4, "root"}}
	return [][]byte{
		nil,
		make([]byte, 600),
		blank(func(d []byte) { putExt(d, 0, "root") }),
		blank(func(d []byte) {
			putMBR(d, 0, 1, slot(0x80, 0x83, 8, 40), slot(0, 0x82, 48, 8))
			putExt(d, 4096, "root")
		}),
		blank(func(d []byte) {
			putMBR(d, 0, 1, slot(0, 0x0f, 4, 100))
			putMBR(d, 4*512, 0, slot(0, 0x83, 1, 10), slot(0, 5, 20, 20))
			putMBR(d, 24*512, 0, slot(0, 0x83, 1, 10), slot(0, 5, 0, 20))
		}),
		blank(func(d []byte) { putGPT(d, gptSpec{entries: 16, parts: parts}) }),
		blank(func(d []byte) { putGPT(d, gptSpec{entries: 16, parts: parts}); clear(d[512:1024]) }),
		blank(func(d []byte) {
			putGPT(d, gptSpec{entries: 8, entryLen: 256, parts: parts})
			copy(d[446+16:], slot(0, 0x83, 51, 30))
		}),
		blank(func(d []byte) {
			putGPT(d, gptSpec{sector: 4096, entries: 8, parts: []gptEntry{{1, linuxGUID, guidA, 4, 9, 0, "r"}}})
		}),
	}
}

// FuzzPartitions changes a disk and looks for its table. Checksums are made
// right again, or no change to a GPT would get past them.
func FuzzPartitions(f *testing.F) {
	for _, d := range disks() {
		f.Add(d, false, 0)
		f.Add(d, true, 4096)
	}
	f.Fuzz(func(t *testing.T, disk []byte, fix bool, sector int) {
		switch sector {
		case 0, 512, 1024, 2048, 4096:
		default:
			sector = 0
		}
		if fix {
			disk = bytes.Clone(disk)
			for _, at := range []int{512, 4096, len(disk) - 512} {
				if at > 0 && at+512 <= len(disk) && string(disk[at:at+8]) == gptMagic {
					fixCRC(disk[at:])
				}
			}
		}
		size := int64(len(disk))
		zeros := int64(maxZeroRead)
		table, err := readTable(bytes.NewReader(disk), size, sector, &zeros)
		if err != nil {
			t.Fatalf("bytes that can all be read: %v", err)
		}
		if len(table.Partitions) > maxGPTArray/128 || len(table.Warnings) > maxWarnings+1 {
			t.Errorf("%d partitions, %d warnings", len(table.Partitions), len(table.Warnings))
		}
		for _, p := range table.Partitions {
			if p.Start < 0 || p.Length < 0 || p.Available < 0 || p.Available > p.Length ||
				p.Available > 0 && p.Start+p.Available > size || p.Number < 1 || p.Content.Type == "" {
				t.Errorf("%+v of %d bytes", p, size)
			}
		}
		for _, sel := range []string{"", "1", "root"} {
			if _, err := table.pick("disk", sel); err != nil && err.Error() == "" {
				t.Error("an error without words")
			}
		}
	})
}

// A countingReader adds up what is read of it.
type countingReader struct {
	r io.ReaderAt
	n int64
}

func (c *countingReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(p, off)
	c.n += int64(len(p))
	return n, err
}

// FuzzIdentify puts bytes at some place of a larger range.
func FuzzIdentify(f *testing.F) {
	for _, d := range disks() {
		f.Add(d, uint16(0))
	}
	for _, m := range fsMagics {
		f.Add([]byte(m.magic), uint16(m.at/4))
	}
	boot := make([]byte, 512)
	copy(boot, "\xeb\x52\x90NTFS    \x00\x02\x01")
	f.Add(boot, uint16(0))
	copy(boot, "\xeb\x76\x90EXFAT   ")
	f.Add(boot, uint16(0))
	copy(boot, "\xeb\x3c\x90mkfs.fat\x00\x02\x04\x01\x00\x02\x00\x02\x00\x10\xf8\x0c\x00")
	f.Add(boot, uint16(0))
	f.Add([]byte("\x01CD001\x01"), uint16(8192))
	f.Fuzz(func(t *testing.T, b []byte, place uint16) {
		disk := make([]byte, min(int(place)*4+len(b), 1<<20))
		copy(disk[min(int(place)*4, len(disk)):], b)
		r := &countingReader{r: bytes.NewReader(disk)}
		c := Identify(r, int64(len(disk)))
		if c.Type == "" || c.String() == "" {
			t.Errorf("got %#v", c)
		}
		if r.n > 8<<20 {
			t.Errorf("read %d bytes of %d", r.n, len(disk))
		}
	})
}

// Each segment name that is understood is written back the same.
func FuzzSegmentName(f *testing.F) {
	for _, s := range []string{"disk.001", "disk.1000", "disk.aa", "disk.zaaa", "disk.img", "a.b.00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, base string) {
		stem, s, index, ok := parseSegment(base)
		if !ok {
			return
		}
		if stem2, s2, index2, ok := parseSegment(s.name(stem, index)); !ok || stem2 != stem || s2 != s || index2 != index {
			t.Errorf("%q: index %d of %q, then %d of %q", base, index, stem, index2, stem2)
		}
	})
}
