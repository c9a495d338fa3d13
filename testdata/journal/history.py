#!/usr/bin/env python3
"""Makes forty changes, each in a transaction of its own, and records them.

    history.py MOUNTPOINT IMAGE BLOCKSIZE BLOCKS OUT [fast]

IMAGE is the mounted backing file and BLOCKS names a file with the numbers of the
journal's blocks. OUT gets one JSON object a change: what was done, when, to what, and
what the kernel shows afterwards of the inode in question. With "fast" the second
half of the changes is brought to the journal by fsync(2), as fast commits where
that can be, and not by sync(2).
"""
import fcntl
import hashlib
import json
import os
import struct
import sys
import time

FS_IOC_GETVERSION = 0x80087601

mnt, image, block_size, blocks_file, out = sys.argv[1:6]
block_size = int(block_size)
fast = sys.argv[6:] == ["fast"]
with open(blocks_file) as f:
    blocks = [int(n) for n in f.read().split()]
changes = []


def last_commit():
    """The highest sequence number in a commit block of the log, and its block."""
    best = (0, 0)
    with open(image, "rb") as f:
        for i, n in enumerate(blocks):
            f.seek(n * block_size)
            magic, kind, sequence = struct.unpack(">III", f.read(12))
            if magic == 0xC03B3998 and kind == 2:
                best = max(best, (sequence, i))
    return best


def facts(path):
    st = os.lstat(path)
    o = {
        "inode": st.st_ino, "type": {0o10: "file", 0o4: "directory", 0o12: "symlink"}[st.st_mode >> 12],
        "mode": "%04o" % (st.st_mode & 0o7777), "uid": st.st_uid, "gid": st.st_gid, "size": st.st_size,
        "links": st.st_nlink, "blocks_512": st.st_blocks,
    }
    for name in ("atime", "mtime", "ctime"):
        o[name] = divmod(getattr(st, "st_%s_ns" % name), 10**9)
    if o["type"] == "symlink":
        o["target"] = os.readlink(path)
        return o
    fd = os.open(path, os.O_RDONLY | os.O_NOATIME)
    try:
        buf = bytearray(8)
        fcntl.ioctl(fd, FS_IOC_GETVERSION, buf)
        o["generation"] = struct.unpack_from("=I", buf)[0]
        if o["type"] == "file":
            data = os.read(fd, 1 << 20)
            o["sha256"] = hashlib.sha256(data).hexdigest()
    finally:
        os.close(fd)
    names = os.listxattr(path)
    if names:
        o["xattrs"] = {name: os.getxattr(path, name).hex() for name in names}
    return o


def change(op, path, call, *args, also=None, touch=None):
    """Makes a change to path and brings it to the journal. also is the second name
    of a link or a rename, under which the inode is found afterwards; touch, what to
    sync where path is gone."""
    before, last = None, last_commit()
    if op in ("unlink", "rmdir", "replace"):
        before = facts(also if op == "replace" else path)
    now = time.time_ns()
    call(*args)
    quick = fast and len(changes) >= 20
    if quick:
        fd = os.open(touch or also or path, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
    else:
        os.sync()
    commit = last_commit()
    o = {"change": len(changes) + 1, "time": divmod(now, 10**9), "op": op, "path": "/" + path}
    if also:
        o["other_path"] = "/" + also
    if quick and commit == last:
        o["fast_commit_of"] = commit[0] + 1
    else:
        o["sequence"], o["log_block"] = commit
        if last[0] and commit[0] - last[0] > 1:
            o["sequences"] = commit[0] - last[0]
    if before:
        o["removed"] = before  # as it was just before
    if op not in ("unlink", "rmdir"):
        o.update(facts(also or path))
    changes.append(o)


def write(path, data, flags=os.O_CREAT):
    fd = os.open(path, os.O_WRONLY | flags, 0o644)
    os.write(fd, data)
    os.close(fd)


def text(tag, size):
    return (tag.encode() + b" ") * (size // (len(tag) + 1)) + b"\n"


def retarget(path, target):
    os.unlink(path)
    os.symlink(target, path)


def main():
    os.chdir(mnt)
    append = os.O_APPEND
    change("create", "report", write, "report", text("first draft", 500))
    change("append", "report", write, "report", text("more", 6000), append)
    change("append", "report", write, "report", text("and more", 9000), append)
    change("chmod", "report", os.chmod, "report", 0o600)
    change("mkdir", "archive", os.mkdir, "archive")
    change("rename", "report", os.rename, "report", "archive/report", also="archive/report")
    change("chown", "archive/report", os.chown, "archive/report", 1000, 100)
    change("truncate", "archive/report", os.truncate, "archive/report", 4000)
    change("create", "plan", write, "plan", text("the plan", 3000))
    change("link", "plan", os.link, "plan", "archive/plan", also="archive/plan")
    change("symlink", "current", os.symlink, "archive/report", "current")
    change("overwrite", "plan", write, "plan", b"THE PLAN", 0)
    change("unlink", "plan", os.unlink, "plan")
    change("setxattr", "archive/plan", os.setxattr, "archive/plan", "user.author", b"ana")
    change("retarget", "current", retarget, "current", "archive/plan")
    change("unlink", "archive/report", os.unlink, "archive/report")
    change("create", "archive/report", write, "archive/report", text("another report", 2000))  # same name
    change("utime", "archive/report", lambda: os.utime("archive/report", ns=(10**18, 10**18 + 5)))
    change("mkdir", "inbox", os.mkdir, "inbox")
    change("create", "inbox/mail", write, "inbox/mail", text("dear all", 12000))
    # From here on by fsync, if that was asked for.
    change("append", "inbox/mail", write, "inbox/mail", text("yours", 3000), append)
    change("create", "inbox/note", write, "inbox/note", b"a note\n")
    change("unlink", "inbox/note", os.unlink, "inbox/note", touch="inbox")
    change("create", "inbox/note", write, "inbox/note", b"another note\n")
    change("chmod", "inbox/note", os.chmod, "inbox/note", 0o640)
    change("truncate", "inbox/mail", os.truncate, "inbox/mail", 0)
    change("write", "inbox/mail", write, "inbox/mail", text("again", 5000), 0)
    change("link", "inbox/mail", os.link, "inbox/mail", "mail", also="mail")
    change("rename", "inbox/note", os.rename, "inbox/note", "inbox/memo", also="inbox/memo")
    change("create", "inbox/draft", write, "inbox/draft", text("draft", 700))
    change("replace", "inbox/draft", os.rename, "inbox/draft", "inbox/memo", also="inbox/memo")
    change("unlink", "inbox/mail", os.unlink, "inbox/mail", touch="mail")
    change("chown", "mail", os.chown, "mail", 70000, 70000)
    change("append", "mail", write, "mail", text("last words", 300), append)
    change("mkdir", "inbox/old", os.mkdir, "inbox/old")
    change("rmdir", "inbox/old", os.rmdir, "inbox/old", touch="inbox")
    change("unlink", "mail", os.unlink, "mail", touch=".")
    change("create", "mail", write, "mail", text("a new mail", 1500))
    change("truncate", "mail", os.truncate, "mail", 100000)
    change("chmod", "archive", os.chmod, "archive", 0o700)
    with open(out, "w") as f:
        for o in changes:
            f.write(json.dumps(o) + "\n")


main()
