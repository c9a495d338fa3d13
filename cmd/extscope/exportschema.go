package main

import (
	"fmt"
	"strings"

	"github.com/extscope/extscope/report/database"
)

// The tables of an export, by their place.
const (
	tableImage = iota
	tableFilesystem
	tableInode
	tableDirectory
	tableName
	tableRun
	tableSymlink
	tableFinding
	tableDeleted
	tableTransaction
	tableEvent // of CSV only: a view of the database
)

// A schema is a table of the export and what it means.
type schema struct {
	name, doc, columns string
	key                string
	indexes            []string
}

// schemas are in the order of the constants. Of a column "name type", the type is i, t or
// @ for INTEGER, TEXT and a time.
var schemas = []schema{
	{"image", "the evidence, one row", "path t, format t, size i, partition i, offset i, program t", "", nil},
	{"filesystem", "the superblock, one row", "type t, label t, uuid t, block_size i, blocks i, free_blocks i, inodes i, free_inodes i, created @, mounted @, written @, checked @, mount_count i, last_mounted t, state t, features t, view t", "", nil},
	{"inode", "every inode that is not all zeros", "inode i, allocated i, type t, mode i, links i, uid i, gid i, size i, blocks_512 i, flags i, generation i, atime @, mtime @, ctime @, crtime @, dtime @, file_acl i, storage t, checksum_ok i", "inode", nil},
	{"directory", "the path of every directory: of those that the root does not reach it starts with @N", "inode i, path t", "inode", nil},
	{"name", "every entry of every directory but . and ..; removed ones that are still there have deleted 1", "dir i, name t, inode i, type t, deleted i, offset i", "", []string{"inode", "dir"}},
	{"run", "where contents lie, in blocks; physical is null in a hole", "inode i, logical i, physical i, length i, state t", "", []string{"inode", "physical"}},
	{"symlink", "every name of every symlink, and where it leads", "inode i, path t, target t, storage t, state t, resolved t, missing t, cause t, moved_to t, target_inode i", "", nil},
	{"finding", "what the audit found", "kind t, severity t, inode i, path t, block i, group_number i, offset i, stored i, counted i, detail t", "", nil},
	{"deleted", "deleted files", "inode i, generation i, path t, name t, type t, size i, mode i, uid i, gid i, mtime @, deleted_at @, grade t, technique t, recoverable i, evidence t", "", nil},
	{"transaction", "the journal's transactions, oldest first", "sequence i, committed_at @, state t, blocks i, revokes i, took_effect i", "", nil},
	{"event", "each time of each inode and each deletion: kind is m, a, c, b or d", "time @, kind t, inode i, generation i, state t", "", nil},
}

// exportTables gives the tables, for CSV with that of events.
func exportTables(csv bool) []database.Table {
	var out []database.Table
	for i, s := range schemas {
		if i == tableEvent && !csv {
			continue
		}
		t := database.Table{Name: s.name, Key: s.key, Indexes: s.indexes}
		for column := range strings.SplitSeq(s.columns, ", ") {
			name, kind, _ := strings.Cut(column, " ")
			t.Columns = append(t.Columns, database.Column{Name: name, Type: map[string]string{"i": "INTEGER", "t": "TEXT", "@": "TIME"}[kind]})
		}
		out = append(out, t)
	}
	return out
}

// exportViews are made when all rows are there.
var exportViews = []string{
	`CREATE VIEW file AS SELECT CASE d.path WHEN '/' THEN '/' ELSE d.path || '/' END || n.name AS path, i.*
 FROM name n JOIN directory d ON d.inode = n.dir JOIN inode i ON i.inode = n.inode WHERE n.deleted = 0`,
	`CREATE VIEW event AS
 SELECT mtime AS time, mtime_ns AS time_ns, 'm' AS kind, inode, generation, 'live' AS state FROM inode WHERE mtime IS NOT NULL AND links > 0
 UNION ALL SELECT atime, atime_ns, 'a', inode, generation, 'live' FROM inode WHERE atime IS NOT NULL AND links > 0
 UNION ALL SELECT ctime, ctime_ns, 'c', inode, generation, 'live' FROM inode WHERE ctime IS NOT NULL AND links > 0
 UNION ALL SELECT crtime, crtime_ns, 'b', inode, generation, 'live' FROM inode WHERE crtime IS NOT NULL AND links > 0
 UNION ALL SELECT mtime, mtime_ns, 'm', inode, generation, 'deleted' FROM deleted WHERE mtime IS NOT NULL
 UNION ALL SELECT deleted_at, deleted_at_ns, 'd', inode, generation, 'deleted' FROM deleted WHERE deleted_at IS NOT NULL`,
	`CREATE VIEW hard_link AS SELECT * FROM file WHERE links > 1 AND type <> 'directory'`,
	`CREATE VIEW rotten AS SELECT path, target, missing, cause, moved_to FROM symlink WHERE state IN ('rotten', 'loop')`,
	`CREATE VIEW recoverable AS SELECT path, name, size, grade, datetime(deleted_at, 'unixepoch') AS deleted FROM deleted WHERE recoverable = 1`,
}

// schemaHelp tells of tables and views.
func schemaHelp() string {
	var b strings.Builder
	b.WriteString("Tables:\n")
	for i, s := range schemas {
		doc := s.doc
		if i == tableEvent {
			doc += " (a view of the database)"
		}
		fmt.Fprintf(&b, "  %-12s %s\n", s.name, doc)
	}
	b.WriteString(`
Views:
  file         every name with its whole path, and its inode
  hard_link    those of files with several
  rotten       symlinks that lead nowhere, and why
  recoverable  deleted files whose contents can be had`)
	return b.String()
}
