package undelete

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
)

// maxOpenFolders bounds how many folders are held open.
const maxOpenFolders = 128

// folders are the directories below a root that files go to, each made where it is not
// there. Every step down is from an open directory to one that is no link, so nothing
// that lies in the root leads a file astray.
type folders struct {
	root   *os.Root
	onMade func(output string)

	mu    sync.Mutex
	open  map[string]*folder // by the output asked for
	moved map[string]string  // where something was in the way: the output asked for, and the one it got
	made  map[string]bool    // that are new, by the output they got
}

// A folder is an open directory.
type folder struct {
	root   *os.Root
	handle *os.File // it, for what a Root can't do: with names that have no slash, that leaves it no more
	actual string   // its output; another than the one asked for where that was in the way
	users  int
}

func newFolders(root *os.Root, onMade func(string)) *folders {
	return &folders{root: root, onMade: onMade, open: map[string]*folder{}, moved: map[string]string{}, made: map[string]bool{}}
}

// use opens a folder; release must be called.
func (t *folders) use(output string) (*folder, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.get(output)
}

func (t *folders) release(f *folder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.users--
}

func (t *folders) get(output string) (*folder, error) {
	output = strings.Trim(output, "/")
	if f := t.open[output]; f != nil {
		f.users++
		return f, nil
	}
	if output == "" {
		handle, err := t.root.Open(".")
		if err != nil {
			return nil, err
		}
		f := &folder{root: t.root, handle: handle, users: 2} // the Root is never closed here
		t.open[""] = f
		return f, nil
	}
	dir, base := path.Split(output)
	up, err := t.get(dir)
	if err != nil {
		return nil, err
	}
	defer func() { up.users-- }()
	f, err := t.enter(up, output, base)
	if err != nil {
		return nil, err
	}
	t.shrink()
	t.open[output] = f
	return f, nil
}

// enter opens a directory within another, or makes it. Where something else is in the
// way the directory gets another name.
func (t *folders) enter(up *folder, output, base string) (*folder, error) {
	name := base
	if moved := t.moved[output]; moved != "" {
		name = moved
	}
	for n := 1; n < 1000; n++ {
		made := false
		err := up.root.Mkdir(name, 0o755)
		switch {
		case err == nil:
			made = true
		case !errors.Is(err, fs.ErrExist):
			return nil, err
		}
		root, err := openFolder(up.root, name)
		switch {
		case errors.Is(err, errNoFolder):
			name = withSuffix(base, fmt.Sprintf(".@%d", n))
			continue
		case err != nil:
			return nil, err
		}
		if name != base {
			t.moved[output] = name
		}
		handle, err := root.Open(".")
		if err != nil {
			root.Close()
			return nil, err
		}
		f := &folder{root: root, handle: handle, actual: path.Join(up.actual, name), users: 1}
		if made {
			t.made[f.actual] = true
			if t.onMade != nil {
				t.onMade(f.actual)
			}
		}
		return f, nil
	}
	return nil, fmt.Errorf("%s: too many files of that name", output)
}

var errNoFolder = errors.New("not a directory")

// openFolder opens a directory that lies in another, and nothing that is a link to one.
func openFolder(up *os.Root, name string) (*os.Root, error) {
	before, err := up.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.IsDir() {
		return nil, errNoFolder
	}
	root, err := up.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	if after, err := root.Stat("."); err != nil || !os.SameFile(before, after) {
		root.Close()
		return nil, errors.Join(err, errNoFolder)
	}
	return root, nil
}

// shrink closes folders that nobody uses, when many are open.
func (t *folders) shrink() {
	if len(t.open) < maxOpenFolders {
		return
	}
	for output, f := range t.open {
		if f.users == 0 {
			f.handle.Close()
			f.root.Close()
			delete(t.open, output)
		}
	}
}

// close closes all.
func (t *folders) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for output, f := range t.open {
		f.handle.Close()
		if output != "" {
			f.root.Close()
		}
	}
	clear(t.open)
}
