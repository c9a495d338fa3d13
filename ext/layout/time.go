package layout

import "time"

// inodeTime joins the seconds of an inode's time, which are signed, with the
// extra word that kernels since 2.6.23 keep beside it: two bits of epoch, then
// 30 bits of nanoseconds (ext4_decode_extra_time, fs/ext4/ext4.h). The range is
// 1901-12-13 to 2446-05-10. A fraction of a second and more, which only damage
// can give, is carried over, as time.Unix does.
func inodeTime(seconds, extra uint32) time.Time {
	sec := int64(int32(seconds)) + int64(extra&3)<<32
	return time.Unix(sec, int64(extra>>2)).UTC()
}
