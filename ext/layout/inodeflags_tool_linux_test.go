package layout_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

// userVisible is EXT4_FL_USER_VISIBLE, fs/ext4/ext4.h: the bits that the kernel
// tells lsattr of.
const userVisible = 0x725bdfff

// Every inode flag is spelled as lsattr spells it, and has a word where lsattr -l
// has one. The flags are set in the image; some the kernel then refuses.
func TestLettersAgainstLsattr(t *testing.T) {
	exttest.Root(t)
	mke2fs, debugfs, lsattr := exttest.Tool(t, "mke2fs"), exttest.Tool(t, "debugfs"), exttest.Tool(t, "lsattr")
	exttest.Tool(t, "mount")
	dir := t.TempDir()
	image, script := filepath.Join(dir, "image"), filepath.Join(dir, "script")
	var commands strings.Builder
	for i := range 32 {
		make := "write /dev/null"
		if layout.InodeFlags(1)<<i == layout.FlagProjInherit {
			make = "mkdir" // the kernel hides it on files
		}
		fmt.Fprintf(&commands, "%s f%02d\nset_inode_field f%02d flags %#x\n", make, i, i, uint32(1)<<i)
	}
	if err := os.WriteFile(script, []byte(commands.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []*exec.Cmd{
		exec.Command(mke2fs, "-q", "-F", "-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^has_journal,^extent,^64bit", image, "4M"),
		exec.Command(debugfs, "-w", "-f", script, image),
	} {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", cmd.Args, err, out)
		}
	}
	m, err := exttest.MountImage(image, "ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	compared := 0
	for i := range 32 {
		flag := layout.InodeFlags(1) << i
		file := filepath.Join(m.Dir, fmt.Sprintf("f%02d", i))
		short, err := exec.Command(lsattr, "-d", file).Output()
		long, err2 := exec.Command(lsattr, "-d", "-l", file).Output()
		if err != nil || err2 != nil || len(short) == 0 {
			t.Logf("%s: the kernel refuses the inode", flag.Names())
			continue
		}
		want := strings.Fields(string(short))[0]
		if got := (flag & userVisible).Letters(); got != want {
			t.Errorf("%#x: got %s, lsattr prints %s", uint32(flag), got, want)
		}
		words := strings.TrimSpace(strings.TrimPrefix(string(long), file))
		if hasLetter := strings.Trim(want, "-") != ""; hasLetter == (words == "---") {
			t.Errorf("%#x: lsattr prints %s, and %s with -l", uint32(flag), want, words)
		}
		t.Logf("%s: %s %s", flag.Names(), want, words)
		compared++
	}
	if compared < 20 {
		t.Errorf("only %d flags were compared", compared)
	}
}
