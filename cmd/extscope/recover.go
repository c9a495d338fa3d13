package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext/undelete"
	"github.com/extscope/extscope/report"
)

type recoverOptions struct {
	evidence
	output
	deletedFilter
	to               string
	all              bool
	versions, carve  bool
	former           bool
	owner, xattrs    bool
	symlinks, reused bool
	dryRun           bool
	forceSpace       bool
}

func newRecoverCmd(e *env) *cobra.Command {
	o := &recoverOptions{}
	cmd := &cobra.Command{
		Use:   "recover IMAGE --to DIR [PATH...|--all]",
		Short: "Write deleted files out, with a manifest of what is proved about each",
		Long: `Recover writes deleted files below DIR, as the tree they were in, with mode and
modification time; holes stay holes. Files without a name go to DIR/@nameless, and what
lay below a directory whose own place is lost to DIR/@nameless/@INODE. "deleted" lists
what there is, and what the grades mean.

PATH is a deleted file, or a folder with all that was below it; a pattern like
'*.jpg', in which * stands for / too; or @12 for every deleted file that was inode 12.
--path, --grade, --type, --since and --until pick by themselves, or narrow down what
PATH or --all picks.

DIR/manifest.json tells of every file picked: where it was written, how it was found
and proved, its SHA-256, and what is missing of it. "output" is null for what has no
contents to write: names alone, overwritten files, devices, and symlinks without
--symlinks. A file that had several names gets them all, as hard links: "links" has the
further ones. In partial files what is gone is a hole, and so are blocks that something
else uses by now, unless --reused is given. A size is believed no further than the
grade proves the map: else a file ends with its last block.

Nothing in DIR is overwritten, and no link in it is followed. A file whose name is
taken there, or that had the same path as another, gets .@INODE after its name. Names
that are no names elsewhere have their odd bytes spelled \xNN. DIR may not lie on the
evidence; that can be checked on Linux.

--former recovers all files of the file system that was there before damage, or before
another was made over it. Where nothing tells any more what the volume was, as without
its beginning, that is done unasked.

A run that was interrupted, or found DIR full, leaves DIR/.extscope-recover.ndjson:
the same call again goes on from there, and writes no finished file twice; where the run
was killed, the last MiB or so is read again and compared. A DIR that has a finished
manifest.json is refused; with --force another run adds to it, under a manifest-2.json of
its own.

Exit status 2 also tells that DIR is full, or that files could not be written to it.`,
		Example: `  extscope recover disk.img --to found --all
  extscope recover disk.img --to found /home/ana/thesis.tex '/srv/*.jpg' @4711
  extscope recover disk.img --to found --grade intact --since 2026-01-31
  extscope recover formatted.img --to found --all --former
  extscope recover disk.img --all --dry-run -f json`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), e, args[0], args[1:], cmd.Flags().Changed("format"))
		},
	}
	o.evidence.addFlags(cmd)
	o.output.addFlags(cmd)
	o.deletedFilter.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "write below the folder `DIR`, which is made if it is not there")
	f.BoolVar(&o.all, "all", false, "everything that was deleted")
	f.BoolVar(&o.versions, "versions", false, "also earlier versions of files that live")
	f.BoolVar(&o.carve, "carve", true, "without a PATH, also files found by what their contents look like")
	f.BoolVar(&o.former, "former", false, formerUsage)
	f.BoolVar(&o.owner, "owner", false, "give files to who owned them, with set-id and sticky bits (as root)")
	f.BoolVar(&o.xattrs, "xattrs", false, "restore extended attributes: user.*, and as root all others")
	f.BoolVar(&o.symlinks, "symlinks", false, "make symlinks, instead of listing them with their targets")
	f.BoolVar(&o.reused, "reused", false, "in partial files, also write what blocks hold that something else uses by now")
	f.BoolVar(&o.dryRun, "dry-run", false, "write nothing: list what would be written")
	f.BoolVar(&o.forceSpace, "force-space", false, "begin although DIR has too little room")
	f.Lookup("force").Usage = "let --output replace a file that is there; add to a DIR with a finished manifest"
	return cmd
}

// check holds the flags against each other.
func (o *recoverOptions) check(paths []string) error {
	picks := o.all || o.paths != nil || o.grades != nil || o.types != nil || o.since != "" || o.until != ""
	switch {
	case o.to == "" && !o.dryRun:
		return usagef("--to DIR is missing: where to write (or --dry-run)")
	case o.all && len(paths) > 0:
		return usagef("--all and PATH: one or the other")
	case !picks && len(paths) == 0:
		return usagef("nothing is picked: name a PATH, or --all for everything; \"extscope deleted\" lists what there is")
	}
	return nil
}

func (o *recoverOptions) run(ctx context.Context, e *env, name string, paths []string, formatted bool) error {
	if err := o.check(paths); err != nil {
		return err
	}
	if _, err := report.ParseFormat(o.format); err != nil {
		return &usageError{err}
	}
	v, was, err := o.openDeleted(ctx, e, &o.output, name, o.former)
	if err != nil {
		return err
	}
	defer v.Close()
	defer collectLater(spareToCopy)()
	keep, err := o.filter()
	if err != nil {
		return err
	}
	var dir *recoverDir
	if !o.dryRun {
		if dir, err = o.lookAt(e, v, paths); err != nil {
			return err
		}
		defer dir.close()
	}
	r, err := v.deleted(ctx, e, &o.output, was, undelete.Options{Versions: o.versions, Carve: o.carve && len(paths) == 0})
	if err != nil {
		return err
	}
	picked, err := pick(r, paths, keep)
	if err != nil {
		return err
	}
	plan := o.plan(r, picked)
	plan.was = was
	var failed error
	if !o.dryRun {
		if failed = o.write(ctx, e, v, dir, plan); failed != nil && !plan.told {
			return failed
		}
	}
	rep := plan.report()
	if !o.dryRun && !formatted {
		rep.Text = func(w io.Writer) error { return plan.words(w, dir) }
	}
	return errors.Join(failed, o.output.write(ctx, e, v, rep))
}

// arguments says what a run was asked for, so that only the same call goes on with it.
func (o *recoverOptions) arguments(paths []string) string {
	return fmt.Sprintf("%q all=%t path=%q grade=%q type=%q since=%q until=%q versions=%t carve=%t owner=%t xattrs=%t symlinks=%t reused=%t former=%t no-replay=%t at=%d/%d/%d",
		paths, o.all, o.paths, o.grades, o.types, o.since, o.until, o.versions, o.carve, o.owner, o.xattrs, o.symlinks, o.reused, o.former, o.noReplay, o.offset, o.superblock, o.blockSize)
}

// bytesWord is a size with its unit.
func bytesWord(n uint64) string {
	if n < 1024 {
		return plural(n, "byte", "bytes")
	}
	return report.HumanSize(n) + "iB"
}

// words tells in a few lines what was written.
func (p *recoverPlan) words(w io.Writer, dir *recoverDir) error {
	s := p.sum()
	var grades []string
	for _, g := range undelete.Grades() {
		if n := s.grades[g]; n > 0 {
			grades = append(grades, fmt.Sprintf("%s: %d", g, n))
		}
	}
	if grades == nil {
		grades = []string{"nothing picked"}
	}
	links := ""
	if s.links > 0 {
		links = fmt.Sprintf(", %s of them", plural(s.links, "further name", "further names"))
	}
	_, err := fmt.Fprintf(w, "wrote %s (%s)%s and %s\nof what was picked, %s\n%s tells of each\n",
		plural(s.written+s.empty, "file", "files"), bytesWord(s.bytes), links, plural(s.directories, "folder", "folders"), strings.Join(grades, ", "),
		report.Printable([]byte(dir.name+"/"+dir.manifest)))
	return err
}
