package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/replay"
	"github.com/extscope/extscope/image"
	"github.com/extscope/extscope/report"
)

// evidence holds the flags that say which file system of which image to open,
// and how.
type evidence struct {
	partition  string
	offset     int64
	sectorSize int
	superblock uint64
	blockSize  int
	noReplay   bool
	journal    string
	with       []string
	snapshot   string
	key        key

	unpackLimit  int64
	acceptDamage bool
}

func (v *evidence) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&v.partition, "partition", "p", "", "which file system: its `NUMBER` as partitions lists it, its label or UUID, or GROUP/VOLUME")
	f.Int64Var(&v.offset, "offset", -1, "the file system starts at `BYTES`; the partition table is not read")
	v.addWith(cmd)
	v.key.addFlags(cmd)
	v.key.ask = true
	f.IntVar(&v.sectorSize, "sector-size", 0, "logical sector size in `BYTES` (default: found out)")
	f.Uint64Var(&v.superblock, "superblock", 0, "use the superblock copy in block `N`")
	f.IntVar(&v.blockSize, "blocksize", 0, "block size in `BYTES` that --superblock counts in (default: each is tried)")
	f.BoolVar(&v.noReplay, "no-replay", false, "look at the home blocks as they are, without what a pending journal holds")
	v.addSnapshot(cmd)
	f.StringVar(&v.journal, "journal", "", "`FILE` or device that holds the file system's external journal")
	v.addUnpacking(cmd)
}

// addUnpacking adds the flags for what is stored in a form that is read at opening.
func (v *evidence) addUnpacking(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Int64Var(&v.unpackLimit, "unpack-limit", image.DefaultUnpackLimit, "most `BYTES` that a compressed IMAGE may unpack to, in a temporary copy; -1 refuses it")
	f.BoolVar(&v.acceptDamage, "accept-damage", false, "read also what a failed checksum of a compressed or Android sparse IMAGE covers; it is told, with exit status 4")
}

func (v *evidence) addWith(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&v.with, "with", nil, "`FILE` that holds another disk of IMAGE's volume group or RAID; may be repeated")
	_ = cmd.MarkFlagFilename("with")
}

// imageOf takes the arguments of a command that are all images: the first is the evidence,
// what follows are further disks.
func (v *evidence) imageOf(args []string) string {
	v.with = append(v.with, args[1:]...)
	return args[0]
}

// addSnapshot adds the flag that says which state of the evidence to open.
func (v *evidence) addSnapshot(cmd *cobra.Command) {
	cmd.Flags().StringVar(&v.snapshot, "snapshot", "", "open the state that the image holds as snapshot `NAME|ID` (qcow2)")
}

// An opened is the file system that a command works on.
type opened struct {
	env      *env
	image    *image.Image
	external *image.Image // the journal device, nil without one
	part     image.Partition
	fs       *ext.FS // the view to look at: replayed, unless asked otherwise
	view     *replay.View

	history   *history.Log  // what the journal remembers, nil until asked for
	past      *history.Past // the moment that fs is of, nil for the present
	pastIndex int           // its transaction
}

// openImage opens the evidence itself, or what goes with it.
func (v *evidence) openImage(e *env, name string, with ...string) (*image.Image, error) {
	return v.openState(e, name, v.snapshot, with...)
}

// openState is openImage in a state of its own.
func (v *evidence) openState(e *env, name, snapshot string, with ...string) (*image.Image, error) {
	opt := image.Options{SectorSize: v.sectorSize, Snapshot: snapshot, With: with, UnpackLimit: v.unpackLimit, AcceptDamage: v.acceptDamage}
	if err := v.key.options(e, &opt); err != nil {
		return nil, err
	}
	var bar *progress
	opt.Unpacking = func(done, total int64) error {
		if bar == nil {
			bar = (&output{quiet: e.quiet}).reading(e, "unpacking", total)
		}
		bar.done.Store(done)
		return e.interrupted()
	}
	im, err := image.Open(name, opt)
	if bar != nil {
		bar.end()
	}
	if err != nil {
		var kind *image.FileTypeError
		var format *image.FormatError
		var reference *image.ReferenceError
		var sector *image.SectorSizeError
		switch {
		case errors.As(err, &sector):
			return nil, &usageError{err}
		case errors.As(err, &kind), errors.As(err, &format), errors.As(err, &reference):
			return nil, &notExtError{err}
		}
		return nil, &usageError{err}
	}
	for _, one := range append(im.With(), im) {
		for _, w := range one.Warnings() {
			e.say("warning: " + w)
		}
	}
	for _, f := range im.Faults() {
		e.damage(f)
	}
	return im, nil
}

// open opens the file system that the flags pick. What was damaged at opening is
// told, and counts.
func (v *evidence) open(e *env, name string) (*opened, error) {
	im, err := v.openImage(e, name, v.with...)
	if err != nil {
		return nil, err
	}
	o := &opened{env: e, image: im}
	if err := v.pick(o); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// options says how to open the file system and its journal.
func (v *evidence) options(o *opened) (replay.Options, error) {
	opt := replay.Options{Ext: ext.Options{Superblock: ext.Block(v.superblock), BlockSize: v.blockSize}, Off: v.noReplay}
	if v.journal == "" {
		return opt, nil
	}
	im, err := v.openState(o.env, v.journal, "")
	if err != nil {
		return opt, err
	}
	o.external = im
	opt.External, opt.ExternalSize = im, im.Size()
	return opt, nil
}

func (v *evidence) pick(o *opened) error {
	if v.offset >= 0 {
		o.part = image.Partition{Number: 1, Scheme: "none", Kind: "whole", Start: v.offset,
			Length: o.image.Size() - v.offset, Available: max(o.image.Size()-v.offset, 0)}
	} else {
		p, err := v.choose(o)
		switch {
		case errors.Is(err, context.Canceled):
			return err
		case err != nil && v.superblock != 0 && v.partition == "":
			// A superblock named by the caller may be all that is left.
			p = image.Partition{Number: 1, Scheme: "none", Kind: "whole", Length: o.image.Size(), Available: o.image.Size()}
		case err != nil:
			return selectError(err)
		}
		o.part = p
		for _, w := range p.Warnings {
			o.env.say(fmt.Sprintf("warning: %s: %s", volumeName(&p), w))
		}
	}
	section := o.image.Section(o.part)
	opt, err := v.options(o)
	if err != nil {
		return err
	}
	view, err := replay.Open(section, section.Size(), opt)
	if err != nil {
		what := image.Identify(section, section.Size())
		if what.IsExt {
			return &notExtError{fmt.Errorf("%s: %w", o.image.Name(), err)}
		}
		if o.part.Start < 0 {
			return &notExtError{fmt.Errorf("%s: not an ext file system: %s in %s", o.image.Name(), what, volumeName(&o.part))}
		}
		return &notExtError{fmt.Errorf("%s: not an ext file system: %s at byte %d", o.image.Name(), what, o.part.Start)}
	}
	o.adopt(view)
	return nil
}

// adopt takes a view, and tells what was wrong with it.
func (o *opened) adopt(view *replay.View) {
	o.view, o.fs = view, view.FS
	for _, w := range view.FS.Warnings() {
		o.env.damage(errors.New(w.Text))
	}
	for _, w := range view.Warnings {
		if w.Note {
			o.env.say("journal: " + w.Text)
		} else {
			o.env.damage(fmt.Errorf("journal: %s", w.Text))
		}
	}
	if view.Applied && view.Transactions+view.FastCommits > 0 {
		o.env.say(fmt.Sprintf("the journal was replayed in memory (%s, %s); --no-replay shows the home blocks",
			plural(view.Transactions, "transaction", "transactions"), plural(view.FastCommits, "fast commit", "fast commits")))
	}
}

// journalFaults are what was wrong with the journal.
func (o *opened) journalFaults() []replay.Warning {
	return slices.DeleteFunc(slices.Clone(o.view.Warnings), func(w replay.Warning) bool { return w.Note })
}

// viewName says which view of the file system is looked at.
func (o *opened) viewName() string {
	switch {
	case o.past != nil:
		return fmt.Sprintf("transaction %d", o.past.Sequence)
	case o.view.Applied:
		return "replayed"
	}
	return "home"
}

// choose finds the volume that the flags say. It may ask for passphrases.
func (v *evidence) choose(o *opened) (image.Partition, error) {
	p, err := await(o.env.ctx, func() (image.Partition, error) { return o.image.Select(v.partition) })
	if err == nil {
		for _, l := range o.image.Locked() {
			o.env.say(fmt.Sprintf("warning: %s stays locked: %v", volumeName(&l), l.LockErr))
		}
	}
	return p, err
}

// selectError sorts the errors of image.Select by whose fault they are.
func selectError(err error) error {
	var many *image.AmbiguousError
	var none *image.NoSuchPartitionError
	var wrong *image.KeyError
	switch {
	case errors.As(err, &wrong):
		return usagef("%v", err) // no longer an error of what is on the image
	case errors.As(err, &many) || errors.As(err, &none):
		return &usageError{unasked(err)}
	}
	return &notExtError{unasked(err)}
}

// Close closes the image and the journal device.
func (o *opened) Close() error {
	if o.external != nil {
		o.external.Close()
	}
	return o.image.Close()
}

// includes reports whether a file is part of the evidence.
func (o *opened) includes(file string) bool {
	for _, im := range o.images() {
		for _, s := range im.Segments() {
			if sameFile(file, s.Name) {
				return true
			}
		}
	}
	return false
}

// images are all that the evidence is read from.
func (o *opened) images() []*image.Image {
	list := append([]*image.Image{o.image}, o.image.With()...)
	if o.external != nil {
		list = append(list, o.external)
	}
	return list
}

// inode finds what a PATH argument names. A symlink in the last place is
// followed where follow says so.
func (o *opened) inode(path string, follow bool) (*ext.Inode, error) {
	ino, rest, isNumber := inodeArg(path)
	switch {
	case isNumber && rest == "":
		in, err := o.fs.Inode(ino)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &usageError{err}
		}
		return in, err
	case isNumber:
		dir, err := o.fs.Inode(ino)
		if err != nil {
			return nil, &usageError{err}
		}
		in, err := o.fs.ResolveFrom(dir, rest, follow)
		return in, pathError(path, err)
	}
	in, err := o.fs.Resolve(path, follow)
	if errors.Is(err, fs.ErrNotExist) {
		// A name copied from a table has its odd bytes escaped.
		if raw, uerr := report.Unprintable(path); uerr == nil && string(raw) != path {
			if in, err := o.fs.Resolve(string(raw), follow); err == nil {
				return in, nil
			}
		}
	}
	return in, pathError(path, err)
}

// pathError makes a path that leads nowhere the caller's error, unless damage
// may have hidden it.
func pathError(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case ext.IsDamage(err):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return usagef("%s: no such file or directory", path)
	}
	return &usageError{err}
}

// inodeArg splits a PATH argument of the form @12, <12> or @12/below.
func inodeArg(arg string) (ino ext.Ino, rest string, ok bool) {
	number := ""
	switch {
	case strings.HasPrefix(arg, "@"):
		number, rest, _ = strings.Cut(arg[1:], "/")
	case strings.HasPrefix(arg, "<"):
		var after string
		if number, after, ok = strings.Cut(arg[1:], ">"); !ok {
			return 0, "", false
		}
		rest = strings.TrimPrefix(after, "/")
	default:
		return 0, "", false
	}
	n, err := strconv.ParseUint(number, 10, 32)
	return ext.Ino(n), rest, err == nil
}

// head is what every report says of the evidence.
func (o *opened) head() []report.Section {
	s := o.fs.Super
	im := report.Fields{
		{Key: "path", Value: report.Name([]byte(o.image.Name()))},
		{Key: "format", Value: report.Str(o.image.Format())},
		{Key: "size", Value: report.Size(uint64(o.image.Size()))},
		{Key: "partition", Value: report.Int(int64(o.part.Number))},
		{Key: "offset", Value: startOf(&o.part)},
	}
	if o.part.Parent != 0 && o.part.Name != "" {
		im = append(im, report.Field{Key: "volume", Value: report.Name([]byte(o.part.Name))})
	}
	fsys := report.Fields{
		{Key: "type", Value: report.Str(s.Version())},
		{Key: "label", Value: report.Name(s.VolumeName)},
		{Key: "uuid", Value: report.Str(s.UUID.String())},
		{Key: "block_size", Value: report.Int(int64(o.fs.BlockSize()))},
		{Key: "blocks", Value: report.Uint(s.BlocksCount)},
		{Key: "inodes", Value: report.Uint(uint64(s.InodesCount))},
		{Key: "view", Value: report.Str(o.viewName())},
	}
	return []report.Section{{Key: "image", Fields: im}, {Key: "filesystem", Fields: fsys}}
}
