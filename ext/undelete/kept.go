package undelete

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
)

// sameContents reports whether a file holds what was written.
func sameContents(dir *os.Root, name string, info fs.FileInfo, out *Restored) bool {
	if !info.Mode().IsRegular() || uint64(info.Size()) != out.Size || out.SHA256 == "" {
		return false
	}
	sum, err := sumFile(dir, name, info)
	return err == nil && sum == out.SHA256
}

func sumFile(dir *os.Root, name string, info fs.FileInfo) (string, error) {
	f, err := dir.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if after, err := f.Stat(); err != nil || !os.SameFile(info, after) {
		return "", errors.Join(err, fs.ErrInvalid)
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// maxChecked bounds the size of a file that is summed up again before it is believed.
const maxChecked = 8 << 20

// Kept reports whether a file that an earlier run wrote is still as it was then: by its
// sum where that costs little, else by its size.
func (r *Restorer) Kept(output string, size uint64, sum string) bool {
	if !fs.ValidPath(output) {
		return false
	}
	at := r.Root
	for dir, rest := "", output; ; {
		var more bool
		if dir, rest, more = cut(rest); !more {
			info, err := at.Lstat(dir)
			ok := err == nil && info.Mode().IsRegular() && uint64(info.Size()) == size
			if ok && sum != "" && size <= maxChecked {
				have, err := sumFile(at, dir, info)
				ok = err == nil && have == sum
			}
			if at != r.Root {
				at.Close()
			}
			return ok
		}
		next, err := openFolder(at, dir)
		if at != r.Root {
			at.Close()
		}
		if err != nil {
			return false
		}
		at = next
	}
}

func cut(p string) (first, rest string, more bool) {
	for i := range len(p) {
		if p[i] == '/' {
			return p[:i], p[i+1:], true
		}
	}
	return p, "", false
}
