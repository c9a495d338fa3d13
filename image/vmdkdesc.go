package image

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// A vmdkDescriptor is the text that says what a virtual disk consists of: section "The
// Descriptor File" of VMware's Virtual Disk Format 5.0.
type vmdkDescriptor struct {
	cid, parentCID uint32 // content ID of this disk, and of its parent; vmdkNoParent
	parent         string // path of the parent's descriptor
	createType     string
	extents        []vmdkLine
}

// A vmdkLine is the line of one extent.
type vmdkLine struct {
	sectors uint64
	kind    string // SPARSE, FLAT, ZERO, VMFS, VMFSSPARSE, SESPARSE, …
	name    string // as recorded; "" for ZERO
	offset  uint64 // sectors into the file
}

const (
	vmdkNoParent      = 0xffffffff
	vmdkSector        = 512
	maxVmdkDescriptor = 1 << 20 // bytes
	maxVmdkExtents    = 4096    // files that are open at once
)

var vmdkTextMagic = []byte("# Disk DescriptorFile")

// isVmdkText reports whether b begins as a descriptor does.
func isVmdkText(b []byte) bool {
	b = bytes.TrimLeft(b, "\r\n \t")
	return len(b) >= len(vmdkTextMagic) && bytes.EqualFold(b[:len(vmdkTextMagic)], vmdkTextMagic)
}

// parseVmdkDescriptor reads a descriptor, which ends with b or its first NUL. The offset
// of an error counts from the start of b.
func parseVmdkDescriptor(b []byte) (vmdkDescriptor, error) {
	d := vmdkDescriptor{parentCID: vmdkNoParent}
	if !isVmdkText(b) {
		return d, vmdkError(0, "no descriptor")
	}
	b, _, _ = bytes.Cut(b, []byte{0})
	at := 0
	for line := range bytes.Lines(b) {
		here := int64(at)
		at += len(line)
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		first, _, _ := strings.Cut(text, " ")
		switch first {
		case "RW", "RDONLY", "NOACCESS":
			extent, err := parseVmdkLine(text[len(first):])
			if err != nil {
				return d, vmdkError(here, fmt.Sprintf("extent line %.60q: %v", text, err))
			}
			if d.extents = append(d.extents, extent); len(d.extents) > maxVmdkExtents {
				return d, vmdkError(here, fmt.Sprintf("more than %d extents", maxVmdkExtents))
			}
			continue
		}
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			continue // a word of a later version
		}
		value = strings.Trim(strings.TrimSpace(value), `"`)
		var err error
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "cid":
			d.cid, err = parseCID(value)
		case "parentcid":
			d.parentCID, err = parseCID(value)
		case "parentfilenamehint":
			d.parent = value
		case "createtype":
			d.createType = value
		}
		if err != nil {
			return d, vmdkError(here, fmt.Sprintf("%.60q: %v", text, err))
		}
	}
	return d, nil
}

func parseCID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 16, 32)
	return uint32(n), err
}

// parseVmdkLine reads what follows the access of an extent line: sectors, kind, name in
// quotes, offset.
func parseVmdkLine(s string) (vmdkLine, error) {
	head, tail, quoted := strings.Cut(s, `"`)
	f := strings.Fields(head)
	if len(f) != 2 {
		return vmdkLine{}, fmt.Errorf("want a size and a kind")
	}
	var e vmdkLine
	var err error
	if e.sectors, err = strconv.ParseUint(f[0], 10, 64); err != nil {
		return e, err
	}
	e.kind = strings.ToUpper(f[1])
	if !quoted {
		if e.kind != "ZERO" {
			return e, fmt.Errorf("names no file")
		}
		return e, nil
	}
	end := strings.LastIndexByte(tail, '"')
	if end < 0 {
		return e, fmt.Errorf("the name has no end")
	}
	e.name = tail[:end]
	// What follows the offset is the identity of a partition on a raw device.
	if rest := strings.Fields(tail[end+1:]); len(rest) > 0 {
		e.offset, err = strconv.ParseUint(rest[0], 10, 64)
	}
	return e, err
}

func vmdkError(offset int64, what string) *FormatError {
	return &FormatError{Format: "vmdk", Offset: offset, What: what, Hint: byQemu}
}
