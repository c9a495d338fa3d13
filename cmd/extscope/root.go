package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/image"
	"github.com/extscope/extscope/report"
)

// Exit statuses.
const (
	exitDone        = 0   // done, nothing flagged
	exitFlagged     = 1   // findings were flagged
	exitUsage       = 2   // wrong usage, or a path that does not exist
	exitNotExt      = 3   // the image cannot be read as ext
	exitPartial     = 4   // done, but part of the image was unreadable or damaged
	exitInterrupted = 130 // Ctrl-C
)

const exitHelp = `Exit status:
  0    done, nothing flagged
  1    findings were flagged (audit; links, symlinks and orphans with --exit-code)
  2    wrong usage, or a PATH that does not exist
  3    IMAGE cannot be read as ext; one line says what was found instead
  4    done, but part of the image was unreadable or damaged: stderr names it
  130  interrupted`

// An env is what one call of the program has to do with: its streams, and what
// it met that changes the exit status.
type env struct {
	ctx      context.Context
	in       io.Reader
	out, err io.Writer
	flagged  bool // findings that the caller asked to hear of by exit status
	damages  int  // parts of the image that were unreadable or damaged
	quiet    bool // no progress on stderr

	// heard, if not nil, gets all that is told of the run, for a report that tells it too.
	heard func(line string, damage bool)
}

// interrupted is why to stop, or nil.
func (e *env) interrupted() error {
	if e.ctx == nil {
		return nil
	}
	return e.ctx.Err()
}

// damageLines bounds how many lines of damage go to stderr; the rest is counted.
const damageLines = 50

// damage tells of a part of the image that was unreadable or damaged.
func (e *env) damage(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			e.damage(one)
		}
		return
	}
	if e.heard != nil {
		e.heard(err.Error(), true)
	}
	if e.damages++; e.damages <= damageLines {
		e.print(err.Error())
	}
}

// say tells of the run on stderr.
func (e *env) say(line string) {
	if e.heard != nil {
		e.heard(line, false)
	}
	e.print(line)
}

// print prints a line to stderr.
func (e *env) print(line string) {
	fmt.Fprintf(e.err, "extscope: %s\n", report.Printable([]byte(line)))
}

// A usageError is the caller's: a wrong flag, or a path that does not exist.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// A notExtError is an image that cannot be read as ext.
type notExtError struct{ err error }

func (e *notExtError) Error() string { return e.err.Error() }
func (e *notExtError) Unwrap() error { return e.err }

// run is the program: it returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return runContext(ctx, args, stdin, stdout, stderr)
}

func runContext(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{in: stdin, out: stdout, err: stderr, ctx: ctx}
	root := newRootCmd(e)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) { e.quiet, _ = cmd.Flags().GetBool("quiet") }
	err := root.ExecuteContext(ctx)
	return e.status(ctx, err)
}

// status turns how a command ended into the exit status, and prints its error.
func (e *env) status(ctx context.Context, err error) int {
	if e.damages > damageLines {
		e.say(fmt.Sprintf("and %d more", e.damages-damageLines))
	}
	var noExt *notExtError
	var notExt *image.NotExtError
	switch {
	case ctx.Err() != nil || errors.Is(err, context.Canceled):
		e.say("interrupted")
		return exitInterrupted
	case errors.Is(err, syscall.EPIPE):
		return exitDone
	case errors.As(err, &noExt) || errors.As(err, &notExt):
		e.say(err.Error())
		return exitNotExt
	case err != nil:
		e.say(err.Error())
		return exitUsage
	case e.flagged:
		return exitFlagged
	case e.damages > 0:
		return exitPartial
	}
	return exitDone
}

// unknownCommand refuses what is no command, and names one that looks like it.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("unknown command %q; did you mean %s?", args[0], strings.Join(near, " or "))
	}
	return usagef("unknown command %q; see %q", args[0], cmd.CommandPath()+" --help")
}

func newRootCmd(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "extscope",
		Short: "Look into ext2, ext3 and ext4 disk images, read-only",
		Long: `extscope looks into ext2, ext3 and ext4 disk images and devices without ever
writing to them: what is on them, down to inode, link, symlink target and block,
and what does not agree.

IMAGE is a raw image, the first segment of a split one, or a block device. Its
partition table is read, and LVM2, Linux RAID and LUKS in it; with several ext file
systems, -p picks one by number, label, UUID or GROUP/VOLUME. PATH is absolute in the file system; @12 or <12> is inode 12.

` + exitHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%v; see %q", err, cmd.CommandPath()+" --help")
	})
	commands := []*cobra.Command{
		newAuditCmd(e),
		newLinksCmd(e),
		newSymlinksCmd(e),
		newOrphansCmd(e),
		newReadlinkCmd(e),
		newCatCmd(e),
		newFindCmd(e),
		newTreeCmd(e),
		newLsCmd(e),
		newBlocksCmd(e),
		newDeletedCmd(e),
		newExportCmd(e),
		newHashCmd(e),
		newHistoryCmd(e),
		newRecoverCmd(e),
		newReportCmd(e),
		newInfoCmd(e),
		newJournalCmd(e),
		newOwnerCmd(e),
		newPartitionsCmd(e),
		newStatCmd(e),
		newTimelineCmd(e),
		newVersionCmd(e),
	}
	for _, c := range commands {
		c.Long = strings.TrimSpace(c.Long) + "\n\n" + exitHelp
		root.AddCommand(c)
	}
	return root
}
