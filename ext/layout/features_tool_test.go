package layout_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

// dumpe2fsFeatures gives the feature names that dumpe2fs prints for a superblock
// with one bit set in one of the three words.
func dumpe2fsFeatures(t *testing.T, tool, image string, super []byte, word int, bit uint32) string {
	t.Helper()
	b := append([]byte(nil), super...)
	clear(b[0x5c:0x68])
	binary.LittleEndian.PutUint32(b[0x5c+4*word:], bit)
	binary.LittleEndian.PutUint16(b[0xfe:], 64) // s_desc_size, for 64bit
	f, err := os.OpenFile(image, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(b, layout.SuperblockOffset)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, "-f", "-h", image)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, _ := cmd.Output() // it complains about features, and prints them
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(line, "Filesystem features:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	t.Logf("dumpe2fs: %s", out)
	t.Errorf("dumpe2fs shows no features for bit %#x of word %d", bit, word)
	return ""
}

// Every feature bit has the name that dumpe2fs gives it; where dumpe2fs has
// none, FEATURE_C12 and the like, the names are those of the headers or hex.
func TestFeatureNamesAgainstDumpe2fs(t *testing.T) {
	mke2fs, dumpe2fs := exttest.Tool(t, "mke2fs"), exttest.Tool(t, "dumpe2fs")
	image := filepath.Join(t.TempDir(), "image")
	if out, err := exec.Command(mke2fs, "-q", "-F", "-t", "ext2", "-b", "1024", image, "1M").CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v: %s", err, out)
	}
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	super := b[layout.SuperblockOffset:][:layout.SuperblockSize]
	named := 0
	for word := range 3 {
		for i := range 32 {
			bit := uint32(1) << i
			ours := [3]string{layout.Compat(bit).String(), layout.Incompat(bit).String(), layout.ROCompat(bit).String()}[word]
			theirs := dumpe2fsFeatures(t, dumpe2fs, image, super, word, bit)
			switch {
			case theirs == fmt.Sprintf("FEATURE_%c%d", "CIR"[word], i):
				t.Logf("dumpe2fs has no name for %s", ours)
			case ours != theirs:
				t.Errorf("bit %#x of word %d: got %s, dumpe2fs says %s", bit, word, ours, theirs)
			default:
				named++
			}
		}
	}
	if named < 35 {
		t.Errorf("only %d names were compared", named)
	}
}
