package ext

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"

	"github.com/extscope/extscope/ext/layout"
)

// MaxLinks is how many symlinks a path may lead through, as on Linux
// (MAXSYMLINKS).
const MaxLinks = 40

// ErrLoop reports a path that leads through more than MaxLinks symlinks.
var ErrLoop = errors.New("too many levels of symbolic links")

// maxPath bounds a path while links are being put in its place, in bytes
// (PATH_MAX times MAXSYMLINKS could be needed, and no more).
const maxPath = 4096 * MaxLinks

// Lookup finds a name in a directory. Encrypted names are looked up in their
// no-key spelling, and casefolded directories take other cases of a name when
// there is no exact one. The error is fs.ErrNotExist when there is no such
// name; damage met on the way is joined to it.
func (f *FS) Lookup(dir *Inode, name []byte) (Ino, error) { return f.lookup(dir, name, nil) }

func (f *FS) lookup(dir *Inode, name []byte, budget *DirBudget) (Ino, error) {
	var errs errorList
	var folded Ino
	namer := f.Namer(dir)
	casefold := dir.Flags&layout.FlagCasefold != 0 && !namer.Encrypted()
	for e, err := range f.EntriesWithin(dir, false, budget) {
		switch {
		case err == errNotDir:
			return 0, err
		case err != nil:
			errs.add(err)
		case bytes.Equal(namer.Name(&e), name):
			return e.Ino, nil
		case casefold && folded == 0 && equalFold(e.Name, name):
			folded = e.Ino
		}
	}
	if folded != 0 {
		return folded, nil
	}
	if err := errs.join(); err != nil {
		return 0, errors.Join(fs.ErrNotExist, err)
	}
	return 0, fs.ErrNotExist
}

// Resolve follows an absolute path inside the file system, as the kernel would
// with the file system as its root: symlinks on the way are followed, and the
// last component too where follow says so. The error is a *fs.PathError around
// fs.ErrNotExist, ErrLoop or damage.
func (f *FS) Resolve(path string, follow bool) (*Inode, error) {
	in, err := f.resolve(path, follow)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return in, nil
}

// ResolveFrom is Resolve for a path that starts at a directory.
func (f *FS) ResolveFrom(dir *Inode, path string, follow bool) (*Inode, error) {
	in, err := f.resolveFrom(dir, path, follow)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return in, nil
}

func (f *FS) resolve(path string, follow bool) (*Inode, error) {
	root, err := f.Inode(layout.RootIno)
	if err != nil {
		return nil, err
	}
	return f.resolveFrom(root, path, follow)
}

func (f *FS) resolveFrom(at *Inode, path string, follow bool) (*Inode, error) {
	links := 0
	rest := path
	for {
		rest = strings.TrimLeft(rest, "/")
		if rest == "" {
			return at, nil
		}
		name, after, slash := strings.Cut(rest, "/")
		rest = after
		last := strings.Trim(rest, "/") == ""
		if !at.IsDir() {
			return nil, errNotDir
		}
		if name == "." || name == ".." && at.Ino == layout.RootIno {
			continue
		}
		ino, err := f.Lookup(at, []byte(name))
		if err != nil {
			return nil, err
		}
		in, err := f.Inode(ino)
		if err != nil {
			return nil, err
		}
		if in.IsSymlink() && (!last || follow || slash) {
			if links++; links > MaxLinks {
				return nil, ErrLoop
			}
			target, err := f.Readlink(in)
			if err != nil {
				return nil, err
			}
			if len(target) == 0 {
				return nil, fs.ErrNotExist
			}
			if target[0] == '/' {
				if at, err = f.Inode(layout.RootIno); err != nil {
					return nil, err
				}
			}
			rest = string(target)
			if slash {
				rest += "/" + after
			}
			if len(rest) > maxPath {
				return nil, ErrLoop
			}
			continue
		}
		if slash && !in.IsDir() {
			return nil, errNotDir
		}
		at = in
	}
}
