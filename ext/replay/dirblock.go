package replay

import (
	"bytes"
	"errors"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

var (
	errExists = errors.New("the name exists")
	errNoName = errors.New("no such name")
	errNoRoom = errors.New("no room in the block")
)

// A name is a directory entry to be added.
type name struct {
	bytes []byte
	ino   ext.Ino
	typ   uint8
}

// records gives the part of a directory block, or of an inline directory, that holds
// records: all but the tail.
func (e *editor) records(b []byte) []byte {
	if e.fs.Super.MetadataCsum() {
		return b[:len(b)-dirTail]
	}
	return b
}

const dirTail = 12 // struct ext4_dir_entry_tail

// recLen and putRecLen are ext4_rec_len_from_disk and ext4_rec_len_to_disk.
func recLen(b []byte) int { return int(le.Uint16(b[0x4:])) }

func putRecLen(b []byte, n int) {
	if n >= 1<<16 {
		le.PutUint16(b[0x4:], 0xffff) // the whole of a block of 64 KiB
		return
	}
	le.PutUint16(b[0x4:], uint16(n))
}

// putName adds a name to the records in b, in the first gap that holds it:
// ext4_find_dest_de, ext4_insert_dentry. off is where b lies, for errors.
func putName(b []byte, off int64, format layout.DirFormat, n name) error {
	need := format.DirentLen(len(n.bytes))
	w := layout.NewDirBlock(b, off, format)
	var r layout.Dirent
	for w.Next(&r) {
		if r.Ino != 0 && bytes.Equal(r.Name, n.bytes) {
			return errExists
		}
		used := 0
		if r.Ino != 0 {
			used = format.DirentLen(len(r.Name))
		}
		if r.RecLen-used < need {
			continue
		}
		at := r.Offset
		if used > 0 {
			putRecLen(b[at:], used)
			at += used
			putRecLen(b[at:], r.RecLen-used)
		}
		le.PutUint32(b[at:], uint32(n.ino)) // inode
		b[at+0x6] = uint8(len(n.bytes))     // name_len
		b[at+0x7] = 0                       // file_type
		if format.FileType {
			b[at+0x7] = n.typ
		}
		copy(b[at+0x8:], n.bytes) // name
		return nil
	}
	if err := w.Err(); err != nil {
		return err
	}
	return errNoRoom
}

// findName gives the record of a name.
func findName(b []byte, off int64, format layout.DirFormat, wanted []byte) (found layout.Dirent, before int, err error) {
	w := layout.NewDirBlock(b, off, format)
	before = -1
	for w.Next(&found) {
		if found.Ino != 0 && bytes.Equal(found.Name, wanted) {
			return found, before, nil
		}
		before = found.Offset
	}
	if err := w.Err(); err != nil {
		return found, -1, err
	}
	return found, -1, errNoName
}

// dropName takes a record out of b, wiped as Linux 5.13 and later do:
// ext4_generic_delete_entry.
func dropName(b []byte, r layout.Dirent, before int) {
	gone := b[r.Offset:][:r.RecLen]
	if before >= 0 {
		putRecLen(b[before:], recLen(b[before:])+r.RecLen)
		clear(gone)
		return
	}
	le.PutUint32(gone, 0)
	clear(gone[0x6:])
}

// putTail writes the checksum of a directory block.
func (e *editor) putTail(in *inode, b []byte) {
	if !e.fs.Super.MetadataCsum() {
		return
	}
	t := b[len(b)-dirTail:]
	clear(t)
	le.PutUint16(t[0x4:], dirTail) // det_rec_len
	t[0x7] = layout.FTCsum         // det_reserved_ft
	le.PutUint32(t[0x8:], layout.DirChecksum(b, e.seed(in)))
}
