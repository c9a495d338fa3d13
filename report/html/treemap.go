package html

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"github.com/extscope/extscope/report"
)

// A Node is one rectangle of a Treemap. Children are drawn inside, by their sizes.
type Node struct {
	Label    string
	Text     string // what pointing tells
	Size     uint64
	Children []*Node
}

// A Treemap shows how a size is shared out.
type Treemap struct {
	Title, Text string
	Root        *Node
	Table       *report.Table // the same in numbers
}

const (
	treeWidth, treeHeight = 960, 540
	treeHead              = 17 // of a rectangle with others inside
	treeHues              = 8
	letterWidth           = 6.4
)

// A treeView is a Treemap as the template shows it.
type treeView struct {
	*Treemap
	ID            string
	Width, Height int
	Boxes         []boxView
	Table         *tableView
}

type boxView struct {
	X, Y, W, H    float64
	TextX, TextY  float64
	Hue           int
	Inner         bool
	Label, Detail string
}

func (m *Treemap) view(id string) *treeView {
	v := &treeView{Treemap: m, ID: id, Width: treeWidth, Height: treeHeight}
	if m.Table != nil {
		v.Table = (&Document{}).table(id+"-t", m.Table)
	}
	if m.Root != nil && m.Root.Size > 0 {
		v.place(m.Root, boxView{W: treeWidth, H: treeHeight}, 0)
	}
	return v
}

// place draws a node into a rectangle.
func (v *treeView) place(n *Node, box boxView, depth int) {
	box.Label, box.Detail, box.Inner = fit(printable(n.Label), box.W-8), printable(n.Text), len(n.Children) > 0
	if box.H < 14 {
		box.Label = ""
	}
	box.TextX, box.TextY = box.X+4, box.Y+12.5
	v.Boxes = append(v.Boxes, box)
	if !box.Inner {
		return
	}
	inner := boxView{X: box.X + 2, Y: box.Y + 2, W: box.W - 4, H: box.H - 4, Hue: box.Hue}
	if box.Label != "" && inner.H > 2*treeHead {
		inner.Y, inner.H = box.Y+treeHead, box.H-treeHead-2
	} else {
		v.Boxes[len(v.Boxes)-1].Label = ""
	}
	if inner.W < 4 || inner.H < 4 {
		return
	}
	children := slices.Clone(n.Children)
	slices.SortStableFunc(children, func(a, b *Node) int { return cmp.Compare(b.Size, a.Size) })
	hue := 0
	squarify(children, inner, func(c *Node, b boxView) {
		if depth == 0 {
			b.Hue = hue % treeHues
			hue++
		}
		if b.W >= 1 && b.H >= 1 {
			v.place(c, b, depth+1)
		}
	})
}

// squarify lays nodes, the largest first, into box in rows that keep them close to
// squares (Bruls, Huizing and van Wijk, 2000).
func squarify(nodes []*Node, box boxView, place func(*Node, boxView)) {
	total := 0.0
	for _, n := range nodes {
		total += float64(n.Size)
	}
	if total == 0 {
		return
	}
	scale := box.W * box.H / total
	for len(nodes) > 0 && nodes[0].Size > 0 {
		side := min(box.W, box.H)
		count, sum := 1, float64(nodes[0].Size)*scale
		for count < len(nodes) {
			next := sum + float64(nodes[count].Size)*scale
			if worst(nodes[:count+1], scale, next, side) > worst(nodes[:count], scale, sum, side) {
				break
			}
			count, sum = count+1, next
		}
		thick, at := sum/side, 0.0
		for _, n := range nodes[:count] {
			long := float64(n.Size) * scale / thick
			b := boxView{X: box.X + at, Y: box.Y, W: long, H: thick, Hue: box.Hue}
			if box.W >= box.H {
				b = boxView{X: box.X, Y: box.Y + at, W: thick, H: long, Hue: box.Hue}
			}
			place(n, b)
			at += long
		}
		if box.W >= box.H {
			box.X, box.W = box.X+thick, box.W-thick
		} else {
			box.Y, box.H = box.Y+thick, box.H-thick
		}
		nodes = nodes[count:]
		if box.W <= 0 || box.H <= 0 {
			return
		}
	}
}

// worst is how far from a square the worst of a row of nodes is that fills an area.
func worst(nodes []*Node, scale, area, side float64) float64 {
	largest, least := float64(nodes[0].Size)*scale, float64(nodes[len(nodes)-1].Size)*scale
	if least == 0 {
		return side * side
	}
	return max(side*side*largest/(area*area), area*area/(side*side*least))
}

// fit cuts text so that it is no wider than that; "" where nothing of it has room.
func fit(s string, width float64) string {
	room := int(width / letterWidth)
	if utf8.RuneCountInString(s) <= room {
		return s
	}
	if room < 4 {
		return ""
	}
	return string([]rune(s)[:room-1]) + "…"
}
