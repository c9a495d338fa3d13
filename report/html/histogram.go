package html

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/extscope/extscope/report"
)

// A Histogram counts events over time. Add them in the order of their times.
type Histogram struct {
	Title, Text string
	Series      []string // what events may be, a series each
	Command     string   // prints the events; the script adds --since and --until
	unit        int64    // seconds
	buckets     []bucket
}

// A bucket is a span of one unit in which something happened.
type bucket struct {
	at     int64 // in units since 1970
	counts []uint64
}

// units are how long a bucket can be, in seconds: each divides the next, up to 1000 days.
var units = []int64{1, 10, 60, 600, 3600, 6 * 3600, 86400, 864000, 8640000, 86400000}

// maxBuckets is how many there may be before a longer unit is taken; with the longest
// there are fewer, whatever time an inode holds.
const maxBuckets = 1500

// Add counts an event in those series whose bits are set.
func (h *Histogram) Add(at time.Time, series uint) {
	if h.unit == 0 {
		h.unit = units[0]
	}
	n := floorDiv(at.Unix(), h.unit)
	if len(h.buckets) == 0 || h.buckets[len(h.buckets)-1].at != n {
		h.buckets = append(h.buckets, bucket{n, make([]uint64, len(h.Series))})
	}
	last := &h.buckets[len(h.buckets)-1]
	for k := range h.Series {
		last.counts[k] += uint64(series >> k & 1)
	}
	for len(h.buckets) > maxBuckets && h.unit < units[len(units)-1] {
		h.coarsen()
	}
}

// coarsen goes over to the next longer unit.
func (h *Histogram) coarsen() {
	next := h.unit
	for _, u := range units {
		if u > h.unit {
			next = u
			break
		}
	}
	var merged []bucket
	for _, b := range h.buckets {
		at := floorDiv(b.at*h.unit, next)
		if len(merged) == 0 || merged[len(merged)-1].at != at {
			merged = append(merged, bucket{at, b.counts})
			continue
		}
		for k, n := range b.counts {
			merged[len(merged)-1].counts[k] += n
		}
	}
	h.buckets, h.unit = merged, next
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (b *bucket) total() (n uint64) {
	for _, c := range b.counts {
		n += c
	}
	return n
}

const (
	histWidth, histHeight, stripHeight = 900, 200, 44
	histBars                           = 120
)

// A histogramView is a Histogram as the template shows it. First and Last are the span of
// all events and From and To what is shown at first, in units; To and Last lie behind it.
type histogramView struct {
	*Histogram
	ID                               string
	Width, Height, Strip, StripBelow int
	Bars, Overview                   []pathView
	Legend                           []legendView
	Unit, First, Last, From, To      int64
	Ticks                            []tickView
	Shown                            string
	Data                             string
	Table                            *tableView
}

type tickView struct {
	X      int
	Anchor string
	Text   string
}

func (h *Histogram) view(id string) *histogramView {
	v := &histogramView{Histogram: h, ID: id, Width: histWidth, Height: histHeight, Strip: stripHeight, StripBelow: histHeight + 24, Unit: h.unit}
	if len(h.buckets) == 0 {
		return v
	}
	v.First, v.Last = h.buckets[0].at, h.buckets[len(h.buckets)-1].at+1
	v.From, v.To = h.dense()
	v.Overview = h.bars(v.First, v.Last, stripHeight)
	v.Bars = h.bars(v.From, v.To, histHeight)
	totals := make([]uint64, len(h.Series))
	var data strings.Builder
	for _, b := range h.buckets {
		fmt.Fprintf(&data, "%d", b.at-v.First)
		for k, n := range b.counts {
			totals[k] += n
			data.WriteString("," + strconv.FormatUint(n, 10))
		}
		data.WriteByte(';')
	}
	v.Data = strings.TrimSuffix(data.String(), ";")
	for k, s := range h.Series {
		v.Legend = append(v.Legend, legendView{k, s, report.Grouped(totals[k])})
	}
	for i := range 5 {
		anchor := [...]string{"start", "middle", "middle", "middle", "end"}[i]
		v.Ticks = append(v.Ticks, tickView{i * histWidth / 4, anchor, moment((v.From*4 + (v.To-v.From)*int64(i)) * h.unit / 4)})
	}
	v.Shown = moment(v.From*h.unit) + " to " + moment(v.To*h.unit)
	v.Table = h.numbers(id)
	return v
}

// dense is the span that is shown at first: all, unless a few events far off would leave
// the rest no room.
func (h *Histogram) dense() (from, to int64) {
	first, last := h.buckets[0].at, h.buckets[len(h.buckets)-1].at+1
	total := uint64(0)
	for i := range h.buckets {
		total += h.buckets[i].total()
	}
	from, to = first, last
	sum := uint64(0)
	for i := range h.buckets {
		before := sum
		sum += h.buckets[i].total()
		if before <= total/50 && sum > total/50 {
			from = h.buckets[i].at
		}
		if before < total-total/50 && sum >= total-total/50 {
			to = h.buckets[i].at + 1
		}
	}
	if (last-first)/max(1, to-from) < 4 {
		return first, last
	}
	pad := (to - from) / 20
	return max(first, from-pad), min(last, to+pad)
}

// bars draws the span from one unit to another, height high.
func (h *Histogram) bars(from, to int64, height int) []pathView {
	n := int(min(histBars, to-from))
	sums := make([][]uint64, n)
	most := uint64(1)
	for i := range h.buckets {
		b := &h.buckets[i]
		if b.at < from || b.at >= to {
			continue
		}
		bar := int((b.at - from) * int64(n) / (to - from))
		if sums[bar] == nil {
			sums[bar] = make([]uint64, len(h.Series))
		}
		total := uint64(0)
		for k, c := range b.counts {
			sums[bar][k] += c
		}
		for _, c := range sums[bar] {
			total += c
		}
		most = max(most, total)
	}
	paths := make([]strings.Builder, len(h.Series))
	for i, counts := range sums {
		x, end := float64(i)*histWidth/float64(n), float64(i+1)*histWidth/float64(n)
		bottom := float64(height)
		for k, c := range counts {
			if c == 0 {
				continue
			}
			tall := max(1, float64(c)/float64(most)*float64(height))
			fmt.Fprintf(&paths[k], "M%.1f %.1fh%.1fv-%.1fh-%.1fz", x, bottom, max(1, end-x-1), tall, max(1, end-x-1))
			bottom -= tall
		}
	}
	out := make([]pathView, len(paths))
	for k := range paths {
		out[k] = pathView{k, paths[k].String()}
	}
	return out
}

// moment is a time in UTC.
func moment(unix int64) string { return time.Unix(unix, 0).UTC().Format("2006-01-02 15:04:05") }

// numbers is the table of what the picture shows.
func (h *Histogram) numbers(id string) *tableView {
	t := &report.Table{Title: "The numbers of the picture: spans of " + span(h.unit) + " in which something happened", Limit: 500, All: h.Command}
	t.Columns = append(t.Columns, report.Column{Title: "FROM (UTC)"})
	for _, s := range h.Series {
		t.Columns = append(t.Columns, report.Column{Title: strings.ToUpper(s), Right: true})
	}
	t.Rows = func(yield func(report.Row, error) bool) {
		for _, b := range h.buckets {
			row := report.Row{report.Str(moment(b.at * h.unit))}
			for _, n := range b.counts {
				row = append(row, report.Uint(n))
			}
			if !yield(row, nil) {
				return
			}
		}
	}
	return (&Document{}).table(id+"-t", t)
}

// span is a number of seconds in words.
func span(seconds int64) string {
	for _, u := range []struct {
		length int64
		name   string
	}{{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}} {
		switch n := seconds / u.length; {
		case n == 1:
			return "1 " + u.name
		case n > 1:
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return ""
}
