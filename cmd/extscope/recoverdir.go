package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/extscope/extscope/ext/undelete/host"
	"github.com/extscope/extscope/report"
)

// A recoverDir is the folder that files are recovered to, and the journal in it that
// tells of a run which is not finished.
type recoverDir struct {
	name     string
	root     *os.Root // nil while the folder is not there
	manifest string   // its name
	resume   bool     // an unfinished run is gone on with
	own      bool     // the manifest that is there is that run's, and may be replaced

	head    journalHead
	rows    map[string]journalRow // what it had finished, by key
	folders map[string]bool       // that it had made

	mu      sync.Mutex
	journal *os.File
	rest    []byte // of it that is not written yet
	owed    uint64 // bytes of the files that this tells of
}

// lookAt looks at DIR before anything is done, and refuses it where files must not or
// can't be written there.
func (o *recoverOptions) lookAt(e *env, v *opened, paths []string) (*recoverDir, error) {
	d := &recoverDir{name: o.to, manifest: manifestName, rows: map[string]journalRow{}, folders: map[string]bool{}, head: journalHead{
		Recovery: v.fs.Super.UUID.String(), ImageSize: v.image.Size(), Offset: v.part.Start,
		Superblock: uint64(v.fs.Super.InodesCount), Arguments: o.arguments(paths),
	}}
	if v.part.Start < 0 {
		d.head.Volume = v.part.UUID
	}
	there := nearest(o.to)
	var evidence []string
	for _, im := range v.images() {
		for _, s := range im.Segments() {
			if !s.Missing {
				evidence = append(evidence, s.Name)
			}
		}
	}
	switch why, err := host.OnEvidence(there, evidence); {
	case why != "":
		return nil, usagef("--to %s: %s: nothing is written to evidence", o.to, why)
	case errors.Is(err, host.ErrUnsupported):
		if v.image.Format() == "block device" {
			e.say("warning: on this system it cannot be checked whether DIR lies on the evidence")
		}
	case err != nil:
		return nil, usagef("--to %s: whether it lies on the evidence cannot be told: %v", o.to, err)
	}
	if _, err := os.Lstat(o.to); errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	root, err := os.OpenRoot(o.to)
	if err != nil {
		return nil, &usageError{err}
	}
	d.root = root
	if err := d.readJournal(); err != nil {
		root.Close()
		return nil, err
	}
	if err := d.chooseManifest(o.force); err != nil {
		root.Close()
		return nil, err
	}
	return d, nil
}

// nearest gives the folder itself, or the one above it that is there.
func nearest(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return dir
		}
		dir = up
	}
}

// chooseManifest gives the manifest a name that is free. A finished one means that the
// folder is done.
func (d *recoverDir) chooseManifest(force bool) error {
	for n := 2; ; n++ {
		_, err := d.root.Lstat(d.manifest)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return &usageError{err}
		case d.resume && d.incomplete(d.manifest):
			d.own = true
			return nil
		case !force:
			return usagef("%s/%s is there: a recovery to this folder is finished; choose another folder, or add to it with --force", d.name, d.manifest)
		}
		d.manifest = fmt.Sprintf("manifest-%d.json", n)
	}
}

// incomplete reports whether a manifest says of itself, near its end, that the run
// ended early.
func (d *recoverDir) incomplete(name string) bool {
	const tail = 4 << 10
	before, err := d.root.Lstat(name)
	if err != nil || !before.Mode().IsRegular() {
		return false
	}
	f, err := d.root.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	b := make([]byte, min(before.Size(), tail))
	if _, err := f.ReadAt(b, before.Size()-int64(len(b))); err != nil {
		return false
	}
	return bytes.Contains(b, []byte("\n    \"complete\": false,\n"))
}

// begin makes the folder, and its journal.
func (d *recoverDir) begin() error {
	if d.root == nil {
		// What was deleted may have been private.
		if err := os.MkdirAll(d.name, 0o700); err != nil {
			return &usageError{err}
		}
		root, err := os.OpenRoot(d.name)
		if err != nil {
			return &usageError{err}
		}
		d.root = root
	}
	flags := os.O_RDWR | os.O_CREATE | os.O_EXCL
	if d.resume {
		flags = os.O_RDWR | os.O_APPEND
	}
	f, err := d.root.OpenFile(journalName, flags, 0o600)
	if err != nil {
		return &usageError{err}
	}
	d.journal = f
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	line := []byte("\n") // after a line that may have been cut off
	if end == 0 {
		if line, err = json.Marshal(d.head); err != nil {
			return err
		}
		line = append(line, '\n')
	}
	_, err = f.Write(line)
	return err
}

// tempManifest is where a manifest is written before it has its name.
const tempManifest = ".extscope-part-manifest"

// reserve makes the file that the manifest is written to, as large as it may become, so
// that there is room to tell the truth when DIR is full.
func (d *recoverDir) reserve(size int64) (*os.File, error) {
	f, err := d.root.OpenFile(tempManifest, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) && d.resume {
		if err := d.root.Remove(tempManifest); err != nil {
			return nil, err
		}
		f, err = d.root.OpenFile(tempManifest, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	}
	if err != nil {
		return nil, err
	}
	err = host.Allocate(f, size)
	if errors.Is(err, host.ErrUnsupported) {
		err = blank(f, size)
	}
	if err != nil {
		f.Close()
		d.root.Remove(tempManifest)
		return nil, err
	}
	return f, nil
}

// blank fills a file with zeros.
func blank(f *os.File, size int64) error {
	zeros := make([]byte, 256<<10)
	for at := int64(0); at < size; {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at)
		if err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}

// writeManifest writes the manifest over what was reserved, and gives it its name.
func (d *recoverDir) writeManifest(f *os.File, r *report.Report, finished bool) error {
	err := report.Write(f, r, report.Options{Format: report.JSON})
	if err == nil {
		var end int64
		if end, err = f.Seek(0, io.SeekCurrent); err == nil {
			err = f.Truncate(end)
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if d.own {
		err = d.root.Rename(tempManifest, d.manifest)
	} else if err = d.root.Link(tempManifest, d.manifest); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, lerr := d.root.Lstat(d.manifest); errors.Is(lerr, fs.ErrNotExist) {
			err = d.root.Rename(tempManifest, d.manifest)
		}
	}
	if err != nil {
		return err
	}
	if !finished {
		return nil
	}
	d.journal.Close()
	d.journal = nil
	return d.root.Remove(journalName)
}

func (d *recoverDir) close() {
	if d == nil {
		return
	}
	if d.journal != nil {
		d.flush()
		d.journal.Close()
	}
	if d.root != nil {
		d.root.Close()
	}
}
