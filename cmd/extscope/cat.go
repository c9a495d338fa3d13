package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
)

type catOptions struct {
	evidence
	output
	moment
	slack bool
}

func newCatCmd(e *env) *cobra.Command {
	o := &catOptions{}
	cmd := &cobra.Command{
		Use:   "cat IMAGE PATH...",
		Short: "Write the contents of files to stdout",
		Long: `cat writes the contents of each PATH, one behind the other. Symlinks are
followed inside the image. Holes and blocks that were never written come out as
zeros; with -o FILE they stay holes.

@N names an inode, in use or not: of one that is not in use, which is told on
stderr, comes what it maps still. What cannot be read comes out as zeros and is
named on stderr. A directory is refused.

With --slack comes instead what the file's blocks hold behind its end: the rest of
the last one, and blocks past it.

` + momentHelp,
		Example: `  extscope cat testdata/demo.img /etc/app.conf
  extscope cat testdata/demo.img @28
  extscope cat -o app.log testdata/demo.img /var/log/app.log`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, args) },
	}
	o.evidence.addFlags(cmd)
	o.moment.addFlags(cmd)
	o.output.addFileFlags(cmd)
	cmd.Flags().BoolVar(&o.slack, "slack", false, "write what the blocks of a file hold behind its end")
	return cmd
}

func (o *catOptions) run(ctx context.Context, e *env, args []string) error {
	ev, err := o.open(e, args[0])
	if err != nil {
		return err
	}
	defer ev.Close()
	if err := o.turn(ev); err != nil {
		return err
	}
	found, missing := ev.targets(args[1:], true)
	var files []target
	for _, t := range found {
		if err := contents(t); err != nil {
			if missing != nil {
				e.say(missing.Error())
			}
			missing = err
			continue
		}
		files = append(files, t)
	}
	if len(files) == 0 {
		return missing
	}
	err = o.to(ctx, e, ev, func(w io.Writer, _ bool) error {
		for _, t := range files {
			write := copyFile
			if o.slack {
				write = func(e *env, ev *opened, w io.Writer, t target) error { return copySlack(ctx, e, ev, w, t) }
			}
			if err := write(e, ev, w, t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return missing
}

// contents refuses what has none.
func contents(t target) error {
	switch kind := typeWord(t.in.Mode); kind {
	case "directory":
		return usagef("%s: is a directory; ls lists it", t.arg)
	case "file", "symlink", "unknown":
		return nil
	default:
		return usagef("%s: is a %s, which has no contents", t.arg, kind)
	}
}

// A writeError is the output's, as opposed to damage of the image.
type writeError struct{ error }

func (e writeError) Unwrap() error { return e.error }

// A markedWriter tells its errors from those of the image.
type markedWriter struct{ io.Writer }

func (m markedWriter) Write(p []byte) (int, error) {
	n, err := m.Writer.Write(p)
	if err != nil {
		err = writeError{err}
	}
	return n, err
}

// A holeWriter is a markedWriter to what can hold holes.
type holeWriter struct {
	markedWriter
	holes ext.HoleWriter
}

func (h holeWriter) Hole(n int64) error {
	if err := h.holes.Hole(n); err != nil {
		return writeError{err}
	}
	return nil
}

func copyFile(e *env, ev *opened, w io.Writer, t target) error {
	in := t.in
	if used, err := ev.fs.InodeAllocated(in.Ino); err != nil {
		e.damage(err)
	} else if !used {
		e.say(fmt.Sprintf("inode %d is not in use: what it still maps may be another file's by now", in.Ino))
		if in.Size() == 0 {
			in = ev.fs.Mapped(in)
		}
	}
	var to io.Writer = markedWriter{w}
	if holes, ok := w.(ext.HoleWriter); ok {
		to = holeWriter{markedWriter{w}, holes}
	}
	_, err := ev.fs.Copy(to, in)
	var failed writeError
	if errors.As(err, &failed) {
		return failed.error
	}
	if err != nil {
		e.damage(prefixed(t.arg, err))
	}
	if ev.past != nil {
		ev.coverage(t.arg, in)
	}
	return nil
}

// copySlack writes what the blocks of a file hold behind its end.
func copySlack(ctx context.Context, e *env, ev *opened, w io.Writer, t target) error {
	ranges, err := slackRanges(ev.fs, t.in)
	if err != nil {
		e.damage(prefixed(t.arg, err))
	}
	return copyRanges(ctx, e, ev.fs, w, ranges)
}

// prefixed says which argument each of some errors is about.
func prefixed(arg string, err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return fmt.Errorf("%s: %w", arg, err)
	}
	var errs []error
	for _, one := range joined.Unwrap() {
		errs = append(errs, prefixed(arg, one))
	}
	return errors.Join(errs...)
}
