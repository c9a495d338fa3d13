package main

import (
	"bytes"
	"context"
	"iter"
	slash "path"
	"strings"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/report"
	"github.com/extscope/extscope/report/html"
)

// drawnLinks is how many symlinks the picture of them shows.
const drawnLinks = 80

// symlinksThat are those that keep takes.
func (c *caseReport) symlinksThat(keep func(*links.Symlink) bool) iter.Seq[*links.Symlink] {
	return func(yield func(*links.Symlink) bool) {
		for s := range c.symlinks {
			if keep(&s) && !yield(&s) {
				return
			}
		}
	}
}

// symlinkCounts counts symlinks by state and cause.
func (c *caseReport) symlinkCounts() map[[2]string]uint64 {
	counts := map[[2]string]uint64{}
	for s := range c.symlinks {
		counts[[2]string{s.State, s.Cause}]++
	}
	return counts
}

func (c *caseReport) symlinkSection(ctx context.Context) (html.Section, error) {
	counts := c.symlinkCounts()
	total := uint64(0)
	for _, n := range counts {
		total += n
	}
	rot := &report.Table{Key: "rotten_symlinks", Title: "Rotten and looping symlinks", Columns: symlinkTextColumns(),
		Rows: symlinkTextRows(c.symlinksThat(bad)), Limit: c.rows(htmlRows), All: c.command("symlinks", append(c.mounted(), "--state", "rotten,loop")...)}
	rest := &report.Table{Key: "symlinks", Title: "Other symlinks", Columns: symlinkTextColumns(),
		Rows:  symlinkTextRows(c.symlinksThat(func(s *links.Symlink) bool { return !bad(s) })),
		Limit: c.rows(htmlRows), All: c.command("symlinks", append(c.mounted(), "--state", "ok,external,unreadable")...)}
	parts := []html.Part{
		{
			Text:  "Symlinks are followed inside the image. What became of the missing name of a rotten one is looked up in removed directory entries and in the journal.",
			Table: symlinkCountTable(counts),
		},
		{Table: rot},
	}
	graph, err := c.symlinkGraph(ctx)
	if graph != nil {
		parts = append(parts, html.Part{Graph: graph})
	}
	parts = append(parts, html.Part{Table: rest})
	return html.Section{ID: "symlinks", Title: "Symlinks", Count: report.Grouped(total), Parts: parts}, err
}

// mounted is the flag --mounted-at, where it was given.
func (c *caseReport) mounted() []string {
	if c.mountedAt == "" {
		return nil
	}
	return []string{"--mounted-at", shellWord(c.mountedAt)}
}

// causeMeanings says in a line what each cause of rot means.
var causeMeanings = map[string]string{
	links.CauseDeleted: "the name was there, and its inode is gone",
	links.CauseRenamed: "the name was there, and its inode has another now",
	links.CauseUnknown: "nothing is left of the name",
}

func symlinkCountTable(counts map[[2]string]uint64) *report.Table {
	return &report.Table{Key: "symlink_states", Title: "Symlinks by state and cause of rot", Columns: []report.Column{
		{Key: "state", Title: "STATE", Style: stateStyle}, {Key: "cause", Title: "CAUSE"}, {Key: "count", Title: "COUNT", Right: true}, {Key: "meaning", Title: "MEANS"},
	}, Rows: func(yield func(report.Row, error) bool) {
		for _, state := range symlinkStates {
			for _, cause := range []string{"", links.CauseDeleted, links.CauseRenamed, links.CauseUnknown} {
				if n := counts[[2]string{state, cause}]; n > 0 {
					if !yield(report.Row{report.Str(state), word(cause), report.Uint(n), word(causeMeanings[cause])}, nil) {
						return
					}
				}
			}
		}
	}}
}

func (c *caseReport) symlinkTile() html.Tile {
	var total, rotten, loops uint64
	for k, n := range c.symlinkCounts() {
		total += n
		switch k[0] {
		case links.StateRotten:
			rotten += n
		case links.StateLoop:
			loops += n
		}
	}
	t := html.Tile{Label: "Rotten symlinks", Value: report.Grouped(rotten), Note: "of " + report.Grouped(total), Section: "symlinks", Style: report.Good}
	if loops > 0 {
		t.Note = report.Grouped(loops) + " more in loops, " + t.Note
	}
	if rotten+loops > 0 {
		t.Style = report.Warn
	}
	return t
}

// Kinds of nodes in the picture of symlinks.
const (
	nodeRotten = iota
	nodeLoop
	nodeMissing
	nodeMoved
)

// A linkGraph is the picture of symlinks in the making.
type linkGraph struct {
	*html.Graph
	byPath map[string]int
}

// node gives the node of that path, and makes it if need be.
func (g *linkGraph) node(kind int, at []byte, text string) int {
	key := string(rune('a'+kind)) + string(at)
	if kind == nodeLoop {
		key = "a" + string(at)
	}
	n, ok := g.byPath[key]
	if !ok {
		n = len(g.Nodes)
		g.byPath[key] = n
		g.Nodes = append(g.Nodes, html.GraphNode{Label: report.Printable(at), Text: text, Kind: kind})
	}
	return n
}

// symlinkGraph draws where the first rotten and looping symlinks lead; nil where there are
// none.
func (c *caseReport) symlinkGraph(ctx context.Context) (*html.Graph, error) {
	g := &linkGraph{byPath: map[string]int{}, Graph: &html.Graph{
		Title: "Where rotten and looping symlinks lead",
		Text:  "Each arrow goes from a symlink to the symlink that it leads to, or to the name that is missing; a dashed one from that name to where its inode lives now.",
		Kinds: []string{"rotten symlink", "symlink in a loop", "missing name", "where that lives now"},
		All:   c.command("symlinks", append(c.mounted(), "--state", "rotten,loop")...),
	}}
	var drawn []links.Symlink
	first := map[ext.Ino]int{} // node of a symlink's first name
	all := 0
	for s := range c.symlinksThat(bad) {
		if all++; all > drawnLinks {
			continue
		}
		kind := nodeRotten
		if s.State == links.StateLoop {
			kind = nodeLoop
		}
		n := g.node(kind, s.Path, report.Printable(s.Path)+" is a symlink to "+report.Printable(s.Target)+", which leads to "+leadsTo(s))
		if _, ok := first[s.Ino]; !ok {
			first[s.Ino] = n
		}
		drawn = append(drawn, links.Symlink{
			Path: bytes.Clone(s.Path), Ino: s.Ino, Target: bytes.Clone(s.Target), State: s.State,
			Missing: bytes.Clone(s.Missing), In: bytes.Clone(s.In), Cause: s.Cause, MovedTo: bytes.Clone(s.MovedTo),
		})
	}
	for i := range drawn {
		c.arrows(g, &drawn[i], i, first)
	}
	if all > drawnLinks {
		g.Left = "The picture is cut: it shows the first " + report.Grouped(drawnLinks) + " of " + report.Grouped(uint64(all)) + " symlinks."
	}
	if all == 0 {
		return nil, ctx.Err()
	}
	return g.Graph, ctx.Err()
}

// arrows draws where the symlink of node n leads.
func (c *caseReport) arrows(g *linkGraph, s *links.Symlink, n int, first map[ext.Ino]int) {
	if to, ok := c.nextLink(s); ok {
		if next, ok := first[to]; ok {
			g.Edges = append(g.Edges, html.Edge{From: n, To: next})
			return
		}
	}
	if s.State == links.StateLoop {
		g.Edges = append(g.Edges, html.Edge{From: n, To: n})
		return
	}
	name := []byte(slash.Join(string(s.In), string(s.Missing)))
	if len(s.Target) == 0 {
		name = []byte("(an empty target)")
	}
	before := len(g.Nodes)
	missing := g.node(nodeMissing, name, report.Printable(name)+" is missing: "+causeWords(s.Cause))
	g.Edges = append(g.Edges, html.Edge{From: n, To: missing})
	if s.MovedTo != nil && len(g.Nodes) > before {
		moved := g.node(nodeMoved, s.MovedTo, report.Printable(s.MovedTo)+" has the inode that "+report.Printable(name)+" had")
		g.Edges = append(g.Edges, html.Edge{From: missing, To: moved, Dashed: true})
	}
}

func causeWords(cause string) string {
	if words, ok := causeMeanings[cause]; ok {
		return words
	}
	return "nothing is known of it"
}

// nextLink is the symlink that a symlink's target names, if it names one.
func (c *caseReport) nextLink(s *links.Symlink) (ext.Ino, bool) {
	dir, err := c.inode(slash.Dir(string(s.Path)), true)
	if err != nil || len(s.Target) == 0 {
		return 0, false
	}
	target := string(s.Target)
	if at := strings.TrimSuffix(c.mountedAt, "/"); at != "" && strings.HasPrefix(target, at+"/") {
		target = target[len(at):]
	}
	in, err := c.fs.ResolveFrom(dir, target, false)
	if err != nil || !in.IsSymlink() {
		return 0, false
	}
	return in.Ino, true
}
