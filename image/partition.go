package image

const defaultSector = 512

// A Partition is a numbered byte range of an image.
type Partition struct {
	Number    int     // 1 to 4 for MBR slots, from 5 for logical ones, the entry's place from 1 for GPT
	Parent    int     // number of the extended partition a logical one lies in; 0: none
	Scheme    string  // "none", "mbr" or "gpt"
	Kind      string  // "primary", "extended", "logical", "gpt" or "whole"
	Start     int64   // bytes from the start of the image
	Length    int64   // bytes, as the table says
	Available int64   // bytes of it that lie inside the image; less than Length: the image is truncated
	TypeCode  string  // "0x83" for MBR, a lower-case GUID for GPT
	TypeName  string  // what TypeCode stands for; "" if unknown
	Name      string  // the GPT entry's name
	UUID      string  // GPT unique GUID in lower case; MBR disk signature and number, as "abcd1234-01"
	Bootable  bool    // MBR boot flag; GPT "legacy BIOS bootable"
	Content   Content // what the bytes are
}

// A Table is what an image is divided into.
type Table struct {
	Scheme     string // "none", "mbr" or "gpt"
	SectorSize int    // bytes
	DiskID     string // GPT disk GUID or MBR disk signature in lower case; "" if there is none
	Partitions []Partition
	Warnings   []string
}

// Partitions finds the partition table, or the one partition of scheme "none"
// that is the whole image where there is no table. It looks once and remembers,
// so the caller must not change what it returns. Damage is told in Warnings;
// an error means the bytes a table would lie in could not be read.
func (im *Image) Partitions() (*Table, error) {
	im.tableOnce.Do(func() {
		im.table, im.tableErr = readTable(im, im.size, im.options.SectorSize)
	})
	return im.table, im.tableErr
}
