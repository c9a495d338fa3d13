package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/extscope/extscope/report"
	"github.com/extscope/extscope/report/html"
)

type reportOptions struct {
	evidence
	output
	title, examiner, caseID string
	notesFile               string
	notes                   string
	now, noHash, scan       bool
	algorithms              []string
	mountedAt               string

	source string // IMAGE, as given
	flags  *pflag.FlagSet
}

// How many rows of a table the formats of a report show.
const (
	htmlRows     = 2000
	htmlKindRows = 500 // of findings of one kind
	markdownRows = 100
)

// notesLimit bounds --notes, in bytes.
const notesLimit = 1 << 20

func newReportCmd(e *env) *cobra.Command {
	o := &reportOptions{}
	cmd := &cobra.Command{
		Use:   "report IMAGE",
		Short: "Write a case report: one HTML page, or Markdown",
		Long: `Report gathers what the other commands tell into one document: the evidence and its
digest, the file system, findings by kind, hard links, symlinks and why they rot, orphans,
deleted files with grades, odd times, and in HTML pictures of what the blocks hold, of
times, of sizes by directory, and of where rotten and looping symlinks lead.

The HTML page is one file that opens from disk and needs no network. Its tables sort,
filter and page; all of it can be read and printed without a script too. Long tables are
cut, and say how many rows there are and which command prints all. Names from the image
are escaped as in the other formats, and no script runs but the page's own.

All of the evidence is read once for its digest; --no-hash leaves that out. Free space of
more than 1 GiB is scanned for deleted files with --scan only. The same evidence gives the
same bytes: the present time is in the report only with --now.`,
		Example: `  extscope report testdata/demo.img -f markdown
  extscope report disk.img -o case.html --case 2026-014 --examiner 'A. Olsen'
  extscope report disk.img -p 2 -o case.html --title 'Laptop, second partition' --notes notes.txt --now`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.source, o.flags = args[0], cmd.Flags()
			return o.run(cmd.Context(), e)
		},
	}
	o.evidence.addFlags(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.format, "format", "f", "html", "`FORMAT` of the report: html or markdown")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"html", "markdown"}, cobra.ShellCompDirectiveNoFileComp))
	o.output.addFileFlags(cmd)
	f.StringVar(&o.title, "title", "", "`TITLE` of the report (default: the name of the image)")
	f.StringVar(&o.examiner, "examiner", "", "`NAME` of the examiner")
	f.StringVar(&o.caseID, "case", "", "`NUMBER` or name of the case")
	f.StringVar(&o.notesFile, "notes", "", "put the text in `FILE` into the report")
	f.BoolVar(&o.now, "now", false, "say when the report was made")
	f.BoolVar(&o.noHash, "no-hash", false, "do not read all of the evidence for its digest")
	f.StringSliceVarP(&o.algorithms, "algorithms", "a", []string{"sha256"}, "digests of the evidence: sha256, sha1, md5, blake3")
	f.BoolVar(&o.scan, "scan", false, "scan all free space for deleted files, if it is more than 1 GiB too")
	f.StringVar(&o.mountedAt, "mounted-at", "", "the file system was mounted at `DIR`: absolute symlinks below it resolve inside")
	return cmd
}

func (o *reportOptions) run(ctx context.Context, e *env) error {
	if o.format != "html" && o.format != string(report.Markdown) {
		return usagef("--format: a report is html or markdown, not %s", o.format)
	}
	set, err := newDigestSet(o.algorithms)
	if err != nil {
		return err
	}
	if err := o.readNotes(); err != nil {
		return err
	}
	c := &caseReport{reportOptions: o, env: e, set: set}
	e.heard = c.hear
	v, err := o.open(e, o.source)
	if err != nil {
		return err
	}
	defer v.Close()
	defer collectLater(spareHeap)()
	c.opened = v
	if err := c.gather(ctx); err != nil {
		return err
	}
	doc, err := c.document(ctx)
	if err != nil {
		return err
	}
	return o.to(ctx, e, v, func(w io.Writer, _ bool) error {
		if o.format == "html" {
			return html.Write(w, doc)
		}
		return report.Write(w, markdownOf(doc), report.Options{Format: report.Markdown})
	})
}

func (o *reportOptions) readNotes() error {
	if o.notesFile == "" {
		return nil
	}
	f, err := os.Open(o.notesFile)
	if err != nil {
		return &usageError{err}
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, notesLimit+1))
	switch {
	case err != nil:
		return &usageError{err}
	case len(b) > notesLimit:
		return usagef("--notes %s: more than %s", o.notesFile, report.HumanSize(notesLimit))
	}
	o.notes = string(bytes.TrimRight(b, "\r\n \t"))
	return nil
}

// rows is how many rows of a table are shown; most is the number for HTML.
func (o *reportOptions) rows(most int) int {
	if o.format == string(report.Markdown) {
		return markdownRows
	}
	return most
}

// again is the call that makes this report again, without where it goes.
func (o *reportOptions) again() string {
	return o.call("report", func(name string) bool { return name != "output" && name != "force" && name != "quiet" })
}

// command is a call of another command about the same file system.
func (o *reportOptions) command(name string, args ...string) string {
	probe := &cobra.Command{}
	(&evidence{}).addFlags(probe)
	call := o.call(name, func(flag string) bool { return probe.Flags().Lookup(flag) != nil })
	return strings.Join(append([]string{call}, args...), " ")
}

// call spells a call of a command on the evidence, with those flags of this one that keep
// takes.
func (o *reportOptions) call(name string, keep func(flag string) bool) string {
	words := []string{"extscope", name, shellWord(o.source)}
	o.flags.Visit(func(f *pflag.Flag) {
		if !keep(f.Name) {
			return
		}
		value := f.Value.String()
		if list, ok := f.Value.(pflag.SliceValue); ok {
			value = strings.Join(list.GetSlice(), ",")
		}
		if f.Value.Type() == "bool" && value == "true" {
			words = append(words, "--"+f.Name)
		} else {
			words = append(words, "--"+f.Name+"="+shellWord(value))
		}
	})
	return strings.Join(words, " ")
}

// shellWord quotes a word for a POSIX shell, if need be.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./:@%+,-", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// made is when the report was made, null unless asked for.
func (o *reportOptions) made() report.Value {
	if !o.now {
		return report.Null()
	}
	return report.Str(time.Now().UTC().Format("2006-01-02 15:04:05 UTC"))
}

// markdownOf is a document without its pictures, as a report that Markdown is made of.
func markdownOf(d *html.Document) *report.Report {
	r := &report.Report{OnError: d.OnError}
	top := append(report.Fields{}, d.Facts...)
	top = append(top, report.Field{Key: "verdict", Value: report.Str(d.Verdict)})
	for _, t := range d.Tiles {
		text := t.Value
		if t.Note != "" {
			text = fmt.Sprintf("%s (%s)", t.Value, t.Note)
		}
		top = append(top, report.Field{Key: strings.ToLower(t.Label), Value: report.Str(text)})
	}
	r.Head = append(r.Head, report.Section{Title: d.Title, Fields: present(top)})
	for _, s := range d.Sections {
		for _, p := range s.Parts {
			if p.Table != nil {
				r.Tables = append(r.Tables, p.Table)
			}
			title := s.Title
			if p.Heading != "" {
				title += ": " + strings.ToLower(p.Heading)
			}
			if facts := append(quoted(p.Quote), exact(present(p.Facts))...); len(facts) > 0 {
				r.Head = append(r.Head, report.Section{Title: title, Fields: facts})
			}
		}
	}
	return r
}

// quoted is text of others, a field a line.
func quoted(text string) (f report.Fields) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			f = append(f, report.Field{Key: "note", Value: report.Str(line)})
		}
	}
	return f
}

// exact gives sizes in bytes as well.
func exact(f report.Fields) report.Fields {
	for i := range f {
		if n, ok := f[i].Value.Bytes(); ok {
			f[i].Value = report.Str(fmt.Sprintf("%s (%d bytes)", f[i].Value.Text(), n))
		}
	}
	return f
}
