#!/usr/bin/env python3
"""Works on a mounted ext file system until the power fails.

    crash.py base MOUNTPOINT [KEY=VALUE...]
    crash.py cut MOUNTPOINT COPY=FILE... [KEY=VALUE...]

"base" makes the tree that is there before. "cut" changes it, in three parts: one
that sync(2) brings home, one in which fsync(2) brings each change to the journal
only, and one that is never written; then it copies each FILE, the backing file of
a mounted device, to COPY, while files are open and changes are pending.

Keys: activity (plain, fast, many), xattrs, orphans (files deleted while open),
magic (files full of the journal's magic number), inline (changes to inline data),
pieces (extents of a file in a fast commit), recycle (a directory's blocks become a
file's), names (in /many), commits (of the activity "many").
"""
import ctypes
import fcntl
import os
import shutil
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)

KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE, COLLAPSE_RANGE = 1, 2, 0x10, 8
FS_IOC_FIEMAP, FIEMAP_FLAG_SYNC = 0xC020660B, 1
MAGIC = b"\xc0\x3b\x39\x98"


def pattern(tag, size):
    """Content that says whose it is, block by block, and compresses well."""
    unit = ("%s " % tag).encode()[:24].ljust(24, b".")
    return b"".join(unit + b"%07d\n" % i for i in range(size // 32 + 1))[:size]


def write(path, data=b"", at=None, flags=0):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o644)
    try:
        if data:
            os.pwrite(fd, data, os.fstat(fd).st_size if at is None else at)
    finally:
        os.close(fd)


def fsync(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fallocate(path, mode, offset, length):
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)) != 0:
            n = ctypes.get_errno()
            raise OSError(n, os.strerror(n), path)
    finally:
        os.close(fd)


def attempt(what, call, *args):
    """Does what not every file system can."""
    try:
        call(*args)
    except OSError as e:
        print("  without %s: %s" % (what, e.strerror), file=sys.stderr)


def physical(path):
    """The blocks of a file or directory, as a set of numbers of 1 KiB units."""
    fd = os.open(path, os.O_RDONLY)
    try:
        head = struct.pack("=QQIIII", 0, (1 << 64) - 1, FIEMAP_FLAG_SYNC, 0, 256, 0)
        buf = bytearray(head + bytes(256 * 56))
        fcntl.ioctl(fd, FS_IOC_FIEMAP, buf)
    finally:
        os.close(fd)
    units = set()
    for i in range(struct.unpack_from("=I", buf, 20)[0]):
        _, start, length = struct.unpack_from("=QQQ", buf, 32 + 56 * i)
        units.update(range(start >> 10, (start + length) >> 10))
    return units


def base(key):
    for name in ("keep", "work", "gone", "gone/sub", "moved", "many", "recycle"):
        os.mkdir(name)
    for name in ("keep/a", "keep/b"):
        write(name, pattern(name, 5000))
    for name, size in (("append", 3000), ("shrink", 40000), ("overwrite", 20000), ("rename", 700), ("mode", 10),
                       ("owner", 10), ("xattr", 10), ("link", 100), ("unlink", 9000), ("punch", 65536), ("times", 50),
                       ("replaced", 6000), ("collapse", 65536), ("tiny", 20), ("cleared", 30000)):
        write("work/" + name, pattern(name, size))
    for i in range(40):
        write("work/fragmented", pattern("fragmented", 900), 8192 * i)
        write("work/pieces", pattern("pieces", 900), 8192 * i)
    os.symlink("append", "work/short")
    os.symlink("long-" * 30, "work/long")
    for name in ("gone/x", "gone/y", "gone/sub/z"):
        write(name, pattern(name, 2500))
    for i in range(int(key["names"])):
        write("many/%04d-%s" % (i, "n" * 30))
    if key["orphans"]:
        os.mkdir("open")
        for name in "abcdef":
            write("open/" + name, pattern("orphan " + name, 7000))
    if key["inline"]:
        os.mkdir("inline")
        os.mkdir("inline/dir")
        os.mkdir("inline/emptied")
        for name, size in (("grows", 40), ("changes", 100), ("shrinks", 120), ("deleted", 50), ("leaves", 90)):
            write("inline/" + name, pattern(name, size))
        for name in ("dir/one", "dir/two", "emptied/one"):
            write("inline/" + name, b"inline\n")


def plain(key):
    """A change at a time, each of them in the journal by an fsync."""
    # Home as well as in the journal.
    os.mkdir("new")
    write("new/first", pattern("new/first", 6000))
    write("work/append", pattern("first append", 2000))
    os.unlink("gone/x")
    os.symlink("first", "new/link")
    os.sync()

    # In the journal only.
    for i in range(120):
        write("recycle/%03d-%s" % (i, "r" * 60))
    fsync("recycle")
    directory = physical("recycle")
    write("new/second", pattern("new/second", 12000))
    fsync("new/second")
    write("work/append", pattern("second append", 9000))
    fsync("work/append")
    os.truncate("work/shrink", 1234)
    fsync("work/shrink")
    os.truncate("work/cleared", 0)
    write("work/cleared", b"cleared, and written again\n")
    fsync("work/cleared")
    write("work/overwrite", pattern("overwritten", 5000), 3000)
    fsync("work/overwrite")
    os.rename("work/rename", "new/renamed")
    fsync("new")
    os.chmod("work/mode", 0o4711)
    fsync("work/mode")
    os.chown("work/owner", 1000, 70000)
    fsync("work/owner")
    os.utime("work/times", ns=(10**18, 123456789))
    fsync("work/times")
    if key["xattrs"]:
        os.setxattr("work/xattr", "user.short", b"in the inode")
        fsync("work/xattr")
        os.setxattr("work/xattr", "user.long", b"in a block " * 40)
        os.setxattr("new", "user.directory", b"of a directory")
        fsync("work/xattr")
    for i in range(5):
        os.link("work/link", "new/link-%d" % i)
    os.unlink("work/link")
    fsync("new/link-0")
    os.unlink("work/unlink")
    fsync("work")
    attempt("fallocate", fallocate, "new/preallocated", 0, 0, 50000)
    attempt("punching", fallocate, "work/punch", KEEP_SIZE | PUNCH_HOLE, 8192, 32768)
    fsync("work/punch")
    attempt("collapsing", fallocate, "work/collapse", COLLAPSE_RANGE, 0, 32768)
    fsync("work/collapse")
    for i in range(60):
        write("new/fragmented", pattern("new fragmented", 900), 8192 * i)
    fsync("new/fragmented")
    write("work/replacing", pattern("replacing", 4000))
    fsync("work/replacing")
    os.rename("work/replacing", "work/replaced")
    os.unlink("work/fragmented")
    fsync("work")
    os.truncate("work/pieces", 8192 * 7 + 100)
    fsync("work/pieces")
    shutil.rmtree("gone")
    os.makedirs("new/a/b/c")
    write("new/a/b/c/deep", pattern("deep", 3000))
    fsync("new/a/b/c/deep")
    os.rename("moved", "new/a/moved")
    fsync("new/a")
    os.unlink("work/short")
    os.symlink("../new/second", "work/short")
    os.unlink("work/long")
    os.symlink(b"escaped " * 12, "work/long")
    # A block of the file system that starts as the journal's own blocks do.
    os.symlink(MAGIC + b"/of/the/journal" * 6, "work/escaped")
    os.mkfifo("new/fifo")
    os.mknod("new/device", 0o020600, os.makedev(4, 70))
    fsync("work")
    for i in range(0, int(key["names"]), 3):
        os.unlink("many/%04d-%s" % (i, "n" * 30))
    for i in range(int(key["names"]) // 2):
        write("many/%s-%04d" % ("new" * 12, i))
    fsync("many")
    if key["magic"]:
        write("new/magic", MAGIC * 10240)
        fsync("new/magic")
        write("work/append", MAGIC + struct.pack(">II", 2, 1 << 30), 4096 * 2)  # as a commit block looks
        fsync("work/append")
    if key["inline"]:
        inline()
    if key["recycle"]:
        recycle(directory)


def inline():
    write("inline/grows", pattern("has grown", 7000))
    write("inline/changes", b"CHANGED", 10)
    os.truncate("inline/shrinks", 11)
    os.unlink("inline/deleted")
    write("inline/new", b"new and inline\n")
    fsync("inline/new")
    write("inline/dir/three", b"x")
    os.unlink("inline/dir/one")
    os.rename("inline/leaves", "inline/dir/arrives")
    os.unlink("inline/emptied/one")
    os.symlink("in the inode's own space for attributes, as it is over sixty bytes", "inline/symlink")
    os.mkdir("inline/outgrown")
    for i in range(12):
        write("inline/outgrown/name-%02d-%s" % (i, "g" * 20))
    fsync("inline/dir")


def recycle(directory):
    """Blocks of a directory become a file's: without its revoke records, a replay
    would put the directory back over the file."""
    shutil.rmtree("recycle")
    fsync(".")
    # The directory's group is searched first for what is written below it.
    for i in range(400):
        room = os.statvfs(".").f_bavail * os.statvfs(".").f_bsize
        name = "new/reused" if room > 1 << 18 else "new/reused-%d" % i
        write(name, b"reused\n\n" * (16384 if room > 1 << 18 else 500))
        if room < 1 << 16 or physical(name) & directory:
            break
    if not physical(name) & directory:
        print("  no block of %s was used again" % sorted(directory), file=sys.stderr)
    fsync(name)


def fast(key):
    """What fast commits can hold, which is no symlinks and no attributes. The last
    full commit comes early: the changes after it are in the fast-commit area only."""
    os.mkdir("new")
    write("new/first", pattern("new/first", 6000))
    os.unlink("gone/x")
    os.sync()

    # Fast commits that a full one makes old: their blocks are used again.
    for i in range(6):
        write("new/old-%d" % i, pattern("old", 500))
        fsync("new/old-%d" % i)
    os.sync()
    os.unlink("new/old-0")
    fsync("new")
    # Not eligible, so a full commit.
    if key["xattrs"]:
        os.setxattr("work/xattr", "user.long", b"in a block " * 40)
        fsync("work/xattr")
    os.rename("moved", "new/moved")
    fsync("new")
    if key["inline"]:
        inline()
    os.symlink("second", "new/symlink")
    os.symlink("far/" * 40, "new/long")
    os.unlink("work/short")
    os.symlink("../new/second", "work/short")
    fsync("new")
    fsync("keep/a")

    # In fast commits only.
    write("new/second", pattern("new/second", 12000))
    fsync("new/second")
    write("work/append", pattern("second append", 9000))
    fsync("work/append")
    write("work/overwrite", pattern("overwritten", 5000), 3000)
    fsync("work/overwrite")
    os.truncate("work/shrink", 1234)
    fsync("work/shrink")
    write("work/tiny", b"more\n")
    fsync("work/tiny")
    fallocate("new/preallocated", 0, 0, 50000)
    fsync("new/preallocated")
    fallocate("work/punch", KEEP_SIZE | PUNCH_HOLE, 8192, 32768)
    fsync("work/punch")
    fallocate("work/collapse", KEEP_SIZE | ZERO_RANGE, 16384, 16384)
    fsync("work/collapse")
    os.rename("work/rename", "work/renamed")
    fsync("work/renamed")
    os.rename("work/times", "new/from-work")
    fsync("new/from-work")
    write("work/replacing", pattern("replacing", 4000))
    fsync("work/replacing")
    os.rename("work/replacing", "work/replaced")
    fsync("work/replaced")
    for i in range(3):
        os.link("work/link", "new/link-%d" % i)
    fsync("work/link")
    os.unlink("work/link")
    fsync("new/link-0")
    os.unlink("work/unlink")
    fsync("work/append")
    os.chmod("work/mode", 0o4711)
    fsync("work/mode")
    os.chown("work/owner", 1000, 70000)
    fsync("work/owner")
    os.mkdir("new/directory")
    write("new/directory/inside", pattern("inside", 300))
    fsync("new/directory/inside")
    os.unlink("gone/sub/z")
    os.rmdir("gone/sub")
    fsync("gone/y")
    for i in range(key["pieces"]):
        write("new/pieces", pattern("new pieces", 900), 8192 * i)
    fsync("new/pieces")
    os.unlink("work/fragmented")
    fsync("work/append")
    # Made, changed, and gone again.
    write("new/short-lived", b"short-lived\n")
    fsync("new/short-lived")
    os.unlink("new/short-lived")
    write("new/successor", b"successor\n")
    fsync("new/successor")
    for i in range(20):
        write("many/%s-%02d" % ("new" * 12, i), b"%d\n" % i)
        fsync("many/%s-%02d" % ("new" * 12, i))
    for i in range(0, 20, 2):
        os.unlink("many/%04d-%s" % (i, "n" * 30))
    fsync("keep/a")
    if key["inline"]:
        write("inline/dir/three", b"a changed name's file\n")
        fsync("inline/dir/three")
        os.unlink("inline/dir/two")
        write("inline/changes", b"changed again", 3)
        fsync("inline/changes")
        write("inline/new", pattern("outgrown", 3000))
        fsync("inline/new")


def many(key):
    """So many commits that the log is written over and over."""
    os.mkdir("new")
    for i in range(int(key["commits"])):
        name = "new/%02d" % (i % 40)
        write(name, pattern("commit %d" % i, 100 + i % 700), 0)
        if i % 7 == 3:
            os.rename(name, "new/%02d" % ((i * 5) % 40))
            name = "new"
        if i % 11 == 10:
            os.unlink("many/%04d-%s" % (i // 11, "n" * 30))
        fsync(name)


def orphans(step, held):
    """Files deleted while they are open. Some of them are closed again, so that the
    list at home and that in the journal differ."""
    names = {"home": "abcd", "journal": "ef"}[step]
    for name in names:
        held[name] = os.open("open/" + name, os.O_RDWR)
        os.unlink("open/" + name)
    if step == "home":
        os.sync()
        return
    for name in "bd":
        os.close(held.pop(name))
    os.pwrite(held["c"], pattern("written after its name was gone", 5000), 7000)
    os.fsync(held["c"])
    fsync("open")


def cut(key, copies):
    held = {}
    if key["orphans"]:
        orphans("home", held)
    {"plain": plain, "fast": fast, "many": many}[key["activity"]](key)
    if key["orphans"]:
        orphans("journal", held)

    # Never written.
    write("new/lost", pattern("lost", 3000))
    write("work/append", pattern("lost", 3000))
    if key["activity"] != "many":
        os.unlink("keep/b")
        os.rename("work/mode", "new/lost-name")
    for copy, file in copies:
        with open(file, "rb") as r, open(copy, "wb") as w:
            while part := r.read(1 << 16):
                if part.strip(b"\0"):
                    w.write(part)
                else:
                    w.seek(len(part), 1)
            w.truncate(r.tell())
    for fd in held.values():
        os.close(fd)


def main():
    verb, root = sys.argv[1:3]
    key = {"activity": "plain", "names": 200, "xattrs": 1, "orphans": 0, "magic": 0, "inline": 0, "pieces": 4, "recycle": 1, "commits": 300}
    copies = []
    for arg in sys.argv[3:]:
        name, value = arg.split("=", 1)
        if name in key:
            key[name] = value if name == "activity" else int(value)
        else:
            copies.append((os.path.abspath(name), os.path.abspath(value)))
    os.chdir(root)
    if verb == "base":
        base(key)
    else:
        cut(key, copies)


if __name__ == "__main__":
    main()
