package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
)

// What reading one small image may take, whatever is in it.
const (
	memoryLimit = 256 << 20 // bytes
	copyLimit   = 4 << 20   // bytes of one file
)

// within runs work under the limits: where it hangs, all goroutines are shown.
func within(t testing.TB, work func(ctx context.Context)) {
	t.Helper()
	withinTime(t, exttest.TimeLimit(), work)
}

func withinTime(t testing.TB, limit time.Duration, work func(ctx context.Context)) {
	t.Helper()
	defer exttest.Watch(t, limit)()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	stop := make(chan struct{})
	peak := make(chan uint64)
	go func() { peak <- peakHeap(stop) }()
	start := time.Now()
	work(ctx)
	if took := time.Since(start); took > limit {
		t.Errorf("took %v", took)
	}
	close(stop)
	if n := <-peak; n > memoryLimit {
		t.Errorf("took %d MiB of memory", n>>20)
	}
}

// peakHeap is by how much the heap grows at most until stop closes, in bytes,
// garbage included.
func peakHeap(stop chan struct{}) (peak uint64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	metrics.Read(sample)
	first := sample[0].Value.Uint64()
	for {
		metrics.Read(sample)
		if now := sample[0].Value.Uint64(); now > first {
			peak = max(peak, now-first)
		}
		select {
		case <-stop:
			return peak
		case <-tick.C:
		}
	}
}

// faults is everything that is wrong in an image by any of the ways to look at
// it, a line each, sorted.
func faults(t testing.TB, ctx context.Context, r io.ReaderAt, size int64) []string {
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	f, err := ext.Open(r, size, ext.Options{})
	if err != nil {
		return []string{"open: " + err.Error()}
	}
	for _, w := range f.Warnings() {
		say("warning: %s", w.Text)
	}
	for _, err := range readAll(ctx, f) {
		say("read: %v", err)
	}
	tree, err := links.Survey(ctx, f, links.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	damage, _ := tree.Damage()
	for _, d := range damage {
		say("survey: inode %d: %v", d.Ino, d.Err)
	}
	if seq, err := tree.Symlinks(ctx, links.SymlinkOptions{}); err != nil {
		t.Error(err)
	} else {
		for s := range seq {
			if s.Err != nil {
				say("symlink %d: %v", s.Ino, s.Err)
			}
		}
	}
	if seq, err := tree.HardLinks(ctx); err != nil {
		t.Error(err)
	} else {
		for l := range seq {
			if l.Mismatch {
				say("links of %d: %d, %d", l.Ino, l.Stored, l.Counted)
			}
		}
	}
	orphans, errs, err := tree.Orphans(ctx)
	if err != nil {
		t.Error(err)
	}
	for _, err := range errs {
		say("orphans: %v", err)
	}
	for _, o := range orphans {
		say("orphan %d: %s", o.Ino, o.Kind)
	}
	if _, err := tree.Unattached(ctx); err != nil {
		t.Error(err)
	}
	if _, _, err := links.Owners(ctx, f, []layout.Block{1, 2, 5, 40, 100, 500}, nil); err != nil && ctx.Err() != nil {
		t.Error(err)
	}
	result, err := audit.Run(ctx, f, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range result.Findings {
		say("audit: %s: inode %d, group %d: %s", f.Kind, f.Ino, f.Group, f.Detail)
	}
	for _, err := range result.Unreadable {
		say("audit: unreadable: %v", err)
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// readAll reads all that the tables and the root lead to, and gives what went
// wrong.
func readAll(ctx context.Context, f *ext.FS) []error {
	var errs []error
	note := func(err error) {
		if err != nil && len(errs) < 1000 {
			errs = append(errs, err)
		}
	}
	for ino := layout.Ino(1); uint32(ino) <= min(f.InodesCount(), 1000) && ctx.Err() == nil; ino++ {
		in, err := f.Inode(ino)
		if err != nil {
			note(err)
			continue
		}
		if in.Links == 0 {
			continue
		}
		note(readInode(f, in))
	}
	root, err := f.Inode(layout.RootIno)
	if err != nil {
		return append(errs, err)
	}
	for e, err := range f.Walk(ctx, root, []byte("/"), ext.WalkOptions{Removed: true}) {
		note(err)
		if err == nil {
			_, err := e.Inode()
			note(err)
		}
	}
	return errs
}

// readInode reads one inode in every way.
func readInode(f *ext.FS, in *ext.Inode) error {
	var errs []error
	note := func(err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("inode %d: %w", in.Ino, err))
		}
	}
	if _, err := f.Copy(&boundedWriter{left: copyLimit}, in); !errors.Is(err, errFull) {
		note(err)
	}
	_, err := f.Xattrs(in)
	note(err)
	if in.IsSymlink() {
		_, err := f.Readlink(in)
		note(err)
	}
	for _, err := range f.EveryRun(in) {
		note(err)
	}
	if in.IsDir() {
		for _, err := range f.Entries(in, true) {
			note(err)
		}
		_, err := f.Lookup(in, []byte("nothing"))
		if ext.IsDamage(err) {
			note(err)
		}
	}
	return errors.Join(errs...)
}

// A boundedWriter takes so many bytes and no more; holes are free.
type boundedWriter struct{ left int }

var errFull = errors.New("enough")

func (w *boundedWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func (w *boundedWriter) Hole(int64) error { return nil }

// silent are the hostile images of which nothing is said, and why that is right.
var silent = map[string]string{
	"inline-file-size-over-data": "the kernel and e2fsck take the rest to be zeros, and mke2fs makes such of sparse files",

	"symlink-self":         "the image is sound: that loop is in it anyway",
	"xattr-prefix-unknown": "e2fsck and the kernel take any prefix but 0",
}

// No hostile image makes anything panic, hang or take much memory, and of every
// one it is said what is wrong with it.
func TestHostile(t *testing.T) {
	sound := map[string]bool{}
	for _, name := range []string{"small", "small-ext2", "small-inline"} {
		image := exttest.Bytes(t, name)
		for _, line := range faults(t, t.Context(), bytes.NewReader(image), int64(len(image))) {
			sound[line] = true
		}
	}
	for _, name := range exttest.Some(40, exttest.HostileNames()) {
		t.Run(name, func(t *testing.T) {
			image := exttest.HostileImage(t, name)
			var lines []string
			within(t, func(ctx context.Context) {
				lines = faults(t, ctx, bytes.NewReader(image), int64(len(image)))
			})
			lines = slices.DeleteFunc(lines, func(s string) bool { return sound[s] })
			audited := slices.ContainsFunc(lines, func(s string) bool {
				return strings.HasPrefix(s, "audit") || strings.HasPrefix(s, "open")
			})
			why, quiet := silent[name]
			switch {
			case !audited && !quiet:
				t.Errorf("the audit has nothing to say of it; said is %q", lines)
			case audited && quiet:
				t.Errorf("is listed as silent (%s), and said is %q", why, lines)
			}
			t.Logf("%.300q", lines)
		})
	}
}
