package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
)

// damage turns what the survey could not read into findings.
func (a *auditor) damage() {
	list, _ := a.tree.Damage()
	for _, d := range list {
		var c *layout.CorruptError
		if errors.As(d.Err, &c) && kindOf(c) != BadEntry {
			continue // met again, and told, by the walk over the inode's map
		}
		a.addError(d.Ino, d.Err)
	}
}

// rootDir tells of a root that is no directory in use.
func (a *auditor) rootDir() {
	in, err := a.fs.Inode(layout.RootIno)
	var nowhere *ext.NoInodeError
	switch {
	case errors.As(err, &nowhere):
		a.addError(layout.RootIno, err)
		a.add(Finding{Kind: BadInode, Ino: layout.RootIno, Detail: "where the inode of the root lies is not known"})
	case err != nil:
		a.addError(layout.RootIno, err)
	case !in.IsDir() || in.Links == 0 || !a.tree.InUse(in.Ino):
		a.add(Finding{Kind: BadInode, Ino: in.Ino, Offset: in.Offset, Detail: "the root is no directory in use"})
	}
}

// linkCounts compares stored link counts with the names counted.
func (a *auditor) linkCounts() {
	t := a.tree
	for _, ino := range t.Special() {
		if t.LinksRight(ino) {
			continue
		}
		stored, counted := t.Stored(ino), t.Counted(ino)
		if t.EAInode(ino) {
			if stored != 1 && counted == 0 && a.valued.Has(ino) {
				a.add(Finding{Kind: LinkCount, Ino: ino, Counts: true, Stored: uint64(stored), Counted: 1,
					Detail: fmt.Sprintf("link count is %d, and that of an inode which holds the value of an attribute is 1", stored)})
			}
			continue
		}
		if a.fs.Reserved(ino) || counted == 0 && t.Type(ino) != layout.ModeDir {
			continue // of what is unattached there is no right count
		}
		a.add(Finding{Kind: LinkCount, Ino: ino, Counts: true, Stored: uint64(stored), Counted: uint64(counted),
			Detail: fmt.Sprintf("link count is %d, and %s", stored, names(counted))})
	}
}

func names(n uint32) string {
	if n == 1 {
		return "1 directory entry names the inode"
	}
	return fmt.Sprintf("%d directory entries name the inode", n)
}

// orphans tells of the inodes on the superblock's list and in the orphan file.
func (a *auditor) orphans() {
	listed, errs := links.ListedOrphans(a.fs)
	for _, err := range errs {
		a.addError(0, err)
	}
	for _, l := range listed {
		a.listed[l.Ino] = true
		a.fileOrphans = a.fileOrphans || l.Source == links.SourceFile
		if l.Err != nil {
			a.add(Finding{Kind: OrphanListed, Ino: l.Ino, Offset: l.Offset, Detail: "on the superblock's orphan list, and cannot be read"})
			continue
		}
		in, err := a.fs.Inode(l.Ino)
		if err != nil {
			continue
		}
		if in.Links == 0 && in.FileACL != 0 {
			a.orphanACLs[in.FileACL]++
		}
		detail := "on the superblock's orphan list: the next mount deletes it"
		if l.Source == links.SourceFile {
			detail = "in the orphan file: the next mount deletes it"
		}
		if in.Links > 0 {
			detail = fmt.Sprintf("%s: the next mount cuts off what lies behind its size", map[string]string{
				links.SourceList: "on the superblock's orphan list", links.SourceFile: "in the orphan file"}[l.Source])
		}
		a.add(Finding{Kind: OrphanListed, Ino: l.Ino, Offset: l.Offset, Detail: detail})
	}
}

// unattached tells of the inodes that no name reaches.
func (a *auditor) unattached(ctx context.Context) error {
	if a.skip(UnattachedInode) {
		return nil
	}
	list, err := a.tree.Unattached(ctx)
	if err != nil {
		return err
	}
	for _, u := range list {
		detail := "in use, and no name leads to it"
		switch {
		case a.tree.Type(u.Ino) == layout.ModeDir && u.Below == 1:
			detail += "; 1 inode lies below it"
		case a.tree.Type(u.Ino) == layout.ModeDir:
			detail += fmt.Sprintf("; %d inodes lie below it", u.Below)
		}
		a.add(Finding{Kind: UnattachedInode, Ino: u.Ino, Detail: detail})
	}
	for _, ino := range a.tree.Special() {
		if a.tree.EAInode(ino) && ino >= a.fs.FirstIno() && a.tree.Counted(ino) == 0 && !a.valued.Has(ino) {
			a.add(Finding{Kind: UnattachedInode, Ino: ino, Detail: "holds the value of an attribute, and no attribute refers to it"})
		}
	}
	return nil
}

// named reads the names that findings need, and puts paths beside inodes.
func (a *auditor) named(ctx context.Context) error {
	t := a.tree
	want := t.NewSet()
	for _, f := range a.findings {
		want.Add(f.Ino)
	}
	all, err := t.Names(ctx, want)
	if err != nil {
		return err
	}
	a.directoryLinks(all)
	for _, f := range a.findings {
		switch {
		case f.Path != nil || f.Ino == 0:
		case f.Entry:
			f.Path = all.Path(links.Name{Dir: f.Ino, Name: f.Name})
		case t.Type(f.Ino) == layout.ModeDir:
			f.Path = all.Dir(f.Ino)
		default:
			f.Path = all.First(f.Ino)
		}
	}
	return nil
}

// directoryLinks tells of the further names of directories.
func (a *auditor) directoryLinks(all *links.Names) {
	for ino, dirs := range a.tree.DirectoryLinks() {
		for _, n := range all.Of(ino) {
			if _, further := slices.BinarySearch(dirs, n.Dir); further {
				a.add(Finding{Kind: DirectoryHardLink, Ino: n.Dir, Entry: true, Target: ino, Name: n.Name,
					Detail: fmt.Sprintf("a further name of directory inode %d", ino)})
			}
		}
	}
}

// symlinks judges where symlinks lead.
func (a *auditor) symlinks(ctx context.Context) error {
	if a.skip(RottenLink) && a.skip(SymlinkLoop) {
		return nil
	}
	names, err := a.tree.Names(ctx, nil) // the survey keeps those of symlinks
	if err != nil {
		return err
	}
	seq, err := a.tree.Judge(ctx, links.SymlinkOptions{
		MountedAt: a.o.MountedAt,
		Past:      a.o.Past,
		Keep: func(s *links.Symlink) bool {
			return s.State == links.StateRotten || s.State == links.StateLoop
		},
	}, names)
	if err != nil {
		return err
	}
	for s := range seq {
		f := Finding{Kind: SymlinkLoop, Ino: s.Ino, Path: s.Path, Detail: "leads through more than 40 symlinks"}
		if s.State == links.StateRotten {
			f.Kind, f.Detail = RottenLink, s.Why()
		}
		a.add(f)
	}
	return nil
}
