package undelete

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/extscope/extscope/ext/undelete/host"
)

// A part is a file that is being written. Until it is whole it has no name, where the
// system has such files, or else a temporary one.
type part struct {
	d    *folder
	f    *os.File
	name string // "" where it has none, and once that is its final one
}

// create begins the file of a job. The temporary one of a run which was interrupted is
// taken away.
func (r *Restorer) create(d *folder, key string) (*part, error) {
	base := ".extscope-part-" + key
	if r.Resume {
		if info, err := d.root.Lstat(base); err == nil && info.Mode().IsRegular() {
			d.root.Remove(base)
		}
	}
	if !r.named.Load() {
		f, err := host.Nameless(d.handle)
		if !errors.Is(err, host.ErrUnsupported) {
			return &part{d: d, f: f}, err
		}
		r.named.Store(true)
	}
	tmp := base
	for n := 1; ; n++ {
		f, err := d.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil || !errors.Is(err, fs.ErrExist) || n == 100 {
			return &part{d, f, tmp}, err
		}
		tmp = fmt.Sprintf("%s-%d", base, n)
	}
}

// finish gives the file its times, once all else is done to it. One with a name is
// closed first, which may be noted in its times.
func (p *part) finish(c *Candidate) (untimed, err error) {
	if p.name == "" {
		return setTimes(c, func(atime, mtime time.Time) error { return host.SetFileTimes(p.f, atime, mtime) }), nil
	}
	if err := p.f.Close(); err != nil {
		return nil, err
	}
	return p.d.setTimes(p.name, c), nil
}

// give gives the file a name that nothing has yet.
func (p *part) give(name string) error {
	if p.name == "" {
		err := host.LinkNew(p.f, p.d.handle, name)
		if err == nil {
			if err = p.f.Close(); err != nil {
				p.d.root.Remove(name)
			}
		}
		return err
	}
	err := host.RenameNew(p.d.handle, p.name, name)
	if errors.Is(err, host.ErrUnsupported) {
		return p.d.root.Link(p.name, name)
	}
	p.renamed(err)
	return err
}

// replace gives the file a name where there are no links and nothing tells whether a
// name is new: when that was last looked at it was.
func (p *part) replace(name string) error {
	err := p.d.root.Rename(p.name, name)
	p.renamed(err)
	return err
}

func (p *part) renamed(err error) {
	if err == nil {
		p.name = ""
	}
}

// drop closes the file, and takes the temporary name away that it still has.
func (p *part) drop() {
	p.f.Close()
	if p.name != "" {
		p.d.root.Remove(p.name)
	}
}
