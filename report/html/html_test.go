package html

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/extscope/extscope/report"
)

// evil is a name that wants to be markup, in every way at once.
const evil = `</script></style></title>--><img src=x onerror=alert(1)>" onmouseover="alert(1)' onfocus='alert(1){{.}}`

// sample is a document with all that there is, and names nobody would choose.
func sample(rows int) *Document {
	h := &Histogram{Title: "Times", Text: "Times of files.", Series: []string{"modified", "born"}, Command: "extscope timeline " + evil}
	start := time.Date(2025, 3, 1, 9, 0, 0, 0, time.UTC)
	for i := range 500 {
		h.Add(start.Add(time.Duration(i*i)*time.Second), uint(i%3+1))
	}
	cells := &CellMap{Title: "Blocks", Text: "Each cell is a block.", Unit: "block", Group: "group", States: []string{"used", "free"}, First: 1, Total: 200, PerCell: 1, GroupSize: 100}
	for i := range 200 {
		cells.Cells = append(cells.Cells, []uint64{uint64(i % 2), uint64(1 - i%2)})
	}
	tree := &Treemap{Title: "Sizes", Text: "Areas are bytes.", Root: &Node{Label: "/", Text: "/: 100", Size: 100, Children: []*Node{
		{Label: evil, Text: evil, Size: 60}, {Label: "b", Text: "b: 30", Size: 30}, {Label: "c", Text: "c: 10", Size: 10},
	}}}
	graph := &Graph{Title: "Links", Text: "Arrows lead on.", Kinds: []string{"rotten", "loop", "missing", "moved"}, Nodes: []GraphNode{
		{evil, evil, 0}, {"missing", "it is missing", 2}, {"ping", "leads to pong", 1}, {"pong", "leads to ping", 1}, {"self", "leads to itself", 1},
	}, Edges: []Edge{{From: 0, To: 1}, {From: 2, To: 3}, {From: 3, To: 2}, {From: 4, To: 4}}}
	table := &report.Table{Title: evil, Limit: 2000, All: "extscope ls " + evil, Columns: []report.Column{
		{Key: "n", Title: "NUMBER", Right: true}, {Key: "size", Title: "SIZE", Right: true}, {Key: "path", Title: "PATH", Name: true},
	}, Rows: func(yield func(report.Row, error) bool) {
		for i := range rows {
			// Texts of sizes do not sort as the sizes do.
			if !yield(report.Row{report.Int(int64(i)), report.Size(uint64(i*7919%rows) * 1000), report.Name(fmt.Appendf(nil, "/%d/%s", i, evil))}, nil) {
				return
			}
		}
	}}
	return &Document{
		Title: evil, Facts: report.Fields{{Key: "case", Value: report.Str(evil)}}, Verdict: "all is " + evil, Style: report.Bad,
		Tiles: []Tile{{Label: "Errors", Value: "4", Note: evil, Style: report.Bad, Section: "one"}},
		Sections: []Section{
			{ID: "one", Title: "One", Parts: []Part{{Heading: evil, Text: evil, Quote: evil + "\n" + evil, Table: table}}},
			{ID: "two", Title: "Two", Parts: []Part{{CellMap: cells}, {Histogram: h}, {Treemap: tree}, {Graph: graph}}},
		},
	}
}

func written(t *testing.T, d *Document) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEscapes(t *testing.T) {
	page := written(t, sample(10))
	for _, bad := range []string{"<img", `" onmouseover="alert`, "ZgotmplZ"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q stands in the page", bad)
		}
	}
	if n := strings.Count(page, "<script"); n != 2 {
		t.Errorf("%d scripts", n)
	}
	// The policy's digests are of just these bytes.
	if !strings.Contains(page, "<script>"+pageScript+"</script>") || !strings.Contains(page, "<style>"+pageStyle+"</style>") || !strings.Contains(page, "<script>"+headScript+"</script>") {
		t.Error("a script or the style is not in the page byte for byte")
	}
	if page != written(t, sample(10)) {
		t.Error("two pages of the same document differ")
	}
}

func TestCut(t *testing.T) {
	page := written(t, sample(2001))
	if n := strings.Count(page, "/&lt;/script"); n != 2000 {
		t.Errorf("%d rows, want 2000", n)
	}
	if !strings.Contains(page, "the first 2,000 of 2,001 rows are shown. This prints all of them: <code>extscope ls ") {
		t.Error("the page does not say how much was cut")
	}
	if page = written(t, sample(2000)); strings.Contains(page, "This table is cut") {
		t.Error("a table is cut that has all its rows")
	}
	long := cellOf(report.Name(bytes.Repeat([]byte("日"), 2000)), "p")
	if want := strings.Repeat("日", 682) + " … (3,954 more bytes)"; long.Text != want {
		t.Errorf("a long name becomes %q", long.Text)
	}
	list := cellOf(report.List(make([]report.Value, 25)), "")
	if len(list.Lines) != cellLines+1 || list.Lines[cellLines] != "… and 5 more" {
		t.Errorf("a long list becomes %q", list.Lines)
	}
}

func TestHistogram(t *testing.T) {
	h := &Histogram{Series: []string{"a", "b"}}
	// From 1901 on to 2446, and then many in one hour.
	var want [2]uint64
	for i, at := range []int64{-1 << 31, -1, 0, 1} {
		h.Add(time.Unix(at, 0), 1)
		want[0]++
		_ = i
	}
	for i := range int64(100000) {
		h.Add(time.Unix(1<<30+i, 999), uint(i%4))
		want[0] += uint64(i & 1)
		want[1] += uint64(i >> 1 & 1)
	}
	h.Add(time.Unix(1<<34-1<<31-1, 0), 2)
	want[1]++
	if len(h.buckets) > maxBuckets {
		t.Errorf("%d buckets", len(h.buckets))
	}
	var got [2]uint64
	before := int64(-1 << 40)
	for _, b := range h.buckets {
		if b.at <= before {
			t.Errorf("bucket %d comes behind %d", b.at, before)
		}
		before = b.at
		got[0], got[1] = got[0]+b.counts[0], got[1]+b.counts[1]
	}
	if got != want {
		t.Errorf("%d events, want %d", got, want)
	}
	if from, to := h.dense(); (to-from)*h.unit > 400000 {
		t.Errorf("a few far off leave the rest no room: %d to %d of %d seconds", from, to, h.unit)
	}
	if len(written(t, &Document{Sections: []Section{{Parts: []Part{{Histogram: &Histogram{}}, {Treemap: &Treemap{}}, {Graph: &Graph{}}, {CellMap: &CellMap{}}}}}})) == 0 {
		t.Error("empty pictures")
	}
}

func TestTreemap(t *testing.T) {
	var nodes []*Node
	total := 0.0
	for i := range 40 {
		n := &Node{Size: uint64(40-i) * 100}
		nodes, total = append(nodes, n), total+float64(n.Size)
	}
	area, thin := 0.0, 1.0
	squarify(nodes, boxView{W: 900, H: 500}, func(n *Node, b boxView) {
		if want := float64(n.Size) / total * 900 * 500; b.W*b.H < want*0.999 || b.W*b.H > want*1.001 {
			t.Errorf("size %d has an area of %.0f, want %.0f", n.Size, b.W*b.H, want)
		}
		if b.X < -0.01 || b.Y < -0.01 || b.X+b.W > 900.01 || b.Y+b.H > 500.01 {
			t.Errorf("%+v lies outside", b)
		}
		area += b.W * b.H
		thin = min(thin, min(b.W, b.H)/max(b.W, b.H))
	})
	if area < 899*500 || thin < 0.2 {
		t.Errorf("area %.0f, and the longest is 1 to %.2f", area, thin)
	}
}

func TestCellHeights(t *testing.T) {
	for _, tt := range []struct {
		counts, want string
	}{
		{"[1 0 0]", "[12 0 0]"}, {"[1 1 0]", "[6 6 0]"}, {"[1000 1 0]", "[10 2 0]"}, {"[0 0 0]", "[0 0 0]"}, {"[1 1 100000]", "[2 2 8]"},
	} {
		var c [3]uint64
		fmt.Sscanf(tt.counts, "[%d %d %d]", &c[0], &c[1], &c[2])
		if got := fmt.Sprint(heights(c[:])); got != tt.want {
			t.Errorf("%s: heights %s, want %s", tt.counts, got, tt.want)
		}
	}
}
