package image

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Select picks the partition or volume to work on. An empty sel takes the only ext
// file system there is. Otherwise sel is a number, or else the label or
// UUID of the file system, the GPT name, the name of a logical volume with its group
// ("vg0/root") or of an array, or the UUID of the partition or volume. Where a label or
// name fits exactly, those that fit but for case don't count. Locked volumes are opened
// for an empty sel, and where nothing else fits.
//
// Its errors are those of Partitions, *NotExtError, *AmbiguousError and
// *NoSuchPartitionError.
func (im *Image) Select(sel string) (Partition, error) {
	im.stackMu.Lock()
	defer im.stackMu.Unlock()
	t, err := im.volumes(sel == "")
	if err != nil {
		return Partition{}, err
	}
	p, err := t.pick(im.name, sel)
	if err == nil && sel != "" {
		return p, nil
	}
	if sel == "" {
		return t.blame(im.name, sel, p, err)
	}
	var several *AmbiguousError
	if errors.As(err, &several) {
		return p, err
	}
	if t, err = im.volumes(true); err != nil {
		return Partition{}, err
	}
	p, err = t.pick(im.name, sel)
	return t.blame(im.name, sel, p, err)
}

func (t *Table) pick(name, sel string) (Partition, error) {
	if sel == "" {
		return t.only(name, sel, t.Partitions)
	}
	for _, fits := range selectors {
		var found []Partition
		for _, p := range t.Partitions {
			if fits(p, sel) {
				found = append(found, p)
			}
		}
		if len(found) > 0 {
			return t.only(name, sel, found)
		}
	}
	return Partition{}, &NoSuchPartitionError{Name: name, Selector: sel, Partitions: t.Partitions}
}

// selectors are tried in order; the first that fits any partition decides.
var selectors = []func(p Partition, sel string) bool{
	func(p Partition, sel string) bool { return strconv.Itoa(p.Number) == sel },
	func(p Partition, sel string) bool { return p.Content.Label == sel || p.Name == sel },
	func(p Partition, sel string) bool {
		for _, s := range []string{p.Content.UUID, p.UUID, p.Content.Label, p.Name} {
			if s != "" && strings.EqualFold(s, sel) {
				return true
			}
		}
		return false
	},
}

// only picks the one ext file system of found.
func (t *Table) only(name, sel string, found []Partition) (Partition, error) {
	var ext []Partition
	for _, p := range found {
		if p.Content.IsExt {
			ext = append(ext, p)
		}
	}
	if sel != "" && len(found) == 1 && len(ext) == 0 {
		// What is encrypted is named by its own number or label, too.
		for _, p := range t.Partitions {
			if p.Kind == "decrypted" && p.Parent == found[0].Number && p.Content.IsExt {
				ext = append(ext, p)
			}
		}
	}
	switch {
	case len(ext) == 1:
		return ext[0], nil
	case len(ext) > 1:
		return Partition{}, &AmbiguousError{Name: name, Selector: sel, Candidates: ext}
	case sel != "":
		return Partition{}, &NotExtError{Name: name, Partition: &found[0], Table: t}
	}
	return Partition{}, &NotExtError{Name: name, Table: t}
}

// A NotExtError reports evidence, or a partition that was asked for, that holds
// no ext file system.
type NotExtError struct {
	Name      string     // the evidence
	Partition *Partition // the one that was asked for; nil: none was
	Table     *Table     // all there is
}

func (e *NotExtError) Error() string {
	switch {
	case e.Partition != nil:
		return fmt.Sprintf("%s: %s is not an ext file system: %s", e.Name, printable(e.Partition.name()), e.Partition.state())
	case len(e.Table.Partitions) == 0:
		return fmt.Sprintf("%s: not an ext file system: %s partition table without partitions", e.Name, e.Table.Scheme)
	case e.Table.Scheme == "none" && len(e.Table.Partitions) == 1:
		return fmt.Sprintf("%s: not an ext file system: %s", e.Name, e.Table.Partitions[0].holds())
	}
	return fmt.Sprintf("%s: no ext file system on any partition (%s): %s", e.Name, e.Table.Scheme, list(e.Table.Partitions, func(p Partition) string {
		return p.holds()
	}))
}

// holds is what p is and holds in a few words.
func (p *Partition) holds() string {
	if p.depth > 0 && p.Name != "" {
		return printable(p.Name) + ": " + p.state()
	}
	return p.state()
}

// state is what p holds, and whether it can be read.
func (p *Partition) state() string {
	if p.State == StateLocked || p.State == StateIncomplete {
		return p.Content.String() + ", " + p.State
	}
	return p.Content.String()
}

// An AmbiguousError reports that several ext file systems fit.
type AmbiguousError struct {
	Name       string // the evidence
	Selector   string // what was asked for; "": any ext file system
	Candidates []Partition
}

func (e *AmbiguousError) Error() string {
	what := "several ext file systems"
	if e.Selector != "" {
		what = fmt.Sprintf("several ext file systems fit %q", e.Selector)
	}
	return fmt.Sprintf("%s: %s: %s", e.Name, what, list(e.Candidates, describe))
}

// A NoSuchPartitionError reports a selector nothing fits.
type NoSuchPartitionError struct {
	Name       string // the evidence
	Selector   string
	Partitions []Partition // all there is
}

func (e *NoSuchPartitionError) Error() string {
	if len(e.Partitions) == 0 {
		return fmt.Sprintf("%s: no partition %q: there are none", e.Name, e.Selector)
	}
	return fmt.Sprintf("%s: no partition %q among: %s", e.Name, e.Selector, list(e.Partitions, describe))
}

// maxListed bounds the partitions an error's one line names.
const maxListed = 16

func list(parts []Partition, say func(Partition) string) string {
	var items []string
	for i, p := range parts {
		if i == maxListed {
			items = append(items, fmt.Sprintf("and %d more", len(parts)-i))
			break
		}
		items = append(items, fmt.Sprintf("%d: %s", p.Number, say(p)))
	}
	return strings.Join(items, ", ")
}

// describe is what a partition can be picked by, and its size.
func describe(p Partition) string {
	words := []string{p.Content.Type}
	if p.Content.Label != "" {
		words = append(words, fmt.Sprintf("label %q", p.Content.Label))
	}
	if p.Name != "" {
		words = append(words, fmt.Sprintf("name %q", p.Name))
	}
	if p.Content.UUID != "" {
		words = append(words, "UUID "+printable(p.Content.UUID))
	}
	return strings.Join(append(words, humanSize(p.Length)), " ")
}

// printable guards what should be a UUID and is text from disk (LUKS).
func printable(s string) string { return strings.Trim(strconv.QuoteToASCII(s), `"`) }

// humanSize writes bytes in the largest binary unit that keeps a whole number or
// one decimal.
func humanSize(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, u := float64(n)/1024, 0
	for f >= 1024 && u < len(units)-1 {
		f, u = f/1024, u+1
	}
	return fmt.Sprintf("%s %ciB", strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0"), units[u])
}
