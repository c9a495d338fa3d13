package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Encrypted volumes are opened by a file, whichever way their contents are named; without
// one they are locked, and what opens them is told.
func TestKeyFile(t *testing.T) {
	disks := volumeDisks(t, "nested/disk", "luks/v2-4k", "luks/v1-xts")
	key := func(name, content string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	names := map[string]string{
		"NESTED": disks[0], "FOUR": disks[1], "ONE": disks[2],
		"RIGHT": key("right", "extscope"), "LINE": key("line", "extscope\n"), "SECOND": key("second", "second\n"), "LONG": key("long", strings.Repeat("x", maxKeyFile+1)),
	}
	const hint = "stdin is no terminal to ask for a passphrase at: --key-file opens what is locked\n$"
	for _, tt := range []struct {
		args     string
		status   int
		out, err string // patterns
	}{
		{"cat FOUR --key-file RIGHT /who", exitDone, "^this is v2-4k\n$", "^$"},
		{"cat ONE --key-file SECOND -p 1 /who", exitDone, "^this is v1-xts\n$", "^$"},
		{"cat NESTED --key-file RIGHT -p vgsealed/home /who", exitDone, "^this is home\n$", "^$"},
		{"audit NESTED --key-file RIGHT -p root", exitDone, "verdict: sound", "^$"},
		{"cat NESTED --key-file RIGHT -p boot /who", exitDone, "^this is boot\n$", "^$"},
		{"cat NESTED --key-file RIGHT /who", exitUsage, "^$", `several ext file systems: .*"boot".*"vgsealed/root".*"vgsealed/home"`},
		{"cat FOUR --key-file LINE /who", exitUsage, "^$", "partition 1 stays locked: no key slot fits the passphrase\n$"},
		{"cat NESTED --key-file LINE /who", exitUsage, "^$", "partition 2 stays locked: no key slot fits the passphrase\n$"},
		{"cat NESTED --key-file LINE -p vgsealed/home /who", exitUsage, "^$", "no partition .* stays locked: no key slot fits the passphrase\n$"},
		{"deleted FOUR --former --key-file LINE", exitUsage, "^$", "stays locked: no key slot fits the passphrase\n$"},
		{"cat FOUR --key-file NONE /who", exitUsage, "^$", "no such file"},
		{"cat FOUR --key-file LONG /who", exitUsage, "^$", "longer than 8388608 bytes"},
		{"cat FOUR --key-file RIGHT --kdf-memory 0 /who", exitUsage, "^$", "--kdf-memory 0: want 1 to 4096"},
		{"cat FOUR --key-file RIGHT --kdf-memory 1 /who", exitDone, "^this is v2-4k\n$", "^$"},
		{"cat FOUR /who", exitNotExt, "^$", `LUKS2 .*encrypted.*, locked; ` + hint},
		{"cat NESTED -p system /who", exitNotExt, "^$", "partition 2 is not an ext file system: LUKS2 .*, locked; " + hint},
		{"cat NESTED -p vgsealed/root /who", exitUsage, "^$", "no partition .*; " + hint},
		{"cat NESTED /who", exitDone, "^this is boot\n$", "^$"},
		{"partitions FOUR", exitDone, "LUKS2, locked", "^$"},
		{"partitions FOUR --key-file RIGHT", exitDone, "LUKS2 .*\n.*decrypted.*ext4", "^$"},
		{"partitions NESTED --key-file RIGHT", exitDone, "└── decrypted.*LVM2 member.*\n.*├── lv.*ext4.*\n.*└── lv.*ext4", "^$"},
		{"partitions NESTED --key-file LINE", exitUsage, "LUKS2, locked", "warning: partition 2: stays locked: no key slot fits the passphrase\nextscope: partition 2 stays locked: no key"},
	} {
		args := strings.Fields(tt.args)
		for i, a := range args {
			if path, ok := names[a]; ok {
				args[i] = path
			}
		}
		r := call(t, args...)
		if r.status != tt.status || !regexp.MustCompile(tt.out).MatchString(r.out) || !regexp.MustCompile(tt.err).MatchString(r.err) {
			t.Errorf("%s: exit status %d (want %d), stdout %.400q, stderr %q", tt.args, r.status, tt.status, r.out, r.err)
		}
	}
	var out, err bytes.Buffer
	if status := runContext(context.Background(), []string{"cat", disks[1], "--key-file", "-", "/who"}, strings.NewReader("extscope"), &out, &err); status != exitDone || out.String() != "this is v2-4k\n" {
		t.Errorf("from stdin: exit status %d, %q, %q", status, out.String(), err.String())
	}
}
