package html

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"
)

// A Graph shows what leads where.
type Graph struct {
	Title, Text string
	Kinds       []string // of nodes, as the legend names them
	Nodes       []GraphNode
	Edges       []Edge
	Left        string // what was left out, "" if nothing
	All         string // and the command that prints it
}

// A GraphNode is one box of a Graph.
type GraphNode struct {
	Label string
	Text  string // what pointing tells
	Kind  int
}

// An Edge is an arrow from one node to another.
type Edge struct {
	From, To int
	Dashed   bool
}

const (
	nodeWidth, nodeHeight = 268, 26
	nodeAcross, nodeDown  = 330, 38
	maxColumns            = 4
	nodeLetters           = 38
)

// A graphView is a Graph as the template shows it.
type graphView struct {
	*Graph
	ID            string
	Width, Height int
	Boxes         []nodeView
	Arrows        []arrowView
	Legend        []legendView
}

type nodeView struct {
	X, Y, TextX, TextY, W, H, Kind int
	Label, Detail                  string
}

type arrowView struct {
	From, To int
	Dashed   bool
	D        string
}

func (g *Graph) view(id string) *graphView {
	v := &graphView{Graph: g, ID: id}
	v.Boxes = make([]nodeView, len(g.Nodes))
	column := g.columns()
	y, across := 0, 0
	for _, part := range g.parts() {
		var depth [maxColumns]int
		for _, n := range part {
			c := column[n]
			across = max(across, c)
			x, top := c*nodeAcross+1, y+depth[c]*nodeDown+1
			v.Boxes[n] = nodeView{
				X: x, Y: top, TextX: x + 8, TextY: top + 17, W: nodeWidth, H: nodeHeight, Kind: g.Nodes[n].Kind,
				Label: middle(printable(g.Nodes[n].Label), nodeLetters), Detail: printable(g.Nodes[n].Text),
			}
			depth[c]++
		}
		y += slices.Max(depth[:])*nodeDown + 8
	}
	v.Width, v.Height = across*nodeAcross+nodeWidth+52, max(y-8, nodeHeight+2)+nodeDown/2
	for _, e := range g.Edges {
		v.Arrows = append(v.Arrows, arrowView{e.From, e.To, e.Dashed, arrow(&v.Boxes[e.From], &v.Boxes[e.To])})
	}
	counts := make([]int, len(g.Kinds))
	for _, n := range g.Nodes {
		counts[n.Kind]++
	}
	for k, name := range g.Kinds {
		if counts[k] > 0 {
			v.Legend = append(v.Legend, legendView{k, name, fmt.Sprint(counts[k])})
		}
	}
	return v
}

// parts are the nodes that hang together, in the order of their first ones, those of each
// by number.
func (g *Graph) parts() [][]int {
	top := make([]int, len(g.Nodes))
	for i := range top {
		top[i] = i
	}
	find := func(n int) int {
		for top[n] != n {
			top[n] = top[top[n]]
			n = top[n]
		}
		return n
	}
	for _, e := range g.Edges {
		a, b := find(e.From), find(e.To)
		top[max(a, b)] = min(a, b)
	}
	var order []int
	members := map[int][]int{}
	for n := range g.Nodes {
		t := find(n)
		if members[t] == nil {
			order = append(order, t)
		}
		members[t] = append(members[t], n)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(members[b]), len(members[a])) })
	var out [][]int
	for _, t := range order {
		out = append(out, members[t])
	}
	return out
}

// columns puts each node one column behind the first that leads to it. Where all lead to
// each other in a circle, the first node begins.
func (g *Graph) columns() []int {
	out := make([][]int, len(g.Nodes))
	led := make([]bool, len(g.Nodes))
	for _, e := range g.Edges {
		out[e.From] = append(out[e.From], e.To)
		led[e.To] = led[e.To] || e.To != e.From
	}
	column := make([]int, len(g.Nodes))
	for i := range column {
		column[i] = -1
	}
	walk := func(start int) {
		column[start] = 0
		for queue := []int{start}; len(queue) > 0; queue = queue[1:] {
			for _, to := range out[queue[0]] {
				if column[to] < 0 {
					column[to] = min(column[queue[0]]+1, maxColumns-1)
					queue = append(queue, to)
				}
			}
		}
	}
	for n := range g.Nodes {
		if !led[n] && column[n] < 0 {
			walk(n)
		}
	}
	for n := range g.Nodes {
		if column[n] < 0 {
			walk(n)
		}
	}
	return column
}

// arrow is the path from one box to another: straight on to a later column, in an arc
// beside them to the same, and below them back.
func arrow(a, b *nodeView) string {
	ay, by := a.Y+a.H/2, b.Y+b.H/2
	switch {
	case b.X > a.X:
		mid := (a.X + a.W + b.X) / 2
		return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", a.X+a.W, ay, mid, ay, mid, by, b.X-3, by)
	case b == a:
		return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", a.X+a.W, ay-6, a.X+a.W+34, ay-16, a.X+a.W+34, ay+16, a.X+a.W+3, ay+6)
	case b.X == a.X:
		return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", a.X+a.W, ay, a.X+a.W+40, ay, b.X+b.W+40, by, b.X+b.W+3, by)
	}
	return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", a.X+a.W/2, a.Y+a.H, a.X+a.W/2, a.Y+a.H+22, b.X+b.W/2, b.Y+b.H+22, b.X+b.W/2, b.Y+b.H+3)
}

// middle cuts the middle out of what is longer than n letters: both ends of a path tell.
func middle(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n/3]) + "…" + string(r[len(r)-(n-n/3-1):])
}
