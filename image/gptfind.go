package image

import (
	"bytes"
	"io"
	"slices"
)

// backupWindow is how much of the image's end is searched for a backup header
// that nothing points to.
const backupWindow = 4 << 20

// maxBackupTries bounds the headers whose entries are read in the search.
const maxBackupTries = 64

// findGPT finds the best GPT for the sector size: a sound primary one, else a
// sound backup, else a primary one whose checksums don't hold. It is nil if
// there is none. search says whether to look for a backup that nothing points to.
func findGPT(r io.ReaderAt, size int64, sector int, m mbrTable, search bool, warnings *[]string) *gptTable {
	primary := readGPT(r, size, int64(sector), sector)
	if primary.sound() {
		checkBackup(r, size, primary, warnings)
		return primary
	}
	backup := findBackup(r, size, sector, m, search)
	switch {
	case backup != nil:
		warnf(warnings, "primary GPT is %s: the backup at byte %d was used", damage(r, sector, primary), backup.at)
		if last := (size/int64(sector) - 1) * int64(sector); backup.at != last {
			warnf(warnings, "the backup GPT is not in the last sector (byte %d): the image has another size than the disk had", last)
		}
		return backup
	case primary != nil && len(primary.entries) > 0:
		warnf(warnings, "primary GPT is %s and no backup was found: it is shown as it is", damage(r, sector, primary))
		return primary
	}
	return nil
}

// damage says what is wrong with the primary GPT.
func damage(r io.ReaderAt, sector int, primary *gptTable) string {
	h, found := decodeGPTHeader(fetch(r, int64(sector), sector))
	switch {
	case !found:
		return "missing"
	case !h.crcOK:
		return "damaged (header checksum)"
	case primary == nil:
		return "damaged (its entries can't be read)"
	}
	return "damaged (checksum of the entries)"
}

// checkBackup warns where the backup of a sound primary GPT is not as it should be.
func checkBackup(r io.ReaderAt, size int64, primary *gptTable, warnings *[]string) {
	at, ok := mulOffset(primary.header.alternate, primary.sector)
	last := (size/int64(primary.sector) - 1) * int64(primary.sector)
	switch {
	case !ok || at > last:
		warnf(warnings, "the backup GPT should be at sector %d, beyond the end of the image: it is truncated", primary.header.alternate)
		return
	case at < last:
		warnf(warnings, "the image goes on for %d bytes behind the backup GPT", size-at-int64(primary.sector))
	}
	backup := readGPT(r, size, at, primary.sector)
	switch {
	case !backup.sound():
		warnf(warnings, "the backup GPT at byte %d is damaged or missing", at)
	case backup.header.arrayCRC != primary.header.arrayCRC || backup.header.disk != primary.header.disk:
		warnf(warnings, "the backup GPT at byte %d differs from the primary one, which was used", at)
	}
}

// findBackup looks for a sound backup GPT: in the last sector, where the
// primary header and the protective MBR say, and then in the last sectors.
func findBackup(r io.ReaderAt, size int64, sector int, m mbrTable, search bool) *gptTable {
	unit := int64(sector)
	tries := maxBackupTries
	try := func(at int64) *gptTable {
		if at <= unit || at > size-unit || at%unit != 0 || tries == 0 {
			return nil
		}
		h, ok := decodeGPTHeader(fetch(r, at, sector))
		if !ok || !h.crcOK || h.my != uint64(at/unit) {
			return nil
		}
		tries--
		if t := readGPT(r, size, at, sector); t.sound() {
			return t
		}
		return nil
	}
	if t := try((size/unit - 1) * unit); t != nil {
		return t
	}
	if h, ok := decodeGPTHeader(fetch(r, unit, sector)); ok {
		if at, ok := mulOffset(h.alternate, sector); ok {
			if t := try(at); t != nil {
				return t
			}
		}
	}
	for _, s := range m.slots {
		if s.typ == typeProtective {
			// It covers the disk to its last sector, if 32 bits can say that.
			if t := try((int64(s.start) + int64(s.count) - 1) * unit); t != nil {
				return t
			}
		}
	}
	if !search {
		return nil
	}
	return searchBackup(r, size, unit, try)
}

// searchBackup tries every sector of the last backupWindow bytes that begins
// as a header does, from the end.
func searchBackup(r io.ReaderAt, size, unit int64, try func(int64) *gptTable) *gptTable {
	const chunk = 64 << 10
	stop := max(size-backupWindow, 0)
	var buf []byte // one for all: there are many chunks
	for end := size / unit * unit; end > stop; {
		from := max((end-chunk)/unit*unit, 0)
		b := slices.Grow(buf[:0], int(end-from))[:end-from]
		buf = b
		n, _ := r.ReadAt(b, from) // a range that can't be read counts as not there
		b = b[:n]
		for bytes.Contains(b, []byte(gptMagic)) {
			i := bytes.LastIndex(b, []byte(gptMagic))
			if t := try(from + int64(i)); t != nil {
				return t
			}
			b = b[:i]
		}
		end = from
	}
	return nil
}
