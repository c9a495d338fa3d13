package former

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A Volume is a file system that was there.
type Volume struct {
	FS     *ext.FS
	Reader io.ReaderAt // reads the volume as it was, as far as that is known
	Size   int64

	Words   []string // what was derived from what, and what is missing
	Votes   int      // directories that agree with it
	Other   bool     // another file system is there now
	Mounted bool     // that was mounted since it was made
	Used    Spans    // what the other uses: contents there are overwritten
	Rivals  int      // file systems that were there too, at some other time

	seed    uint32 // where it was derived
	r       *reader
	guessed map[uint32]bool
}

// Guessed reports whether what is taken for the inode table of a group, as inodes of
// directories lie there that their blocks agree with, can be copies of it in a log.
func (v *Volume) Guessed(group uint32) bool { return v.guessed[group] }

func (v *Volume) say(format string, args ...any) {
	v.Words = append(v.Words, fmt.Sprintf(format, args...))
}

// Find finds the file systems that traces tell of and that are not the one that is
// there now, the likeliest first. now is what is there now, nil where nothing can be
// opened; damaged says that it is what is looked for. The error is ctx's.
func Find(ctx context.Context, r io.ReaderAt, size int64, t *Traces, now *ext.FS, damaged bool) ([]*Volume, error) {
	f := &finder{ctx: ctx, r: r, size: size, t: t, damaged: damaged}
	if now != nil && !damaged {
		var err error
		if f.now, err = inspect(ctx, now); err != nil {
			return nil, err
		}
	}
	f.links()
	if damaged && now != nil {
		f.add(&Volume{r: &reader{r: r}}, now.SuperBytes, layout.SuperblockOffset)
	}
	f.fromSupers(now)
	f.derived()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(f.found, func(a, b *Volume) int { return b.Votes - a.Votes })
	for _, v := range f.found {
		v.Rivals = len(f.found) - 1
	}
	return f.found, nil
}

// A finder works out volumes from traces.
type finder struct {
	ctx     context.Context
	r       io.ReaderAt
	size    int64
	t       *Traces
	now     *present
	damaged bool
	all     []link
	log     Spans // where journals lie
	found   []*Volume
}

// identity is what stays the same of a file system while it lives.
func identity(s *layout.Superblock) string {
	return fmt.Sprintf("%d %d %d %x %d", s.LogBlockSize, s.InodesPerGroup, s.InodeSize, s.HashSeed, s.MkfsTime.Unix())
}

// fromSupers takes the file systems that copies of superblocks are of.
func (f *finder) fromSupers(now *ext.FS) {
	type family struct {
		best   *superCopy
		copies int
	}
	const most = 64
	families := map[string]*family{}
	var order []string
	for i := range f.t.supers {
		c := &f.t.supers[i]
		if now != nil && identity(now.Super) == identity(c.Superblock) || c.BlocksCount > uint64(f.size)/uint64(c.BlockSize())*4 {
			continue
		}
		id := identity(c.Superblock)
		if families[id] == nil && len(order) == most {
			continue
		}
		if families[id] == nil {
			families[id] = &family{best: c}
			order = append(order, id)
		}
		if y := families[id]; c.WriteTime.After(y.best.WriteTime) {
			y.best = c
		}
		families[id].copies++
	}
	for _, id := range order {
		y := families[id]
		v := &Volume{r: f.newReader()}
		v.say("superblock: %s, the newest at byte %d, written %s", count(y.copies, "copy", "copies"), y.best.off, y.best.WriteTime.UTC().Format("2006-01-02 15:04:05"))
		f.add(v, y.best.raw, y.best.off)
	}
}

func (f *finder) newReader() *reader {
	r := &reader{r: f.r}
	if f.now != nil {
		r.hide = f.now.hide
	}
	return r
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// add keeps a volume that has the superblock raw, if anything bears it out: where the
// copy lies, or directories.
func (f *finder) add(v *Volume, raw []byte, off int64) {
	if f.open(v, raw) != nil {
		return
	}
	v.Votes = f.votes(v.FS)
	group := uint32(le.Uint16(raw[0x5a:])) // s_block_group_nr
	at := v.FS.BlockOffset(v.FS.GroupStart(group))
	inPlace := off == layout.SuperblockOffset || group != 0 && at == off
	if v.Votes == 0 && !inPlace {
		return
	}
	f.descriptors(v)
	v.Votes = f.votes(v.FS)
	if v.Votes == 0 && f.now != nil && off == layout.SuperblockOffset {
		return // nothing of it is left
	}
	f.keep(v)
}

func (f *finder) keep(v *Volume) {
	if f.now != nil {
		v.Other, v.Mounted, v.Used = true, f.now.mounted, f.now.used
	}
	v.Reader, v.Size = v.r, f.size
	f.found = append(f.found, v)
}

// open opens a volume with a superblock, in the place of the primary.
func (f *finder) open(v *Volume, raw []byte) error {
	raw = bytes.Clone(raw[:layout.SuperblockSize])
	le.PutUint16(raw[0x5a:], 0) // s_block_group_nr
	seal(raw)
	v.r.put(patch{layout.SuperblockOffset, raw, false})
	fs, err := ext.Open(v.r, f.size, ext.Options{})
	if err != nil {
		return err
	}
	v.FS = fs
	return nil
}

// seal puts the checksum of a superblock right.
func seal(raw []byte) {
	if s, err := layout.DecodeSuperblock(raw, 0); err == nil && s.MetadataCsum() {
		le.PutUint32(raw[0x3fc:], layout.SuperblockChecksum(raw))
	}
}

// votes counts the directories whose inode lies where a file system has it.
func (f *finder) votes(fs *ext.FS) (n int) {
	for i := range f.all {
		l := &f.all[i]
		if l.blockSize != fs.BlockSize() || l.taken {
			continue
		}
		if off, ok := fs.InodeOffset(l.ino); fs.Super.MetadataCsum() && l.wide && l.fsSeed == fs.Seed() || (!fs.Super.MetadataCsum() || !l.wide) && ok && off == l.off {
			n++
		}
	}
	return n
}
