package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/extscope/extscope/ext/undelete"
	"github.com/extscope/extscope/ext/undelete/host"
)

// A recovery is a plan that is being carried out.
type recovery struct {
	e    *env
	plan *recoverPlan
	dir  *recoverDir
	to   *undelete.Restorer
	bar  *progress

	bytes, files atomic.Int64
	mu           sync.Mutex
	stop         error // of DIR: nothing more can be written
}

// write carries a plan out. Where it ends early the manifest is written all the same,
// and is true; not where it was interrupted: the journal tells how far it came.
func (o *recoverOptions) write(ctx context.Context, e *env, v *opened, dir *recoverDir, plan *recoverPlan) error {
	need, size := plan.needs(dir)
	if err := o.room(dir, need); err != nil {
		return err
	}
	if err := dir.begin(); err != nil {
		return err
	}
	blank, err := dir.reserve(size)
	if err != nil {
		return &usageError{err}
	}
	defer dir.root.Remove(tempManifest)
	w := &recovery{e: e, plan: plan, dir: dir, bar: o.transfer(e, "recover", int64(need), len(plan.items))}
	w.to = &undelete.Restorer{Root: dir.root, Result: plan.result, Placing: plan.placing, Owner: o.owner, Resume: dir.resume,
		Progress: func(n int64) { w.bar.set(int(w.bytes.Add(n)), int(need)) },
		OnFolder: func(output string) { w.note(journalRow{Folder: output}) }}
	defer w.to.Close()
	if o.xattrs {
		w.to.SetXattr = host.SetXattr
	}
	w.all(ctx)
	w.bar.end()
	if err := ctx.Err(); err != nil {
		blank.Close()
		return err
	}
	s := plan.sum()
	if w.stop != nil {
		plan.stopped = w.stop.Error()
		for i := range plan.items {
			switch it := &plan.items[i]; {
			case it.action != listIt && !it.done && !it.failed:
				plan.note(int32(i), "not written: %s", plan.stopped)
			case plan.unlinked(int32(i)):
				plan.note(int32(i), "further names not given: %s", plan.stopped)
			}
		}
	}
	rep := plan.report()
	rep.Head = v.head()
	w.to.Close()
	if err := dir.writeManifest(blank, rep, s.failed == 0); err != nil {
		return fmt.Errorf("%s: %w", dir.manifest, err)
	}
	plan.told = true
	switch {
	case w.stop != nil:
		return usagef("%s: %v: %d of %d were written; the same call goes on when that is mended", dir.name, w.stop, s.written+s.empty+s.directories+s.symlinks, len(plan.items)-s.listed)
	case s.failed > 0:
		return usagef("%s could not be written; %s tells why", plural(s.failed, "file", "files"), dir.manifest)
	}
	return nil
}

// needs gives the bytes that are to be written, and those that the manifest may take.
func (p *recoverPlan) needs(dir *recoverDir) (need uint64, manifest int64) {
	const head, row = 16 << 10, 1200
	var bytes, room atomic.Int64
	onCores(len(p.items), func(i int) {
		it, c := &p.items[i], p.outline(int32(i))
		size := row + 2*int64(len(it.output)+len(c.Target)+len(c.Name)) + 4*int64(len(c.Path))
		for _, output := range p.links[int32(i)] {
			size += 2*int64(len(output)) + 8
		}
		for _, text := range [][]string{c.Evidence, p.notes[int32(i)]} {
			for _, s := range text {
				size += int64(len(s)) + 8
			}
		}
		room.Add(size)
		if _, done := dir.rows[it.name()]; it.action == writeFile && !done {
			bytes.Add(int64(it.data))
		}
	})
	return uint64(bytes.Load()), head + room.Load()
}

// room refuses a folder that is too small.
func (o *recoverOptions) room(dir *recoverDir, need uint64) error {
	if o.forceSpace {
		return nil
	}
	free, err := host.Free(nearest(dir.name))
	switch {
	case errors.Is(err, host.ErrUnsupported):
		return nil
	case err != nil:
		return &usageError{err}
	case free < need:
		return usagef("--to %s: %d bytes are to be written, and %d are free there; --force-space begins all the same", dir.name, need, free)
	}
	return nil
}

// all writes files in the order they lie on the disk, several at a time; then links, so
// that there is none while files are written; then gives folders their times.
func (w *recovery) all(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var order []int32
	for i := range w.plan.items {
		if w.plan.items[i].action == writeFile {
			order = append(order, int32(i))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(w.plan.items[a].first, w.plan.items[b].first) })
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(max(runtime.GOMAXPROCS(0), 2), 8) {
		wg.Go(func() {
			for ctx.Err() == nil {
				k := int(next.Add(1)) - 1
				if k >= len(order) {
					return
				}
				if w.one(ctx, order[k]) != nil {
					cancel()
				}
			}
		})
	}
	wg.Wait()
	for i := range w.plan.items {
		if ctx.Err() != nil || w.links(int32(i)) != nil {
			return
		}
	}
	for i := range w.plan.items {
		if it := &w.plan.items[i]; ctx.Err() == nil && (it.action == writeLink || it.action == makeFolder) && w.one(ctx, int32(i)) != nil {
			return
		}
	}
	if ctx.Err() == nil {
		w.finishFolders()
	}
}

// one does what is to be done about one item. An error ends all.
func (w *recovery) one(ctx context.Context, n int32) error {
	it, job := &w.plan.items[n], w.plan.job(n)
	row, before := w.dir.rows[job.Key]
	var done *undelete.Restored
	var err error
	switch {
	case it.action == writeFile && before && w.to.Kept(row.Output, row.Size, row.SHA256):
		it.kept = true
		done = &undelete.Restored{Output: row.Output, Size: row.Size, SHA256: row.SHA256, Notes: row.Notes}
		if row.Error != "" {
			done.Err = errors.New(row.Error)
		}
	case it.action == writeFile:
		done, err = w.to.File(ctx, job)
	case it.action == writeLink:
		done, err = w.to.Symlink(job)
	default:
		done = &undelete.Restored{}
		done.Output, err = w.to.Folder(it.output)
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return ctx.Err()
	case host.Gone(err):
		w.halt(err)
		return err
	default:
		it.failed = true
		w.plan.note(n, "not written: %v", err)
		return nil
	}
	if done.Output != it.output && !it.kept {
		done.Notes = append(done.Notes, "its name was taken in the folder already")
	}
	w.plan.finish(n, done)
	w.bar.count(int(w.files.Add(1)))
	if done.Err != nil {
		w.mu.Lock()
		w.e.damage(prefixed(done.Output, done.Err))
		w.mu.Unlock()
	}
	if it.action != writeFile || it.kept {
		return nil
	}
	row = journalRow{Key: job.Key, Output: done.Output, Size: done.Size, SHA256: done.SHA256, Notes: done.Notes}
	if done.Err != nil {
		row.Error = done.Err.Error()
	}
	return w.note(row)
}

// links gives a file that was written its further names. An error ends all.
func (w *recovery) links(n int32) error {
	outputs := w.plan.links[n]
	if !w.plan.items[n].done || outputs == nil {
		return nil
	}
	for _, output := range outputs {
		name, err := w.to.Link(w.plan.outline(n), w.plan.written(n), output)
		switch {
		case err == nil:
			w.plan.linked[n] = append(w.plan.linked[n], name)
		case host.Gone(err):
			w.halt(err)
			return err
		default:
			w.plan.note(n, "no further name %s: %v", output, reason(err))
		}
	}
	w.plan.items[n].linked = true
	return nil
}

// note adds a row to the journal. Without it a run can't be gone on with, so it ends.
func (w *recovery) note(row journalRow) error {
	err := w.dir.put(row)
	if err != nil {
		w.halt(err)
	}
	return err
}

// halt remembers why nothing more is written.
func (w *recovery) halt(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop == nil {
		w.stop = reason(err)
	}
}

// reason is an error without the temporary name that it may be about.
func reason(err error) error {
	for {
		var p *os.PathError
		var l *os.LinkError
		switch {
		case errors.As(err, &p):
			err = p.Err
		case errors.As(err, &l):
			err = l.Err
		default:
			return err
		}
	}
}

// finishFolders gives folders mode and times, those that lie deepest first. Of two
// directories of one path the one that was deleted last counts.
func (w *recovery) finishFolders() {
	last := map[string]int32{}
	var outputs []string
	for i := range w.plan.items {
		it, n := &w.plan.items[i], int32(i)
		if it.action != makeFolder || !it.done || !w.to.Made(w.plan.written(n)) && !w.dir.folders[w.plan.written(n)] {
			continue
		}
		was, met := last[it.output]
		if !met {
			outputs = append(outputs, it.output)
		}
		if !met || w.plan.outline(n).DeletedAt.After(w.plan.outline(was).DeletedAt) {
			last[it.output] = n
		}
	}
	slices.SortFunc(outputs, func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(b, "/"), strings.Count(a, "/")), cmp.Compare(a, b))
	})
	for _, output := range outputs {
		n := last[output]
		notes, err := w.to.FinishFolder(output, w.plan.job(n).Candidate)
		if notes != nil {
			w.plan.after[n] = append(w.plan.after[n], notes...)
		}
		if err != nil {
			w.plan.note(n, "mode and times not restored: %v", reason(err))
		}
	}
}
