package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/extscope/extscope/ext/former"
	"github.com/extscope/extscope/ext/replay"
	"github.com/extscope/extscope/ext/undelete"
	"github.com/extscope/extscope/image"
	"github.com/extscope/extscope/report"
)

const formerUsage = "all files of the file system that was there before damage, or before another was made over it"

// A formerState is what was found of a former file system; nil where none was asked for.
type formerState struct {
	found *former.Found
}

// openDeleted opens the evidence for what looks for deleted files: the file system, or
// the one that was there before. That is looked for unasked where there is no other.
func (v *evidence) openDeleted(ctx context.Context, e *env, out *output, name string, was bool) (*opened, *formerState, error) {
	switch {
	case was && (v.superblock != 0 || v.blockSize != 0):
		return nil, nil, usagef("--former and --superblock: one or the other")
	case was && (v.noReplay || v.journal != ""):
		return nil, nil, usagef("--former goes with neither --no-replay nor --journal")
	}
	im, err := v.openImage(e, name, v.with...)
	if err != nil {
		return nil, nil, err
	}
	o := &opened{env: e, image: im}
	s, err := v.pickDeleted(ctx, o, out, was)
	if err != nil {
		o.Close()
		return nil, nil, err
	}
	return o, s, nil
}

func (v *evidence) pickDeleted(ctx context.Context, o *opened, out *output, was bool) (*formerState, error) {
	if was {
		if err := v.pickFormer(o); err != nil {
			return nil, err
		}
		return v.lookFormer(ctx, o, out)
	}
	err := v.pick(o)
	var notExt *notExtError
	switch {
	case err == nil && o.env.damages > 0:
		o.env.say("--former lists all files of a damaged file system, not only those that were deleted")
	case errors.As(err, &notExt) && v.unknown(o):
		o.env.say(err.Error() + "; all of it is read for what is left of one")
		return v.lookFormer(ctx, o, out)
	case errors.As(err, &notExt):
		err = &notExtError{fmt.Errorf("%w; --former looks for what is left of one", notExt.err)}
	}
	return nil, err
}

// unknown picks a part of the image, and reports whether nothing tells what that is, as
// where the beginning of a file system was lost.
func (v *evidence) unknown(o *opened) bool {
	if v.superblock != 0 || v.blockSize != 0 || v.noReplay || v.journal != "" || v.pickFormer(o) != nil {
		return false
	}
	section := o.image.Section(o.part)
	return image.Identify(section, section.Size()).Unknown()
}

// lookFormer scans the part of the image that was picked.
func (v *evidence) lookFormer(ctx context.Context, o *opened, out *output) (*formerState, error) {
	section := o.image.Section(o.part)
	p := out.reading(o.env, "scan", section.Size())
	found, err := former.Look(ctx, section, section.Size(), func(done, _ int64) { p.done.Store(done) })
	p.end()
	if err != nil {
		return nil, err
	}
	o.env.damage(found.Traces.Err())
	s := &formerState{found}
	w := found.Volume
	if w == nil {
		if len(found.Faults) > 0 {
			return nil, &notExtError{fmt.Errorf("%s: %s; and nothing is left of another", o.image.Name(), found.Faults[0])}
		}
		o.env.say("the file system that is there is sound, and nothing was found of another before it")
		view, err := replay.Open(section, section.Size(), replay.Options{})
		if err != nil {
			return nil, &notExtError{fmt.Errorf("%s: %w", o.image.Name(), err)}
		}
		o.view, o.fs = view, view.FS
		return s, nil
	}
	if w.Other {
		o.env.say("what follows is of a file system that another was made over")
	} else {
		for _, fault := range found.Faults {
			o.env.damage(errors.New(fault))
		}
	}
	for _, word := range w.Words {
		o.env.say(word)
	}
	if w.Rivals > 0 {
		o.env.say(fmt.Sprintf("traces of %s more were found, of which less is left", plural(w.Rivals, "file system", "file systems")))
	}
	view, err := replay.Open(w.Reader, w.Size, replay.Options{})
	if err != nil {
		return nil, &notExtError{fmt.Errorf("%s: %w", o.image.Name(), err)}
	}
	o.adopt(view)
	return s, nil
}

// pickFormer picks the part of the image to look at: nothing in it need be a file system.
func (v *evidence) pickFormer(o *opened) error {
	whole := image.Partition{Number: 1, Scheme: "none", Kind: "whole", Length: o.image.Size(), Available: o.image.Size()}
	if v.offset >= 0 {
		whole.Start, whole.Length, whole.Available = v.offset, o.image.Size()-v.offset, max(o.image.Size()-v.offset, 0)
		o.part = whole
		return nil
	}
	p, err := v.choose(o)
	if err == nil {
		o.part = p
		return nil
	}
	var many *image.AmbiguousError
	var wrong *image.KeyError
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &many) || errors.As(err, &wrong):
		return selectError(err)
	}
	t, tableErr := await(o.env.ctx, o.image.Partitions)
	if tableErr != nil {
		return selectError(tableErr)
	}
	var list []image.Partition
	var names []string
	divided := map[int]bool{} // what others lie in
	for _, p := range t.Partitions {
		divided[p.Parent] = true
		for _, m := range p.Members {
			divided[m] = true
		}
	}
	for _, p := range t.Partitions {
		if p.Kind == "extended" || divided[p.Number] && v.partition == "" || p.Available <= 0 || v.partition != "" && strconv.Itoa(p.Number) != v.partition {
			continue
		}
		list = append(list, p)
		names = append(names, strconv.Itoa(p.Number))
	}
	switch {
	case len(list) == 1:
		o.part = list[0]
	case v.partition != "":
		return selectError(err)
	case len(list) == 0:
		o.part = whole
	default:
		return usagef("%s: which partition is to be looked at? --partition takes %s", o.image.Name(), strings.Join(names, ", "))
	}
	return nil
}

// none reports whether there was nothing of another file system.
func (s *formerState) none() bool { return s != nil && s.found.Volume == nil }

// options says what was found to what looks for files.
func (s *formerState) options() *undelete.Former {
	if s == nil {
		return nil
	}
	w := s.found.Volume
	return &undelete.Former{Other: w.Other, Mounted: w.Mounted, Used: w.Used.Meets, Lost: w.Lost, Blank: w.Blank, Guessed: w.Guessed}
}

// fields are what a summary says of it.
func (s *formerState) fields() report.Fields {
	if s == nil {
		return nil
	}
	state, words := "none", []string(nil)
	if w := s.found.Volume; w != nil {
		state, words = "damaged", append(append(words, s.found.Faults...), w.Words...)
		if w.Other {
			state, words = "overwritten", w.Words
		}
	}
	return report.Fields{{Key: "former", Value: report.Str(state)}, {Key: "derived", Value: strs(words)}}
}
