package host

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A device is the number of a block device.
type device struct{ major, minor uint32 }

func number(n uint64) device { return device{unix.Major(n), unix.Minor(n)} }

// sys is the folder in which the kernel tells of a block device.
func (d device) sys() string { return fmt.Sprintf("/sys/dev/block/%d:%d", d.major, d.minor) }

func (d device) String() string {
	if real, err := filepath.EvalSymlinks(d.sys()); err == nil {
		return "/dev/" + filepath.Base(real)
	}
	return fmt.Sprintf("device %d:%d", d.major, d.minor)
}

// OnEvidence tells why writing below dir would write to the evidence, which is the
// given files and block devices: dir's file system lies on such a device, on one of its
// partitions or on the disk it is a partition of, or on a loop device over such a file.
// It is "" where that is not so. dir has to be there.
func OnEvidence(dir string, evidence []string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	below := map[device]bool{}
	collect(below, source(number(st.Dev)), 0)
	for _, name := range evidence {
		why, err := meets(name, below)
		if why != "" || err != nil {
			return why, err
		}
	}
	return "", nil
}

// meets tells how a file of the evidence is one of the devices, or lies under one.
func meets(name string, below map[device]bool) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	files := []fs.FileInfo{info}
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: name, Err: err}
	}
	if st.Mode&unix.S_IFMT == unix.S_IFBLK {
		own := number(st.Rdev)
		disk, isPartition := wholeDisk(own)
		for d := range below {
			of, part := wholeDisk(d)
			switch {
			case d == own:
				return fmt.Sprintf("its file system lies on %s, which is the evidence", d), nil
			case part && of == own:
				return fmt.Sprintf("its file system lies on %s, a partition of the evidence", d), nil
			case isPartition && d == disk:
				return fmt.Sprintf("its file system lies on %s, the disk that the evidence is a partition of", d), nil
			}
		}
		files = append(files, backing(own)...)
	}
	for d := range below {
		for _, info := range backing(d) {
			for _, f := range files {
				if os.SameFile(info, f) {
					return fmt.Sprintf("its file system lies on %s, a loop device over the evidence", d), nil
				}
			}
		}
	}
	return "", nil
}

// source gives the device of a mount whose own number is none, as of btrfs.
func source(dev device) device {
	if _, err := os.Stat(dev.sys()); err == nil {
		return dev
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return dev
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
		words := strings.Fields(lines.Text())
		if len(words) < 5 || words[2] != fmt.Sprintf("%d:%d", dev.major, dev.minor) {
			continue
		}
		var st unix.Stat_t
		for i, w := range words {
			if w == "-" && i+2 < len(words) && unix.Stat(words[i+2], &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFBLK {
				return number(st.Rdev)
			}
		}
	}
	return dev
}

// collect adds a device and those that it is made of, as a logical volume is.
func collect(all map[device]bool, d device, depth int) {
	const deepest = 16
	if all[d] || depth > deepest {
		return
	}
	all[d] = true
	slaves, err := os.ReadDir(filepath.Join(d.sys(), "slaves"))
	if err != nil {
		return
	}
	for _, s := range slaves {
		if below, ok := readNumber(filepath.Join(d.sys(), "slaves", s.Name(), "dev")); ok {
			collect(all, below, depth+1)
		}
	}
}

// wholeDisk gives the disk that a device is a partition of.
func wholeDisk(d device) (device, bool) {
	if _, err := os.Stat(filepath.Join(d.sys(), "partition")); err != nil {
		return device{}, false
	}
	real, err := filepath.EvalSymlinks(d.sys())
	if err != nil {
		return device{}, false
	}
	return readNumber(filepath.Join(filepath.Dir(real), "dev"))
}

func readNumber(name string) (d device, ok bool) {
	b, err := os.ReadFile(name)
	if err != nil {
		return d, false
	}
	_, err = fmt.Sscanf(string(b), "%d:%d", &d.major, &d.minor)
	return d, err == nil
}

// backing gives the file under a loop device, or under the one it is a partition of.
func backing(d device) []fs.FileInfo {
	if disk, ok := wholeDisk(d); ok {
		d = disk
	}
	name, err := os.ReadFile(filepath.Join(d.sys(), "loop", "backing_file"))
	if err != nil {
		return nil
	}
	info, err := os.Stat(strings.TrimSuffix(string(name), "\n"))
	if err != nil {
		return nil
	}
	return []fs.FileInfo{info}
}
