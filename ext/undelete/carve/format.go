package carve

import "bytes"

// A format is a form of files that is known here.
type format struct {
	name     string
	typ, ext string // MIME type and file name extension
	// starts looks at a block and says whether such a file may start with it.
	starts func(b []byte) bool
	// walk goes through a file to its end. It must end for any contents: each step
	// goes forward, or takes from the stream's budget.
	walk func(s *stream) verdict
	// proves says that the format has checks enough to tell when what follows is
	// not its own: then a walk that failed is worth another try.
	proves bool
	// searched says that a walk notices soon when it is on a wrong way.
	searched bool
	// continues, where not nil, says whether a file may go on with a block.
	continues func(b []byte) bool
}

// A verdict is what a walk came to. The zero verdict says no.
type verdict struct {
	size     int64  // where the structure ends
	why      string // in words
	typ, ext string // better ones than the format's, where not empty
	sure     bool   // the checks cover all contents, also across a jump
	loose    bool   // where it ends, or begins, is a guess
}

// formats are tried by the first byte; 0 is none.
var formats = []format{
	{},
	{name: "PNG", typ: "image/png", ext: ".png", starts: prefix("\x89PNG\r\n\x1a\n"), walk: walkPNG, proves: true, searched: true},
	{name: "JPEG", typ: "image/jpeg", ext: ".jpg", starts: startsJPEG, walk: walkJPEG, proves: true, searched: true, continues: continuesJPEG},
	{name: "GIF", typ: "image/gif", ext: ".gif", starts: startsGIF, walk: walkGIF},
	{name: "PDF", typ: "application/pdf", ext: ".pdf", starts: prefix("%PDF-"), walk: walkPDF, proves: true},
	{name: "ZIP", typ: "application/zip", ext: ".zip", starts: startsZIP, walk: walkZIP, proves: true, searched: true},
	{name: "gzip", typ: "application/gzip", ext: ".gz", starts: startsGzip, walk: walkGzip, proves: true, searched: true},
	{name: "bzip2", typ: "application/x-bzip2", ext: ".bz2", starts: startsBzip2, walk: walkBzip2, proves: true, searched: true},
	{name: "xz", typ: "application/x-xz", ext: ".xz", starts: prefix("\xfd7zXZ\x00"), walk: walkXZ, proves: true, searched: true},
	{name: "zstd", typ: "application/zstd", ext: ".zst", starts: prefix("\x28\xb5\x2f\xfd"), walk: walkZstd},
	{name: "7z", typ: "application/x-7z-compressed", ext: ".7z", starts: prefix("7z\xbc\xaf\x27\x1c"), walk: walk7z, proves: true},
	{name: "tar", typ: "application/x-tar", ext: ".tar", starts: startsTar, walk: walkTar, proves: true},
	{name: "SQLite", typ: "application/vnd.sqlite3", ext: ".sqlite", starts: prefix("SQLite format 3\x00"), walk: walkSQLite},
	{name: "ELF", typ: "application/x-elf", ext: ".elf", starts: startsELF, walk: walkELF},
	{name: "ar", typ: "application/x-archive", ext: ".a", starts: prefix("!<arch>\n"), walk: walkAr},
	{name: "RIFF", typ: "application/octet-stream", ext: "", starts: startsRIFF, walk: walkRIFF},
	{name: "MP4", typ: "video/mp4", ext: ".mp4", starts: startsMP4, walk: walkMP4},
	{name: "Ogg", typ: "application/ogg", ext: ".ogg", starts: prefix("OggS\x00\x02"), walk: walkOgg, proves: true, searched: true},
	{name: "MP3", typ: "audio/mpeg", ext: ".mp3", starts: startsMP3, walk: walkMP3},
	{name: "FLAC", typ: "audio/flac", ext: ".flac", starts: startsFLAC, walk: walkFLAC, proves: true, searched: true},
	{name: "BMP", typ: "image/bmp", ext: ".bmp", starts: startsBMP, walk: walkBMP},
	{name: "Java class", typ: "application/java-vm", ext: ".class", starts: startsClass, walk: walkClass},
	{name: "font", typ: "font/sfnt", ext: ".ttf", starts: startsSFNT, walk: walkSFNT, proves: true},
	{name: "WOFF", typ: "font/woff", ext: ".woff", starts: startsWOFF, walk: walkWOFF},
	{name: "OLE", typ: "application/x-ole-storage", ext: ".doc", starts: prefix("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), walk: walkOLE},
	{name: "Git", typ: "application/x-git", ext: ".pack", starts: startsGit, walk: walkGit, proves: true},
	{name: "Git", typ: "application/x-git-pack-index", ext: ".idx", starts: startsGitIndex, walk: walkGitIndex, proves: true},
	{name: "icon", typ: "image/vnd.microsoft.icon", ext: ".ico", starts: startsICO, walk: walkICO},
	{name: "zlib", typ: "application/zlib", ext: ".zlib", starts: startsZlib, walk: walkZlib, proves: true, searched: true},
	{name: "UTF-16", typ: "text/plain; charset=utf-16le", ext: ".txt", starts: startsUTF16, walk: walkUTF16},
}

func prefix(magic string) func([]byte) bool {
	m := []byte(magic)
	return func(b []byte) bool { return bytes.HasPrefix(b, m) }
}

// sniff gives the index of the format that seems to start with a block, or 0.
func sniff(b []byte) uint8 {
	for i := 1; i < len(formats); i++ {
		if formats[i].starts(b) {
			return uint8(i)
		}
	}
	return 0
}

// foreign reports whether a block of a file of compressed or sampled data is
// another file's: text, zeros, or the start of a format that has a long magic.
func foreign(b []byte) bool {
	return zeroTail(b) == len(b) || isText(b)
}
