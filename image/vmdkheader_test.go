package image

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zlib"
)

func TestDecodeVmdkHeader(t *testing.T) {
	const rest = "0000000000000000" // in place of a field
	hosted := func(version, flags, capacity, grain, perTable, rgd, gd, tail string) string {
		return "4b444d56" + version + flags + capacity + grain + "0100000000000000 1400000000000000" + perTable + rgd + gd + "8000000000000000" + tail
	}
	const usual = "00 0a200d0a 0000"
	for _, tt := range []struct {
		name, dump string
		want       vmdkHeader
		err        string
	}{
		{"qemu's", hosted("01000000", "03000000", "0020000000000000", "8000000000000000", "00020000", "1500000000000000", "1a00000000000000", usual),
			vmdkHeader{version: 1, flags: 3, capacity: 4 << 20, grain: 64 << 10, perTable: 512, descriptorAt: 512, descriptor: 10240, directory: 26 * 512, redundant: 21 * 512, overhead: 64 << 10}, ""},
		{"stream with a footer", hosted("03000000", "01000300", "0020000000000000", "8000000000000000", "00020000", rest, "ffffffffffffffff", "00 0a200d0a 0100"),
			vmdkHeader{version: 3, flags: 0x30001, capacity: 4 << 20, grain: 64 << 10, perTable: 512, descriptorAt: 512, descriptor: 10240, directory: vmdkAtEnd, overhead: 64 << 10, compression: 1}, ""},
		{"sent as text, open", hosted("01000000", "01000000", "0020000000000000", "8000000000000000", "00020000", rest, "1a00000000000000", "01 0a200a0a 0000"),
			vmdkHeader{version: 1, flags: 1, capacity: 4 << 20, grain: 64 << 10, perTable: 512, descriptorAt: 512, descriptor: 10240, directory: 26 * 512, overhead: 64 << 10, unclean: true, asText: true}, ""},
		{"ESX", "434f5744 01000000 03000000 00200000 01000000 04000000 01000000",
			vmdkHeader{esx: true, version: 1, capacity: 4 << 20, grain: 512, perTable: 4096, directory: 2048}, ""},
		{"version", hosted("04000000", "03000000", rest, rest, "00020000", rest, rest, usual), vmdkHeader{}, "version 4 is not read (byte 4)"},
		{"table", hosted("01000000", "03000000", rest, rest, "01020000", rest, rest, usual), vmdkHeader{}, "a grain table of 513 entries (byte 44)"},
		{"grain", hosted("01000000", "03000000", rest, "8100000000000000", "00020000", rest, rest, usual), vmdkHeader{}, "a grain of 66048 bytes (byte 20)"},
		{"capacity", hosted("01000000", "03000000", "0000000000000080", "8000000000000000", "00020000", rest, rest, usual), vmdkHeader{}, "9223372036854775808 sectors are more than any file has (byte 12)"},
		{"compression", hosted("01000000", "03000000", rest, "8000000000000000", "00020000", rest, rest, "00 0a200d0a 0200"), vmdkHeader{}, "compression 2 is not read (byte 77)"},
		{"magic", "00000000", vmdkHeader{}, "magic number is 0x0 (byte 0)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := make([]byte, vmdkHeaderLen)
			copy(b, unhex(t, tt.dump))
			h, err := decodeVmdkHeader(b)
			switch {
			case tt.err == "" && (err != nil || h != tt.want):
				t.Errorf("got %+v, %v, want %+v", h, err, tt.want)
			case tt.err != "" && fmt.Sprint(err) != ": vmdk: "+tt.err+"; "+byQemu:
				t.Errorf("error %v, want %s", err, tt.err)
			}
		})
	}
}

func TestParseVmdkDescriptor(t *testing.T) {
	const head = "# Disk DescriptorFile\nversion=1\n"
	for _, tt := range []struct {
		name, text string
		want       vmdkDescriptor
		err        string
	}{
		{"usual", head + "CID=fffffffe\nparentCID=ffffffff\ncreateType=\"twoGbMaxExtentFlat\"\n\n# Extent description\nRW 4192256 FLAT \"a b-f001.vmdk\" 128\r\nRW 10 ZERO\n\nddb.adapterType = \"ide\"\n\x00junk",
			vmdkDescriptor{cid: 0xfffffffe, parentCID: vmdkNoParent, createType: "twoGbMaxExtentFlat",
				extents: []vmdkLine{{4192256, "FLAT", "a b-f001.vmdk", 128}, {10, "ZERO", "", 0}}}, ""},
		{"parent", "\n" + head + "cid = 1\nparentCID=2\nparentFileNameHint=\"C:\\vm\\base.vmdk\"\nRDONLY 1 SPARSE \"x\"\n",
			vmdkDescriptor{cid: 1, parentCID: 2, parent: `C:\vm\base.vmdk`, extents: []vmdkLine{{1, "SPARSE", "x", 0}}}, ""},
		{"no kind", head + "RW 10\n", vmdkDescriptor{}, `extent line "RW 10": want a size and a kind (byte 32)`},
		{"no name", head + "RW 10 FLAT\n", vmdkDescriptor{}, `extent line "RW 10 FLAT": names no file (byte 32)`},
		{"no end", head + "RW 10 FLAT \"x\n", vmdkDescriptor{}, `extent line "RW 10 FLAT \"x": the name has no end (byte 32)`},
		{"no number", head + "CID=zz\n", vmdkDescriptor{}, `"CID=zz": strconv.ParseUint: parsing "zz": invalid syntax (byte 32)`},
		{"other text", "hello", vmdkDescriptor{}, "no descriptor (byte 0)"},
		{"many extents", head + strings.Repeat("RW 1 ZERO\n", maxVmdkExtents+1), vmdkDescriptor{}, "more than 4096 extents (byte 40992)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := parseVmdkDescriptor([]byte(tt.text))
			switch {
			case tt.err != "" && fmt.Sprint(err) != ": vmdk: "+tt.err+"; "+byQemu:
				t.Errorf("error %v, want %s", err, tt.err)
			case tt.err == "" && (err != nil || fmt.Sprintf("%+v", d) != fmt.Sprintf("%+v", tt.want)):
				t.Errorf("got %+v, %v, want %+v", d, err, tt.want)
			}
		})
	}
}

// vmdkSample is a sparse extent of a few KiB, as it is or compressed with a footer.
func vmdkSample(packed bool) []byte {
	const grain, capacity = 8, 100
	sectors := func(n int) []byte { return make([]byte, n*vmdkSector) }
	head := sectors(1)
	copy(head, vmdkMagic)
	put := func(at int, v uint64) { le.PutUint64(head[at:], v) }
	le.PutUint32(head[0x4:], 1)
	le.PutUint32(head[0x8:], vmdkHasNewlines|vmdkHasRedundant)
	put(0xc, capacity)
	put(0x14, grain)
	put(0x1c, 1)
	put(0x24, 1)
	le.PutUint32(head[0x2c:], 16)
	put(0x30, 2) // its directory, then its table
	put(0x38, 4)
	put(0x40, 6)
	copy(head[0x49:], "\n \r\n")
	text := sectors(1)
	copy(text, "# Disk DescriptorFile\nversion=1\nCID=00000001\nparentCID=ffffffff\ncreateType=\"monolithicSparse\"\nRW 100 SPARSE \"disk.vmdk\"\n")
	tables := sectors(4)
	var grains []byte
	for i := range 6 {
		data := bytes.Repeat([]byte{byte(i + 1), 0xaa, byte(i)}, grain*vmdkSector/3+1)[:grain*vmdkSector]
		at := uint32(6 + len(grains)/vmdkSector)
		for _, table := range []int{1, 3} {
			le.PutUint32(tables[table*vmdkSector+2*i*4:], at)
		}
		if packed {
			var z bytes.Buffer
			w := zlib.NewWriter(&z)
			_, _ = w.Write(data)
			_ = w.Close()
			data = le.AppendUint32(le.AppendUint64(nil, uint64(2*i*grain)), uint32(z.Len()))
			data = append(data, z.Bytes()...)
			data = append(data, make([]byte, -len(data)&(vmdkSector-1))...)
		}
		grains = append(grains, data...)
	}
	le.PutUint32(tables, 3)
	le.PutUint32(tables[2*vmdkSector:], 5)
	if packed {
		le.PutUint32(head[0x8:], vmdkHasNewlines|vmdkHasRedundant|vmdkCompressed|vmdkMarkers)
		head[0x4d] = 1
	}
	b := slices.Concat(head, text, tables, grains)
	if packed {
		return withFooter(b)
	}
	return b
}
