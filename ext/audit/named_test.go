package audit_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// The best known traps, and what is said of each. Offsets and numbers are those
// of the small image.
func TestTraps(t *testing.T) {
	for _, tt := range []struct {
		what, image string
		want        []string
	}{
		{"an extent node that leads to itself", "extent-self", []string{
			"audit: bad-extent: inode 25, group 0: corrupt extent index: ei_leaf (a node met before) is 0x103 at byte 265232"}},
		{"one that does so with every record", "extent-self-wide", []string{"audit: bad-extent: inode 25"}},
		{"a directory in one of those in it", "directory-cycle", []string{
			"audit: directory-hard-link: inode 14, group 0: a further name of directory inode 12",
			"read: /a/b/c/down (inode 12): a directory that was met before, not gone into"}},
		{"a circle that the root does not reach", "directory-cycle-detached", []string{
			"audit: unattached-inode: inode 12, group 0: in use, and no name leads to it; 3 inodes lie below it"}},
		{"rec_len 0", "directory-rec-len-0", []string{
			"audit: bad-entry: inode 12, group 0: corrupt directory entry: rec_len is 0x0 at byte 73756",
			"audit: unattached-inode: inode 13"}},
		{"an orphan list that comes back to itself", "orphans-loop", []string{
			"audit: bad-superblock: inode 0, group 0: corrupt orphan list: next inode is 0x15 at byte 16660",
			"audit: orphan-listed: inode 21", "audit: orphan-listed: inode 22"}},
		{"a symlink to itself", "symlink-self", []string{"audit: symlink-loop: inode "}},
		{"16 TiB in an image of 1 MiB", "inode-size-16t", []string{
			"audit: bad-size: inode 16, group 0: corrupt inode: i_size is 0x100000000000 at byte 15108"}},
		{"16 TiB by indirect blocks", "inode-size-16t-block-map", []string{"audit: bad-size: inode 22"}},
		{"a directory of 16 TiB", "extent-directory-16t", []string{"audit: bad-extent: inode 12"}},
		{"an indirect block full of itself", "indirect-double-self", []string{"audit: bad-block-pointer: inode 22"}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			image := exttest.HostileImage(t, tt.image)
			var lines []string
			within(t, func(ctx context.Context) {
				lines = faults(t, ctx, bytes.NewReader(image), int64(len(image)))
			})
			for _, want := range tt.want {
				if !slices.ContainsFunc(lines, func(s string) bool { return strings.HasPrefix(s, want) }) {
					t.Errorf("%q is not in %q", want, lines)
				}
			}
		})
	}
}
