package main

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/report"
)

// writeSums writes lines as sha256sum and its kin do: of several digests the first.
// Paths are made relative, so that a check below a mount or a folder of files reads
// those, not the host's own.
func (o *hashOptions) writeSums(e *env, w io.Writer, rows func(yield func(*hashed) bool)) error {
	out := bufio.NewWriterSize(w, 64<<10)
	for h := range rows {
		if h.err != nil || h.path == nil {
			continue
		}
		name := string(h.path)
		if h.ino != 0 {
			name = strings.TrimLeft(name, "/")
		}
		escaped := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name)
		mark := ""
		if escaped != name {
			mark = `\`
		}
		if _, err := fmt.Fprintf(out, "%s%x  %s\n", mark, h.sums[0], escaped); err != nil {
			return err
		}
	}
	return out.Flush()
}

// The elements of Digital Forensics XML, in the order of its schema.
type (
	dfxmlDigest struct {
		Type string `xml:"type,attr"`
		Hex  string `xml:",chardata"`
	}
	dfxmlFile struct {
		XMLName  xml.Name      `xml:"fileobject"`
		Name     string        `xml:"filename"`
		NameType string        `xml:"name_type"`
		Size     uint64        `xml:"filesize"`
		Alloc    int           `xml:"alloc"`
		Inode    uint64        `xml:"inode,omitempty"`
		MetaType int           `xml:"meta_type"`
		Mode     string        `xml:"mode,omitempty"`
		Links    uint16        `xml:"nlink,omitempty"`
		UID      *uint32       `xml:"uid,omitempty"`
		GID      *uint32       `xml:"gid,omitempty"`
		Modified string        `xml:"mtime,omitempty"`
		Changed  string        `xml:"ctime,omitempty"`
		Accessed string        `xml:"atime,omitempty"`
		Created  string        `xml:"crtime,omitempty"`
		Digests  []dfxmlDigest `xml:"hashdigest"`
		Error    string        `xml:"error,omitempty"`
	}
)

// writeDFXML writes Digital Forensics XML 1.2.0, a file at a time.
func (o *hashOptions) writeDFXML(w io.Writer, v *opened, rows func(yield func(*hashed) bool)) error {
	out := bufio.NewWriterSize(w, 64<<10)
	info, _ := debug.ReadBuildInfo()
	text := func(s string) string {
		var b strings.Builder
		_ = xml.EscapeText(&b, []byte(s))
		return b.String()
	}
	volume := ">" // of several ranges, or encrypted
	if at := v.part.Start; at >= 0 {
		volume = fmt.Sprintf(" offset=\"%d\">\n    <partition_offset>%d</partition_offset>", at, at)
	}
	fmt.Fprintf(out, `<?xml version="1.0" encoding="UTF-8"?>
<dfxml xmlns="http://www.forensicswiki.org/wiki/Category:Digital_Forensics_XML" xmlns:dc="http://purl.org/dc/elements/1.1/" version="1.2.0">
  <metadata><dc:type>Hash List</dc:type></metadata>
  <creator version="1.0"><program>extscope</program><version>%s</version></creator>
  <source><image_filename>%s</image_filename></source>
  <volume%s
    <block_size>%d</block_size>
    <ftype_str>%s</ftype_str>
    <block_count>%d</block_count>
    <first_block>%d</first_block>
    <last_block>%d</last_block>
`, text(buildOf(info).version), text(report.Printable([]byte(v.image.Name()))), volume, v.fs.BlockSize(), v.fs.Super.Version(),
		v.fs.Super.BlocksCount, v.fs.Super.FirstDataBlock, v.fs.Super.BlocksCount-1)
	enc := xml.NewEncoder(out)
	enc.Indent("    ", "  ")
	for h := range rows {
		if err := enc.Encode(o.dfxml(h)); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\n  </volume>\n</dfxml>\n")
	return out.Flush()
}

func (o *hashOptions) dfxml(h *hashed) *dfxmlFile {
	f := &dfxmlFile{Name: report.Printable(h.path), NameType: "r", Size: h.size, Alloc: 1, Inode: uint64(h.ino), MetaType: 1}
	if h.grade != "" {
		f.Alloc = 0
	}
	if h.facts.mode&layout.ModeMask != 0 {
		f.Mode = fmt.Sprintf("%o", h.facts.mode&0o7777)
		f.Links, f.UID, f.GID = h.facts.links, &h.facts.uid, &h.facts.gid
		f.Modified, f.Changed = xmlTime(h.facts.mtime), xmlTime(h.facts.ctime)
		f.Accessed, f.Created = xmlTime(h.facts.atime), xmlTime(h.facts.crtime)
	}
	if h.err != nil {
		f.Error = h.err.Error()
		return f
	}
	for i, a := range o.set.list {
		f.Digests = append(f.Digests, dfxmlDigest{a.key, fmt.Sprintf("%x", h.sums[i])})
	}
	return f
}

func xmlTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
