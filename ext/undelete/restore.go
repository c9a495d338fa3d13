package undelete

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/extscope/extscope/ext/layout"
)

// A Restored is a file that was written out.
type Restored struct {
	Output    string // relative to the folder, with slashes
	Candidate *Candidate
	SHA256    string // in hex
	Err       error  // what could not be read of it
}

// A Restorer writes candidates out below a folder. It never follows a link, leaves the
// folder or overwrites a file.
type Restorer struct {
	Root   *os.Root
	Result *Result
	made   map[string]bool // directories
}

const nameless = "@nameless"

// Restore writes one candidate, with its times and mode. The error is of the folder or
// ctx; what could not be read of the evidence is in the Restored.
func (r *Restorer) Restore(ctx context.Context, c *Candidate) (*Restored, error) {
	if r.made == nil {
		r.made = map[string]bool{}
	}
	dir, base := r.place(c)
	dir, err := r.mkdir(dir)
	if err != nil {
		return nil, err
	}
	tmp := path.Join(dir, fmt.Sprintf(".extscope-%d-%d", c.Ino, c.Gen))
	f, err := r.Root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer r.Root.Remove(tmp)
	w := &hashWriter{f: f, sum: sha256.New()}
	readErr := r.Result.Copy(ctx, w, c)
	if w.err != nil || ctx.Err() != nil {
		f.Close()
		return nil, errors.Join(w.err, ctx.Err())
	}
	if err := errors.Join(f.Truncate(w.at), f.Close()); err != nil {
		return nil, err
	}
	if c.In != nil && !c.In.Mtime.IsZero() {
		_ = r.Root.Chmod(tmp, fs.FileMode(c.In.Mode&0o777))
		_ = r.Root.Chtimes(tmp, c.In.Atime, c.In.Mtime)
	}
	out, err := r.settle(tmp, dir, base, c)
	if err != nil {
		return nil, err
	}
	return &Restored{Output: out, Candidate: c, SHA256: hex.EncodeToString(w.sum.Sum(nil)), Err: readErr}, nil
}

// settle gives a file its final name, which no other file has.
func (r *Restorer) settle(tmp, dir, base string, c *Candidate) (string, error) {
	for n := 0; n < 1000; n++ {
		name := base
		switch {
		case n == 1:
			name = fmt.Sprintf("%s.@%d", base, c.Ino)
		case n > 1:
			name = fmt.Sprintf("%s.@%d.%d", base, c.Ino, n)
		}
		out := path.Join(dir, name)
		switch err := r.Root.Link(tmp, out); {
		case err == nil:
			return out, nil
		case errors.Is(err, fs.ErrExist):
			continue
		}
		// No links there.
		if _, err := r.Root.Lstat(out); err == nil {
			continue
		}
		return out, r.Root.Rename(tmp, out)
	}
	return "", fmt.Errorf("%s: too many files of that name", path.Join(dir, base))
}

// place gives the directory and the name that a candidate goes to.
func (r *Restorer) place(c *Candidate) (dir, base string) {
	switch {
	case c.Path != nil:
		parts := strings.Split(strings.Trim(string(c.Path), "/"), "/")
		for i := range parts {
			parts[i] = SafeName([]byte(parts[i]))
		}
		return path.Join(parts[:len(parts)-1]...), parts[len(parts)-1]
	case c.Name != nil:
		return nameless, SafeName(c.Name)
	}
	if c.Ino == 0 {
		return nameless, fmt.Sprintf("block-%d%s", c.Runs[0].Physical, c.Ext)
	}
	return nameless, fmt.Sprintf("inode-%d-%d%s", c.Ino, c.Gen, c.Ext)
}

// mkdir makes a directory and those above it. Where a file is in the way the directory
// gets another name.
func (r *Restorer) mkdir(dir string) (string, error) {
	if dir == "" || dir == "." {
		return ".", nil
	}
	at := ""
	for part := range strings.SplitSeq(dir, "/") {
		for n := 0; ; n++ {
			name := part
			if n > 0 {
				name = fmt.Sprintf("%s.@%d", part, n)
			}
			next := path.Join(at, name)
			if r.made[next] {
				at = next
				break
			}
			err := r.Root.Mkdir(next, 0o700)
			if errors.Is(err, fs.ErrExist) {
				info, lerr := r.Root.Lstat(next)
				if lerr == nil && info.IsDir() {
					err = nil
				} else if n < 1000 {
					continue
				}
			}
			if err != nil {
				return "", err
			}
			r.made[next] = true
			at = next
			break
		}
	}
	return at, nil
}

// SafeName makes a name from an image safe as a file's name: it cannot lead anywhere
// else, and holds no control characters and no bytes that are not UTF-8.
func SafeName(name []byte) string {
	switch string(name) {
	case "", ".", "..":
		return "@" + strings.ReplaceAll(string(name), ".", "dot")
	}
	var b strings.Builder
	for len(name) > 0 {
		c, n := utf8.DecodeRune(name)
		if c == utf8.RuneError && n <= 1 || c < 0x20 || c == 0x7f || c >= 0x80 && c < 0xa0 || c == '/' || c == '\\' {
			for _, x := range name[:n] {
				fmt.Fprintf(&b, `\x%02x`, x)
			}
		} else {
			b.Write(name[:n])
		}
		name = name[n:]
	}
	s := b.String()
	if len(s) > 255 { // escaped, it may be longer than names can be
		s = strings.ToValidUTF8(s[:240], "") + fmt.Sprintf("-%08x", crc(name, s))
	}
	return s
}

func crc(_ []byte, s string) uint32 { return layout.CRC32C(^uint32(0), []byte(s)) }

// A hashWriter writes a file with holes and sums it up.
type hashWriter struct {
	f   *os.File
	sum hash.Hash
	at  int64
	err error
}

func (w *hashWriter) Write(p []byte) (int, error) {
	w.sum.Write(p)
	n, err := w.f.WriteAt(p, w.at)
	w.at += int64(n)
	if err != nil {
		w.err = err
	}
	return n, err
}

var zeros = make([]byte, 1<<16)

// Hole leaves n bytes out: they read as zeros.
func (w *hashWriter) Hole(n int64) error {
	w.at += n
	for n > 0 {
		k := min(n, int64(len(zeros)))
		w.sum.Write(zeros[:k])
		n -= k
	}
	return nil
}

var _ io.Writer = (*hashWriter)(nil)

var (
	_ = bytes.Equal
	_ = time.Time{}
)
