package layout

// File types of a directory entry: EXT4_FT_*, fs/ext4/ext4.h.
const (
	FTUnknown = 0
	FTRegular = 1
	FTDir     = 2
	FTChar    = 3
	FTBlock   = 4
	FTFIFO    = 5
	FTSocket  = 6
	FTSymlink = 7
	ftMax     = 8
	FTCsum    = 0xde // the tail of a checksummed block, EXT4_FT_DIR_CSUM
)

const (
	direntHead = 8 // inode, rec_len, name_len, file_type
	// DirentMin is the least rec_len in bytes, that of a name of one to four bytes: so much a gap has room for
	DirentMin  = 12
	dirTailLen = 12 // struct ext4_dir_entry_tail
)

// MaxNameLen is the longest name in bytes (EXT4_NAME_LEN).
const MaxNameLen = 255

// A Dirent is one record of a directory block: struct ext4_dir_entry_2. Name is
// a slice of the block.
type Dirent struct {
	Ino    Ino // 0: the record is not in use
	RecLen int // in bytes
	Name   []byte
	Type   uint8  // one of the FT constants; FTUnknown without the filetype feature
	Raw    uint8  // the byte file_type as stored, with dirdata's bits; should be 0 without the filetype feature
	Offset int    // where the record starts in its block
	Hash   uint64 // stored behind the name where the directory is casefolded and encrypted: hash, minor hash << 32
}

// A DirFormat says how the records of a directory are laid out.
type DirFormat struct {
	FileType bool // the filetype feature: the byte behind name_len is a type
	DirData  bool // the dirdata feature: high bits of the type announce data behind the name
	Hashed   bool // casefolded and encrypted: eight bytes of hash follow each name
}

// A DirBlock walks the records of one directory block, or of one part of an
// inline directory, unused ones included. The zero value is not useful.
type DirBlock struct {
	b      []byte
	off    int64
	pos    int
	format DirFormat
	err    *CorruptError
}

// NewDirBlock walks b, whose first byte lies at byte off of the file system.
func NewDirBlock(b []byte, off int64, f DirFormat) DirBlock {
	return DirBlock{b: b, off: off, format: f}
}

// Next decodes the next record into e. It gives false at the end of the block,
// or at the first record that cannot be right: see Err and Rest.
func (d *DirBlock) Next(e *Dirent) bool {
	left := len(d.b) - d.pos
	if left == 0 || d.err != nil {
		return false
	}
	if left < direntHead {
		d.fail("rec_len", 4, uint64(left))
		return false
	}
	b := d.b[d.pos:]
	recLen := recLenFromDisk(le.Uint16(b[0x4:]), len(d.b)) // rec_len
	if recLen < direntHead || recLen%4 != 0 || recLen > left {
		d.fail("rec_len", 4, uint64(le.Uint16(b[0x4:])))
		return false
	}
	*e = Dirent{Ino: Ino(le.Uint32(b[0x0:])), RecLen: recLen, Offset: d.pos} // inode
	nameLen := int(b[0x6])                                                   // name_len
	e.Raw = b[0x7]                                                           // file_type
	e.Type = d.format.fileType(e.Raw)
	if direntHead+nameLen > recLen {
		if e.Ino != 0 {
			d.fail("name_len", 6, uint64(nameLen))
			return false
		}
		nameLen = 0
	}
	e.Name = b[direntHead:][:nameLen]
	if d.format.Hashed && !isDots(e.Name) {
		if at := direntHead + (nameLen+3)&^3; at+8 <= recLen {
			e.Hash = le.Uint64(b[at:])
		}
	}
	d.pos += recLen
	return true
}

// fileType is the type that the byte file_type gives. Without the filetype
// feature it is the high byte of name_len, which the kernel ignores: names are
// no longer than 255 bytes, and turning the feature off leaves the types there.
func (f DirFormat) fileType(raw uint8) uint8 {
	switch {
	case !f.FileType:
		return FTUnknown
	case f.DirData && raw != FTCsum:
		return raw & 0xf
	}
	return raw
}

// isDots reports whether name is one of the two that no hash is kept for.
func isDots(name []byte) bool { return string(name) == "." || string(name) == ".." }

func (d *DirBlock) fail(field string, at int64, v uint64) {
	d.err = &CorruptError{"directory entry", field, d.off + int64(d.pos) + at, v}
}

// Err is what ended the walk before the end of the block: nil or a
// *CorruptError.
func (d *DirBlock) Err() error {
	if d.err == nil {
		return nil
	}
	return d.err
}

// Rest is where the walk stands: the bytes from there on were not read.
func (d *DirBlock) Rest() int { return d.pos }

// recLenFromDisk decodes rec_len, in which blocks of 64 KiB do not fit
// (ext4_rec_len_from_disk): 0 and 65535 stand for the whole block, and its two
// low bits for bits 16 and 17.
func recLenFromDisk(v uint16, blockSize int) int {
	if blockSize < 1<<16 {
		return int(v)
	}
	if v == 0xffff || v == 0 {
		return blockSize
	}
	return int(v)&0xfffc | int(v)&3<<16
}

// RecLen is rec_len of the record that b begins with, in a block of blockSize
// bytes.
func RecLen(b []byte, blockSize int) int { return recLenFromDisk(le.Uint16(b[0x4:]), blockSize) }

// DirentLen is the least rec_len that a name of n bytes needs, in bytes.
func (f DirFormat) DirentLen(n int) int {
	size := (direntHead + n + 3) &^ 3
	if f.Hashed {
		size += 8
	}
	return size
}

// Removed looks for removed records in b[from:to], the gap behind a live record
// or an unused one, at every fourth byte: yield gets each one that could have
// been a record, which holds during the call. inodes bounds the inode numbers. The
// offsets given are within b. It ends early when yield returns false.
//
// Linux 5.13 and later wipe a record when its name is removed; older kernels,
// libext2fs and the splitting of an indexed block leave it.
func (f DirFormat) Removed(b []byte, from, to int, inodes uint32, yield func(*Dirent) bool) bool {
	to = min(to, len(b))
	var e *Dirent // one for all
	for at := (from + 3) &^ 3; at+DirentMin <= to; {
		// Most of a gap is zeros, and most of the rest no inode number.
		for at+32 <= to && le.Uint64(b[at:])|le.Uint64(b[at+8:])|le.Uint64(b[at+16:])|le.Uint64(b[at+24:]) == 0 {
			at += 32
		}
		if at+DirentMin > to {
			break
		}
		two := le.Uint64(b[at:])
		if ino := uint32(two); ino == 0 || ino > inodes {
			if at += 4; two == 0 {
				at += 4
			}
			continue
		}
		if e == nil {
			e = new(Dirent)
		}
		if !f.removedAt(e, b, at, to) {
			at += 4
			continue
		}
		if !yield(e) {
			return false
		}
		at += f.DirentLen(len(e.Name))
	}
	return true
}

// removedAt decodes what could have been a record into e.
func (f DirFormat) removedAt(e *Dirent, b []byte, at, to int) bool {
	*e = Dirent{Ino: Ino(le.Uint32(b[at:])), RecLen: RecLen(b[at:], len(b)), Offset: at, Raw: b[at+7]}
	e.Type = f.fileType(e.Raw)
	nameLen := int(b[at+6])
	need := f.DirentLen(nameLen)
	if e.Type >= ftMax || nameLen == 0 || at+direntHead+nameLen > to ||
		e.RecLen < need-f.DirentLen(0)+direntHead || e.RecLen%4 != 0 || e.RecLen > len(b)-at {
		return false
	}
	e.Name = b[at+direntHead:][:nameLen]
	return !IllegalName(e.Name)
}

// IllegalName reports whether a name has a slash or a NUL in it. It looks at eight bytes at
// a time, the last eight of them perhaps twice.
func IllegalName(name []byte) bool {
	if len(name) < 8 {
		for _, c := range name {
			if c == 0 || c == '/' {
				return true
			}
		}
		return false
	}
	for rest := name; len(rest) > 8; rest = rest[8:] {
		if illegalWord(le.Uint64(rest)) {
			return true
		}
	}
	return illegalWord(le.Uint64(name[len(name)-8:]))
}

// illegalWord is IllegalName for eight bytes: taking 1 from each sets the top bit of one that
// had it clear where that is 0, or where one below was, so that something is set just
// where there is a 0.
func illegalWord(v uint64) bool {
	const ones, tops, slashes = 0x0101010101010101, 0x8080808080808080, 0x2f2f2f2f2f2f2f2f
	s := v ^ slashes
	return ((v-ones)&^v|(s-ones)&^s)&tops != 0
}

// DirTail is the checksum at the end of a directory block under metadata_csum,
// and whether the record that holds it is there.
func DirTail(b []byte) (stored uint32, ok bool) {
	if len(b) < dirTailLen {
		return 0, false
	}
	t := b[len(b)-dirTailLen:]
	if le.Uint32(t) != 0 || le.Uint16(t[4:]) != dirTailLen || t[6] != 0 || t[7] != FTCsum {
		return 0, false
	}
	return le.Uint32(t[8:]), true
}

// DirChecksum computes the checksum of a directory block with a tail from seed,
// the inode's.
func DirChecksum(b []byte, seed uint32) uint32 {
	if len(b) < dirTailLen {
		return 0
	}
	return CRC32C(seed, b[:len(b)-dirTailLen])
}

// FTOfMode is the file type that a directory entry for an inode of this mode
// holds, or FTUnknown for a mode that is no type.
func FTOfMode(mode uint16) uint8 {
	switch mode & ModeMask {
	case ModeRegular:
		return FTRegular
	case ModeDir:
		return FTDir
	case ModeChar:
		return FTChar
	case ModeBlock:
		return FTBlock
	case ModeFIFO:
		return FTFIFO
	case ModeSocket:
		return FTSocket
	case ModeSymlink:
		return FTSymlink
	}
	return FTUnknown
}
