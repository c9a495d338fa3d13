package filetype

import (
	"strings"
	"testing"
)

func TestDetect(t *testing.T) {
	super := make([]byte, 2048)
	super[1024+0x38], super[1024+0x39] = 0x53, 0xef
	for _, tt := range []struct {
		head, mime, agrees, disagrees string
	}{
		{"", "", "a.jpg", ""},
		{"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "image/jpeg", "a.JPEG", "a.txt"},
		{"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png", "a.png", "a.jpg"},
		{"%PDF-1.7\n", "application/pdf", "a.pdf", "a.docx"},
		{"PK\x03\x04\x14\x00\x00\x00", "application/zip", "a.jar", "a.png"},
		{"\x7fELF\x02\x01\x01", "application/x-elf", "a.so.6", "photo.jpg"},
		{"hello world\n", "text/plain; charset=utf-8", "a.c", "a.gif"},
		{`{"a": 1}`, "application/json", "a.json", "a.zip"},
		{"#!/bin/sh\n", "text/x-shellscript", "a.sh", "a.mp3"},
		{"\x00\x01\x02\x03\xfe\x80", "application/octet-stream", "a.jpg", ""},
		{"EVF\x09\x0d\x0a\xff\x00", "application/x-ewf", "a.E01", "a.pdf"},
		{"QFI\xfb\x00\x00\x00\x03", "application/x-qemu-disk", "a.img", "a.txt"},
		{string(super), "application/x-ext-image", "a.img", "a.zip"},
		{"SQLite format 3\x00", "application/vnd.sqlite3", "a.db", "a.txt"},
	} {
		got := Detect([]byte(tt.head))
		if !strings.HasPrefix(got.MIME, tt.mime) || (got.MIME == "") != (tt.mime == "") {
			t.Errorf("%.20q is %s, want %s", tt.head, got.MIME, tt.mime)
		}
		if got.Disagrees(tt.agrees) {
			t.Errorf("%s does not agree with %s", got.MIME, tt.agrees)
		}
		if tt.disagrees != "" && !got.Disagrees(tt.disagrees) {
			t.Errorf("%s agrees with %s", got.MIME, tt.disagrees)
		}
	}
}

func FuzzDetect(f *testing.F) {
	f.Add([]byte("PK\x03\x04"), "a.docx")
	f.Fuzz(func(t *testing.T, head []byte, name string) { Detect(head).Disagrees(name) })
}
