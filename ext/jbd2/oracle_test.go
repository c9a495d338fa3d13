package jbd2_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// TestReplayIsE2fscks has e2fsck replay the journal of a copy, and holds every
// block against the overlay. The log's own superblock is left out, and in the
// superblock what e2fsck writes of itself. Fast commits are not replayed here.
func TestReplayIsE2fscks(t *testing.T) {
	for _, name := range exttest.Some(4, crashes(t)) {
		t.Run(name, func(t *testing.T) {
			c := openCrash(t, name)
			switch {
			case c.fs.Super.Incompat&layout.IncompatRecover == 0:
				t.Skip("clean")
			case c.fs.Super.LastOrphan != 0 || c.fs.Super.OrphanFileInum != 0 || c.replayed(t).LastOrphan != 0:
				t.Skip("e2fsck goes on to delete the orphans")
			}
			compareReplay(t, c, e2fsckReplay(t, c))
		})
	}
}

// TestReplayIsDebugfss does the same with the command journal_run of debugfs,
// which leaves orphans alone.
func TestReplayIsDebugfss(t *testing.T) {
	for _, name := range exttest.Some(4, crashes(t)) {
		t.Run(name, func(t *testing.T) {
			c := openCrash(t, name)
			if c.fs.Super.Incompat&layout.IncompatRecover == 0 {
				t.Skip("clean")
			}
			compareReplay(t, c, debugfsReplay(t, c))
		})
	}
}

// replayed is the superblock after replay.
func (c *crashed) replayed(t *testing.T) *layout.Superblock {
	t.Helper()
	b := make([]byte, layout.SuperblockSize)
	if _, err := c.j.Overlay(c.base(), c.j.Recoverable().Blocks).ReadAt(b, layout.SuperblockOffset); err != nil {
		t.Fatal(err)
	}
	sb, err := layout.DecodeSuperblock(b, layout.SuperblockOffset)
	if err != nil {
		t.Fatal(err)
	}
	return sb
}

func compareReplay(t *testing.T, c *crashed, replayed string) {
	t.Helper()
	r := c.j.Recoverable()
	t.Logf("%d transactions, %d blocks, %d revoked, end %d (%v) at log block %d", len(r.Transactions), len(r.Blocks), r.Revoked, r.End, r.Reason, r.EndBlock)
	for _, w := range r.Warnings {
		t.Logf("warning: %v", w)
	}
	if len(r.Transactions) == 0 || r.Refused != nil {
		t.Fatalf("nothing to replay: %v", r.Refused)
	}
	for _, fc := range c.j.FastCommits() {
		if fc.Valid {
			t.Skip("fast commits to be replayed")
		}
	}
	want := readFile(t, replayed)
	o := c.j.Overlay(c.base(), r.Blocks)
	if err := o.MarkRecovered(c.j.Facts().Errno != 0); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if n, err := o.ReadAt(got, 0); err != nil {
		t.Fatalf("%d of %d bytes: %v", n, len(got), err)
	}
	for _, b := range [][]byte{want, got} {
		sb := b[layout.SuperblockOffset:][:layout.SuperblockSize]
		clear(sb[0x30:0x34])   // s_wtime
		clear(sb[0x40:0x44])   // s_lastcheck
		clear(sb[0x34:0x36])   // s_mnt_count
		clear(sb[0x3a:0x3c])   // s_state
		clear(sb[0x10:0x14])   // s_free_inodes_count
		clear(sb[0xc:0x10])    // s_free_blocks_count
		clear(sb[0x178:0x180]) // s_kbytes_written
		clear(sb[0x274:0x278]) // the high bytes of times
		clear(sb[0x3fc:])      // s_checksum
		// e2fsck sets bg_itable_unused anew.
		for g := range c.fs.GroupCount() {
			desc := b[int(c.fs.Super.FirstDataBlock+1)*c.fs.BlockSize():][int(g)*c.fs.Super.DescBytes():]
			clear(desc[0x1c:0x20])
		}
		if c.device == nil {
			clear(b[c.j.Facts().Offset:][:jbd2.SuperblockSize])
		}
	}
	bs := c.fs.BlockSize()
	for at := 0; at < len(want); at += bs {
		end := min(at+bs, len(want))
		if !bytes.Equal(got[at:end], want[at:end]) {
			_, copied := o.Copied(layout.Block(at / bs))
			t.Errorf("block %d differs (copied: %t): %s", at/bs, copied, firstDiff(got[at:end], want[at:end]))
		}
	}
}

func firstDiff(a, b []byte) string {
	for i := range a {
		if a[i] != b[i] {
			return fmt.Sprintf("byte %#x: %#x, e2fsck %#x", i, a[i], b[i])
		}
	}
	return "none"
}

// e2fsckReplay replays the journal of a copy with e2fsck, and gives the copy.
func e2fsckReplay(t *testing.T, c *crashed) string {
	t.Helper()
	tool := exttest.Tool(t, "e2fsck")
	image := file(t, c.image)
	args := []string{"-fy", "-E", "journal_only"}
	if c.device != nil {
		args = append(args, "-j", file(t, c.device))
	}
	out, err := exec.Command(tool, append(args, image)...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!asExit(err, &exit) || exit.ExitCode() > 1) {
		t.Fatalf("e2fsck: %v\n%s", err, out)
	}
	return image
}

func debugfsReplay(t *testing.T, c *crashed) string {
	t.Helper()
	tool := exttest.Tool(t, "debugfs")
	if c.device != nil {
		t.Skip("journal_run takes the device of an external journal from blkid")
	}
	image := file(t, c.image)
	out, err := exec.Command(tool, "-w", "-R", "jr", image).CombinedOutput()
	if err != nil {
		t.Fatalf("debugfs: %v\n%s", err, out)
	}
	return image
}

func asExit(err error, to **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*to = e
	return ok
}

// TestLogdump holds the transactions to be replayed, and the fast commits, against
// what debugfs prints of them.
func TestLogdump(t *testing.T) {
	for _, name := range exttest.Some(4, crashes(t)) {
		t.Run(name, func(t *testing.T) {
			c := openCrash(t, name)
			r := c.j.Recoverable()
			if len(r.Transactions) == 0 {
				t.Skip("nothing to replay")
			}
			request := "logdump -a"
			if c.device != nil {
				request += " -f " + file(t, c.device)
			}
			out := exttest.Debugfs(t, file(t, c.image), request)
			if c.device != nil && !strings.Contains(out, "logged at") {
				exttest.Skip(t, "this debugfs does not read a journal device: %s", out)
			}
			want := pick(out, `Found expected sequence \d+, type 2 .*|  FS block \d+ logged at journal block \d+ .*|  Revoke FS block \d+.*`)
			got := dump(c.j, r)
			diffLines(t, got, want)
			diffLines(t, dumpFC(c.j), pickNames(out, `tag (?:INODE|ADD_RANGE|DEL_RANGE|CREAT_DENTRY|ADD_ENTRY|DEL_ENTRY|TAIL).*`))
		})
	}
}

func pick(out, expr string) []string {
	return regexp.MustCompile(`(?m)^(?:`+expr+`)$`).FindAllString(out, -1)
}

var name = regexp.MustCompile(`name "(.*)"$`)

// pickNames is pick without what debugfs 1.47.0 prints behind a name, which is not
// terminated on disk: the names of these images are letters, digits and hyphens, and
// are followed by the low byte of a small number.
func pickNames(out, expr string) []string {
	lines := pick(out, expr)
	for i, line := range lines {
		if m := name.FindStringSubmatch(line); m != nil {
			clean := regexp.MustCompile(`[^[:print:]].*`).ReplaceAllString(m[1], "")
			lines[i] = name.ReplaceAllLiteralString(line, fmt.Sprintf("name %q", clean))
		}
	}
	return lines
}

// dump prints transactions as debugfs does.
func dump(j *jbd2.Journal, r *jbd2.Recovery) []string {
	var out []string
	last := j.Facts().Last
	for _, t := range r.Transactions {
		for _, b := range t.Revokes {
			out = append(out, fmt.Sprintf("  Revoke FS block %d", b))
		}
		for _, c := range t.Blocks {
			escaped := ""
			if c.Escaped {
				escaped = " escaped"
			}
			out = append(out, fmt.Sprintf("  FS block %d logged at journal block %d%s", c.FS, c.Log, escaped))
		}
		commit := t.End - 1
		if t.End == j.Facts().First {
			commit = last - 1
		}
		out = append(out, fmt.Sprintf("Found expected sequence %d, type 2 (commit block) at block %d", t.Sequence, commit))
	}
	return out
}

func dumpFC(j *jbd2.Journal) []string {
	var out []string
	for _, fc := range j.FastCommits() {
		if !fc.Valid {
			break
		}
		for _, r := range fc.Records {
			switch r.Tag {
			case jbd2.FCAddRange:
				out = append(out, fmt.Sprintf("tag ADD_RANGE, inode %d, lblk %d, pblk %d, len %d", r.Ino, r.Extent.FileBlock, r.Extent.Start, r.Extent.Len))
			case jbd2.FCDelRange:
				out = append(out, fmt.Sprintf("tag DEL_RANGE, inode %d, lblk %d, len %d", r.Ino, int32(r.FileBlock), r.Len))
			case jbd2.FCCreat, jbd2.FCLink, jbd2.FCUnlink:
				tag := map[jbd2.FCTag]string{jbd2.FCCreat: "CREAT_DENTRY", jbd2.FCLink: "ADD_ENTRY", jbd2.FCUnlink: "DEL_ENTRY"}[r.Tag]
				out = append(out, fmt.Sprintf("tag %s, parent %d, ino %d, name %q", tag, r.Parent, r.Ino, r.Name))
			case jbd2.FCInode:
				out = append(out, fmt.Sprintf("tag INODE, inode %d", r.Ino))
			}
		}
		out = append(out, fmt.Sprintf("tag TAIL, tid %d", fc.TID))
	}
	return out
}

var flags = regexp.MustCompile(` \(flags 0x([0-9a-f]+)\)$`)

func diffLines(t *testing.T, got, want []string) {
	t.Helper()
	for i, w := range want {
		if m := flags.FindStringSubmatch(w); m != nil {
			escaped := ""
			if strings.ContainsAny(m[1][len(m[1])-1:], "13579bdf") {
				escaped = " escaped"
			}
			want[i] = flags.ReplaceAllString(w, escaped)
		}
	}
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("missing: %s", want[i])
		case i >= len(want):
			t.Fatalf("debugfs has no: %s", got[i])
		case got[i] != want[i]:
			t.Fatalf("line %d: %s, debugfs: %s", i, got[i], want[i])
		}
	}
}
