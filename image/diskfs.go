package image

import (
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/diskfs/go-diskfs/partition/mbr"
)

// go-diskfs reads the tables it can read; what it refuses or does not know
// (logical partitions, large sectors in an MBR, odd boot flags, displaced
// backups) is decoded here.

// A diskFile is an image as go-diskfs wants to see it.
type diskFile struct{ *io.SectionReader }

var _ backend.File = diskFile{}

func (f diskFile) Close() error               { return nil }
func (f diskFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f diskFile) Name() string               { return "image" }
func (f diskFile) Mode() fs.FileMode          { return 0o444 }
func (f diskFile) ModTime() time.Time         { return time.Time{} }
func (f diskFile) IsDir() bool                { return false }
func (f diskFile) Sys() any                   { return nil }

// diskfsGPT reads the GPT by go-diskfs. That allocates by the numbers in the
// headers it meets, and running out of memory can't be recovered from, so the
// headers it may come across are checked first.
func diskfsGPT(r io.ReaderAt, size int64, sector int) ([]gptEntry, bool) {
	unit := int64(sector)
	for _, at := range []int64{unit, (size/unit - 1) * unit} {
		h, ok := decodeGPTHeader(fetch(r, at, sector))
		if ok && (!h.bounded(size, sector) || h.entryLen != gpt.PartitionEntrySize) {
			return nil, false
		}
	}
	t, err := gpt.Read(diskFile{io.NewSectionReader(r, 0, size)}, sector, sector)
	if err != nil || t.RecoveredFromBackup {
		return nil, false
	}
	var entries []gptEntry
	for _, p := range t.Partitions {
		entries = append(entries, gptEntry{
			number: p.Index,
			typ:    strings.ToLower(string(p.Type)), guid: strings.ToLower(p.GUID),
			first: p.Start, last: p.End, attributes: p.Attributes, name: p.Name,
		})
	}
	return entries, true
}

// diskfsMBR reads the four slots by go-diskfs. It refuses the whole table for
// one odd boot flag; and its byte offsets assume 512-byte sectors, so only its
// sector numbers are taken.
func diskfsMBR(r io.ReaderAt, size int64) (mbrTable, bool) {
	var m mbrTable
	t, err := mbr.Read(diskFile{io.NewSectionReader(r, 0, size)}, mbrLen, mbrLen)
	if err != nil || len(t.Partitions) != mbrSlots {
		return m, false
	}
	if id := t.UUID(); id != "00000000" {
		m.diskID = id
	}
	for i, p := range t.Partitions {
		m.slots[i] = mbrSlot{typ: byte(p.Type), start: p.Start, count: p.Size}
		if p.Bootable {
			m.slots[i].flag = 0x80
		}
	}
	return m, true
}
