package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/report"
)

// maxBlocks bounds how many blocks are asked for at once.
const maxBlocks = 1 << 20

type ownerOptions struct {
	evidence
	output
}

func newOwnerCmd(e *env) *cobra.Command {
	o := &ownerOptions{}
	cmd := &cobra.Command{
		Use:   "owner IMAGE BLOCK...",
		Short: "Tell what a block belongs to: inode, paths, metadata or nobody",
		Long: `Owner looks blocks up in the map of every inode, in one pass for any number of
them. BLOCK is a block number, or a range as 100-199; 1,048,576 blocks at most.

Columns: KIND is what the block is: free; unowned, where the bitmap has it as
allocated and nothing claims it; a kind of metadata; or what it is to its inode
(data, unwritten, directory, symlink target, extent node, indirect block, xattr
block, xattr value, journal, cluster slack and so on). ALLOC is what the block
bitmap says. INODE is whose it is, LOGICAL which block of that file it is, or the
first one that a node maps, PATHS all its names; a block of the inode table has
the range of its inodes there. "was" marks an inode that is deleted and still
maps the block.`,
		Example: `  extscope owner testdata/demo.img 57 120-130
  extscope owner rootfs.img 33795 -f json`,
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: completeImage,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, args[0], args[1:]) },
	}
	o.evidence.addFlags(cmd)
	o.output.addFlags(cmd)
	return cmd
}

func (o *ownerOptions) run(ctx context.Context, e *env, name string, args []string) error {
	blocks, err := blockArgs(args)
	if err != nil {
		return err
	}
	v, err := o.open(e, name)
	if err != nil {
		return err
	}
	defer v.Close()
	p := o.progress(e, "owner")
	owners, damage, err := links.Owners(ctx, v.fs, blocks, p.set)
	p.end()
	var none *ext.NoBlockError
	switch {
	case errors.As(err, &none):
		return &usageError{err}
	case err != nil:
		return err
	}
	for _, d := range damage {
		e.damage(inodeDamage(d))
	}
	names, err := o.names(ctx, e, v, owners)
	if err != nil {
		return err
	}
	return o.write(ctx, e, v, &report.Report{
		Tables:  []*report.Table{ownerTable(v.fs, owners, names, len(damage) > 0)},
		Summary: func() report.Fields { return ownerSummary(owners) },
	})
}

func inodeDamage(d links.Damage) error {
	if d.Ino == 0 {
		return d.Err
	}
	return fmt.Errorf("inode %d: %w", d.Ino, d.Err)
}

// blockRange reads 100 or 100-199.
func blockRange(arg string) (first, last uint64, err error) {
	from, to, isRange := strings.Cut(arg, "-")
	first, err = strconv.ParseUint(from, 0, 64)
	last = first
	if err == nil && isRange {
		last, err = strconv.ParseUint(to, 0, 64)
	}
	if err != nil || last < first {
		return 0, 0, usagef("%q is no block number and no range of them, as in 100-199", arg)
	}
	return first, last, nil
}

// blockArgs reads block numbers and ranges of them.
func blockArgs(args []string) ([]layout.Block, error) {
	var blocks []layout.Block
	for _, arg := range args {
		first, last, err := blockRange(arg)
		switch {
		case err != nil:
			return nil, err
		case last-first >= maxBlocks || uint64(len(blocks))+last-first >= maxBlocks:
			return nil, usagef("%s: more than %d blocks at once", arg, maxBlocks)
		}
		// Counted from 0, since last may be the largest number there is.
		for i := range last - first + 1 {
			blocks = append(blocks, layout.Block(first+i))
		}
	}
	return blocks, nil
}

// names surveys the names of the inodes that own something; nil where none of
// them has one.
func (o *ownerOptions) names(ctx context.Context, e *env, v *opened, owners []links.Owner) (*links.Names, error) {
	var want []ext.Ino
	for i := range owners {
		for _, c := range owners[i].Claims {
			if !v.fs.Reserved(c.Ino) && c.Ino != layout.RootIno && (len(want) == 0 || want[len(want)-1] != c.Ino) {
				want = append(want, c.Ino)
			}
		}
	}
	if len(want) == 0 {
		return nil, nil
	}
	p := o.progress(e, "names")
	defer p.end()
	return v.names(ctx, want, p)
}

// names surveys the file system for all names of some inodes.
func (o *opened) names(ctx context.Context, want []ext.Ino, p *progress) (*links.Names, error) {
	tree, err := links.Survey(ctx, o.fs, links.Hooks{Progress: p.set})
	if err != nil {
		return nil, err
	}
	set := tree.NewSet()
	for _, ino := range want {
		set.Add(ino)
	}
	names, err := tree.Names(ctx, set)
	damage, more := tree.Damage()
	for _, d := range damage {
		o.env.damage(inodeDamage(d))
	}
	if more > 0 {
		o.env.damage(fmt.Errorf("and %d more places that could not be read", more))
	}
	return names, err
}
