package undelete

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/extscope/extscope/ext/digest"
	"github.com/extscope/extscope/ext/undelete/host"
)

// A Restorer writes candidates out below a folder. It never follows a link, leaves the
// folder or overwrites a file. Several goroutines may use one.
type Restorer struct {
	Root    *os.Root
	Result  *Result
	Placing *Placement

	Owner    bool                                              // give files to who owned them, with their set-id bits
	SetXattr func(f *os.File, name string, value []byte) error // nil leaves extended attributes out
	Resume   bool                                              // what lies in the folder may be of a run that was interrupted
	Progress func(bytes int64)                                 // told of what was read and written
	OnFolder func(output string)                               // told of folders that were made

	named  atomic.Bool  // files have a temporary name while they are written
	busy   atomic.Int64 // how many are being written
	crew   crew         // sums them up
	once   sync.Once
	tree   *folders
	naming sync.Mutex
	xattrs sync.Mutex
}

// A Job is one file to write.
type Job struct {
	Candidate *Candidate
	Contents  Contents
	Output    string // relative to the folder, with slashes
	Key       string // by which the file's temporary name is known again
}

// A Restored is what came of a job.
type Restored struct {
	Output string // as written; another than the job's where that was taken
	Size   uint64
	SHA256 string   // in hex; "" where there is too much of holes to sum up
	Notes  []string // what could not be restored, apart from contents
	Err    error    // what could not be read of the evidence; zeros are in its place
}

// maxSummed is how many bytes of holes are summed up, and maxSummedBy how many more for
// each byte of data: a size is a claim, and sums take a second a gigabyte.
const maxSummed, maxSummedBy = 1 << 30, 64

func (r *Restorer) start() *folders {
	r.once.Do(func() { r.tree = newFolders(r.Root, r.OnFolder) })
	return r.tree
}

// Close closes what is open below the folder.
func (r *Restorer) Close() {
	r.start().close()
}

// File writes a regular file, with its times and mode, and gives it its name when it is
// whole. The error is of the folder or ctx, and nothing is left then; what could not be
// read of the evidence is in the Restored.
func (r *Restorer) File(ctx context.Context, j *Job) (*Restored, error) {
	dir, base := path.Split(j.Output)
	d, err := r.start().use(dir)
	if err != nil {
		return nil, err
	}
	defer r.tree.release(d)
	for {
		out, err := r.file(ctx, d, base, j)
		if !errors.Is(err, errNameless) {
			return out, err
		}
		r.named.Store(true)
	}
}

// beside reports whether large files are summed up beside writing them: where two at once
// take no longer than one, or there are cores that write no file.
func (r *Restorer) beside() bool { return digest.Fast() || r.idle() }

// idle reports whether there are cores that write no file.
func (r *Restorer) idle() bool { return r.busy.Load() < int64(runtime.GOMAXPROCS(0)) }

// errNameless says that a nameless file can't be given a name.
var errNameless = errors.New("a file without a name cannot be given one")

func (r *Restorer) file(ctx context.Context, d *folder, base string, j *Job) (*Restored, error) {
	p, err := r.create(d, j.Key)
	if err != nil {
		return nil, err
	}
	defer p.drop()
	r.busy.Add(1)
	defer r.busy.Add(-1)
	out := &Restored{Size: j.Contents.Size}
	w := &fileWriter{ctx: ctx, f: p.f, progress: r.Progress, crew: &r.crew, beside: r.beside, idle: r.idle}
	defer w.stop()
	if j.Contents.Size <= maxSummed+maxSummedBy*j.Contents.Data {
		w.sum = sha256.New()
	} else {
		out.Notes = append(out.Notes, "not summed up: most of it is holes")
	}
	out.Err = r.Result.CopyContents(ctx, w, j.Candidate, j.Contents)
	if err := errors.Join(w.finish(), ctx.Err()); err != nil {
		return nil, err
	}
	if w.sum != nil {
		out.SHA256 = hex.EncodeToString(w.sum.Sum(nil))
	}
	r.dress(p.f, j.Candidate, out)
	untimed, err := p.finish(j.Candidate)
	if err != nil {
		return nil, err
	}
	out.untimed(untimed)
	name, err := r.settle(p, base, j, out)
	if err != nil {
		return nil, err
	}
	out.Output = path.Join(d.actual, name)
	return out, nil
}

// settle gives a file its final name, which no other file has.
func (r *Restorer) settle(p *part, base string, j *Job, out *Restored) (name string, err error) {
	d := p.d
	for range 1000 {
		err := p.give(base)
		switch {
		case err == nil:
			return base, nil
		case errors.Is(err, host.ErrUnsupported):
			return "", errNameless
		}
		info, lerr := d.root.Lstat(base)
		switch {
		case lerr == nil && r.Resume && sameContents(d.root, base, info, out):
			return base, nil // written by the run that was interrupted, and not yet noted
		case lerr == nil:
			r.naming.Lock()
			base = path.Base(r.Placing.Another(j.Output, j.Candidate))
			r.naming.Unlock()
			continue
		case p.name == "":
			return "", err
		}
		// No links there.
		if rerr := p.replace(base); rerr != nil {
			return "", errors.Join(err, rerr)
		}
		return base, nil
	}
	return "", fmt.Errorf("%s: too many files of that name", path.Join(d.actual, base))
}

// Link gives a file that was written a further name, and tells which. The error is of the
// folder, which may know no hard links.
func (r *Restorer) Link(c *Candidate, file, output string) (string, error) {
	dir, base := path.Split(output)
	d, err := r.start().use(dir)
	if err != nil {
		return "", err
	}
	defer r.tree.release(d)
	for range 1000 {
		name := path.Join(d.actual, base)
		err = r.Root.Link(file, name)
		switch {
		case err == nil:
			return name, nil
		case !errors.Is(err, fs.ErrExist):
			return "", err
		case r.Resume && r.same(file, name):
			return name, nil
		}
		base = path.Base(r.Placing.Another(output, c))
	}
	return "", err
}

// same reports whether two names are one file's.
func (r *Restorer) same(a, b string) bool {
	x, errX := r.Root.Lstat(a)
	y, errY := r.Root.Lstat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// Symlink makes a symbolic link. Nothing may be written through it: links come last.
func (r *Restorer) Symlink(j *Job) (*Restored, error) {
	dir, base := path.Split(j.Output)
	d, err := r.start().use(dir)
	if err != nil {
		return nil, err
	}
	defer r.tree.release(d)
	c, target := j.Candidate, string(j.Candidate.Target)
	for range 1000 {
		err = d.root.Symlink(target, base)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		if have, lerr := d.root.Readlink(base); r.Resume && lerr == nil && have == target {
			err = nil
			break
		}
		base = path.Base(r.Placing.Another(j.Output, c))
	}
	if err != nil {
		return nil, err
	}
	out := &Restored{Output: path.Join(d.actual, base), Size: uint64(len(target))}
	if r.Owner && c.In != nil {
		if err := d.root.Lchown(base, int(c.In.UID), int(c.In.GID)); err != nil {
			out.Notes = append(out.Notes, fmt.Sprintf("owner %d:%d not restored: %v", c.In.UID, c.In.GID, plain(err)))
		}
	}
	out.untimed(setTimes(c, func(atime, mtime time.Time) error { return host.SetTimes(d.handle, base, atime, mtime) }))
	return out, nil
}

// Folder makes a folder, and gives its output.
func (r *Restorer) Folder(output string) (string, error) {
	d, err := r.start().use(output)
	if err != nil {
		return "", err
	}
	defer r.tree.release(d)
	return d.actual, nil
}

// FinishFolder gives a folder mode, owner and times of the directory it was. It comes
// last, and what lies deeper first. The notes tell what could not be restored.
func (r *Restorer) FinishFolder(output string, c *Candidate) (notes []string, err error) {
	if c.In == nil {
		return nil, nil
	}
	d, err := r.start().use(output)
	if err != nil {
		return nil, err
	}
	defer r.tree.release(d)
	var out Restored
	r.dress(d.handle, c, &out)
	out.untimed(d.setTimes(".", c))
	return out.Notes, nil
}

// Made reports whether a folder is one that this Restorer made.
func (r *Restorer) Made(output string) bool {
	t := r.start()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.made[output]
}
