package image

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// maxEwfText bounds what a header section may inflate to.
const maxEwfText = 1 << 20

// about calls f with the data of each section of the kinds given, those of the first kind
// first. What cannot be read or decoded is a warning.
func (set *ewfSet) about(warnings *[]string, f func(kind string, b []byte) error, kinds ...string) {
	for _, kind := range kinds {
		for _, s := range set.segments {
			for _, sec := range s.about {
				if sec.kind != kind {
					continue
				}
				n := min(sec.next, s.size) - sec.at - ewfSectionLen
				if n > maxEwfSmall {
					warnf(warnings, "%s: %s section at byte %d has %d bytes: not read", filepath.Base(s.name), kind, sec.at, n)
					continue
				}
				b, err := fetchAll(s.file, sec.at+ewfSectionLen, int(n))
				if err == nil {
					err = f(kind, b)
				}
				if err != nil {
					warnf(warnings, "%s: %s section at byte %d: %v", filepath.Base(s.name), kind, sec.at, err)
				}
			}
		}
	}
}

// digests are those of the hash and digest sections.
func (set *ewfSet) digests(warnings *[]string) []Digest {
	var list []Digest
	set.about(warnings, func(kind string, b []byte) error {
		digests, err := decodeEwfDigests(kind, b)
		for _, d := range digests {
			if !slices.Contains(list, d) {
				list = append(list, d)
			}
		}
		return err
	}, "digest", "hash")
	for i, d := range list {
		if slices.ContainsFunc(list[:i], func(o Digest) bool { return o.Algorithm == d.Algorithm }) {
			warnf(warnings, "the hash and digest sections have %s digests that differ", d.Algorithm)
		}
	}
	return list
}

// details is what the header sections say, and the rest of the volume section.
func (set *ewfSet) details(v ewfVolume, warnings *[]string) []Detail {
	var list []Detail
	add := func(key, value string) {
		if value != "" && !slices.ContainsFunc(list, func(d Detail) bool { return d.Key == key }) {
			list = append(list, Detail{key, value})
		}
	}
	set.about(warnings, func(kind string, b []byte) error {
		values, err := decodeEwfText(b)
		for _, k := range ewfKeys {
			add(k.key, k.form(values[k.letters]))
		}
		return err
	}, "header2", "header")
	if !v.short {
		add("media_type", ewfMedia(v.media, v.flags))
		add("compression_level", ewfWord([]string{"none", "good", "best"}, v.compression))
		add("set_identifier", ewfSetID(v.set))
		if v.granularity != 0 {
			add("error_granularity", fmt.Sprintf("%d sectors", v.granularity))
		}
	}
	add("chunk_size", fmt.Sprint(int64(v.chunkSectors)*int64(v.sectorSize)))
	set.about(warnings, func(kind string, b []byte) error {
		ranges, err := decodeEwfRanges(kind, b)
		if kind == "session" {
			add("sessions", ewfTracks(ranges, int64(v.sectorSize)))
		} else if len(ranges) > 0 {
			add("read_errors", ewfUnread(ranges, int64(v.sectorSize)))
			warnf(warnings, "%d ranges could not be read when the image was made, and are zeros in it: see read_errors among the details", len(ranges))
		}
		return err
	}, "error2", "session")
	return list
}

// ewfKeys are the values of a header's main category that are told, in their order here.
var ewfKeys = []struct {
	letters, key string
	form         func(string) string
}{
	{"c", "case_number", strings.TrimSpace},
	{"n", "evidence_number", strings.TrimSpace},
	{"a", "description", strings.TrimSpace},
	{"e", "examiner", strings.TrimSpace},
	{"t", "notes", strings.TrimSpace},
	{"m", "acquired", ewfTime},
	{"u", "system_time", ewfTime},
	{"av", "software", strings.TrimSpace},
	{"ov", "platform", strings.TrimSpace},
	{"md", "model", strings.TrimSpace},
	{"sn", "serial_number", strings.TrimSpace},
	{"l", "device_label", strings.TrimSpace},
	{"pid", "process_id", ewfUnlessZero},
	{"ext", "extents", ewfUnlessZero},
	{"p", "password_hash", ewfUnlessZero},
	{"r", "compression", func(s string) string {
		if i := strings.Index("bfn", s); i >= 0 && len(s) == 1 {
			return []string{"best", "fastest", "none"}[i]
		}
		return s
	}},
}

// decodeEwfText decodes a header or header2 section: a zlib stream of lines, of which the
// one behind "main" has letters that say what the tabbed values in the next one are.
// Header2's is UTF-16 with a byte order mark; header's is bytes of a code page that is
// not recorded.
func decodeEwfText(b []byte) (map[string]string, error) {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(z, maxEwfText))
	if err == nil && len(text) == maxEwfText {
		err = fmt.Errorf("longer than %d bytes: cut", maxEwfText)
	}
	s := string(text)
	if len(text) >= 2 && (text[0] == 0xff && text[1] == 0xfe || text[0] == 0xfe && text[1] == 0xff) {
		u := make([]uint16, len(text)/2)
		for i := range u {
			u[i] = le.Uint16(text[2*i:])
			if text[0] == 0xfe {
				u[i] = be.Uint16(text[2*i:])
			}
		}
		s = string(utf16.Decode(u[1:]))
	}
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	i := slices.Index(lines, "main")
	if i < 0 || i+2 >= len(lines) {
		if err == nil {
			err = errors.New("no main category")
		}
		return nil, err
	}
	letters, values := strings.Split(lines[i+1], "\t"), strings.Split(lines[i+2], "\t")
	m := map[string]string{}
	for k, v := range values[:min(len(values), len(letters))] {
		m[strings.TrimSpace(letters[k])] = strings.Trim(v, "\x00")
	}
	return m, err
}

// ewfTime writes seconds since 1970 as RFC 3339 in UTC, and "2006 1 2 15 4 5", which is
// of a zone that is not recorded, without one.
func ewfTime(s string) string {
	if f := strings.Fields(s); len(f) == 6 {
		if t, err := time.Parse("2006 1 2 15 4 5", strings.Join(f, " ")); err == nil {
			return t.Format("2006-01-02 15:04:05")
		}
	}
	if n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64); err == nil && n > 0 && n < 1<<36 {
		return time.Unix(n, 0).UTC().Format(time.RFC3339)
	}
	return ewfUnlessZero(s)
}

func ewfUnlessZero(s string) string {
	if s = strings.TrimSpace(s); s == "0" {
		return ""
	}
	return s
}

func ewfWord(words []string, i byte) string {
	if int(i) < len(words) && words[i] != "" {
		return words[i]
	}
	return fmt.Sprintf("0x%02x", i)
}

func ewfMedia(media, flags byte) string {
	words := make([]string, 17)
	words[0], words[1], words[3], words[14], words[16] = "removable disk", "fixed disk", "optical disc", "logical evidence", "memory"
	s := ewfWord(words, media)
	if flags&2 != 0 {
		s += ", physical"
	} else {
		s += ", logical"
	}
	if flags&4 != 0 {
		s += ", FastBloc write blocker"
	}
	if flags&8 != 0 {
		s += ", Tableau write blocker"
	}
	return s
}

func ewfSetID(id [16]byte) string {
	if id == [16]byte{} {
		return ""
	}
	return guidString(id[:])
}

// ewfUnread lists ranges in bytes of the image.
func ewfUnread(ranges []ewfRange, sector int64) string {
	const most = 1000
	var b strings.Builder
	for i, r := range ranges {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(ranges)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		first := int64(r.first) * sector
		fmt.Fprintf(&b, "%d-%d", first, first+max(int64(r.count)*sector, 1)-1)
	}
	return "bytes " + b.String()
}

// ewfTracks lists the tracks of an optical disc, whose flags are in count.
func ewfTracks(ranges []ewfRange, sector int64) string {
	var list []string
	for _, r := range ranges[:min(len(ranges), 99)] {
		kind := "data"
		if r.count&1 != 0 {
			kind = "audio"
		}
		list = append(list, fmt.Sprintf("%s from byte %d", kind, int64(r.first)*sector))
	}
	return strings.Join(list, ", ")
}
