package exttest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "record what the kernel and e2fsck make of hostile journals")

// replayed mounts an image after the kernel has replayed its journal, and gives the
// mount point. The image is written to. With names a fast commit that changes names is
// replayed too, which kernel 6.18 doesn't do on a read-only mount.
func replayed(t *testing.T, image, device string, names bool) (string, error) {
	t.Helper()
	dir := t.TempDir()
	var flags uintptr = unix.MS_RDONLY
	options := ""
	if names {
		flags, options = unix.MS_NOATIME, "noinit_itable"
	}
	if device != "" {
		options = "journal_path=" + attach(t, device)
	}
	if err := unix.Mount(attach(t, image), dir, "ext4", flags, options); err != nil {
		return "", err
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	if names {
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOATIME, ""); err != nil {
			t.Fatal(err)
		}
	}
	return dir, nil
}

// attach gives a file a loop device that can be written.
func attach(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("losetup", "-f", "--show", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		if err := exec.Command("losetup", "-d", device).Run(); err != nil {
			t.Errorf("losetup -d %s: %v", device, err)
		}
	})
	return device
}

func hasNames(image string) bool { return strings.Contains(image, "fast-commit") }

// The stored truth is what the kernel shows today once it has replayed the journal.
func TestCrashTruthHolds(t *testing.T) {
	Root(t)
	tried, held := 0, 0
	for _, name := range Some(4, CrashCases(t)) {
		t.Run(name, func(t *testing.T) {
			tried++
			image, device := CrashImage(t, name)
			dir, err := replayed(t, image, device, hasNames(name))
			if err != nil {
				t.Skip(err)
			}
			held++
			got, want := Walk(t, dir), Truth(t, name)
			if hasNames(name) {
				forgetDirectoryTimes(got)
				forgetDirectoryTimes(want)
			}
			compareTrees(t, got, want)
		})
		t.Run(name+"/home", func(t *testing.T) {
			want, ok := HomeTruth(t, name)
			if !ok {
				t.Skip("not recorded")
			}
			image, _ := CrashImage(t, name)
			got := Walk(t, Mount(t, image, ""))
			compareTrees(t, got, want)
			if reflect.DeepEqual(got, Truth(t, name)) {
				t.Error("the replay makes no difference")
			}
		})
	}
	if tried > 0 && held == 0 {
		Skip(t, "this kernel replays none of %d images", tried)
	}
}

// forgetDirectoryTimes clears what a fast commit doesn't hold: the kernel gives a
// directory the present time where it replays a name.
func forgetDirectoryTimes(objs []Object) {
	for i := range objs {
		if o := &objs[i]; o.Type == "directory" {
			o.Mtime, o.Ctime = Time{}, Time{}
		}
	}
}

func compareTrees(t *testing.T, got, want []Object) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d names, recorded %d", len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("%q: %+v\nrecorded %+v", got[i].Path, got[i], want[i])
		}
	}
}

// Never given to the kernel or e2fsck: they'd not come back.
var endless = map[string]bool{"log-endless-revokes": true, "log-endless-descriptors": true}

func TestHostileJournalOutcomes(t *testing.T) {
	if !*update {
		t.Skip("only with -update")
	}
	Root(t)
	root := hostileRoot(t)
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "trees"), 0o755); err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	for _, c := range hostileLogs() {
		if endless[c.name] {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			o := JournalOutcome{Name: c.name, Base: "journal/" + c.image}
			e := editCrash(t, o.Base)
			super := int64(e.blocks[0]) * e.blockSize
			c.damage(e)
			o.Kernel = kernelReplay(t, e.Image, super, root, hasNames(c.image))
			o.E2fsck = e2fsckReplay(t, e.Image, super, root)
			enc := json.NewEncoder(&lines)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(o); err != nil {
				t.Fatal(err)
			}
		})
	}
	if err := os.WriteFile(filepath.Join(root, "outcomes.json"), lines.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func kernelReplay(t *testing.T, b []byte, super int64, root string, names bool) (r ReplayResult) {
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
	mark := fmt.Sprintf("exttest %d %s", os.Getpid(), t.Name())
	if err := os.WriteFile("/dev/kmsg", []byte(mark), 0); err != nil {
		t.Log(err)
	}
	t.Run("kernel", func(t *testing.T) {
		dir, err := replayed(t, image, "", names)
		r.Said = kernelSaid(mark)
		if err != nil {
			r.Refused = err.Error()
			return
		}
		readOutcome(t, &r, dir, root)
	})
	readSuper(t, &r, image, super)
	return r
}

// passing matches what the kernel says of every mount, and devices and programs.
var (
	passing = regexp.MustCompile(`mounted filesystem|re-mounted|unmounting|callbacks suppressed|write access will be|recovery required|recovery complete`)
	naming  = regexp.MustCompile(` \(device loop\d+\)| \(loop\d+\)| on loop\d+-8|comm exttest\.test: `)
)

// kernelSaid gives the kernel's messages since a mark.
func kernelSaid(mark string) (said []string) {
	out, _ := exec.Command("dmesg", "-t").Output()
	_, after, _ := strings.Cut(string(out), mark)
	for line := range strings.Lines(after) {
		line = strings.TrimSpace(line)
		if (strings.HasPrefix(line, "EXT4-fs") || strings.HasPrefix(line, "JBD2")) && !passing.MatchString(line) {
			said = append(said, naming.ReplaceAllString(line, ""))
		}
	}
	return said
}

func e2fsckReplay(t *testing.T, b []byte, super int64, root string) (r ReplayResult) {
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("timeout", "60", Tool(t, "e2fsck"), "-y", "-E", "journal_only", image).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 1 {
		r.Refused = fmt.Sprintf("exit status %d", exit.ExitCode())
	}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(strings.ReplaceAll(line, image, "image")); line != "" && !strings.HasPrefix(line, "e2fsck 1.") {
			r.Said = append(r.Said, line)
		}
	}
	r.Said = r.Said[:min(len(r.Said), 12)]
	readSuper(t, &r, image, super)
	t.Run("e2fsck", func(t *testing.T) {
		m, err := MountImage(image, "ro,noload")
		if err != nil {
			return
		}
		defer m.Close()
		readOutcome(t, &r, m.Dir, root)
	})
	return r
}

// readSuper reads s_sequence and s_start of the journal's superblock.
func readSuper(t *testing.T, r *ReplayResult, image string, offset int64) {
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [8]byte
	if _, err := f.ReadAt(b[:], offset+0x18); err != nil {
		t.Log(err)
	}
	r.Sequence, r.Start = be.Uint32(b[:]), be.Uint32(b[4:])
}

// readOutcome stores a tree under its digest.
func readOutcome(t *testing.T, r *ReplayResult, dir, root string) {
	objs, err := ReadTree(dir)
	if err != nil {
		r.Unreadable = strings.ReplaceAll(err.Error(), dir+"/", "")
		return
	}
	forgetDirectoryTimes(objs)
	path := filepath.Join(t.TempDir(), "tree.json.gz")
	if err := WriteTruth(path, objs); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	r.Tree = fmt.Sprintf("%x", sha256.Sum256(plain.Bytes()))[:12]
	if err := os.WriteFile(filepath.Join(root, "trees", r.Tree+".json.gz"), b, 0o644); err != nil {
		t.Fatal(err)
	}
}
