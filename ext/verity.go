package ext

import "github.com/extscope/extscope/ext/layout"

// maxVerity is FS_VERITY_MAX_DESCRIPTOR_SIZE: no descriptor with its signature
// is longer, in bytes.
const maxVerity = 16384

// Verity reads what fs-verity says the file must hold. The descriptor lies
// behind the end of the file, and its length in the last four bytes of the last
// mapped block (ext4_get_verity_descriptor_location, fs/ext4/verity.c).
func (f *FS) Verity(in *Inode) (layout.VerityDescriptor, error) {
	none := layout.VerityDescriptor{}
	if in.Flags&layout.FlagVerity == 0 {
		return none, &UnsupportedError{"a verity descriptor of a file without verity"}
	}
	var runs []Run
	for r, err := range f.Runs(in) {
		if err != nil {
			return none, err
		}
		if r.Kind == Data {
			runs = append(runs, r)
		}
	}
	if len(runs) == 0 {
		return none, corrupt("verity file", "i_block", in.Offset+0x28, 0)
	}
	last := runs[len(runs)-1]
	end := (last.Logical + last.Len) << f.blockBits
	// The descriptor lies past i_size, where File does not read.
	past := *in
	past.size = end
	file := f.File(&past)
	var word [4]byte
	if err := readFull(file, word[:], int64(end)-4); err != nil {
		return none, err
	}
	at := f.bytes(last.Physical+Block(last.Len)) - 4
	size := uint64(le.Uint32(word[:]))
	if size == 0 || size > maxVerity || size+4 > end {
		return none, corrupt("verity file", "descriptor size", at, size)
	}
	start := (end - 4 - size) &^ uint64(f.blockSize-1)
	b := make([]byte, size)
	if err := readFull(file, b, int64(start)); err != nil {
		return none, err
	}
	off := int64(-1)
	for _, r := range runs {
		if blk := start >> f.blockBits; blk >= r.Logical && blk < r.Logical+r.Len {
			off = f.bytes(r.Physical + Block(blk-r.Logical))
		}
	}
	return layout.DecodeVerityDescriptor(b, off)
}

func readFull(file *File, p []byte, off int64) error {
	n, err := file.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	return err
}
