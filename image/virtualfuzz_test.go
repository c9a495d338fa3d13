package image

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// FuzzVirtualHeaders decodes bytes as each structure of vhd, vhdx and vdi, as they are and
// with the checksum put right.
func FuzzVirtualHeaders(f *testing.F) {
	f.Add(padded(f, qemuFooter, vhdFooterLen), false)
	f.Add(append(padded(f, windowsHeader, 576), padded(f, windowsLocators, vhdHeaderLen-576)...), true)
	f.Add(padded(f, vhdxHeaderDump, vhdxHeaderLen), true)
	f.Add(padded(f, vhdxMetadataDump, 4096), false)
	f.Add(append(guidBytes(vhdxLocatorType), 0, 0, 1, 0, 32, 0, 0, 0, 34, 0, 0, 0, 2, 0, 4, 0, 'k', 0, 'v', 0, '!', 0), false)
	f.Add(vdiBytes(f), false)
	f.Add([]byte("regi\x00\x00\x00\x00\x02"), true)
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		table := make([]byte, vhdxTableLen)
		copy(table, b)
		if fix {
			for _, c := range [][]byte{b, table} {
				if len(c) >= vhdFooterLen {
					be.PutUint32(c[64:], vhdChecksum(c[:vhdFooterLen], 64))
				}
				if len(c) >= vhdHeaderLen && string(c[:8]) == "cxsparse" {
					be.PutUint32(c[36:], vhdChecksum(c[:vhdHeaderLen], 36))
				}
			}
			if len(b) >= vhdxHeaderLen {
				le.PutUint32(b[4:], crc32cWithout(b[:vhdxHeaderLen], 4))
			}
			le.PutUint32(table[4:], crc32cWithout(table, 4))
		}
		if h, err := decodeVHDFooter(b); err == nil {
			_ = h.size()
		}
		if h, err := decodeVHDHeader(b); err == nil {
			for _, p := range vhdParents(bytes.NewReader(b), int64(len(b)), h) {
				if p == "" {
					t.Error("an empty path")
				}
			}
		}
		_, _ = decodeVHDXHeader(b)
		_, _ = decodeVDIHeader(b)
		_, _ = decodeVHDXLocator(b)
		regions, _ := decodeVHDXRegions(table)
		items, _ := decodeVHDXMetadata(table)
		if len(regions) > vhdxMaxTable || len(items) > vhdxMaxTable {
			t.Errorf("%d regions, %d items", len(regions), len(items))
		}
	})
}

// FuzzVHDXLog replays a log whose checksums are put right.
func FuzzVHDXLog(f *testing.F) {
	page := bytes.Repeat([]byte{7}, vhdxLogSector)
	for _, l := range []*vhdxLog{
		logOf(map[int64][]byte{0: logEntry(0, 1, filePatch{8192, 4096, page}), 2: logEntry(0, 2), 3: logEntry(2, 3, filePatch{0, 8192, nil})}),
		logOf(map[int64][]byte{15: logEntry(15, 8, filePatch{8192, 4096, page}, filePatch{4096, 4096, page})}),
	} {
		f.Add(l.b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:min(len(b), 32*vhdxLogSector)/vhdxLogSector*vhdxLogSector]
		if len(b) == 0 {
			return
		}
		l := &vhdxLog{b: bytes.Clone(b), id: [16]byte(uuidBytes), entries: map[int64]*vhdxEntry{}}
		for k := range l.sectors() {
			if s := l.sector(k); string(s[:4]) == "loge" {
				n := int64(le.Uint32(s[8:])) / vhdxLogSector
				var whole []byte
				for j := range min(n, l.sectors()) {
					whole = append(whole, l.sector(k+j)...)
				}
				if len(whole) > 0 {
					le.PutUint32(s[4:], crc32cWithout(whole, 4))
				}
			}
		}
		entries := l.active()
		for i, e := range entries {
			if i > 0 && e.sequence != entries[i-1].sequence+1 {
				t.Errorf("entry %d after %d", e.sequence, entries[i-1].sequence)
			}
		}
		p := newPatched(bytes.NewReader(make([]byte, 10000)), 10000, l.patches(entries))
		end := int64(0)
		for _, q := range p.patches {
			if q.off < end || q.n < 1 || q.data != nil && int64(len(q.data)) < q.n {
				t.Fatalf("patch of %d bytes at %d, after one to %d", q.n, q.off, end)
			}
			end = q.off + q.n
		}
		for _, off := range []int64{0, 9000, p.size - 100} {
			buf := make([]byte, 8192)
			if n, err := p.ReadAt(buf, max(off, 0)); n < len(buf) && err != io.EOF {
				t.Errorf("%d bytes at %d, %v", n, off, err)
			}
		}
	})
}

// FuzzVirtualDisk changes some bytes of a small disk and reads all of it; the checksums are
// put right again or not.
func FuzzVirtualDisk(f *testing.F) {
	dir := f.TempDir()
	for _, name := range []string{"vhd/parent.vhd", "vhd/middle.vhd", "vhdx/parent.vhdx", "vdi/parent.vdi"} {
		storedIn(f, dir, name)
	}
	var files []*os.File
	var good [][]byte
	for _, name := range []string{"vhd/fixed.vhd", "vhd/dynamic.vhd", "vhd/child.vhd", "vhdx/dynamic.vhdx", "vhdx/log.vhdx", "vhdx/child.vhdx", "vdi/dynamic.vdi", "vdi/child.vdi"} {
		path := storedIn(f, dir, name)
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() { file.Close() })
		files, good = append(files, file), append(good, b)
	}
	for which := range files {
		for _, at := range []uint32{0x178, 520, 540, 1536, 64<<10 + 68, 192<<10 + 16, 2 << 20, 3<<20 + 32, 3<<20 + 64<<10} {
			f.Add(uint8(which), at, []byte{0xff, 0xff, 0xff, 0x7f}, true)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint32, b []byte, fix bool) {
		k := int(which) % len(files)
		file, was := files[k], good[k]
		write := func(b []byte, at int) {
			if _, err := file.WriteAt(b, int64(at)); err != nil {
				t.Fatal(err)
			}
		}
		start := int(at) % len(was)
		b = b[:min(len(b), len(was)-start, 256)]
		write(b, start)
		defer write(was[start:start+len(b)], start)
		if fix {
			changed := bytes.Clone(was)
			copy(changed[start:], b)
			for _, part := range checksummed(filepath.Base(file.Name()), changed) {
				write(part.fixed(changed), part.at)
				defer write(was[part.at:part.at+part.n], part.at)
			}
		}
		im, err := Open(file.Name(), Options{})
		if err != nil {
			return
		}
		defer im.Close()
		buf := make([]byte, 64<<10)
		for off := int64(0); off < min(im.Size(), 8<<20); {
			kind, n := im.Map(off)
			if n < 1 || n > im.Size()-off {
				t.Fatalf("Map(%d) is %d, %d of %d", off, kind, n, im.Size())
			}
			got, err := im.ReadAt(buf[:min(n, int64(len(buf)))], off)
			if err != nil && err != io.EOF && !located(err) {
				t.Fatalf("byte %d: %v", off, err)
			}
			if kind == Zero && !allZero(buf[:got]) {
				t.Fatalf("byte %d is no zero", off)
			}
			off += min(n, 512<<10)
		}
	})
}

// A summed part of a file has its checksum at byte sum.
type summed struct {
	at, n, sum int
	vhd        bool
}

func (s summed) fixed(b []byte) []byte {
	p := bytes.Clone(b[s.at:][:s.n])
	if s.vhd {
		be.PutUint32(p[s.sum:], vhdChecksum(p, s.sum))
	} else {
		le.PutUint32(p[s.sum:], crc32cWithout(p, s.sum))
	}
	return p
}

// checksummed lists what of a disk called name has a checksum.
func checksummed(name string, b []byte) (parts []summed) {
	switch filepath.Ext(name) {
	case ".vhd":
		parts = append(parts, summed{len(b) - vhdFooterLen, vhdFooterLen, 64, true})
		if string(b[:4]) == "cone" {
			parts = append(parts, summed{0, vhdFooterLen, 64, true}, summed{512, vhdHeaderLen, 36, true})
		}
	case ".vhdx":
		for i := range vhdxHeaders {
			parts = append(parts, summed{int(vhdxHeaders[i]), vhdxHeaderLen, 4, false}, summed{int(vhdxRegions[i]), vhdxTableLen, 4, false})
		}
		for at := 1 << 20; at < 2<<20; at += vhdxLogSector { // where qemu has the log
			n := int(le.Uint32(b[at+8:]))
			if string(b[at:][:4]) == "loge" && n >= vhdxLogSector && at+n <= 2<<20 {
				parts = append(parts, summed{at, n, 4, false})
			}
		}
	}
	return parts
}

// TestChecksums changes each part that has a checksum: what is read then is right or an
// error.
func TestChecksums(t *testing.T) {
	for _, name := range []string{"vhd/dynamic.vhd", "vhd/child.vhd", "vhdx/dynamic.vhdx", "vhdx/child.vhdx"} {
		dir := t.TempDir()
		for _, p := range []string{"vhd/middle.vhd", "vhd/parent.vhd", "vhdx/parent.vhdx"} {
			storedIn(t, dir, p)
		}
		raw, err := os.ReadFile(storedIn(t, dir, "raw.img"))
		if err != nil {
			t.Fatal(err)
		}
		path := storedIn(t, dir, name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		opened, step := 0, 1
		if exttest.Race {
			step = 16
		}
		for _, part := range checksummed(path, good) {
			if filepath.Ext(path) == ".vhdx" && part.at >= 1<<20 {
				continue // a log that is empty: what is left in it counts for nothing
			}
			for at := part.at; at < part.at+part.n; at += step * (1 + (at-part.at)/16) {
				hurt := []byte{good[at] ^ 0x10}
				if _, err := file.WriteAt(hurt, int64(at)); err != nil {
					t.Fatal(err)
				}
				if im, err := Open(path, Options{}); err == nil {
					opened++
					if got := fetch(im, 0, int(im.Size())); !bytes.Equal(got, raw) || len(im.Warnings()) == 0 {
						t.Errorf("%s: byte %d changed: wrong bytes, or no warning (%q)", name, at, im.Warnings())
					}
					im.Close()
				}
				if _, err := file.WriteAt(good[at:at+1], int64(at)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if opened == 0 {
			t.Errorf("%s: nothing has a copy", name)
		}
	}
}
