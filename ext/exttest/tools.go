package exttest

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// required reports whether a missing tool is a failure rather than a reason to
// skip, as where all of them were installed beforehand.
func required() bool { return os.Getenv("EXTSCOPE_REQUIRE_TOOLS") == "1" }

// Skip skips a test for what this machine lacks, and fails it when
// EXTSCOPE_REQUIRE_TOOLS=1.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if required() {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Tool returns the path of a program. Without it the test is skipped, or fails
// when EXTSCOPE_REQUIRE_TOOLS=1.
func Tool(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	// Debian keeps file system tools out of an ordinary user's PATH.
	for _, dir := range []string{"/usr/sbin/", "/sbin/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path
		}
	}
	Skip(t, "%s is not installed", name)
	return ""
}

// Root skips the test unless it may mount images with the running kernel.
func Root(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		Skip(t, "mounting images takes root on Linux")
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		Skip(t, "no loop devices: %v", err)
	}
}

// Debugfs runs one request on an image, read-only, and returns what debugfs
// prints.
func Debugfs(t testing.TB, image, request string) string {
	t.Helper()
	cmd := exec.Command(Tool(t, "debugfs"), "-R", request, image)
	cmd.Env = append(os.Environ(), "DEBUGFS_PAGER=cat", "PAGER=cat", "TZ=UTC", "LC_ALL=C")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("debugfs -R %q: %v: %s", request, err, strings.TrimSpace(errs.String()))
	}
	return out.String()
}
