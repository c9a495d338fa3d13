// Package html writes a document of facts, tables and pictures as one HTML page
// that needs nothing else: no network, no other file. It knows nothing of file
// systems, and like package report it holds every string for hostile: names are
// shown as in the other formats, escaped by html/template, and the page's
// content security policy lets no script run but its own.
//
// Without a script everything can be read, and printed; the script sorts, filters
// and pages tables, and answers to pointing at pictures.
package html

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"strings"
	"sync"

	"github.com/extscope/extscope/report"
)

// A Document is what the page shows, from top to bottom.
type Document struct {
	Title    string
	Facts    report.Fields // below the title: whose case it is, say
	Verdict  string        // the most important line
	Style    report.Style  // of the verdict
	Tiles    []Tile
	Sections []Section

	// OnError, if not nil, is told each error that a table's rows yielded.
	OnError func(error)
}

// A Tile is one number of the summary.
type Tile struct {
	Label, Value, Note string
	Style              report.Style
	Section            string // ID of the section that tells more
}

// A Section is a chapter of the page.
type Section struct {
	ID    string // an HTML identifier
	Title string
	Count string // in the table of contents, may be ""
	Parts []Part
}

// A Part is one of what its fields are, the others being empty.
type Part struct {
	Heading   string
	Text      string // a paragraph
	Quote     string // text of others, with its line breaks
	Facts     report.Fields
	Table     *report.Table
	CellMap   *CellMap
	Histogram *Histogram
	Treemap   *Treemap
	Graph     *Graph
}

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

// headScript tells the style sheet that there is a script, before anything is drawn.
const headScript = `document.documentElement.classList.add("js")`

var pageTemplate = sync.OnceValue(func() *template.Template { return template.Must(template.New("page").Parse(pageSource)) })

// policy is the content security policy: nothing but this style and these scripts.
func policy() string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; script-src " + hash(headScript) + " " + hash(pageScript) +
		"; style-src " + hash(pageStyle) + "; base-uri 'none'; form-action 'none'"
}

// A pageView is what the template shows.
type pageView struct {
	*Document
	Policy     string
	Style      template.CSS // those of this package, never of the document
	HeadScript template.JS
	Script     template.JS
	Facts      []factView
	Verdict    string
	Mood       string
	Tiles      []tileView
	Sections   []sectionView
}

type tileView struct {
	Tile
	Class string
}

type sectionView struct {
	Section
	Parts []partView
}

// A partView holds a Part, made ready.
type partView struct {
	ID, Heading, Text, Quote string
	Facts                    []factView
	Table                    *tableView
	CellMap                  *cellView
	Histogram                *histogramView
	Treemap                  *treeView
	Graph                    *graphView
}

type factView struct {
	Label string
	Wide  bool // takes up a line
	cell
}

// wideFact is how many letters take up a line.
const wideFact = 44

// Write writes the document to w.
func Write(w io.Writer, d *Document) error {
	v := &pageView{
		Document: d, Policy: policy(), Style: template.CSS(pageStyle),
		HeadScript: template.JS(headScript), Script: template.JS(pageScript),
		Facts: facts(d.Facts), Verdict: printable(d.Verdict), Mood: class(d.Style),
	}
	v.Title = printable(d.Title)
	for _, t := range d.Tiles {
		v.Tiles = append(v.Tiles, tileView{t, class(t.Style)})
	}
	for _, s := range d.Sections {
		section := sectionView{Section: s}
		for i, p := range s.Parts {
			section.Parts = append(section.Parts, d.part(s.ID+"-"+string(rune('a'+i%26))+strings.Repeat("z", i/26), &p))
		}
		v.Sections = append(v.Sections, section)
	}
	out := bufio.NewWriterSize(w, 64<<10)
	if err := pageTemplate().Execute(out, v); err != nil {
		return err
	}
	return out.Flush()
}

func (d *Document) part(id string, p *Part) partView {
	v := partView{ID: id, Heading: printable(p.Heading), Text: printable(p.Text), Facts: facts(p.Facts)}
	if p.Quote != "" {
		v.Quote = quote(p.Quote)
	}
	switch {
	case p.Table != nil:
		v.Table = d.table(id, p.Table)
	case p.CellMap != nil:
		v.CellMap = p.CellMap.view(id)
	case p.Histogram != nil:
		v.Histogram = p.Histogram.view(id)
	case p.Treemap != nil:
		v.Treemap = p.Treemap.view(id)
	case p.Graph != nil:
		v.Graph = p.Graph.view(id)
	}
	return v
}

// facts leaves out what is not there.
func facts(f report.Fields) (out []factView) {
	for _, field := range f {
		c := cellOf(field.Value, "")
		if c.Lines != nil && !field.Value.Elements()[0].IsName() {
			c.Text, c.Lines = short(field.Value.Text()), nil // words go into one line
		}
		if c.Text != "" && c.Text != "-" || c.Lines != nil {
			out = append(out, factView{report.Label(field.Key), c.Lines != nil || len(c.Text) > wideFact, c})
		}
	}
	return out
}

// printable is text in which nothing can hide.
func printable(s string) string { return report.Str(s).Text() }

// quote is printable, but for line breaks and tabs.
func quote(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i, l := range lines {
		lines[i] = printable(strings.ReplaceAll(l, "\t", "    "))
	}
	return strings.Join(lines, "\n")
}

// class is the style sheet's name of a style.
func class(s report.Style) string {
	switch s {
	case report.Good:
		return "good"
	case report.Warn:
		return "warn"
	case report.Bad:
		return "bad"
	case report.Dim:
		return "dim"
	}
	return ""
}
