package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/extscope/extscope/ext/exttest"
)

// decode runs the program with -f json and decodes what it prints.
func decode(t *testing.T, into any, args ...string) result {
	t.Helper()
	got := call(t, append(args, "-f", "json")...)
	if err := json.Unmarshal([]byte(got.out), into); err != nil {
		t.Fatalf("%s: %v; exit status %d, stderr:\n%s", strings.Join(args, " "), err, got.status, got.err)
	}
	return got
}

// headerLines maps what dumpe2fs -h calls a number to its key in info.
var headerLines = map[string]string{
	"Inode count": "inodes", "Block count": "blocks", "Reserved block count": "reserved_blocks",
	"Overhead clusters": "overhead_clusters", "Free blocks": "free_blocks", "Free inodes": "free_inodes",
	"First block": "first_block", "Block size": "block_size", "Cluster size": "cluster_size",
	"Group descriptor size": "descriptor_size", "Reserved GDT blocks": "reserved_gdt_blocks",
	"Blocks per group": "blocks_per_group", "Clusters per group": "clusters_per_group",
	"Inodes per group": "inodes_per_group", "Flex block group size": "groups_per_flex",
	"First meta block group": "first_meta_bg", "Mount count": "mount_count", "Maximum mount count": "max_mount_count",
	"First inode": "first_inode", "Inode size": "inode_size", "Required extra isize": "min_extra_isize",
	"Desired extra isize": "want_extra_isize", "First orphan inode": "first_orphan", "Orphan file inode": "orphan_file_inode",
	"User quota inode": "user_quota_inode", "Group quota inode": "group_quota_inode", "Project quota inode": "project_quota_inode",
	"Filesystem UUID": "uuid", "Filesystem volume name": "label", "Last mounted on": "last_mounted",
	"Directory Hash Seed": "hash_seed", "Default directory hash": "hash_version", "Checksum": "checksum",
	"Checksum type": "checksum_type", "Checksum seed": "checksum_seed", "Filesystem state": "state",
	"Filesystem OS type": "creator_os", "Filesystem created": "created", "Last mount time": "mounted",
	"Last write time": "written", "Last checked": "checked", "FS Error count": "error_count",
}

func TestInfoAgreesWithDumpe2fs(t *testing.T) {
	tool := exttest.Tool(t, "dumpe2fs")
	for _, name := range exttest.Some(6, exttest.Cases(t, "matrix")) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			img := exttest.Image(t, name)
			cmd := exec.Command(tool, img)
			cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			var info struct {
				Superblock, Features, Journal map[string]any
				Groups                        []map[string]any
			}
			decode(t, &info, "info", img)
			head, groups, _ := strings.Cut(string(out), "\nGroup 0:")
			seen := 0
			for line := range strings.Lines(head) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
				value = strings.TrimSpace(value)
				var got any
				switch mine, ok := headerLines[key]; {
				case ok:
					got = info.Superblock[mine]
				case key == "Journal inode":
					got = info.Journal["inode"]
				case key == "Journal backup":
					got = info.Journal["backup"]
				case key == "Filesystem features":
					checkFeatures(t, value, info.Features)
					continue
				default:
					continue
				}
				seen++
				if want := fromHeader(value); fmt.Sprint(got) != want {
					t.Errorf("%s: %v, dumpe2fs has %s", key, got, want)
				}
			}
			if seen < 20 {
				t.Errorf("only %d lines compared", seen)
			}
			checkGroups(t, "Group 0:"+groups, info.Groups)
		})
	}
}

// fromHeader turns a value of dumpe2fs into what info's JSON prints for it.
func fromHeader(value string) string {
	if at, err := time.Parse("Mon Jan _2 15:04:05 2006", value); err == nil {
		return at.Format("2006-01-02T15:04:05.000000000Z")
	}
	switch value {
	case "n/a", "<not available>", "<none>":
		return "<nil>"
	}
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		return fmt.Sprint(float64(n))
	}
	if v, ok := strings.CutPrefix(value, "0x"); ok { // dumpe2fs doesn't fill it up
		return fmt.Sprintf("0x%08s", v)
	}
	return value
}

func checkFeatures(t *testing.T, value string, features map[string]any) {
	t.Helper()
	var got []string
	for _, key := range []string{"compat", "incompat", "ro_compat"} {
		for _, n := range features[key].([]any) {
			got = append(got, n.(string))
		}
	}
	want := strings.Fields(value)
	if len(want) == 1 && want[0] == "(none)" {
		want = nil
	}
	if !slices.Equal(got, want) {
		t.Errorf("features %v, dumpe2fs has %v", got, want)
	}
}

var groupParts = []struct {
	keys []string
	line *regexp.Regexp
}{
	{[]string{"group", "first_block"}, regexp.MustCompile(`^Group (\d+): \(Blocks (\d+)-`)},
	{[]string{"block_bitmap"}, regexp.MustCompile(`^\s+Block bitmap at (\d+)`)},
	{[]string{"inode_bitmap"}, regexp.MustCompile(`^\s+.*Inode bitmap at (\d+)`)},
	{[]string{"inode_table"}, regexp.MustCompile(`^\s+.*Inode table at (\d+)`)},
	{[]string{"free_blocks", "free_inodes", "used_dirs"}, regexp.MustCompile(`^\s+(\d+) free (?:blocks|clusters), (\d+) free inodes, (\d+) directories`)},
	{[]string{"unused_inodes"}, regexp.MustCompile(`directories, (\d+) unused inodes`)},
}

// checkGroups compares the groups with those of dumpe2fs.
func checkGroups(t *testing.T, text string, groups []map[string]any) {
	t.Helper()
	at := -1
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "Group ") {
			at++
		}
		if at >= len(groups) {
			t.Fatalf("%d groups, dumpe2fs has more", len(groups))
		}
		for _, p := range groupParts {
			m := p.line.FindStringSubmatch(line)
			for i, key := range p.keys {
				if m == nil {
					break
				}
				got, want := fmt.Sprint(groups[at][key]), m[1+i]
				if strings.Contains(line, "free clusters") && key == "free_blocks" {
					continue // counted in clusters there
				}
				if n, _ := strconv.ParseFloat(want, 64); got != fmt.Sprint(n) {
					t.Errorf("group %d: %s is %s, dumpe2fs has %s", at, key, got, want)
				}
			}
		}
	}
	if at+1 != len(groups) {
		t.Errorf("%d groups, dumpe2fs has %d", len(groups), at+1)
	}
}
