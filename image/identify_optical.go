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
			was := c
			c = Content{Type: "udf", Label: was.Label}
			if was.Type != "" {
				c.Detail = "and iso9660"
			}
			return c, true
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
