package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/ext/undelete"
	"github.com/extscope/extscope/report"
	"github.com/extscope/extscope/report/html"
)

// document puts the report together.
func (c *caseReport) document(ctx context.Context) (*html.Document, error) {
	d := &html.Document{Title: c.title, OnError: c.damage}
	if d.Title == "" {
		d.Title = "Case report: " + filepath.Base(c.image.Name())
	}
	d.Facts = report.Fields{
		{Key: "case", Value: word(c.caseID)},
		{Key: "examiner", Value: word(c.examiner)},
		{Key: "made", Value: c.made()},
		{Key: "evidence", Value: report.Name([]byte(c.image.Name()))},
	}
	d.Facts = append(d.Facts, c.digests()...)
	findings := c.findings()
	hard := c.hardLinkSection()
	soft, err := c.symlinkSection(ctx)
	if err != nil {
		return nil, err
	}
	blocks, err := c.blockSection(ctx)
	if err != nil {
		return nil, err
	}
	sizes, err := c.sizeSection(ctx)
	if err != nil {
		return nil, err
	}
	orphans, deleted, times := c.orphanSection(), c.deletedSection(ctx), c.timeSection()
	d.Sections = []html.Section{c.evidenceSection(), c.filesystemSection(), findings, hard, soft, orphans, deleted, times, blocks, sizes, c.readingSection()}
	if c.notes != "" {
		notes := html.Section{ID: "notes", Title: "Notes", Parts: []html.Part{{Quote: c.notes}}}
		d.Sections = append([]html.Section{notes}, d.Sections...)
	}
	text := verdict(c.audit, c.damages > 0)
	d.Verdict = "The file system is " + text + "."
	switch {
	case strings.HasPrefix(text, "damaged"):
		d.Style = report.Bad
	case text != "sound":
		d.Style = report.Warn
	default:
		d.Style = report.Good
	}
	d.Tiles = append(c.severityTiles(), c.hardTile(), c.symlinkTile(), c.orphanTile(), c.deletedTile())
	if c.unreadN > 0 {
		d.Tiles = append(d.Tiles, html.Tile{Label: "Unreadable parts", Value: fmt.Sprint(c.unreadN), Style: report.Bad, Section: "reading"})
	}
	return d, nil
}

// digests are those of the evidence.
func (c *caseReport) digests() (f report.Fields) {
	for i, a := range c.set.list {
		value := report.Str("not computed: --no-hash")
		switch {
		case c.sums != nil:
			value = report.Str(fmt.Sprintf("%x", c.sums[i]))
		case !c.noHash:
			value = report.Str("none: part of the evidence could not be read")
		}
		f = append(f, report.Field{Key: strings.ToUpper(a.key), Value: value})
	}
	return f
}

func (c *caseReport) evidenceSection() html.Section {
	im := c.image
	facts := report.Fields{
		{Key: "path", Value: report.Name([]byte(im.Name()))},
		{Key: "format", Value: report.Str(im.Format())},
		{Key: "size", Value: report.Size(uint64(im.Size()))},
	}
	facts = append(facts, c.digests()...)
	for _, d := range im.Digests() {
		facts = append(facts, report.Field{Key: "stored " + strings.ToUpper(d.Algorithm), Value: report.Str(d.Hex)})
	}
	for _, d := range im.Details() {
		facts = append(facts, report.Field{Key: d.Key, Value: report.Str(d.Value)})
	}
	if segments := im.Segments(); len(segments) > 1 {
		var names [][]byte
		for _, s := range segments {
			names = append(names, []byte(s.Name))
		}
		facts = append(facts, report.Field{Key: "segments", Value: pathList(names)})
	}
	facts = append(facts,
		report.Field{Key: "partition", Value: report.Int(int64(c.part.Number))},
		report.Field{Key: "offset", Value: report.Size(uint64(c.part.Start))},
	)
	info, _ := debug.ReadBuildInfo() // nil where there is none
	b := buildOf(info)
	program := report.Fields{
		{Key: "program", Value: report.Str("extscope " + b.version)},
		{Key: "commit", Value: word(b.revision)},
		{Key: "call", Value: report.Str(c.again())},
	}
	return html.Section{ID: "evidence", Title: "Evidence and program", Parts: []html.Part{
		{Facts: facts},
		{Heading: "Program", Text: "The evidence was opened for reading only. The same call on the same evidence gives this report again, byte for byte, unless it tells when it was made.", Facts: program},
	}}
}

func (c *caseReport) filesystemSection() html.Section {
	super := present(superFields(c.env, c.opened))
	return html.Section{ID: "filesystem", Title: "File system", Parts: []html.Part{
		{Facts: super},
		{Heading: "Features", Facts: present(featureFields(c.opened))},
		{Heading: "Journal", Facts: present(journalFields(c.env, c.opened))},
		{Heading: "Block groups", Facts: groupSummary(c.fs)},
	}}
}

// findings has a table of kinds, and one for each kind that there is.
func (c *caseReport) findings() html.Section {
	total := uint64(0)
	var kinds []audit.Kind
	for _, k := range audit.Kinds() {
		if n := c.audit.Counts[k]; n > 0 {
			kinds = append(kinds, k)
			total += n
		}
	}
	s := html.Section{ID: "findings", Title: "Findings", Count: report.Grouped(total)}
	s.Parts = append(s.Parts, html.Part{
		Text: "What does not agree, the gravest first. Errors are where the file system contradicts itself, warnings where something is unfinished or leads nowhere, and info is what is only odd.",
		Table: &report.Table{Key: "kinds", Title: "Findings by kind", Columns: []report.Column{
			{Key: "severity", Title: "SEVERITY", Style: severityStyle}, {Key: "kind", Title: "KIND"}, {Key: "count", Title: "COUNT", Right: true}, {Key: "meaning", Title: "HOLDS WHEN THERE IS"},
		}, Rows: func(yield func(report.Row, error) bool) {
			for _, k := range kinds {
				if !yield(report.Row{report.Str(string(k.Severity())), report.Str(string(k)), report.Uint(c.audit.Counts[k]), report.Str(k.Meaning())}, nil) {
					return
				}
			}
		}},
	})
	rest := c.audit.Findings
	for _, k := range kinds {
		var of []*audit.Finding
		for len(rest) > 0 && rest[0].Kind == k {
			of, rest = append(of, rest[0]), rest[1:]
		}
		columns := findingColumns()
		columns[0].Data, columns[1].Data, columns[0].Style = true, true, nil // the title says so
		for i := range columns {
			switch columns[i].Key {
			case "offset":
				columns[i] = report.Column{Key: "offset", Title: "AT BYTE", Right: true, Data: !anyOffset(of)}
			}
		}
		s.Parts = append(s.Parts, html.Part{Table: &report.Table{
			Key: string(k), Title: fmt.Sprintf("%s (%s)", k, k.Severity()), Columns: columns, Rows: findingRows(of),
			Limit: c.rows(htmlKindRows), All: c.command("audit", "--kinds", string(k)),
		}})
	}
	return s
}

func anyOffset(list []*audit.Finding) bool {
	for i := range list {
		if list[i].Offset > 0 {
			return true
		}
	}
	return false
}

func (c *caseReport) severityTiles() (tiles []html.Tile) {
	for _, s := range []struct {
		severity audit.Severity
		label    string
		note     string
		style    report.Style
	}{
		{audit.Error, "Errors", "it contradicts itself", report.Bad}, {audit.Warning, "Warnings", "unfinished, or leads nowhere", report.Warn}, {audit.Info, "Odd times", "impossible or suspicious", report.None},
	} {
		n := uint64(0)
		for k, count := range c.audit.Counts {
			if k.Severity() == s.severity {
				n += count
			}
		}
		if n == 0 {
			s.style = report.Good
		}
		tiles = append(tiles, html.Tile{Label: s.label, Value: report.Grouped(n), Note: s.note, Style: s.style, Section: "findings"})
	}
	return tiles
}

func (c *caseReport) hardLinkSection() html.Section {
	n := 0
	for range c.hardLinks {
		n++
	}
	columns := linkColumns()
	for i := range columns {
		if columns[i].Key == "mismatch" {
			columns[i].Style = func(v report.Value) report.Style {
				if v.Text() == "yes" {
					return report.Bad
				}
				return report.Dim
			}
		}
	}
	return html.Section{ID: "links", Title: "Hard links", Count: report.Grouped(uint64(n)), Parts: []html.Part{{
		Text: "Inodes with more than one name, or with a link count that does not agree with their names. STORED is the link count in the inode, COUNTED how many directory entries name it.",
		Table: &report.Table{Key: "links", Title: "Hard-link sets", Columns: columns, Rows: linkRows(c.hardLinks, c.formerly),
			Limit: c.rows(htmlRows), All: c.command("links")},
	}}}
}

func (c *caseReport) hardTile() html.Tile {
	t := html.Tile{Label: "Hard-link sets", Note: "all link counts right", Section: "links"}
	n := uint64(0)
	for range c.hardLinks {
		n++
	}
	t.Value = report.Grouped(n)
	if wrong := c.audit.Counts[audit.LinkCount]; wrong > 0 {
		t.Style, t.Note = report.Bad, plural(wrong, "wrong link count", "wrong link counts")
	}
	return t
}

func (c *caseReport) orphanSection() html.Section {
	return html.Section{ID: "orphans", Title: "Orphans", Count: report.Grouped(uint64(len(c.orphans))), Parts: []html.Part{{
		Text: "Inodes that no name reaches, or whose deletion was not finished. BELOW counts the inodes under an unattached directory.",
		Table: &report.Table{Key: "orphans", Title: "Orphaned inodes", Columns: orphanColumns(), Rows: orphanRows(c.orphans, c.formerly),
			Limit: c.rows(htmlRows), All: c.command("orphans")},
	}}}
}

func (c *caseReport) orphanTile() html.Tile {
	counts := map[string]int{}
	for i := range c.orphans {
		counts[c.orphans[i].Kind]++
	}
	var parts []string
	for _, k := range []string{links.OrphanUnlinked, links.OrphanTruncated, links.OrphanUnattached} {
		if n := counts[k]; n > 0 {
			parts = append(parts, report.Grouped(uint64(n))+" "+k)
		}
	}
	t := html.Tile{Label: "Orphans", Value: report.Grouped(uint64(len(c.orphans))), Note: strings.Join(parts, ", "), Section: "orphans"}
	if len(c.orphans) > 0 {
		t.Style = report.Warn
	}
	return t
}

// deletedSection has the grades and the files, with the evidence for each.
func (c *caseReport) deletedSection(ctx context.Context) html.Section {
	counts, places := map[undelete.Grade]uint64{}, map[undelete.Grade][]int32{}
	for i := range c.deleted.Len() {
		g := c.deleted.Outline(i).Grade
		counts[g]++
		places[g] = append(places[g], int32(i))
	}
	// The best come first, since the end may be cut.
	best := func(yield func(*undelete.Candidate) bool) {
		for _, g := range undelete.Grades() {
			for _, i := range places[g] {
				if !yield(c.deleted.At(int(i))) {
					return
				}
			}
		}
	}
	table := deletedTable(ctx, c.deleted, best, func(*undelete.Candidate) bool { return true }, map[undelete.Grade]uint64{}, false)
	table.Title, table.Limit, table.All = "Deleted files and names", c.rows(htmlRows), c.command("deleted")
	for i := range table.Columns {
		if table.Columns[i].Key == "evidence" {
			table.Columns[i].Data, table.Columns[i].Title = false, "EVIDENCE"
		}
	}
	text := "What was deleted, how its contents can be had, and how far they can be trusted; the surest first."
	if n := c.deleted.Unscanned; n > 0 {
		text += fmt.Sprintf(" %s of free space were not scanned for stray metadata: --scan does that.", report.HumanSize(n))
	}
	return html.Section{ID: "deleted", Title: "Deleted files", Count: report.Grouped(uint64(c.deleted.Len())), Parts: []html.Part{
		{Text: text, Table: &report.Table{Key: "grades", Title: "Deleted files by grade", Columns: []report.Column{
			{Key: "grade", Title: "GRADE", Style: gradeStyle}, {Key: "count", Title: "COUNT", Right: true}, {Key: "meaning", Title: "MEANS"},
		}, Rows: func(yield func(report.Row, error) bool) {
			for _, g := range undelete.Grades() {
				if !yield(report.Row{report.Str(string(g)), report.Uint(counts[g]), report.Str(gradeMeanings[g])}, nil) {
					return
				}
			}
		}}},
		{Table: table},
	}}
}

// gradeMeanings says in a line what each grade means.
var gradeMeanings = map[undelete.Grade]string{
	undelete.Intact:      "proved: an authentic map, and blocks that nothing has used since",
	undelete.Unproven:    "nothing contradicts it, but part of the proof is missing",
	undelete.Partial:     "part of the contents is gone, or how long they are is not known",
	undelete.Overwritten: "nothing of the contents is left",
	undelete.Carved:      "found by what contents look like, not by a map",
	undelete.Listed:      "a name alone, or a file without contents",
}

func (c *caseReport) deletedTile() html.Tile {
	counts := map[undelete.Grade]uint64{}
	for d := range c.deleted.Outlines() {
		counts[d.Grade]++
	}
	var parts []string
	for _, g := range undelete.Grades() {
		if n := counts[g]; n > 0 {
			parts = append(parts, report.Grouped(n)+" "+string(g))
		}
	}
	return html.Tile{Label: "Deleted files", Value: report.Grouped(uint64(c.deleted.Len())), Note: strings.Join(parts, ", "), Section: "deleted"}
}

// timeSection has the histogram, and the times about which something is odd.
func (c *caseReport) timeSection() html.Section {
	columns := timelineColumns(nil)
	for i := range columns {
		switch columns[i].Key {
		case "odd":
			columns[i] = report.Column{Key: "odd", Title: "ODD"}
		case "size", "source":
			columns[i].Data = true
		}
	}
	odd := &report.Table{
		Key: "odd_times", Title: "Odd times", Columns: columns, Limit: c.rows(htmlRows), All: c.command("timeline", "--odd"),
		Rows: func(yield func(report.Row, error) bool) {
			var row report.Row
			for r := range c.timeline.OddEvents() {
				row = appendTimelineRow(row[:0], r, nil)
				var words []report.Value
				for _, x := range r.Odd {
					words = append(words, report.Str(fmt.Sprintf("%s %s (%s)", x.Marks, x.Reason, x.Confidence)))
				}
				row[len(row)-1] = report.List(words)
				if !yield(row, nil) {
					return
				}
			}
		},
	}
	return html.Section{ID: "times", Title: "Times", Count: report.Grouped(uint64(c.timeline.Len())), Parts: []html.Part{
		{Histogram: c.histogram()},
		{Text: "Times that a kernel, left alone, does not make, with the reason and how sure it is (strong, medium, weak). MACBD says which times of the file it is: m contents modified, a accessed, c inode changed, b born, d deleted.", Table: odd},
	}}
}

// readingSection is what was told of the run, and what could not be read.
func (c *caseReport) readingSection() html.Section {
	lines := func(key, title, column string, list []string) *report.Table {
		return &report.Table{Key: key, Title: title, Columns: []report.Column{{Key: "line", Title: column}}, Limit: c.rows(htmlRows),
			Rows: func(yield func(report.Row, error) bool) {
				for _, l := range list {
					if !yield(report.Row{report.Str(l)}, nil) {
						return
					}
				}
			}}
	}
	s := html.Section{ID: "reading", Title: "How it was read", Count: report.Grouped(uint64(c.unreadN))}
	text := "Everything that was asked for could be read."
	if c.unreadN > 0 {
		text = plural(c.unreadN, "part of the image was unreadable or damaged, and is not judged.", "parts of the image were unreadable or damaged, and are not judged.")
		if c.unreadN > len(c.unread) {
			text += fmt.Sprintf(" The first %s are listed.", report.Grouped(uint64(len(c.unread))))
		}
	}
	s.Parts = append(s.Parts, html.Part{Text: text})
	if len(c.unread) > 0 {
		s.Parts = append(s.Parts, html.Part{Table: lines("unreadable", "Unreadable or damaged", "WHAT", c.unread)})
	}
	if len(c.told) > 0 {
		s.Parts = append(s.Parts, html.Part{Table: lines("remarks", "Remarks", "REMARK", c.told)})
	}
	return s
}
