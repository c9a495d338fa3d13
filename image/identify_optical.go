package image

import "strings"

// optical names ISO 9660 and UDF, whose volume descriptors lie in 2048-byte
// sectors from the 16th on. A disc may be both; UDF is then what is read.
func (s *signatures) optical() (Content, bool) {
	const sector, first, most = 2048, 16, 64
	var c Content
	for i := int64(first); i < most; i++ {
		b := s.whole(i*sector, 7)
		if b == nil {
			break
		}
		switch string(b[1:6]) {
		case "CD001":
			if b[0] == 1 && c.Type == "" {
				c = s.iso(i * sector)
			}
		case "NSR02", "NSR03":
			udf := Content{Type: "udf", Label: s.udfLabel()}
			if c.Type != "" {
				udf.Detail = "and iso9660"
			}
			return udf, true
		case "BEA01", "TEA01", "BOOT2", "CDW02":
		default:
			return c, c.Type != ""
		}
	}
	return c, c.Type != ""
}

// iso decodes a primary volume descriptor: struct iso_primary_descriptor,
// include/uapi/linux/iso_fs.h. Its UUID is the time it was changed or made.
func (s *signatures) iso(at int64) Content {
	c := Content{Type: "iso9660"}
	b := s.whole(at, 2048)
	if b == nil {
		return c
	}
	c.Label = strings.TrimRight(cstring(b[40:72]), " ")     // volume_id
	for _, when := range [][]byte{b[830:846], b[813:829]} { // modification_date, creation_date
		d := string(when)
		if strings.Trim(d, "0123456789") == "" && strings.Trim(d, "0") != "" {
			c.UUID = strings.Join([]string{d[:4], d[4:6], d[6:8], d[8:10], d[10:12], d[12:14], d[14:]}, "-")
			break
		}
	}
	return c
}

// udfLabel follows the anchor, in sector 256, to the logical volume descriptor
// and its identifier: ECMA-167 3/10.2 and 3/10.6. The sector size is the medium's.
func (s *signatures) udfLabel() string {
	const anchor, logicalVolume, terminator = 2, 6, 8 // tag identifiers
	for _, sector := range []int64{2048, 512, 1024, 4096} {
		a := s.whole(256*sector, 512)
		if a == nil || le.Uint16(a) != anchor {
			continue
		}
		count, first := int64(le.Uint32(a[16:]))/sector, int64(le.Uint32(a[20:])) // main volume descriptor sequence
		for i := range min(count, 64) {
			b := s.whole((first+i)*sector, 512)
			if b == nil || le.Uint16(b) == terminator {
				break
			}
			if le.Uint16(b) == logicalVolume {
				return dstring(b[84:][:128])
			}
		}
	}
	return ""
}

// dstring decodes an OSTA compressed string: its last byte is its length, its
// first tells 8 or 16 bits a character.
func dstring(b []byte) string {
	n := min(int(b[len(b)-1]), len(b)-1)
	switch {
	case n > 1 && b[0] == 8:
		var u []rune
		for _, c := range b[1:n] {
			u = append(u, rune(c))
		}
		return cstring([]byte(string(u)))
	case n > 1 && b[0] == 16:
		return utf16String(b[1:n], be)
	}
	return ""
}
