package image

import (
	"bytes"
	"strings"
)

// How to turn a file into one that can be read.
const (
	byQemu    = "convert with: qemu-img convert -O raw IN OUT"
	byQemuKey = "convert with: qemu-img convert --object secret,id=k,file=KEY --image-opts driver=qcow2,file.filename=IN,encrypt.key-secret=k -O raw OUT"
	byEwf     = "convert with: ewfexport -f raw -t OUT IN"

	byEwfFiles = "extract with: ewfexport -f files -t DIR IN"
)

// container names image formats that hold a disk inside.
func (s *signatures) container() (Content, bool) {
	for _, m := range []struct {
		at           int64
		magic        string
		name, detail string
	}{
		{0, "EVF\x09\x0d\x0a\xff\x00", "E01 image", "EnCase, Expert Witness; " + byEwf},
		{0, "EVF2\x0d\x0a\x81\x00", "Ex01 image", "EnCase, Expert Witness 2; " + byEwf},
		{0, "LVF\x09\x0d\x0a\xff\x00", "L01 image", "EnCase logical evidence: files, no file system; " + byEwfFiles},
		{0, "LEF2\x0d\x0a\x81\x00", "Lx01 image", "EnCase logical evidence: files, no file system; " + byEwfFiles},
		{0, "ADCRYPT\x00", "AD encrypted image", "decrypt with: FTK Imager"},
		{0, "QFI\xfb\x00\x00\x00\x01", "qcow image", byQemu},
		{0, "QFI\xfb\x00\x00\x00\x02", "qcow2 image", "version 2; " + byQemu},
		{0, "QFI\xfb\x00\x00\x00\x03", "qcow2 image", "version 3; " + byQemu},
		{0, "QED\x00", "qed image", byQemu},
		{0, "KDMV\x01\x00\x00\x00", "vmdk image", "sparse, version 1; " + byQemu},
		{0, "KDMV\x02\x00\x00\x00", "vmdk image", "sparse, version 2; " + byQemu},
		{0, "KDMV\x03\x00\x00\x00", "vmdk image", "stream optimized; " + byQemu},
		{0, "COWD\x01\x00\x00\x00", "vmdk image", "ESX sparse; " + byQemu},
		{0, "vhdxfile", "vhdx image", byQemu},
		{0, "conectix", "vhd image", "dynamic; " + byQemu},
		{0x40, "\x7f\x10\xda\xbe", "vdi image", byQemu},
		{0, "WithoutFreeSpace", "Parallels image", byQemu},
		{0, "WithouFreSpacExt", "Parallels image", byQemu},
		{0, "\x3a\xff\x26\xed\x01\x00", "Android sparse image", "convert with: simg2img IN OUT"},
		{4, "Ext2 Image 1.0\x00", "e2image file", "superblock, descriptors, bitmaps and inode tables of a file system, no directories; look into it with: debugfs -i IN"},
		{0, "AFF10\r\n\x00", "AFF image", "convert with: affconvert -r IN"},
		{0, "partclone-image", "partclone image", "convert with: partclone.restore -C -s IN -o OUT"},
		{0, "\x00ntfsclone-image", "ntfsclone image", "convert with: ntfsclone --restore-image -O OUT IN"},
	} {
		if s.has(m.at, m.magic) {
			return Content{Type: m.name, Detail: m.detail}, true
		}
	}
	if bytes.HasPrefix(bytes.TrimLeft(s.at(0, 64), "\r\n \t"), []byte("# Disk DescriptorFile")) {
		return Content{Type: "vmdk image", Detail: "a descriptor: the data is in the files it names; " + byQemu}, true
	}
	return Content{}, false
}

// packed names compressed files and archives.
func (s *signatures) packed() (Content, bool) {
	for _, m := range []struct {
		at           int64
		magic        string
		name, detail string
	}{
		{0, "\x1f\x8b\x08", "gzip data", "unpack with: gzip -dc IN > OUT"},
		{0, "\xfd7zXZ\x00", "xz data", "unpack with: xz -dc IN > OUT"},
		{0, "\x28\xb5\x2f\xfd", "zstd data", "unpack with: zstd -dc IN > OUT"},
		{0, "\x04\x22\x4d\x18", "lz4 data", "unpack with: lz4 -dc IN > OUT"},
		{0, "7z\xbc\xaf\x27\x1c", "7z archive", "unpack with: 7z x IN"},
		{0, "Rar!\x1a\x07", "rar archive", "unpack with: unrar x IN"},
		{257, "ustar", "tar archive", "unpack with: tar -xf IN"},
	} {
		if s.has(m.at, m.magic) {
			return Content{Type: m.name, Detail: m.detail}, true
		}
	}
	b := s.at(0, 10)
	if len(b) == 10 && string(b[:3]) == "BZh" && b[3] >= '1' && b[3] <= '9' &&
		(string(b[4:]) == "\x31\x41\x59\x26\x53\x59" || string(b[4:]) == "\x17\x72\x45\x38\x50\x90") {
		return Content{Type: "bzip2 data", Detail: "unpack with: bzip2 -dc IN > OUT"}, true
	}
	if s.has(0, "PK\x03\x04") {
		return s.zip(), true
	}
	if s.has(0, "PK\x05\x06") {
		return Content{Type: "zip archive", Detail: "empty"}, true
	}
	return Content{}, false
}

// zip tells an AFF4 container, a zip file whose first members have names of
// its own, from other zip files.
func (s *signatures) zip() Content {
	head := string(s.at(0, 4096))
	if strings.Contains(head, "container.description") || strings.Contains(head, "information.turtle") || strings.Contains(head, "aff4://") {
		return Content{Type: "AFF4 image", Detail: "convert with: aff4imager"}
	}
	return Content{Type: "zip archive", Detail: "unpack with: unzip IN"}
}

// footer names formats told by their last 512 bytes.
func (s *signatures) footer() (Content, bool) {
	switch at := s.size - 512; {
	case s.has(at, "koly\x00\x00\x00\x04"):
		return Content{Type: "dmg image", Detail: "convert with: dmg2img IN OUT"}, true
	case s.has(at, "conectix"), s.has(at+1, "conectix"):
		// A footer of 511 bytes is what old Virtual PC wrote.
		return Content{Type: "vhd image", Detail: "fixed: raw bytes with a footer; " + byQemu}, true
	}
	return Content{}, false
}
