package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// volumeDisks unpacks disks of testdata/volumes into one folder.
func volumeDisks(t *testing.T, names ...string) []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for _, name := range names {
		packed, err := os.ReadFile(filepath.Join("../../testdata/volumes", name+".gz"))
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.Base(name))
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.ReadFrom(z); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func TestVolumesGolden(t *testing.T) {
	group := volumeDisks(t, "lvm/pv0", "lvm/pv1", "lvm/pv2")
	guest := volumeDisks(t, "nested/guest0", "nested/guest1")
	golden(t, "partitions-group.table", exitDone, append([]string{"partitions"}, group...)...)
	golden(t, "partitions-group.json", exitDone, append([]string{"partitions", "-f", "json"}, group...)...)
	golden(t, "partitions-group-missing.table", exitPartial, "partitions", group[0], group[2])
	golden(t, "partitions-nested.table", exitDone, append([]string{"partitions"}, guest...)...)
	golden(t, "partitions-nested.markdown", exitDone, "partitions", "-f", "markdown", guest[0])
	golden(t, "partitions-locked.table", exitDone, append([]string{"partitions"}, volumeDisks(t, "nested/disk")...)...)
}

// Volumes are looked into as partitions are, whichever way their disks are named.
func TestVolumes(t *testing.T) {
	pv := volumeDisks(t, "lvm/pv0", "lvm/pv1", "lvm/pv2", "md/raid1-stale.0", "md/raid1-stale.1", "md/raid5-1.2.0", "nested/disk")
	for _, tt := range []struct {
		args     string
		status   int
		out, err string // patterns
	}{
		{"cat A --with B --with C -p vg0/linear /who", exitDone, "^this is linear\n$", "^$"},
		{"cat C --with B --with A -p vg0/striped /who", exitDone, "^this is striped\n$", "^$"},
		{"cat A -p mirror /who", exitDone, "^this is mirror\n$", "warning: vg0/mirror: a copy of it lies on physical volume pv1 .*, which is missing"},
		{"cat B -p vg0/raid1 /who", exitDone, "^this is raid1\n$", "warning: vg0/raid1: a copy of it lies on"},
		{"info A B C -p vg0/raid0", exitDone, "raid0", "^$"},
		{"audit A B C -p vg0/linear", exitDone, "verdict: sound", "^$"},
		{"links A B C -p vg0/striped", exitDone, "inodes: 0", "^$"},
		{"audit A B C", exitUsage, "^$", `several ext file systems: \d+: ext4 label "linear" name "vg0/linear" UUID .*striped.*mirror.*raid1.*raid0.*origin`},
		{"cat A B -p vg0/nothing /who", exitUsage, "^$", `no partition "vg0/nothing" among|no such file`},
		{"info A -p vg0/thin", exitNotExt, "^$", `vg0/thin is not an ext file system: unsupported volume \(thin is not supported\)\n$`},
		{"info A -p 1", exitNotExt, "^$", `partition 1 is not an ext file system: LVM2 member \(physical volume pv0 of group vg0\)`},
		{"cat C -p vg0/striped /who", exitNotExt, "", "vg0/striped is not an ext file system: unreadable .*physical volume pv0 .* is missing"},
		{"cat A -p vg0/linear /who", exitDone, "^this is linear\n$", "warning: vg0/linear: some of it lies on physical volume pv1 .*, which is missing"},
		{"ls A -p vg0/striped -R /", exitPartial, "", "of vg0/striped: physical volume pv2 .* is missing"},
		{"partitions A no-such-file", exitUsage, "^$", "no such file"},
		{"info D --with E", exitDone, "after", "warning: any:raid1-stale: partition 1 is behind"},
		{"info F", exitNotExt, "^$", "no ext file system on any partition.*any:raid5-1.2: unsupported volume .raid5 is not supported.\n$"},
		{"ls N /", exitDone, "who", "^$"},
		{"ls N -p system /", exitNotExt, "^$", "partition 2 is not an ext file system: LUKS2 .*locked"},
		{"info A --with B -o A --force -p mirror", exitUsage, "^$", "the evidence itself"},
		{"info A --with B -o B --force -p mirror", exitUsage, "^$", "the evidence itself"},
	} {
		args := strings.Fields(tt.args)
		for i, a := range args {
			if k := strings.Index("ABCDEFN", a); len(a) == 1 && k >= 0 {
				args[i] = pv[k]
			}
		}
		r := call(t, args...)
		if r.status != tt.status || !regexp.MustCompile(tt.out).MatchString(r.out) || !regexp.MustCompile(tt.err).MatchString(r.err) {
			t.Errorf("%s: exit status %d (want %d), stdout %.200q, stderr %q", tt.args, r.status, tt.status, r.out, r.err)
		}
	}
}

// The head of a report says which volume it is of: by number and name, and by a byte only
// where the volume is one range of the image.
func TestVolumesHead(t *testing.T) {
	pv := volumeDisks(t, "lvm/pv0", "lvm/pv1", "lvm/pv2")
	for name, offset := range map[string]bool{"vg0/mirror": false, "vg0/origin": true} {
		r := call(t, "info", "-f", "json", "-p", name, pv[2], pv[1], pv[0])
		var got struct {
			Image struct {
				Volume string
				Offset *int64
			}
		}
		if err := json.Unmarshal([]byte(r.out), &got); err != nil {
			t.Fatal(err, r.err)
		}
		if got.Image.Volume != name || (got.Image.Offset != nil) != offset {
			t.Errorf("%s: %+v", name, got)
		}
		if offset { // and there it is
			if r := call(t, "info", "--offset", jsonInt(*got.Image.Offset), pv[2]); r.status != exitDone || !strings.Contains(r.out, "origin") {
				t.Errorf("at %d: exit status %d, %s", *got.Image.Offset, r.status, r.err)
			}
		}
	}
}

func jsonInt(n int64) string {
	b, _ := json.Marshal(n)
	return string(b)
}
