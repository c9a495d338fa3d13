package image

import (
	"fmt"
	"io"
)

const defaultSector = 512

// A Partition is a numbered volume: a byte range of an image as a table names it, or what
// lies in such a range when it is a member of LVM2 or of a Linux RAID, or encrypted.
type Partition struct {
	Number    int     // 1 to 4 for MBR slots, from 5 for logical ones, the entry's place from 1 for GPT; volumes in those follow
	Parent    int     // number of the volume this one lies in, of an extended partition for a logical one; 0: none
	Members   []int   // numbers of all volumes that the bytes lie in, where Parent is only the first of several
	Image     string  // the file of Options.With that it lies in; "": the image itself
	Scheme    string  // "none", "mbr", "gpt", "lvm2", "md" or "luks"
	Kind      string  // "primary", "extended", "logical", "gpt", "whole", "lv", "array" or "decrypted"
	Start     int64   // bytes from the start of the image or of Image; -1: the bytes are no one range of it as they are
	Length    int64   // bytes, as the table or the volume's metadata says
	Available int64   // bytes of it that are there; less than Length: the image is truncated, or members are missing
	TypeCode  string  // "0x83" for MBR, a lower-case GUID for GPT
	TypeName  string  // what TypeCode stands for; of a volume its kind: "linear", "striped", "raid1", "thin"; "" if unknown
	Name      string  // the GPT entry's name; a logical volume's with its group, "vg0/root"; an array's
	UUID      string  // GPT unique GUID in lower case; MBR disk signature and number, as "abcd1234-01"; a volume's own
	Bootable  bool    // MBR boot flag; GPT "legacy BIOS bootable"
	State     string  // "" for what can be read, or one of the States
	Content   Content // what the bytes are

	Warnings []string // what is odd about it as a volume
	LockErr  error    // why a key that was given did not open it: a *KeyError, or what is not supported or damaged

	// Where the bytes are, for what is no range of the image itself: srcLen bytes from
	// byte srcAt of src.
	src           io.ReaderAt
	srcAt, srcLen int64

	depth int // volumes that it lies in
}

// States of volumes.
const (
	StateLocked      = "locked"      // encrypted, and no key for it was given
	StateUnsupported = "unsupported" // of a kind that is not read
	StateIncomplete  = "incomplete"  // members are missing: what lies on them can't be read
	StateDamaged     = "damaged"     // the metadata that says where its bytes are can't be right
)

// name is what errors and warnings call it.
func (p *Partition) name() string {
	switch {
	case p.depth > 0 && p.Name != "":
		return p.Name
	case p.depth > 0:
		return fmt.Sprintf("volume %d", p.Number)
	}
	return fmt.Sprintf("partition %d", p.Number)
}

// A Table is what an image is divided into.
type Table struct {
	Scheme     string      // "none", "mbr" or "gpt"
	SectorSize int         // bytes
	DiskID     string      // GPT disk GUID or MBR disk signature in lower case; "" if there is none
	Partitions []Partition // by number, a volume after those it lies in
	Warnings   []string
}

// Partitions finds the partition table, or the one partition of scheme "none"
// that is the whole image where there is no table, and the volumes that lie in
// partitions, in each other, and across the images of Options.With. It looks once
// and remembers, so the caller must not change what it returns. Damage is told in
// Warnings; an error means the bytes a table would lie in could not be read.
func (im *Image) Partitions() (*Table, error) {
	im.stackMu.Lock()
	defer im.stackMu.Unlock()
	return im.volumes(true)
}

// volumes is Partitions, but locked volumes stay so unless unlock says otherwise.
func (im *Image) volumes(unlock bool) (*Table, error) {
	if im.stack == nil && im.stackErr == nil {
		im.stack, im.stackErr = newStack(im)
	}
	if im.stackErr != nil {
		return nil, im.stackErr
	}
	im.stack.grow(false)
	if unlock {
		im.stack.grow(true)
	}
	return im.stack.table, nil
}

// Section is the part of p that there is: Available bytes of a range of the image, not
// Length; all of a volume, with a *MissingError where it lies on a member that is not there.
func (im *Image) Section(p Partition) *Section {
	switch {
	case p.src != nil:
		return section(p.src, p.srcAt, p.srcLen)
	case p.Start < 0: // a volume that is not read
		return section(im, 0, 0)
	}
	return section(im, p.Start, p.Available)
}
