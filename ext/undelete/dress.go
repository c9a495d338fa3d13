package undelete

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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

func setTimes(dir *os.Root, name string, c *Candidate) {
	if c.In == nil || c.In.Mtime.IsZero() {
		return
	}
	atime := c.In.Atime
	if atime.IsZero() {
		atime = c.In.Mtime
	}
	_ = dir.Chtimes(name, atime, c.In.Mtime)
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
