package main

import (
	"bytes"
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/extscope/extscope/ext/exttest"
)

// TestExport holds the database of stored images against what the kernel showed of them,
// object by object, and has SQLite's own client read one.
func TestExport(t *testing.T) {
	for _, name := range exttest.Some(2, exttest.Cases(t, "")) {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "case.db")
			if got := call(t, "export", exttest.Image(t, name), "--to", file); got.status != exitDone {
				t.Fatalf("exit status %d: %s", got.status, got.err)
			}
			db, err := sql.Open("sqlite", "file:"+file)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			objects := 0
			for _, o := range exttest.Truth(t, name) {
				if o.Partial || string(o.Path) == "/" {
					continue
				}
				objects++
				var typ string
				var mode, links, uid, gid, size, sec, nsec int64
				// A path with a part that is not UTF-8 is a blob, unless another part is before it.
				err := db.QueryRow(`SELECT type, mode, links, uid, gid, size, mtime, mtime_ns FROM file WHERE CAST(path AS BLOB) = ? AND inode = ?`, o.Path, o.Ino).
					Scan(&typ, &mode, &links, &uid, &gid, &size, &sec, &nsec)
				if err != nil {
					t.Errorf("%q: %v", o.Path, err)
					continue
				}
				if typ != o.Type || uint32(mode) != o.Mode || uint64(links) != o.Links || uint32(uid) != o.UID || uint32(gid) != o.GID ||
					o.Type == "file" && size != o.Size || !time.Unix(sec, nsec).Equal(time.Unix(o.Mtime.Sec, int64(o.Mtime.Nsec))) {
					t.Errorf("%q is %s %o, %d links, %d:%d, %d bytes, %d.%09d; the kernel shows %+v", o.Path, typ, mode, links, uid, gid, size, sec, nsec, o)
				}
			}
			var names int
			if err := db.QueryRow("SELECT count(*) FROM file").Scan(&names); err != nil || names < objects {
				t.Errorf("%d names, %v; %d objects", names, err, objects)
			}
		})
	}
}

func TestExportTwice(t *testing.T) {
	var files [2][]byte
	for i := range files {
		file := filepath.Join(t.TempDir(), "case.db")
		if got := call(t, "export", demo, "--to", file); got.status != exitDone {
			t.Fatalf("exit status %d: %s", got.status, got.err)
		}
		var err error
		if files[i], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		if got := call(t, "export", demo, "--to", file); got.status != exitUsage {
			t.Errorf("over a file that is there: exit status %d", got.status)
		}
		if i == 1 {
			out, err := exec.Command(exttest.Tool(t, "sqlite3"), file, "PRAGMA integrity_check; SELECT count(*) FROM rotten").CombinedOutput()
			if err != nil || string(out) != "ok\n5\n" {
				t.Errorf("sqlite3: %v %s", err, out)
			}
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the same evidence gives another database")
	}
}

// TestExportCSV has each table in a file, with as many rows as the database, and with the
// events that timeline shows.
func TestExportCSV(t *testing.T) {
	dir := t.TempDir()
	image := exttest.Image(t, "journal/history")
	if got := call(t, "export", image, "--csv", filepath.Join(dir, "csv")); got.status != exitDone {
		t.Fatalf("exit status %d: %s", got.status, got.err)
	}
	file := filepath.Join(dir, "case.db")
	if got := call(t, "export", image, "--to", file); got.status != exitDone {
		t.Fatalf("exit status %d: %s", got.status, got.err)
	}
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range schemas {
		b, err := os.ReadFile(filepath.Join(dir, "csv", s.name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		var want int
		if err := db.QueryRow(`SELECT count(*) FROM "` + s.name + `"`).Scan(&want); err != nil {
			t.Fatal(err)
		}
		if got := len(rowsOf(t, string(b))) - 1; got != want || want == 0 && s.name != "finding" && s.name != "symlink" {
			t.Errorf("%s: %d rows, the database has %d", s.name, got, want)
		}
	}
	if got := call(t, "export", image, "--csv", filepath.Join(dir, "csv")); got.status != exitUsage {
		t.Errorf("over files that are there: exit status %d", got.status)
	}
}
