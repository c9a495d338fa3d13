package undelete

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/extscope/extscope/ext/undelete/host"
)

// dress gives a file its mode, its owner and its extended attributes.
func (r *Restorer) dress(f *os.File, c *Candidate, out *Restored) {
	if c.In == nil {
		return
	}
	mode := fs.FileMode(c.In.Mode & 0o777)
	if r.Owner {
		if err := f.Chown(int(c.In.UID), int(c.In.GID)); err != nil {
			out.Notes = append(out.Notes, fmt.Sprintf("owner %d:%d not restored: %v", c.In.UID, c.In.GID, plain(err)))
		} else {
			mode |= setIDs(c.In.Mode)
		}
	}
	if r.SetXattr != nil {
		r.setXattrs(f, c, out)
	}
	if err := f.Chmod(mode); err != nil {
		out.Notes = append(out.Notes, fmt.Sprintf("mode not restored: %v", plain(err)))
	}
}

// setIDs are the set-id and sticky bits of a mode.
func setIDs(mode uint16) (m fs.FileMode) {
	for _, b := range []struct {
		bit uint16
		m   fs.FileMode
	}{{0o4000, fs.ModeSetuid}, {0o2000, fs.ModeSetgid}, {0o1000, fs.ModeSticky}} {
		if mode&b.bit != 0 {
			m |= b.m
		}
	}
	return m
}

// plain takes path and operation from an error: the temporary name helps nobody.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// times are those that a file gets, if they are known.
func (c *Candidate) times() (atime, mtime time.Time, known bool) {
	if c.In == nil || c.In.Mtime.IsZero() {
		return atime, mtime, false
	}
	atime = c.In.Atime
	if atime.IsZero() {
		atime = c.In.Mtime
	}
	return atime, c.In.Mtime, true
}

// setTimes sets the times of a candidate, if they are known.
func setTimes(c *Candidate, set func(atime, mtime time.Time) error) error {
	if atime, mtime, known := c.times(); known {
		return set(atime, mtime)
	}
	return nil
}

// setTimes sets the times of what lies in a folder, or of the folder itself.
func (d *folder) setTimes(name string, c *Candidate) error {
	return setTimes(c, func(atime, mtime time.Time) error {
		err := host.SetTimes(d.handle, name, atime, mtime)
		if errors.Is(err, host.ErrUnsupported) {
			err = d.root.Chtimes(name, atime, mtime)
		}
		return err
	})
}

// untimed notes that times could not be set.
func (out *Restored) untimed(err error) {
	if err != nil {
		out.Notes = append(out.Notes, fmt.Sprintf("times not restored: %v", plain(err)))
	}
}

// setXattrs restores extended attributes.
func (r *Restorer) setXattrs(f *os.File, c *Candidate, out *Restored) {
	r.xattrs.Lock()
	attrs, err := r.Result.Xattrs(c)
	r.xattrs.Unlock()
	if err != nil {
		out.Notes = append(out.Notes, fmt.Sprintf("extended attributes: %v", err))
	}
	for _, x := range attrs {
		if err := r.SetXattr(f, x.Name, x.Value); err != nil {
			out.Notes = append(out.Notes, fmt.Sprintf("%s not restored: %v", x.Name, plain(err)))
		}
	}
}
