package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/report"
)

type hashOptions struct {
	evidence
	output
	algorithms           []string
	files, deleted, all  bool
	known                string
	onlyUnknown, verify  bool
	set                  *digestSet
	list                 *knownList
	hashed, matched, bad uint64 // counted while rows pass
}

func newHashCmd(e *env) *cobra.Command {
	o := &hashOptions{}
	cmd := &cobra.Command{
		Use:   "hash IMAGE [PATH...]",
		Short: "Digests of the evidence, or of the files in it",
		Long: `Hash gives digests: of the evidence, every byte that the container holds, read once
in large pieces; or with PATH of each file, and of all files below a directory; with
--files of all files, with --deleted of what deleted files hold that can be recovered,
and with --all of both. Each file is read once for all digests. Symlinks and special
files have none.

Digests that an E01 image stores are shown with --verify beside those computed now; what
differs, and every part of the image that is damaged, is told on stderr and makes the
exit status 4.

--known FILE marks files whose digest is in a list: one digest a line, output of md5sum,
sha1sum, sha256sum or openssl, or NSRL's CSV. --only-unknown leaves those out.

Beside the usual ones there are two formats: sum, which "sha256sum -c" takes below a
mount of the file system or a folder that "recover" wrote, and dfxml, Digital Forensics
XML.`,
		Example: `  extscope hash disk.img
  extscope hash disk.img --files -a sha256,md5 -f csv
  extscope hash disk.E01 --verify
  extscope hash disk.img --all --known NSRLFile.txt --only-unknown`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, args) },
	}
	o.evidence.addFlags(cmd)
	o.output.addFlags(cmd)
	f := cmd.Flags()
	f.Lookup("format").Usage += ", sum or dfxml"
	f.StringSliceVarP(&o.algorithms, "algorithms", "a", []string{"sha256"}, "digests to compute: sha256, sha1, md5, blake3")
	f.BoolVar(&o.files, "files", false, "digests of all files")
	f.BoolVar(&o.deleted, "deleted", false, "digests of deleted files")
	f.BoolVar(&o.all, "all", false, "digests of all files, deleted ones too")
	f.StringVar(&o.known, "known", "", "mark files whose digest is in the list `FILE`")
	f.BoolVar(&o.onlyUnknown, "only-unknown", false, "leave out what --known knows")
	f.BoolVar(&o.verify, "verify", false, "compare with the digests that the image stores")
	return cmd
}

func (o *hashOptions) run(ctx context.Context, e *env, args []string) error {
	if o.all {
		o.files, o.deleted = true, true
	}
	files := o.files || o.deleted || len(args) > 1
	switch {
	case o.verify && files:
		return usagef("--verify is about the evidence: it goes with no PATH, --files or --deleted")
	case (o.known != "" || o.onlyUnknown) && !files:
		return usagef("--known is about files: it goes with PATH, --files, --deleted or --all")
	case o.onlyUnknown && o.known == "":
		return usagef("--only-unknown takes --known FILE")
	}
	var err error
	if o.set, err = newDigestSet(o.algorithms); err != nil {
		return err
	}
	if o.known != "" {
		if o.list, err = readKnown(o.known); err != nil {
			return &usageError{err}
		}
		o.set.add(o.list.algorithms()...)
	}
	if !files {
		return o.image(ctx, e, args[0])
	}
	v, err := o.open(e, args[0])
	if err != nil {
		return err
	}
	defer v.Close()
	jobs, missing := o.jobs(ctx, e, v, args[1:])
	if jobs == nil {
		return missing
	}
	p := o.counter(e, "hash")
	defer p.end()
	rows := o.rows(e, p, hashAll(ctx, o.set, jobs))
	if err := o.writeHashes(ctx, e, v, rows); err != nil {
		return err
	}
	return missing
}

// hashColumns are the columns of digests of files.
func (o *hashOptions) hashColumns() []report.Column {
	columns := []report.Column{}
	for _, a := range o.set.list {
		columns = append(columns, report.Column{Key: a.key, Title: strings.ToUpper(a.key)})
	}
	columns = append(columns,
		report.Column{Key: "size", Title: "SIZE", Right: true},
		report.Column{Key: "inode", Title: "INODE", Right: true},
		report.Column{Key: "state", Title: "STATE", Style: hashStyle})
	if o.list != nil {
		columns = append(columns, report.Column{Key: "known", Title: "KNOWN"})
	}
	return append(columns,
		report.Column{Key: "path", Title: "PATH", Name: true},
		report.Column{Key: "grade", Data: true, Optional: true},
		report.Column{Key: "error", Data: true, Optional: true})
}

func hashStyle(v report.Value) report.Style {
	if v.Text() == "deleted" {
		return report.Warn
	}
	return report.None
}

// rows turns what was hashed into rows, and counts.
func (o *hashOptions) rows(e *env, p *progress, done func(yield func(*hashed) bool)) func(yield func(*hashed) bool) {
	return func(yield func(*hashed) bool) {
		for h := range done {
			p.count(int(o.hashed) + 1)
			o.hashed++
			if h.err != nil {
				o.bad++
				e.damage(prefixed(report.Printable(h.path), h.err))
			}
			if o.list != nil && h.err == nil {
				if h.known = o.list.has(o.set, h.sums); h.known {
					o.matched++
				}
			}
			if o.onlyUnknown && h.known {
				continue
			}
			if !yield(h) {
				return
			}
		}
	}
}

func (o *hashOptions) row(h *hashed) report.Row {
	row := report.Row{}
	for i := range o.set.list {
		if h.err != nil {
			row = append(row, report.Null()) // not of what the file holds
		} else {
			row = append(row, report.Str(fmt.Sprintf("%x", h.sums[i])))
		}
	}
	row = append(row, report.Size(h.size), number(uint64(h.ino), h.ino != 0), report.Str(h.state()))
	if o.list != nil {
		row = append(row, report.Bool(h.known))
	}
	row = append(row, path(h.path), word(h.grade))
	if h.err != nil {
		return append(row, report.Str(h.err.Error()))
	}
	return append(row, report.Null())
}

func (o *hashOptions) writeHashes(ctx context.Context, e *env, v *opened, rows func(yield func(*hashed) bool)) error {
	switch o.format {
	case "sum":
		return o.to(ctx, e, v, func(w io.Writer, _ bool) error { return o.writeSums(e, w, rows) })
	case "dfxml":
		return o.to(ctx, e, v, func(w io.Writer, _ bool) error { return o.writeDFXML(w, v, rows) })
	}
	return o.write(ctx, e, v, &report.Report{
		Tables: []*report.Table{{Key: "hashes", Columns: o.hashColumns(), Rows: func(yield func(report.Row, error) bool) {
			for h := range rows {
				if !yield(o.row(h), nil) {
					return
				}
			}
		}}},
		Summary: func() report.Fields {
			f := report.Fields{{Key: "files", Value: report.Uint(o.hashed)}, {Key: "unreadable", Value: report.Uint(o.bad)}}
			if o.list != nil {
				f = append(f, report.Field{Key: "known", Value: report.Uint(o.matched)}, report.Field{Key: "listed", Value: report.Uint(o.list.len())})
			}
			return f
		},
	})
}

// jobs lists what is to be hashed, in order.
func (o *hashOptions) jobs(ctx context.Context, e *env, v *opened, args []string) (func(yield func(*hashed) bool), error) {
	var found []target
	var missing error
	if len(args) > 0 || o.files {
		if found, missing = v.targets(args, true); len(found) == 0 && !o.deleted {
			return nil, missing
		}
	}
	return func(yield func(*hashed) bool) {
		for _, t := range found {
			if !liveJobs(ctx, e, v, t, yield) {
				return
			}
		}
		if o.deleted {
			deletedJobs(ctx, e, v, &o.output, yield)
		}
	}, missing
}

// liveJobs yields the files at a target and below.
func liveJobs(ctx context.Context, e *env, v *opened, t target, yield func(*hashed) bool) bool {
	one := func(entry *ext.WalkEntry) bool {
		in, err := entry.Inode()
		if err != nil {
			e.damage(err)
			return true
		}
		if !in.IsRegular() {
			return true
		}
		h := &hashed{path: append([]byte(nil), entry.Path...), ino: in.Ino, size: in.Size(), links: in.Links, facts: hashFacts(in)}
		h.copy = func(_ context.Context, w io.Writer) error {
			whole, err := v.fs.Inode(h.ino)
			if err == nil {
				_, err = v.fs.Copy(w, whole)
			}
			return err
		}
		return yield(h)
	}
	start := v.fs.WalkStart(t.in, v.shownPath(t))
	if !t.in.IsDir() {
		return one(start)
	}
	for entry, err := range v.fs.Walk(ctx, t.in, start.Path, ext.WalkOptions{Inodes: true}) {
		if err != nil {
			e.damage(err)
			continue
		}
		if !one(entry) {
			return false
		}
	}
	return true
}
