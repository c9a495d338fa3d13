package main

import (
	"context"
	"fmt"

	"github.com/extscope/extscope/ext/links"
)

// survey reads all inodes and directories once, and tells what could not be
// read.
func (o *opened) survey(ctx context.Context, out *output, h links.Hooks) (*links.Tree, error) {
	p := out.progress(o.env, "survey")
	h.Progress = p.set
	t, err := links.Survey(ctx, o.fs, h)
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
