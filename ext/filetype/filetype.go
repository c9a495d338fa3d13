// Package filetype names the type of contents by their first bytes, and tells names whose
// extension says something else. Where contents lie is left to others.
package filetype

import (
	"bytes"
	"encoding/binary"
	"path"
	"strings"
	"sync"

	"github.com/gabriel-vasile/mimetype"
)

// Head is how many bytes of a file Detect looks at.
const Head = 3072

// A Type is what contents are. The zero value is that of an empty file.
type Type struct {
	MIME      string // "image/jpeg", "text/plain; charset=utf-8"; "application/octet-stream" where nothing is known
	Extension string // the usual one with its dot, "" where there is none

	chain []string // MIME types without parameters, from this one up to what it is a kind of
}

// own are types that the library does not know, each told at a fixed place.
var own = []struct {
	mime, ext string
	at        int
	magic     string
}{
	{"application/x-ewf", ".E01", 0, "EVF\x09\x0d\x0a\xff\x00"},
	{"application/x-evtx", ".evtx", 0, "ElfFile\x00"},
	{"application/x-qemu-disk", ".qcow2", 0, "QFI\xfb"},
	{"application/x-vmdk", ".vmdk", 0, "KDMV"},
	{"application/x-vhdx", ".vhdx", 0, "vhdxfile"},
	{"application/x-systemd-journal", ".journal", 0, "LPKSHHRH"},
	{"application/x-luks", "", 0, "LUKS\xba\xbe"},
	{"application/x-registry-hive", ".dat", 0, "regf"},
	{"application/x-pem-key", ".pem", 0, "-----BEGIN "},
	{"application/x-android-sparse", ".img", 0, "\x3a\xff\x26\xed"},
}

var setUp = sync.OnceFunc(func() {
	mimetype.SetLimit(Head)
	for _, o := range own {
		mimetype.Extend(func(raw []byte, _ uint32) bool {
			return len(raw) >= o.at+len(o.magic) && string(raw[o.at:][:len(o.magic)]) == o.magic
		}, o.mime, o.ext)
	}
	// The superblock of ext2, ext3 and ext4, by its magic and a block size that there is.
	mimetype.Extend(func(raw []byte, _ uint32) bool {
		return len(raw) >= 2048 && binary.LittleEndian.Uint16(raw[1024+0x38:]) == 0xef53 && binary.LittleEndian.Uint32(raw[1024+0x18:]) <= 6 && bytes.Count(raw[:1024], []byte{0}) > 0
	}, "application/x-ext-image", ".img")
})

// Detect names the type of contents by their first Head bytes, or all of them if they are
// fewer.
func Detect(head []byte) Type {
	if len(head) == 0 {
		return Type{}
	}
	setUp()
	m := mimetype.Detect(head[:min(len(head), Head)])
	t := Type{MIME: m.String(), Extension: m.Extension()}
	for ; m != nil; m = m.Parent() {
		bare, _, _ := strings.Cut(m.String(), ";")
		t.chain = append(t.chain, bare)
	}
	return t
}

// Is reports whether the type is that MIME type, or a kind of it: a docx is a zip, and
// everything with lines of text is text/plain.
func (t Type) Is(mime string) bool {
	for _, m := range t.chain {
		if m == mime {
			return true
		}
	}
	return false
}

// Kinds lists the type and all that it is a kind of, without parameters; nothing for that
// of an empty file.
func (t Type) Kinds() []string { return t.chain }

// Known reports whether anything is known of the contents.
func (t Type) Known() bool { return t.MIME != "" && t.MIME != "application/octet-stream" }

// extensions are those that stand for types which Detect tells for certain, and these types.
var extensions = map[string][]string{}

func init() {
	for _, line := range []string{
		"jpg,jpeg,jpe image/jpeg", "png image/png,image/vnd.mozilla.apng", "gif image/gif", "webp image/webp", "bmp image/bmp", "tif,tiff image/tiff", "ico image/x-icon",
		"psd image/vnd.adobe.photoshop", "heic,heif image/heic,image/heif,image/heic-sequence,image/heif-sequence", "pdf application/pdf",
		"zip,docx,xlsx,pptx,jar,apk,odt,ods,odp,epub,war application/zip",
		"gz,tgz application/gzip", "bz2,tbz2 application/x-bzip2", "xz,txz application/x-xz", "zst application/zstd", "7z application/x-7z-compressed", "rar application/x-rar-compressed", "tar application/x-tar",
		"exe,dll,sys application/vnd.microsoft.portable-executable", "doc,xls,ppt,msg,msi application/x-ole-storage",
		"mp3 audio/mpeg", "wav audio/wav", "flac audio/flac", "ogg,oga,ogv,opus application/ogg", "mp4,m4v,m4a video/mp4,audio/mp4,audio/x-m4a,video/x-m4v,video/quicktime,video/3gpp", "mov video/quicktime,video/mp4",
		"avi video/x-msvideo", "mkv,webm video/x-matroska,video/webm", "sqlite,sqlite3 application/vnd.sqlite3", "class application/x-java-applet,application/java-vm", "wasm application/wasm", "iso application/x-iso9660-image",
	} {
		names, types, _ := strings.Cut(line, " ")
		for name := range strings.SplitSeq(names, ",") {
			extensions[name] = strings.Split(types, ",")
		}
	}
	for name := range strings.SplitSeq("txt,log,csv,tsv,md,html,htm,xml,json,yaml,yml,ini,conf,cfg,sh,py,pl,rb,js,ts,c,h,cc,cpp,go,rs,java,css,sql,svg,tex", ",") {
		extensions[name] = []string{"text/plain"}
	}
}

// Disagrees reports whether a name's extension stands for something else than the contents
// are. It does so only where both are known: an extension that may be anything, contents
// without a type of their own, and empty files agree with all.
func (t Type) Disagrees(name string) bool {
	types, known := extensions[strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))]
	if !known || !t.Known() {
		return false
	}
	for _, m := range types {
		if t.Is(m) {
			return false
		}
	}
	return true
}
