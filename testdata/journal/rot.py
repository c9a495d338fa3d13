#!/usr/bin/env python3
"""Makes symlinks and then takes their targets away.

    rot.py make MOUNTPOINT OUT
    rot.py break MOUNTPOINT OUT

The two run in one mount each. OUT gets one JSON object a symlink: its path, target,
how it was broken, and what is to be found out about it: cause (deleted, renamed,
never: there was no such name; none: it isn't broken), the missing name's path and
inode, and moved_to, where that inode is today (a list where it has several names).
What was removed is known by its inode and generation: numbers are used again.
"""
import fcntl
import json
import os
import shutil
import struct
import sys

FS_IOC_GETVERSION = 0x80087601


def write(path, data):
    with open(path, "w") as f:
        f.write(data)


# symlink, target, cause, the missing name, moved_to, how
LINKS = [
    ("deleted", "dir/deleted", "deleted", "/dir/deleted", None, "rm dir/deleted"),
    ("absolute", "/dir/deleted", "deleted", "/dir/deleted", None, "the same, by an absolute target"),
    ("renamed", "dir/renamed", "renamed", "/dir/renamed", ["/dir/renamed-to"], "mv in the same directory"),
    ("moved", "dir/moved", "renamed", "/dir/moved", ["/other/moved"], "mv to another directory"),
    ("moved-twice", "dir/moved-twice", "renamed", "/dir/moved-twice", ["/other/second-place"], "mv, and mv again"),
    ("moved-deleted", "dir/moved-deleted", "deleted", "/dir/moved-deleted", None, "mv, and then rm"),
    ("one-of-two", "dir/one-of-two", "renamed", "/dir/one-of-two", ["/other/two"], "rm of one of two hard links"),
    ("one-of-three", "dir/one-of-three", "renamed", "/dir/one-of-three", ["/other/three-a", "/other/three-b"], "rm of one of three hard links"),
    ("parent-renamed", "album/2024/photo", "renamed", "/album", ["/pictures"], "mv of the directory two levels up"),
    ("parent-moved", "inner/file", "renamed", "/inner", ["/other/inner"], "mv of the directory to another one"),
    ("parent-removed", "tree/a/b/leaf", "deleted", "/tree", None, "rm -r of the directory"),
    ("removed-directory", "tree/a", "deleted", "/tree", None, "the same, the target being a directory"),
    ("leaf-removed", "half/sub/leaf", "deleted", "/half/sub", None, "rm -r of its directory; the one above is there"),
    ("number-reused", "dir/number-reused", "deleted", "/dir/number-reused", None, "rm, and a new file got its inode number"),
    ("replaced", "dir/replaced", "none", None, None, "another file was renamed over it"),
    ("source-of-replacement", "dir/replacement", "renamed", "/dir/replacement", ["/dir/replaced"], "mv over another file"),
    ("recreated", "dir/recreated", "none", None, None, "rm, and a new file under the same name"),
    ("chain", "deleted", "deleted", "/dir/deleted", None, "a symlink to a symlink to what was deleted"),
    ("symlink-renamed", "dir/old-link", "renamed", "/dir/old-link", ["/dir/new-link"], "mv of a symlink"),
    ("sub/up", "../dir/renamed", "renamed", "/dir/renamed", ["/dir/renamed-to"], "as renamed, from another directory"),
    ("large", "names/name-0150", "deleted", "/names/name-0150", None, "rm in a directory with an index"),
    ("large-renamed", "names/name-0300", "renamed", "/names/name-0300", ["/names/elsewhere"], "mv in a directory with an index"),
    ("never", "dir/never", "never", "/dir/never", None, "there was no such name"),
    ("never-directory", "nowhere/file", "never", "/nowhere", None, "there was no such directory"),
    ("sound", "dir/sound", "none", None, None, "not broken"),
]


def generation(path):
    if os.path.islink(path) or not os.path.exists(path):
        return None
    fd = os.open(path, os.O_RDONLY)
    try:
        buf = bytearray(8)
        fcntl.ioctl(fd, FS_IOC_GETVERSION, buf)
        return struct.unpack_from("=I", buf)[0]
    finally:
        os.close(fd)


def make(out):
    for name in ("dir", "other", "sub", "album/2024", "inner", "tree/a/b", "half/sub", "names"):
        os.makedirs(name)
        os.sync()
    for name in ("deleted", "renamed", "moved", "moved-twice", "moved-deleted", "one-of-two", "one-of-three", "number-reused",
                 "replaced", "replacement", "recreated", "sound"):
        write("dir/" + name, name + "\n")
        os.sync()
    os.symlink("sound", "dir/old-link")
    for name in ("album/2024/photo", "inner/file", "tree/a/b/leaf", "half/sub/leaf"):
        write(name, name + "\n")
    for i in range(400):
        write("names/name-%04d" % i, "")
    os.sync()
    os.link("dir/one-of-two", "other/two")
    os.link("dir/one-of-three", "other/three-a")
    os.link("dir/one-of-three", "other/three-b")
    os.sync()
    for path, target, *_ in LINKS:
        os.symlink(target, path)
    os.sync()
    with open(out, "w") as f:
        for path, target, cause, name, moved_to, how in LINKS:
            o = {"path": "/" + path, "target": target, "cause": cause, "how": how}
            if name:
                o["name"] = name
                if cause != "never":
                    o["inode"] = os.lstat("." + name).st_ino
                    o["generation"] = generation("." + name)
            if moved_to:
                o["moved_to"] = moved_to
            f.write(json.dumps(o) + "\n")


def end(out):
    os.unlink("dir/deleted")
    os.sync()
    for old, new in (("dir/renamed", "dir/renamed-to"), ("dir/moved", "other/moved"), ("dir/moved-twice", "other/first-place"),
                     ("other/first-place", "other/second-place"), ("dir/moved-deleted", "other/moved-deleted"),
                     ("album", "pictures"), ("inner", "other/inner"), ("dir/replacement", "dir/replaced"),
                     ("dir/old-link", "dir/new-link"), ("names/name-0300", "names/elsewhere")):
        os.rename(old, new)
        os.sync()
    for name in ("other/moved-deleted", "dir/one-of-two", "dir/one-of-three", "names/name-0150", "dir/recreated"):
        os.unlink(name)
        os.sync()
    write("dir/recreated", "recreated\n")
    os.sync()
    shutil.rmtree("tree")
    os.sync()
    shutil.rmtree("half/sub")
    os.sync()
    ino = os.lstat("dir/number-reused").st_ino
    os.unlink("dir/number-reused")
    os.sync()
    for i in range(200):
        write("other/newcomer-%03d" % i, "newcomer\n")
        if os.lstat("other/newcomer-%03d" % i).st_ino == ino:
            break
    else:
        print("  number %d wasn't used again" % ino, file=sys.stderr)
    os.sync()
    # The answers hold.
    with open(out) as f:
        for o in map(json.loads, f):
            assert os.path.lexists("." + o["path"])
            for path in o.get("moved_to", []):
                assert os.lstat("." + path).st_ino == o["inode"], o
            if o["cause"] != "none":
                assert not os.path.lexists("." + o["name"]), o
            elif not o["target"].startswith("/"):
                assert os.path.exists("." + os.path.join(os.path.dirname(o["path"]), o["target"])), o


verb, root, out = sys.argv[1:]
out = os.path.abspath(out)
os.chdir(root)
{"make": make, "break": end}[verb](out)
