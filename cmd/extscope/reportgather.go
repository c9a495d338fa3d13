package main

import (
	"context"
	"fmt"
	"iter"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/ext/timeline"
	"github.com/extscope/extscope/ext/undelete"
	"github.com/extscope/extscope/report/html"
)

// A caseReport is a report in the making: what was asked, and what was found.
type caseReport struct {
	*reportOptions
	*env
	*opened
	set *digestSet

	sums      [][]byte // of the evidence, nil where it could not all be read or was not
	audit     *audit.Result
	hardLinks iter.Seq[links.HardLink]
	formerly  map[ext.Ino][][]byte // names that inodes had
	symlinks  iter.Seq[links.Symlink]
	orphans   []links.Orphan
	deleted   *undelete.Result
	timeline  *timeline.Timeline

	told    []string // lines about the run
	unread  []string // parts of the image that were unreadable or damaged
	unreadN int      // all of them
}

// heardLines bounds how many lines of either kind are kept.
const heardLines = 2000

// hear keeps what is told of the run.
func (c *caseReport) hear(line string, damage bool) {
	list := &c.told
	if damage {
		list = &c.unread
		c.unreadN++
	}
	if len(*list) < heardLines {
		*list = append(*list, line)
	}
}

// gather asks the libraries. Inodes and directories are surveyed once, by the audit.
func (c *caseReport) gather(ctx context.Context) error {
	v := c.opened
	if !c.noHash {
		p := c.progress(c.env, "hash")
		sums, err := hashEvidence(ctx, c.env, v.image, c.set, p)
		p.end()
		if err != nil {
			return err
		}
		c.sums = sums
		c.verify()
	}
	p := c.progress(c.env, "audit")
	result, err := audit.Run(ctx, v.fs, audit.Options{MountedAt: c.mountedAt, Past: v.memory(false), Progress: p.set})
	p.end()
	if err != nil {
		return err
	}
	for _, err := range result.Unreadable {
		c.damage(err)
	}
	c.audit = result
	tree := result.Tree
	if c.hardLinks, err = tree.HardLinks(ctx); err != nil {
		return err
	}
	if c.symlinks, err = tree.Symlinks(ctx, links.SymlinkOptions{MountedAt: c.mountedAt, Past: v.memory(false)}); err != nil {
		return err
	}
	var damage []error
	if c.orphans, damage, err = tree.Orphans(ctx); err != nil {
		return err
	}
	for _, d := range damage {
		c.damage(d)
	}
	want := mismatches(c.hardLinks)
	for i := range c.orphans {
		want[c.orphans[i].Ino] = true
	}
	if c.formerly, err = v.former(ctx, want); err != nil {
		return err
	}
	limit := undelete.Options{ScanLimit: scanLimit}
	if c.scan {
		limit.ScanLimit = 0
	}
	if c.deleted, err = v.deleted(ctx, c.env, &c.output, nil, limit); err != nil {
		return err
	}
	p = c.progress(c.env, "timeline")
	c.timeline, err = timeline.Build(ctx, v.fs, timeline.Options{Tree: tree, Deleted: c.deleted, Progress: p.set})
	p.end()
	return err
}

// verify holds the digests against those that the container stores.
func (c *caseReport) verify() {
	for _, d := range c.image.Digests() {
		if i := c.set.index(d.Algorithm); i >= 0 && c.sums != nil && fmt.Sprintf("%x", c.sums[i]) != d.Hex {
			c.damage(fmt.Errorf("%s: the %s is %x, the image stores %s", c.image.Name(), d.Algorithm, c.sums[i], d.Hex))
		}
	}
}

// histogram counts the times of all files.
func (c *caseReport) histogram() *html.Histogram {
	h := &html.Histogram{
		Title:   "When files were modified, accessed, changed, born and deleted",
		Text:    "Times of live, orphaned and deleted files, as their inodes tell them, in UTC. A time that is several of these at once counts for each. Bars reach at least one line of the picture: none is too small to see.",
		Series:  []string{"modified", "accessed", "changed", "born", "deleted"},
		Command: c.command("timeline"),
	}
	for at, marks := range c.timeline.Moments() {
		h.Add(at, uint(marks))
	}
	return h
}
