package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// maxParents is how many files a chain of differencing disks may have.
const maxParents = 64

// A lineage is the files from the evidence down to the one whose parent is looked for.
type lineage []fs.FileInfo

// A diskOpener opens a virtual disk if it is the parent that is wanted.
type diskOpener func(f *os.File, info fs.FileInfo, name string) (*Image, error)

// openParent opens the parent of the disk called name: what the first of the recorded
// paths that leads to a file which open takes. Paths that lead nowhere are told only if
// none leads anywhere.
func openParent(name string, paths []string, children lineage, open diskOpener) (*Image, error) {
	var failed error
	for _, path := range paths {
		im, err := openBeside(name, path, func(f *os.File, info fs.FileInfo, path string) (*Image, error) {
			if err := children.check(info); err != nil {
				return nil, err
			}
			return open(f, info, path)
		})
		if err == nil {
			return im, nil
		}
		if failed == nil || errors.Is(failed, fs.ErrNotExist) {
			failed = err
		}
	}
	if failed == nil {
		failed = &ReferenceError{name, "parent", "", errors.New("no path is recorded")}
	}
	return nil, failed
}

// openBeside opens what lies beside the disk called name.
func openBeside(name, recorded string, open diskOpener) (*Image, error) {
	f, info, path, err := beside(name, "parent", recorded)
	if err != nil {
		return nil, err
	}
	im, err := open(f, info, path)
	if err != nil {
		f.Close()
		return nil, &ReferenceError{name, "parent", recorded, err}
	}
	im.name = path
	return im, nil
}

// check refuses a file as a parent that would make the chain endless or too long.
func (l lineage) check(info fs.FileInfo) error {
	for _, child := range l {
		if os.SameFile(child, info) {
			return errors.New("is its own parent, directly or through others")
		}
	}
	if len(l) >= maxParents {
		return fmt.Errorf("is the last of a chain of more than %d files", maxParents)
	}
	return nil
}

// with adds the parent's files, warnings and name to an image.
func (im *Image) with(parent *Image) {
	im.segments = append(im.segments, parent.segments...)
	for _, w := range parent.warnings {
		warnf(&im.warnings, "parent: %s", w)
	}
	im.details = append(im.details, Detail{"parent", parent.name})
}

// A ParentError reports a file that was found as the parent of a differencing disk but
// is another, or was changed since.
type ParentError struct{ Got, Want string } // UUIDs

func (e *ParentError) Error() string {
	return fmt.Sprintf("its UUID is %s, not %s: another disk, or changed since", e.Got, e.Want)
}

// notADisk words the error of a parent that is of another format.
func notADisk(err error, format string) error {
	if errors.Is(err, errWrongType) {
		return fmt.Errorf("is no %s", format)
	}
	return err
}
