package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/extscope/extscope/report"
)

// output holds the flags that say how a report is written, and where.
type output struct {
	format string
	file   string
	force  bool
	quiet  bool
}

// addFlags adds the flags of a command that lists.
func (o *output) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "format", "f", string(report.TableFormat), "`FORMAT` of the report: table, json, ndjson, csv or markdown")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(report.Formats(), cobra.ShellCompDirectiveNoFileComp))
	o.addFileFlags(cmd)
}

// addFileFlags adds those that every command with output has.
func (o *output) addFileFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&o.file, "output", "o", "", "write to `FILE` instead of stdout; not onto a file that is there")
	f.BoolVar(&o.force, "force", false, "let --output replace a file that is there")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no progress on stderr")
}

// write writes a report in the format asked for, with the evidence in its head.
func (o *output) write(ctx context.Context, e *env, evidence *opened, r *report.Report) error {
	format, err := report.ParseFormat(o.format)
	if err != nil {
		return &usageError{err}
	}
	if evidence != nil {
		r.Head = append(evidence.head(), r.Head...)
	}
	if r.OnError == nil {
		r.OnError = e.damage
	}
	return o.to(ctx, e, evidence, func(w io.Writer, terminal bool) error {
		return report.Write(w, r, report.Options{
			Format: format,
			Color:  terminal && os.Getenv("NO_COLOR") == "",
			Width:  width(w, terminal),
		})
	})
}

// to calls produce with the stream to write to: stdout, or a temporary file
// that takes its final name only when all went well. terminal tells whether a
// person looks on.
func (o *output) to(ctx context.Context, e *env, evidence *opened, produce func(w io.Writer, terminal bool) error) error {
	if o.file == "" {
		err := produce(&ctxWriter{ctx, e.out}, isTerminal(e.out))
		return ctxError(ctx, err)
	}
	if evidence != nil && evidence.includes(o.file) {
		return usagef("--output %s is the evidence itself", o.file)
	}
	if info, err := os.Stat(o.file); err == nil && isStream(info.Mode()) {
		return o.toStream(ctx, produce)
	} else if err == nil && !info.Mode().IsRegular() {
		return usagef("--output %s is no regular file", o.file)
	}
	if _, err := os.Lstat(o.file); err == nil && !o.force {
		return usagef("--output %s: the file is there already; --force replaces it", o.file)
	}
	tmp, err := os.CreateTemp(filepath.Dir(o.file), ".extscope-*")
	if err != nil {
		return &usageError{err}
	}
	defer os.Remove(tmp.Name())
	err = produce(&ctxFile{ctxWriter{ctx, tmp}, tmp}, false)
	if err = ctxError(ctx, err); err != nil {
		tmp.Close()
		return err
	}
	if err := errors.Join(tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), o.file)
}

// isStream reports whether a file of that mode takes what is written to it and keeps its
// place, as /dev/null and named pipes do.
func isStream(m os.FileMode) bool { return m&(os.ModeCharDevice|os.ModeNamedPipe) != 0 }

// toStream writes to a file that isStream.
func (o *output) toStream(ctx context.Context, produce func(w io.Writer, terminal bool) error) error {
	f, err := os.OpenFile(o.file, os.O_WRONLY, 0)
	if err != nil {
		return &usageError{err}
	}
	err = produce(&ctxWriter{ctx, f}, isTerminal(f))
	return errors.Join(ctxError(ctx, err), f.Close())
}

func ctxError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func sameFile(a, b string) bool {
	ai, err1 := os.Stat(a)
	bi, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(ai, bi)
}

// A ctxWriter stops writing when the program is interrupted.
type ctxWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c *ctxWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}

// A ctxFile is a ctxWriter to a regular file, in which holes stay holes.
type ctxFile struct {
	ctxWriter
	f *os.File
}

// Hole leaves n bytes out.
func (c *ctxFile) Hole(n int64) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	at, err := c.f.Seek(n, io.SeekCurrent)
	if err != nil {
		return err
	}
	return c.f.Truncate(at)
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width is how many columns the terminal has, 0 where there is none.
func width(w io.Writer, terminal bool) int {
	if !terminal {
		return 0
	}
	if c, ok := w.(*ctxWriter); ok {
		if f, ok := c.w.(*os.File); ok {
			if n, _, err := term.GetSize(int(f.Fd())); err == nil {
				return n
			}
		}
	}
	return 0
}

// plural spells a count with its noun.
func plural[N int | uint64 | int64](n N, one, many string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", one)
	}
	return fmt.Sprintf("%d %s", n, many)
}
