package main

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	slash "path"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/report"
	"github.com/extscope/extscope/report/html"
)

// drawnDirs is how many rectangles the picture of sizes may have, and drawnChildren how
// many of one directory; the smaller ones are one together.
const (
	drawnDirs     = 240
	drawnChildren = 30
)

// A dirSize is what a directory takes.
type dirSize struct {
	ino, parent  ext.Ino
	own, all     uint64 // bytes on disk of its own files and itself, and with all below it
	files, below uint64 // files in it, and with all below it
	children     []*dirSize
	waiting      int // children whose sum is not there yet
}

func (c *caseReport) sizeSection(ctx context.Context) (html.Section, error) {
	dirs, root, err := c.sizes(ctx)
	if err != nil || root == nil {
		return html.Section{ID: "sizes", Title: "Sizes by directory"}, err
	}
	names, err := c.audit.Tree.Names(ctx, c.audit.Tree.NewSet())
	if err != nil {
		return html.Section{}, err
	}
	slices.SortFunc(dirs, func(a, b *dirSize) int { return cmp.Or(cmp.Compare(b.all, a.all), cmp.Compare(a.ino, b.ino)) })
	table := &report.Table{
		Key: "directories", Title: "Directories by size, with all below them", Limit: min(c.rows(htmlRows), 500),
		Columns: []report.Column{
			{Key: "size", Title: "ON DISK", Right: true}, {Key: "own", Title: "OWN FILES", Right: true}, {Key: "files", Title: "FILES", Right: true},
			{Key: "inode", Title: "INODE", Right: true}, {Key: "path", Title: "PATH", Name: true},
		},
		Rows: func(yield func(report.Row, error) bool) {
			for _, d := range dirs {
				if !yield(report.Row{report.Size(d.all), report.Size(d.own), report.Uint(d.below), report.Uint(uint64(d.ino)), report.Name(names.Dir(d.ino))}, nil) {
					return
				}
			}
		},
	}
	return html.Section{ID: "sizes", Title: "Sizes by directory", Parts: []html.Part{{Treemap: &html.Treemap{
		Title: "What directories take on disk",
		Text:  "Areas are bytes in allocated blocks, as du counts them. A file with several names counts once, in the directory of lowest inode number that names it; what no name reaches is left out.",
		Root:  treeOf(root, names), Table: table,
	}}}}, nil
}

// sizes adds up what directories take. The root is nil where there is none.
func (c *caseReport) sizes(ctx context.Context) (dirs []*dirSize, root *dirSize, err error) {
	t := c.audit.Tree
	type sum struct{ bytes, files uint64 }
	parts := make([]map[ext.Ino]sum, ext.Workers())
	most := uint64(c.fs.Size())
	err = c.fs.ScanInodes(ctx, func(w int, in *ext.Inode) {
		if in.Links == 0 || in.Mode&layout.ModeMask == 0 || c.fs.Reserved(in.Ino) && in.Ino != layout.RootIno {
			return
		}
		dir, files := in.Ino, uint64(0)
		if !in.IsDir() {
			dir, files = t.Parent(in.Ino), 1
		}
		if parts[w] == nil {
			parts[w] = map[ext.Ino]sum{}
		}
		s := parts[w][dir]
		// A count that is damaged must not dwarf all others.
		parts[w][dir] = sum{s.bytes + min(c.fs.Blocks512(in), most/512)*512, s.files + files}
	}, func(ext.Ino, uint32, error) {})
	if err != nil {
		return nil, nil, err
	}
	byIno := map[ext.Ino]*dirSize{}
	for _, part := range parts {
		for ino, s := range part {
			if t.Type(ino) != layout.ModeDir || !t.Reached(ino) {
				continue
			}
			d := byIno[ino]
			if d == nil {
				d = &dirSize{ino: ino, parent: t.Parent(ino)}
				byIno[ino] = d
			}
			d.own += s.bytes
			d.files += s.files
		}
	}
	for _, d := range byIno {
		dirs = append(dirs, d)
	}
	slices.SortFunc(dirs, func(a, b *dirSize) int { return cmp.Compare(a.ino, b.ino) })
	addUp(dirs, byIno)
	return dirs, byIno[layout.RootIno], nil
}

// addUp gives every directory the sums of those below it, the deepest first. Directories
// in a circle get none.
func addUp(dirs []*dirSize, byIno map[ext.Ino]*dirSize) {
	for _, d := range dirs {
		if up := byIno[d.parent]; up != nil && up != d && d.ino != layout.RootIno {
			up.children = append(up.children, d)
			up.waiting++
		}
	}
	var ready []*dirSize
	for _, d := range dirs {
		d.all, d.below = d.own, d.files
		if d.waiting == 0 {
			ready = append(ready, d)
		}
	}
	for len(ready) > 0 {
		d := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		if up := byIno[d.parent]; up != nil && up != d && d.ino != layout.RootIno {
			up.all += d.all
			up.below += d.below
			if up.waiting--; up.waiting == 0 {
				ready = append(ready, up)
			}
		}
	}
}

// A treeItem is a rectangle that may be divided into what the directory holds.
type treeItem struct {
	node *html.Node
	dir  *dirSize
}

type treeHeap []treeItem

func (h treeHeap) Len() int           { return len(h) }
func (h treeHeap) Less(i, j int) bool { return h[i].node.Size > h[j].node.Size }
func (h treeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *treeHeap) Push(x any)        { *h = append(*h, x.(treeItem)) }
func (h *treeHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// treeOf makes the picture: the largest directory is divided, again and again, as long as
// there are few enough rectangles.
func treeOf(root *dirSize, names *links.Names) *html.Node {
	total := max(root.all, 1)
	tells := func(label string, size, files uint64) string {
		return fmt.Sprintf("%s: %s (%.1f %%), %s", label, report.HumanSize(size), float64(size)/float64(total)*100, plural(files, "file", "files"))
	}
	nodeOf := func(d *dirSize) *html.Node {
		full := report.Printable(names.Dir(d.ino))
		return &html.Node{Label: slash.Base(full), Text: tells(full, d.all, d.below), Size: d.all}
	}
	top := nodeOf(root)
	h := &treeHeap{{top, root}}
	for count := 1; h.Len() > 0 && count < drawnDirs; {
		item := heap.Pop(h).(treeItem)
		d := item.dir
		if len(d.children) == 0 {
			continue
		}
		full := report.Printable(names.Dir(d.ino))
		slices.SortFunc(d.children, func(a, b *dirSize) int { return cmp.Or(cmp.Compare(b.all, a.all), cmp.Compare(a.ino, b.ino)) })
		shown := d.children[:min(len(d.children), drawnChildren)]
		for _, child := range shown {
			n := nodeOf(child)
			item.node.Children = append(item.node.Children, n)
			heap.Push(h, treeItem{n, child})
		}
		rest := &html.Node{Label: "smaller directories"}
		files := uint64(0)
		for _, child := range d.children[len(shown):] {
			rest.Size += child.all
			files += child.below
		}
		if rest.Size > 0 {
			rest.Text = tells(fmt.Sprintf("%s smaller directories in %s", report.Grouped(uint64(len(d.children)-len(shown))), full), rest.Size, files)
			item.node.Children = append(item.node.Children, rest)
		}
		if d.own > 0 {
			item.node.Children = append(item.node.Children, &html.Node{Label: "files here", Text: tells("files in "+full+" itself", d.own, d.files), Size: d.own})
		}
		count += len(item.node.Children)
	}
	return top
}
