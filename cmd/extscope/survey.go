package main

import (
	"context"
	"fmt"

	"github.com/extscope/extscope/ext/links"
)

// survey reads all inodes and directories once, and tells what could not be
// read.
func (o *opened) survey(ctx context.Context, out *output) (*links.Tree, error) {
	p := out.progress(o.env, "survey")
	t, err := links.Survey(ctx, o.fs, links.Hooks{Progress: p.set})
	p.end()
	if err != nil {
		return nil, err
	}
	list, more := t.Damage()
	for _, d := range list {
		o.env.damage(fmt.Errorf("inode %d: %w", d.Ino, d.Err))
	}
	o.env.damages += int(min(more, 1<<30))
	return t, nil
}
